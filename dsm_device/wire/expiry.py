"""How long a subscription lasts: xs:duration and xs:dateTime, read as seconds and written as the former.

Sources: WS-Eventing (2004/08) 3.1; XML Schema part 2, 3.2.6 and 3.2.7.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

#: Longer than anybody grants, and short enough to count with.
FAR_S: Final = 10.0 * 31_536_000

_DURATION: Final = re.compile(
    r"P(?=.)(?:(\d{1,9})Y)?(?:(\d{1,9})M)?(?:(\d{1,9})D)?"
    r"(?:T(?=.)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,20})?)S)?)?",
    re.ASCII,
)
#: Of the groups above. Years and months have no fixed length; these are what everybody takes.
_UNIT_S: Final = (31_536_000, 2_592_000, 86_400, 3_600, 60, 1)
_DATE_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d{1,20})?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def duration(seconds: float) -> str:
    """``seconds`` (whole ones, at least 1) as xs:duration."""
    return f"PT{max(1, round(seconds))}S"


def read_expires(text: str, now: datetime) -> float | None:
    """Seconds from ``now``, which has a time zone, to an xs:duration or xs:dateTime; None for anything else.

    A dateTime without zone is in that of ``now``. It may be past: the clocks of two machines differ.
    """
    if match := _DURATION.fullmatch(text):
        total = sum(float(number or 0) * unit for number, unit in zip(match.groups(), _UNIT_S, strict=True))
        return min(total, FAR_S)
    match = _DATE_TIME.fullmatch(text)
    return None if match is None else _seconds_until(match, now)


def _seconds_until(match: re.Match[str], now: datetime) -> float | None:
    date, clock, fraction, zone = match.groups()
    is_midnight = clock == "24:00:00"  # the end of a day, which Python's clock does not have
    try:
        point = datetime.fromisoformat(f"{date}T{'00:00:00' if is_midnight else clock}{zone or ''}")
        point = point if point.tzinfo else point.replace(tzinfo=now.tzinfo)
        span = point.astimezone(UTC) - now.astimezone(UTC) + timedelta(days=is_midnight)
    except (ValueError, OverflowError):
        return None
    return max(-FAR_S, min(span.total_seconds() + float(fraction or 0), FAR_S))
