"""xs:duration, as far as leases use it."""

from __future__ import annotations

import re
from typing import Final

_DURATION: Final = re.compile(
    r"P(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)S)?)?"
)
_SECONDS: Final = (365 * 86_400, 30 * 86_400, 86_400, 3_600, 60, 1)


def seconds(text: str) -> float | None:
    """The length of a duration; None for what is none, and for a negative one. A month has 30 days."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    return sum(float(part or 0) * unit_s for part, unit_s in zip(found.groups(), _SECONDS, strict=True))


def duration(length_s: float) -> str:
    return f"PT{round(length_s)}S"
