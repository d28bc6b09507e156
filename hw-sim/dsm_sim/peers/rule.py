"""What a simulated peer holds messages against.

A rule is data: a short name for programs, its text for people, and where it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule and its source (document and section)."""

    name: str
    text: str
    source: str
    level: Literal["must", "should"] = "must"
