"""Times for people: durations in words, and where an axis has its ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_DAY_S: Final = 86_400
_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, _DAY_S)
#: An axis that is shorter shows nothing but the clock's own resolution.
SHORTEST_S: Final = 1e-6


@dataclass(frozen=True)
class Ticks:
    """Seconds from the begin of the axis, each with its label, and what the labels are."""

    places_s: list[float]
    labels: list[str]
    unit: str


def ticks(length_s: float, most: int = 10) -> Ticks:
    """At most ``most`` steps of a length that people count in."""
    step_s = _step(max(length_s, SHORTEST_S) / most)
    places = [index * step_s for index in range(math.floor(length_s / step_s * (1 + 1e-9)) + 1)]
    unit = _unit(length_s)
    return Ticks(places, [_label(place, unit) for place in places], unit)


def duration(seconds: float) -> str:
    """Three figures or two units: ``3.2 ms``, ``310 ms``, ``12.4 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24:02} h"


def _step(at_least_s: float) -> float:
    for step in _STEPS_S:
        if 1 <= at_least_s <= step:
            return step
    return _decimal_step(at_least_s) if at_least_s < 1 else _DAY_S * _decimal_step(at_least_s / _DAY_S)


def _decimal_step(at_least: float) -> float:
    power = 10.0 ** math.floor(math.log10(at_least))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= at_least * (1 - 1e-9))


def _unit(length_s: float) -> str:
    for limit_s, unit in ((1, "ms"), (120, "s"), (7200, "min:s"), (2 * _DAY_S, "h:min")):
        if length_s < limit_s:
            return unit
    return "days"


def _label(place_s: float, unit: str) -> str:
    if unit in {"ms", "s"}:
        return f"{place_s * (1000 if unit == 'ms' else 1):.6g}"
    if unit == "days":
        return f"{place_s / _DAY_S:.6g}"
    large, small = divmod(round(place_s if unit == "min:s" else place_s / 60), 60)
    return f"{large}:{small:02}"
