"""Resolutions of a SANE device, in pixels per inch; one axis or two."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from dsm_device.errors import ScannerMismatch
from dsm_device.hardware import OptionValue

from .option import Kind, Option, Range
from .options import Options

#: Offered out of a range: those of them that lie in it and on its grid.
STANDARD_DPI = (75, 100, 150, 200, 240, 300, 400, 600, 1200, 2400, 4800)
_TOLERANCE_DPI = 0.5


@dataclass(frozen=True, slots=True)
class Axis:
    """One option and the resolutions that it takes, ascending; without an option the one that is fixed."""

    option: str | None
    offered_dpi: tuple[int, ...]

    def select(self, options: Options, dpi: int) -> None:
        """Set ``dpi``, or raise ``ScannerMismatch`` with what is possible."""
        if self.option is None:
            if dpi not in self.offered_dpi:
                raise ScannerMismatch(f"{dpi} dpi were asked for, the scanner has {self.offered_dpi[0]} dpi only")
            return
        option = options.usable(self.option)
        value = _value(option, dpi) if option else None
        if option is None or value is None:
            possible = option.possible() if option else "nothing"
            raise ScannerMismatch(f"{dpi} dpi were asked for, {self.option} takes {possible}")
        options.set(option, value)

    def verify(self, options: Options, dpi: int) -> None:
        """Backends may clamp or round in silence: raise ``ScannerMismatch`` if the device has not got ``dpi``."""
        option = options.usable(self.option) if self.option is not None else None
        delivered = _dpi(options.value(option)) if option else None
        if delivered is not None and abs(delivered - dpi) > _TOLERANCE_DPI:
            raise ScannerMismatch(
                f"{dpi} dpi were asked for ({self.option}), the scanner delivers {delivered:g} dpi"
            )


@dataclass(frozen=True, slots=True)
class Resolutions:
    """Both axes; ``y`` is None where one option sets them as one."""

    x: Axis
    y: Axis | None

    @property
    def offered_dpi(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Across and along."""
        return self.x.offered_dpi, (self.y or self.x).offered_dpi

    def select(self, options: Options, x_dpi: int, y_dpi: int) -> None:
        if self.y is None and x_dpi != y_dpi:
            raise ScannerMismatch(
                f"{x_dpi} x {y_dpi} dpi were asked for, the scanner has one resolution for both axes"
            )
        self.x.select(options, x_dpi)
        if self.y is not None:
            self.y.select(options, y_dpi)

    def verify(self, options: Options, x_dpi: int, y_dpi: int) -> None:
        self.x.verify(options, x_dpi)
        if self.y is not None:
            self.y.verify(options, y_dpi)


def read_resolutions(options: Options, fixed_dpi: Callable[[], int]) -> Resolutions:
    """What the present source and mode take; ``fixed_dpi`` where nothing can be set."""
    bind = options.usable("resolution-bind")
    if bind and bind.kind is Kind.BOOL:
        options.set(bind, False)
    x = options.usable("x-resolution") or options.usable("resolution")
    y = options.usable("y-resolution") if x else None
    return Resolutions(_axis(options, x, fixed_dpi), _axis(options, y, fixed_dpi) if y else None)


def offered(option: Option) -> tuple[int, ...]:
    """Whole numbers that ``option`` takes as a resolution, ascending; empty if it does not say."""
    if isinstance(option.constraint, Range):
        return _out_of_range(option.constraint)
    listed = (_dpi(each) for each in option.constraint or ())
    return tuple(sorted({round(each) for each in listed if each and each >= 1 and _is_whole(each)}))


def _axis(options: Options, option: Option | None, fixed_dpi: Callable[[], int]) -> Axis:
    if option is None:
        return Axis(None, (fixed_dpi(),))
    present = _dpi(options.value(option))
    return Axis(option.name, offered(option) or (round(present) if present else fixed_dpi(),))


def _out_of_range(limits: Range) -> tuple[int, ...]:
    found = {dpi for dpi in STANDARD_DPI if limits.holds(dpi)}
    if len(found) < 2:
        ends = (limits.ceiling(1), limits.floor(limits.maximum))
        found |= {round(end) for end in ends if end >= 1 and _is_whole(end)}
    return tuple(sorted(found))


def _value(option: Option, dpi: int) -> OptionValue | None:
    """The value that stands for ``dpi``, None if the option has none."""
    if option.kind is Kind.STRING:
        return next((each for each in option.strings if _dpi(each) == dpi), None)
    return option.number(dpi) if option.holds(option.number(dpi)) else None


def _dpi(value: OptionValue | None) -> float | None:
    """The number of a resolution, which some backends write as text: "300", "300dpi", "300x300"."""
    if isinstance(value, str):
        number = re.match(r"\s*(\d+)", value)
        return float(number[1]) if number else None
    return value


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 0.01
