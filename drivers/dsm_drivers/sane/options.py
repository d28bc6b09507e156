"""The options of a SANE device, by name (SANE standard 1.06, 4.2.9 and 4.3.7)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

from dsm_device.errors import ScannerInvalid, ScannerMismatch
from dsm_device.hardware import OptionValue

from .device import Device

#: SANE_Fixed is 16.16; a value that has been there and back may differ by this much.
FIXED_TOLERANCE = 2 / 65536


class Kind(IntEnum):
    BOOL = 0
    INT = 1
    FIXED = 2
    STRING = 3
    BUTTON = 4
    GROUP = 5


class Unit(IntEnum):
    NONE = 0
    PIXEL = 1
    BIT = 2
    MM = 3
    DPI = 4
    PERCENT = 5
    MICROSECOND = 6


class _Capability(IntFlag):
    SOFT_SELECT = 1
    HARD_SELECT = 2
    SOFT_DETECT = 4
    INACTIVE = 32


class _Info(IntFlag):
    INEXACT = 1
    RELOAD_OPTIONS = 2


@dataclass(frozen=True, slots=True)
class Range:
    """Legal values are ``minimum + k * quant`` up to ``maximum``; any value between where ``quant`` is 0."""

    minimum: float
    maximum: float
    quant: float = 0

    def floor(self, value: float) -> float:
        """The largest legal value that is not above ``value``; at least the minimum."""
        return self._at(math.floor(self._steps(value)), value)

    def ceiling(self, value: float) -> float:
        """The smallest legal value that is not below ``value``; at most the largest legal one."""
        return self._at(math.ceil(self._steps(value, -FIXED_TOLERANCE)), value)

    def nearest(self, value: float) -> float:
        return self._at(round(self._steps(value, 0)), value)

    def holds(self, value: float) -> bool:
        return abs(self.nearest(value) - value) <= FIXED_TOLERANCE

    def _steps(self, value: float, tolerance: float = FIXED_TOLERANCE) -> float:
        return (value - self.minimum + tolerance) / self.quant if self.quant > 0 else 0

    def _at(self, steps: int, value: float) -> float:
        if self.quant <= 0:
            return min(max(value, self.minimum), self.maximum)
        last = math.floor((self.maximum - self.minimum + FIXED_TOLERANCE) / self.quant)
        return self.minimum + min(max(steps, 0), last) * self.quant


Words = tuple[float, ...]
Strings = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """A descriptor as it stands now; setting another option may change it."""

    index: int
    name: str
    kind: Kind
    unit: Unit
    size: int
    capabilities: _Capability
    constraint: Range | Words | Strings | None

    @property
    def active(self) -> bool:
        return not self.capabilities & _Capability.INACTIVE

    @property
    def settable(self) -> bool:
        """Active and set by software, and not an array, of which python-sane sees the first word alone."""
        return self.active and bool(self.capabilities & _Capability.SOFT_SELECT) and self._single

    @property
    def readable(self) -> bool:
        return self.active and bool(self.capabilities & _Capability.SOFT_DETECT) and self._single

    @property
    def strings(self) -> Strings:
        """The strings to choose from; empty where there is no such list."""
        listed = self.constraint if isinstance(self.constraint, tuple) else ()
        return tuple(each for each in listed if isinstance(each, str))

    @property
    def words(self) -> Words:
        listed = self.constraint if isinstance(self.constraint, tuple) else ()
        return tuple(each for each in listed if not isinstance(each, str))

    def holds(self, value: OptionValue) -> bool:
        """Whether the type and the constraint allow ``value``."""
        if self.kind is Kind.BOOL:
            return isinstance(value, bool)
        if self.kind is Kind.STRING:
            return isinstance(value, str) and self._holds_string(value)
        if self.kind is Kind.INT:
            return type(value) is int and self._holds_number(value)
        return self.kind is Kind.FIXED and type(value) in (int, float) and self._holds_number(float(value))

    def number(self, value: float) -> int | float:
        """``value`` in this option's own type."""
        return round(value) if self.kind is Kind.INT else value

    def off(self) -> OptionValue | None:
        """The value that means "not": false, 0 or None; None if there is none such."""
        if self.kind is Kind.STRING:
            return next((each for each in self.strings if each.casefold() in ("none", "off")), None)
        off: OptionValue = False if self.kind is Kind.BOOL else self.number(0.0)
        return off if self.holds(off) else None

    def possible(self) -> str:
        """For people: what this option takes."""
        if self.kind is Kind.BOOL:
            return "true or false"
        if isinstance(self.constraint, Range):
            step = f" in steps of {self.constraint.quant:g}" if self.constraint.quant else ""
            return f"{self.constraint.minimum:g} to {self.constraint.maximum:g}{step}"
        if self.constraint:
            return ", ".join(
                f"{each:g}" if isinstance(each, int | float) else f'"{each}"' for each in self.constraint
            )
        return {Kind.INT: "a whole number", Kind.FIXED: "a number", Kind.STRING: "a text"}.get(
            self.kind, "nothing"
        )

    @property
    def _single(self) -> bool:
        return self.kind is Kind.STRING or (self.kind < Kind.BUTTON and self.size <= 4)

    def _holds_string(self, value: str) -> bool:
        if self.strings:
            return value in self.strings
        return len(value) < self.size and all(0 < ord(each) < 256 for each in value)

    def _holds_number(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if isinstance(self.constraint, Range):
            return self.constraint.holds(value)
        if self.words:
            return any(same(value, each) for each in self.words)
        limit = 1 << (31 if self.kind is Kind.INT else 15)
        return -limit <= value < limit


def same(one: object, other: object) -> bool:
    """Whether two option values are equal, as exactly as SANE can tell."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= FIXED_TOLERANCE
    return one == other


class Options:
    """All options of an opened device. The descriptors follow what is set."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._by_name: dict[str, Option] = {}
        self.reload()

    def reload(self) -> None:
        found: dict[str, Option] = {}
        for entry in self._device.descriptors():
            option = _option(entry)
            # Backends repeat names between groups of models; the first that can be used counts.
            if option.name and not (option.name in found and found[option.name].settable):
                found[option.name] = option
        self._by_name = found

    def usable(self, name: str) -> Option | None:
        """The option if it exists and can be set now."""
        option = self._by_name.get(name)
        return option if option and option.settable else None

    def is_inactive(self, name: str) -> bool:
        """Whether the option exists and only waits for another one to be set."""
        option = self._by_name.get(name)
        return option is not None and not option.active

    def value(self, option: Option) -> OptionValue | None:
        """The present value, None where the device does not tell."""
        if not option.readable:
            return None
        raw = self._device.option(option.index, option.name)
        value: OptionValue = bool(raw) if option.kind is Kind.BOOL else raw
        return value

    def set(self, option: Option, value: OptionValue) -> OptionValue:
        """Set and return what the device made of it."""
        raw = _encoded(option, value)
        info = _Info(self._device.set_option(option.index, option.name, raw) & 3)
        if info & _Info.RELOAD_OPTIONS:
            self.reload()
        # Some backends round without saying INEXACT: always look.
        delivered = self.value(self._by_name.get(option.name, option))
        return value if delivered is None else delivered

    def require(self, name: str, value: OptionValue) -> None:
        """Set ``name`` to exactly ``value`` or raise ``ScannerInvalid`` with what is possible."""
        option = self._by_name.get(name)
        if option is None:
            settable = sorted(each.name for each in self._by_name.values() if each.settable)
            raise _refused(self._device.name, f"has no option {name}", f"it has {', '.join(settable)}")
        if not option.settable:
            raise _refused(self._device.name, f"does not take option {name}", "it can not be set")
        if not option.holds(value):
            raise _refused(self._device.name, f"does not take {name} = {value}", f"possible: {option.possible()}")
        delivered = self.set(option, value)
        if not same(value, delivered):
            raise _refused(
                self._device.name, f"made {delivered} of {name} = {value}", f"possible: {option.possible()}"
            )

    def settle(self, name: str, value: OptionValue) -> None:
        """Set ``name`` to one of its listed values or raise ``ScannerMismatch``."""
        option = self.usable(name)
        if option is None:
            raise ScannerMismatch(f"the scanner {self._device.name} no longer lets {name} be set to {value}")
        delivered = self.set(option, value)
        if not same(value, delivered):
            raise ScannerMismatch(
                f"the scanner {self._device.name} was to set {name} to {value} and chose {delivered}"
            )

    def switch_off(self, names: Iterable[str]) -> None:
        """Turn off those of ``names`` that are on and can be set."""
        for name in names:
            option = self.usable(name)
            off = option.off() if option else None
            if option and off is not None and not same(self.value(option), off):
                self.set(option, off)


def _refused(device: str, what: str, remedy: str) -> ScannerInvalid:
    return ScannerInvalid(f"the scanner {device} {what}", remedy)


def _option(entry: tuple[Any, ...]) -> Option:
    index, name, _title, _description, kind, unit, size, capabilities, constraint = entry
    return Option(
        index=index,
        name=name or "",
        kind=Kind(kind),
        unit=Unit(unit),
        size=size,
        capabilities=_Capability(capabilities),
        constraint=_constraint(constraint),
    )


def _constraint(raw: Any) -> Range | Words | Strings | None:
    if isinstance(raw, tuple):
        return Range(*raw)
    return tuple(raw) if raw else None


def _encoded(option: Option, value: OptionValue) -> int | float | str:
    """As python-sane wants it; its conversion to SANE_Fixed cuts off, so round before it does."""
    if isinstance(value, str):
        return value
    return round(value * 65536) / 65536 if option.kind is Kind.FIXED else int(value)
