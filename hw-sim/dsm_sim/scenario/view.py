"""What a side of a sheet must come out as, by the scan process and the scanner: pure data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

SizeMm = tuple[float, float]
SizePx = tuple[int, int]

_MM_PER_INCH: Final = 25.4
#: The mark with a little around it, from the upper left corner of the sheet: left, upper, right, lower.
MARK_MM: Final = (3, 3, 39, 23)


@dataclass(frozen=True)
class View:
    """A side as it is to be seen: ``area_mm`` from ``offset_mm`` on, with ``background`` beside the sheet.

    ``page``: None for a side with nothing on it · ``is_turned``: by 180 degrees, by the feeder · ``color``: as in
    the ticket · ``scaling``: percent · ``is_dotted``: bilevel as a pattern whose density is the gray ·
    ``exposure``: what was asked of it, where it is not to be as on paper.
    """

    page: Path | None
    sheet_mm: SizeMm
    offset_mm: SizeMm
    area_mm: SizeMm
    background: int
    is_turned: bool
    color: str
    dpi: SizePx
    scaling: SizePx
    is_dotted: bool
    exposure: tuple[tuple[str, int], ...]

    @property
    def is_colored(self) -> bool:
        return self.color.startswith("RGB")

    @property
    def is_bilevel(self) -> bool:
        return self.color == "BlackAndWhite1"

    @property
    def size_px(self) -> SizePx:
        """Before a rotation (WS-Scan ImageInformation)."""
        across, down = size_px(self.area_mm, self.dpi)
        return max(1, round(across * self.scaling[0] / 100)), max(1, round(down * self.scaling[1] / 100))

    @property
    def mark_mm(self) -> tuple[float, float, float, float]:
        """Where in the area it is."""
        left, upper, right, lower = map(float, MARK_MM)
        x, y = self.offset_mm
        if self.is_turned:
            width, height = self.sheet_mm
            left, upper, right, lower = width - right, height - lower, width - left, height - upper
        return left - x, upper - y, right - x, lower - y


def size_px(size_mm: SizeMm, dpi: SizePx) -> SizePx:
    return round(size_mm[0] / _MM_PER_INCH * dpi[0]), round(size_mm[1] / _MM_PER_INCH * dpi[1])
