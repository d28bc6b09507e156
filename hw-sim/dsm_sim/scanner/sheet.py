"""Paper for the simulated scanner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: What the backend's text files can carry, with room for the folder names around it.
_LONGEST_PATH_BYTES = 1000
_SHORTEST_MM, _LONGEST_MM = 5, 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A sheet of paper. A side is a PNM file (P4, P5 or P6, up to 16 bits), which is scaled to the sheet.

    A file whose pixels fit the sheet at the resolution that is scanned comes out pixel by pixel. Without ``front``
    the scanner draws a test page itself; without ``back`` that side is blank. Raises ValueError.
    """

    front: Path | None = None
    back: Path | None = None
    width_mm: float = 210.0
    height_mm: float = 297.0
    #: Both sides are blank.
    is_blank: bool = False
    #: The back is a test page too.
    draws_back: bool = False
    #: Each side carries a mark that :func:`read_mark` reads. A sheet narrower than 39 mm has no room for it.
    is_marked: bool = True

    def __post_init__(self) -> None:
        for length_mm in (self.width_mm, self.height_mm):
            if not _SHORTEST_MM <= length_mm <= _LONGEST_MM:
                raise ValueError(f"a sheet of {self.width_mm:g} by {self.height_mm:g} mm cannot be fed")
        for path in (self.front, self.back):
            _check(path)
        if self.is_blank and (self.front or self.back or self.draws_back):
            raise ValueError("a blank sheet has pictures on it")
        if self.back and self.draws_back:
            raise ValueError(f"the back cannot be {self.back} and drawn as well")

    def described(self, load: int, number: int) -> str:
        """The sheet as the backend reads it."""
        blank_or_drawn = "blank" if self.is_blank else "drawn"
        lines = {
            "load": load,
            "number": number,
            "width-um": round(self.width_mm * 1000),
            "height-um": round(self.height_mm * 1000),
            "marked": int(self.is_marked),
            "front": self.front.absolute() if self.front else blank_or_drawn,
            "back": self.back.absolute() if self.back else "drawn" if self.draws_back else "blank",
        }
        return "".join(f"{key} {value}\n" for key, value in lines.items())


def _check(path: Path | None) -> None:
    if path is None:
        return
    text = str(path.absolute())
    if "\n" in text or len(text.encode()) > _LONGEST_PATH_BYTES:
        raise ValueError(f"{text!r}: a path with a line break, or too long")
    try:
        with path.open("rb") as file:
            kind = file.read(2)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    if kind not in (b"P4", b"P5", b"P6"):
        raise ValueError(f"{path} is no PNM file (P4, P5 or P6)")
