"""What a scenario says about the paper in the simulated scanner."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from .originals import Color, Kind
from .sizes import size_mm, size_px

DEFAULT_DPI: Final = 100
_MOST_SHEETS: Final = 10_000
_MOST_SKEW: Final = 10
_DARKEST_TONE: Final = 64


class Paper(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """One table ``[[paper]]``: ``count`` sheets that are all alike.

    - ``kind``: what is on the front; or ``file``: a picture of the user's own, in any format that Pillow reads,
      with its path relative to the scenario. One of the two.
    - ``back``: what is on the back; without it nothing is.
    - ``size``: a name such as ``A4``, or ``210x297`` (mm). A kind is A4 by default; a file is as large as its own
      resolution says, and fitted into ``size`` where that is given.
    - ``orientation``: turns the sheet; without it the sheet lies as ``size`` says.
    - ``dpi``: 25 to 600. 100 by default, or what the file says.
    - ``color``: ``rgb`` by default, or as the file is.
    - ``seed``: another one gives another document of the same kind.
    - ``marked``: whether the scanner draws its mark on it, without which nobody can tell which side it was.
    - ``upside-down``: fed with its foot first, which turns both sides by 180 degrees.
    - ``tone``: how light the paper is, 255 white; recycled paper is grayer.
    - ``skew``: how many degrees clockwise it lies askew, -10 to 10. The scanner, which would draw its mark
      straight, then draws none: ``marked = false``.

    Raises ``ValueError`` of one line for values that do not go together (msgspec's ``ValidationError`` where the
    table is decoded).
    """

    kind: Kind | None = None
    file: str | None = None
    back: Kind | None = None
    size: str | None = None
    orientation: Literal["portrait", "landscape"] | None = None
    count: int = 1
    dpi: int | None = None
    color: Color | None = None
    seed: int = 0
    upside_down: bool = False
    marked: bool = True
    tone: int = 255
    skew: float = 0

    def __post_init__(self) -> None:
        if bool(self.kind) == bool(self.file):
            raise ValueError("paper needs either kind or file" + (", not both" if self.kind else ""))
        if not 1 <= self.count <= _MOST_SHEETS:
            raise ValueError(f"count {self.count}: must be 1 to {_MOST_SHEETS:,}")
        if self.seed < 0:
            raise ValueError(f"seed {self.seed}: must be 0 or more")
        if self.orientation and self.file and not self.size:
            raise ValueError("orientation turns a sheet of a given size: add size, or leave orientation out")
        if not _DARKEST_TONE <= self.tone <= 255:
            raise ValueError(f"tone {self.tone}: must be {_DARKEST_TONE} to 255")
        if abs(self.skew) > _MOST_SKEW:
            raise ValueError(f"skew {self.skew:g}: must be -{_MOST_SKEW} to {_MOST_SKEW} degrees")
        if self.skew and self.marked:
            raise ValueError("a sheet that lies askew carries no mark: add marked = false")
        size_px(self.sheet_mm or size_mm("A4"), DEFAULT_DPI if self.dpi is None else self.dpi)

    @property
    def sheet_mm(self) -> tuple[float, float] | None:
        """Width and height as fed; None where the file decides."""
        if self.size is None and self.file is not None:
            return None
        size = size_mm(self.size or "A4")
        if self.orientation is None:
            return size
        short, long = sorted(size)
        return (short, long) if self.orientation == "portrait" else (long, short)
