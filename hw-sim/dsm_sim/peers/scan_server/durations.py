"""Points in time and spans of it as XML Schema writes them: ``PT1H``, ``2026-03-02T09:14:07+01:00``.

Source: XML Schema Part 2, 3.2.6 (duration) and 3.2.7 (dateTime); WS-Eventing 3.1 (Expires).
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Final

_DURATION: Final = re.compile(
    r"(?P<sign>-)?P(?=.)(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_DATE_TIME: Final = re.compile(
    r"(?P<date>-?\d{4,}-\d\d-\d\d)T(?P<time>\d\d:\d\d:\d\d)(?P<fraction>\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
#: Calendar units have no fixed length; these are what everybody takes for an expiry.
_SECONDS: Final = {"years": 31_536_000, "months": 2_592_000, "days": 86_400, "hours": 3600, "minutes": 60}
#: Longer than any subscription, and short enough to count with.
FAR_S: Final = 10.0 * 31_536_000


@dataclass(frozen=True)
class Expiry:
    """How long from now; ``is_point`` where it was written as a point in time. At most ten years each way."""

    seconds: float
    is_point: bool


def read_expiry(text: str, now: datetime.datetime) -> Expiry:
    """``now`` is local time without zone, as is a point in time that names none. Raises ValueError."""
    if match := _DURATION.fullmatch(text):
        return Expiry(_bounded(_duration_s(match)), is_point=False)
    if match := _DATE_TIME.fullmatch(text):
        return Expiry(_bounded(_seconds_until(match, now)), is_point=True)
    raise ValueError(f"{text[:60]!r} is neither an xs:duration nor an xs:dateTime")


def duration(seconds: float) -> str:
    """The span of ``seconds``: ``PT1H``, ``PT1M30S``, ``PT0.5S``."""
    milliseconds = max(0, round(seconds * 1000))
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    text = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number)
    if rest or not text:
        text += f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "S"
    return f"PT{text}"


def _duration_s(match: re.Match[str]) -> float:
    total = sum(_number(match[unit]) * seconds for unit, seconds in _SECONDS.items())
    total += _number(match["seconds"])
    return -total if match["sign"] else total


def _number(digits: str | None) -> float:
    """So many digits that they are no number at all count as a very long time."""
    return min(float(digits or 0), FAR_S)


def _seconds_until(match: re.Match[str], now: datetime.datetime) -> float:
    year = match["date"].rpartition("-")[0].rpartition("-")[0]
    if not 1 < int(year[:9]) < 9999:
        return FAR_S if int(year[:9]) > 1 else -FAR_S
    zone = (match["zone"] or "").replace("Z", "+00:00")
    midnight = match["time"] == "24:00:00"  # the end of a day, which Python's dates do not have
    clock = "00:00:00" if midnight else match["time"]
    point = datetime.datetime.fromisoformat(f"{match['date']}T{clock}{zone}")
    span = point - (now.astimezone() if point.tzinfo else now)
    return span.total_seconds() + float(match["fraction"] or 0) + (86_400 if midnight else 0)


def _bounded(seconds: float) -> float:
    return max(-FAR_S, min(FAR_S, seconds))
