"""The scan area: options in mm or in pixels against areas in 1/1000 inch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dsm_device.errors import ScannerMismatch
from dsm_device.hardware import MIL_PER_INCH, MM_PER_MIL

from .library import Parameters
from .option import FIXED_TOLERANCE, Kind, Option, Range, Unit
from .options import Options

SMALLEST_MIL = 100
#: What the pixels of a device are taken for that tells neither resolution nor millimetres (cameras).
_ASSUMED_DPI = 300
_TOLERANCE_MIL = 1.5 / MM_PER_MIL
_TOLERATED_STEPS = 3


@dataclass(frozen=True, slots=True)
class Direction:
    """The names of the options of one direction."""

    near: str
    far: str
    page: str


ACROSS = Direction("tl-x", "br-x", "page-width")
ALONG = Direction("tl-y", "br-y", "page-height")


@dataclass(frozen=True, slots=True)
class Extent:
    """How short and how long the area can be in one direction."""

    minimum_mil: int
    maximum_mil: int


@dataclass(frozen=True, slots=True)
class Span:
    """A part of one direction that is to be scanned, on a sheet of ``sheet_mil`` (0: nobody says)."""

    direction: Direction
    start_mil: int
    length_mil: int
    sheet_mil: int
    dpi: int

    @property
    def end_mil(self) -> int:
        return self.start_mil + self.length_mil


def read_extent(options: Options, direction: Direction, dpi: int, *, with_page: bool) -> Extent | None:
    """What the options of one direction allow; None where it cannot be set.

    ``with_page``: the sheet's size limits the area too, and can be raised.
    """
    far = _limited(options, direction.far)
    if far is None:
        return None
    near = _limited(options, direction.near)
    origin = _bounds(near).minimum if near else 0
    limits = _bounds(far)
    longest_mil = _floor_mil(far, limits.maximum - origin, dpi)
    page = _limited(options, direction.page) if with_page else None
    if page:
        longest_mil = max(longest_mil, _floor_mil(page, _bounds(page).maximum, dpi))
    shortest = limits.minimum - origin
    shortest_mil = math.ceil(shortest * _mil_per_unit(far, dpi)) if shortest > 0 else SMALLEST_MIL
    return Extent(min(shortest_mil, longest_mil), longest_mil)


def fixed_dpi(options: Options, parameters: Parameters) -> int:
    """The resolution of a device that has no option for it: its pixels over its millimetres."""
    near, far = _limited(options, ACROSS.near), _limited(options, ACROSS.far)
    end = options.value(far) if far and far.unit is Unit.MM else None
    start = options.value(near) if near else 0
    if not isinstance(end, int | float) or not isinstance(start, int | float) or end <= start:
        return _ASSUMED_DPI
    return max(1, round(parameters.pixels_per_line * MIL_PER_INCH * MM_PER_MIL / (end - start)))


def set_page(options: Options, span: Span) -> None:
    """Raise the sheet's size so that it holds the area: backends cut the area, or centre it, by the sheet."""
    page = _limited(options, span.direction.page)
    if page is None:
        return
    limits = _bounds(page)
    wanted = max(span.sheet_mil, span.end_mil) / _mil_per_unit(page, span.dpi)
    options.set(page, page.number(limits.ceiling(wanted)))


def set_spans(options: Options, spans: tuple[Span, ...]) -> None:
    """Set the area. It is opened first, so that no state between is refused as too small or turned round."""
    for span in spans:
        near, far = _limited(options, span.direction.near), _limited(options, span.direction.far)
        if near:
            _set(options, near, _bounds(near).minimum)
        if far:
            limits = _bounds(far)
            _set(options, far, limits.floor(limits.maximum))
    for span in spans:
        far = _limited(options, span.direction.far)
        if far:
            _set(options, far, legal_end(far, span.end_mil / _mil_per_unit(far, span.dpi)))
    for span in spans:
        near = _limited(options, span.direction.near)
        if near:
            _set(options, near, legal_start(near, span.start_mil / _mil_per_unit(near, span.dpi)))


def delivered_px(options: Options, span: Span) -> float | None:
    """The length that the device has set, in pixels; None where it cannot be set or read.

    ``ScannerMismatch`` if that is not the area asked for, but for rounding.
    """
    far, near = _limited(options, span.direction.far), _limited(options, span.direction.near)
    end = options.value(far) if far else None
    start = options.value(near) if near else 0
    if far is None or not isinstance(end, int | float) or not isinstance(start, int | float):
        return None
    scale = _mil_per_unit(far, span.dpi)
    tolerance_mil = max(_TOLERANCE_MIL, _TOLERATED_STEPS * _bounds(far).quant * scale)
    for asked_mil, delivered_mil in ((span.start_mil, start * scale), (span.end_mil, end * scale)):
        if abs(asked_mil - delivered_mil) > tolerance_mil:
            raise ScannerMismatch(
                f"the area {_mm(span.start_mil)} to {_mm(span.end_mil)} mm was asked for "
                f"({span.direction.near}, {span.direction.far}), the scanner took "
                f"{_mm(start * scale)} to {_mm(end * scale)} mm"
            )
    return (end - start) * scale * span.dpi / MIL_PER_INCH


def check_fixed(span: Span, extent: Extent) -> None:
    """An area that cannot be set must have been asked for as it is."""
    if span.start_mil > _TOLERANCE_MIL or not (
        extent.minimum_mil - _TOLERANCE_MIL <= span.length_mil <= extent.maximum_mil + _TOLERANCE_MIL
    ):
        raise ScannerMismatch(
            f"the area {_mm(span.start_mil)} to {_mm(span.end_mil)} mm was asked for, "
            f"the scanner always takes 0 to {_mm(extent.maximum_mil)} mm"
        )


def _set(options: Options, option: Option, value: float) -> None:
    options.set(option, option.number(value))


def legal_end(option: Option, value: float) -> float:
    """The end to set for ``value``: down to the grid, but where there is none not by a cut-off digit.

    Backends work out pixels from SANE_Fixed and cut off: 215.9 mm would come to one pixel less than 8.5 inch.
    """
    if option.words:
        return min(option.words, key=lambda each: abs(each - value))
    return _grid(option).floor(math.ceil(value * 65536) / 65536)


def legal_start(option: Option, value: float) -> float:
    """The start to set for ``value``: the nearest on the grid."""
    if option.words:
        return min(option.words, key=lambda each: abs(each - value))
    return _grid(option).nearest(math.floor(value * 65536) / 65536)


def _grid(option: Option) -> Range:
    """The option's range, in whole steps where it knows whole numbers only."""
    limits = _bounds(option)
    return replace(limits, quant=max(limits.quant, 1)) if option.kind is Kind.INT else limits


def _limited(options: Options, name: str) -> Option | None:
    """The option if it can be set and says how far; without limits nothing sensible can be asked of it."""
    option = options.usable(name)
    return option if option and (isinstance(option.constraint, Range) or option.words) else None


def _bounds(option: Option) -> Range:
    limits = option.constraint
    return limits if isinstance(limits, Range) else Range(min(option.words), max(option.words))


def _mil_per_unit(option: Option, dpi: int) -> float:
    return MIL_PER_INCH / dpi if option.unit is Unit.PIXEL else 1 / MM_PER_MIL


def _floor_mil(option: Option, length: float, dpi: int) -> int:
    return math.floor((length + FIXED_TOLERANCE) * _mil_per_unit(option, dpi))


def _mm(mil: float) -> str:
    return f"{mil * MM_PER_MIL:.1f}"
