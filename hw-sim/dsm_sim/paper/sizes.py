"""Sizes of paper in mm, and how many pixels they are."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

#: Width and height as the sheet is usually held. Source: ISO 216, ISO 7810 (business card), ANSI/ASME Y14.1.
SIZES: Final = MappingProxyType(
    {
        "A3": (297.0, 420.0),
        "A4": (210.0, 297.0),
        "A5": (148.0, 210.0),
        "A6": (105.0, 148.0),
        "letter": (215.9, 279.4),
        "legal": (215.9, 355.6),
        "receipt": (80.0, 300.0),
        "business-card": (85.6, 54.0),
        "long": (210.0, 900.0),
    }
)
#: Sides outside this are no paper that a scanner pulls in.
SIDE_MM: Final = (20.0, 3000.0)
DPI: Final = (25, 600)
#: A colour page of 64 Mpx is 192 MB: A3 at 300 dpi is 17 Mpx, long paper 26 Mpx.
MAX_PIXELS: Final = 64_000_000
_IN_MM: Final = re.compile(r"(\d+(?:\.\d+)?) ?x ?(\d+(?:\.\d+)?)")
_NAMES: Final = MappingProxyType({name.lower(): size for name, size in SIZES.items()})


def size_mm(text: str) -> tuple[float, float]:
    """Width and height of ``"A4"`` or ``"210x297"``; raises ``ValueError`` for anything else."""
    if named := _NAMES.get(text.lower()):
        return named
    if not (match := _IN_MM.fullmatch(text)):
        raise ValueError(f"size {text!r}: give WIDTHxHEIGHT in mm, such as 210x297, or one of {', '.join(SIZES)}")
    size = float(match[1]), float(match[2])
    check_sides(size)
    return size


def check_sides(size: tuple[float, float]) -> None:
    """Raises ``ValueError`` for a sheet that no scanner takes."""
    if not all(SIDE_MM[0] <= side <= SIDE_MM[1] for side in size):
        raise ValueError(f"size {size[0]:g}x{size[1]:g}: sides must be {SIDE_MM[0]:g} to {SIDE_MM[1]:g} mm")


def size_px(size: tuple[float, float], dpi: int) -> tuple[int, int]:
    """Pixels of a sheet of ``size`` mm, rounded; raises ``ValueError`` for a picture beyond reason."""
    if not DPI[0] <= dpi <= DPI[1]:
        raise ValueError(f"dpi {dpi}: must be {DPI[0]} to {DPI[1]}")
    width, height = (max(1, round(side * dpi / 25.4)) for side in size)
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"size {size[0]:g}x{size[1]:g} at {dpi} dpi has over {MAX_PIXELS:,} pixels: lower the dpi"
        )
    return width, height
