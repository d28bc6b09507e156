"""The values of options, refused in words for a person: argparse shows a function's name for a ValueError."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Final

_LABEL: Final = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_DNS_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Reads a whole number between these, ends included."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = lowest - 1
        if not lowest <= number <= highest:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {lowest} to {highest}")
        return number

    return read


def seconds(lowest_s: float, highest_s: float) -> Callable[[str], float]:
    """Reads a number of seconds between these, ends included."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not lowest_s <= number <= highest_s:
            limits = f"from {lowest_s:.10g} to {highest_s:.10g}"
            raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds {limits}")
        return number

    return read


def dns_name(text: str) -> str:
    """Reads a host's name as certificates have it; one with other letters in its ``xn--`` form (RFC 5890)."""
    if not _DNS_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no DNS name: write one as scan01.corp.example.com")
    return text
