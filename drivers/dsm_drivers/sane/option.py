"""One option of a SANE device: its descriptor and what values it takes (SANE standard 1.06, 4.2.9)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from dsm_device.hardware import OptionValue

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


class Capability(IntFlag):
    SOFT_SELECT = 1
    HARD_SELECT = 2
    SOFT_DETECT = 4
    INACTIVE = 32


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
    capabilities: Capability
    constraint: Range | Words | Strings | None

    @property
    def active(self) -> bool:
        return not self.capabilities & Capability.INACTIVE

    @property
    def settable(self) -> bool:
        """Active and set by software, and not an array, of which python-sane sees the first word alone."""
        return self.active and bool(self.capabilities & Capability.SOFT_SELECT) and self._single

    @property
    def readable(self) -> bool:
        return self.active and bool(self.capabilities & Capability.SOFT_DETECT) and self._single

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

    @property
    def limits(self) -> Range | None:
        """The least and the largest number; None where the option does not say."""
        if isinstance(self.constraint, Range):
            return self.constraint
        return Range(min(self.words), max(self.words)) if self.words else None

    def nearest(self, value: float) -> float:
        """The number nearest to ``value`` that the option takes."""
        if self.words:
            return min(self.words, key=lambda each: abs(each - value))
        limits = self.limits
        return limits.nearest(value) if limits else value

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
