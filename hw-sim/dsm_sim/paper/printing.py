"""Page files for the simulated scanner, each drawing once."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from PIL import Image

from .description import DEFAULT_DPI, Paper
from .originals import Color, Kind, draw
from .picture import Picture, open_picture

#: Netpbm's raw formats, and how Pillow names their rows: 1 is black in P4 and white in Pillow.
_FORMATS: Final = MappingProxyType({"1": ("P4", "1;I"), "L": ("P5", "L"), "RGB": ("P6", "RGB")})


@dataclass(frozen=True)
class PrintedSheet:
    """A sheet in the feeder or on the glass: its page files (no ``back``: nothing on it) and its size.

    Of one that lies askew these are those of the rectangle around it; ``straight`` is the sheet itself.
    """

    front: Path
    back: Path | None
    width_mm: float
    height_mm: float
    is_marked: bool = True
    straight: PrintedSheet | None = None


def print_sheets(papers: Sequence[Paper], folder: Path, base: Path, background: int = 255) -> list[PrintedSheet]:
    """The sheets of all ``papers``, in their order; the page files are made in ``folder``.

    ``base`` is what a paper's ``file`` is relative to, ``background`` the gray level that is seen beside a sheet
    that lies askew. Raises ``ValueError`` of one line for a file that cannot be
    used, ``OSError`` where ``folder`` cannot be written.
    """
    return [sheet for paper in papers for sheet in [_fed(paper, folder, base, background)] * paper.count]


def write_page(
    folder: Path,
    kind: Kind,
    size_mm: tuple[float, float],
    *,
    dpi: int = DEFAULT_DPI,
    color: Color = "rgb",
    seed: int = 0,
    upside_down: bool = False,
) -> Path:
    """The file of one drawing, see :func:`.originals.draw`; one that is in ``folder`` is not drawn again."""
    path = folder / f"{kind}-{_digest(size_mm, dpi, color, seed, upside_down)}.pnm"
    if not path.exists():
        _write(path, _turned(draw(kind, size_mm, dpi, color, seed), upside_down), dpi)
    return path


def _fed(paper: Paper, folder: Path, base: Path, background: int) -> PrintedSheet:
    sheet = _printed(paper, folder, base)
    if paper.tone < 255:
        front, back = (path and _toned(path, paper) for path in (sheet.front, sheet.back))
        assert front is not None  # noqa: S101 - every sheet has one
        sheet = replace(sheet, front=front, back=back)
    return _laid_askew(sheet, paper, background) if paper.skew else sheet


def _toned(path: Path, paper: Paper) -> Path:
    """The same side on grayer paper."""
    toned = path.with_name(f"{path.stem}-tone-{paper.tone}.pnm")
    if not toned.exists():
        with Image.open(path) as image:
            whole = image.convert("L") if image.mode == "1" else image
            _write(toned, whole.point(lambda level: level * paper.tone // 255), paper.dpi or DEFAULT_DPI)
    return toned


def _laid_askew(sheet: PrintedSheet, paper: Paper, background: int) -> PrintedSheet:
    front, back = (path and _askew(path, paper, background) for path in (sheet.front, sheet.back))
    assert front is not None  # noqa: S101 - every sheet has one
    with Image.open(sheet.front) as straight, Image.open(front) as around:
        width_mm = sheet.width_mm * around.width / straight.width
        height_mm = sheet.height_mm * around.height / straight.height
    return PrintedSheet(front, back, width_mm, height_mm, paper.marked, sheet)


def _askew(path: Path, paper: Paper, background: int) -> Path:
    """The same side in the rectangle around the sheet that lies askew."""
    turned = path.with_name(f"{path.stem}-skew-{_digest(paper.skew, background)}.pnm")
    if not turned.exists():
        with Image.open(path) as image:
            level = background if image.mode != "RGB" else (background, background, background)
            askew = image.rotate(-paper.skew, Image.Resampling.BICUBIC, expand=True, fillcolor=level)
        _write(turned, askew, paper.dpi or DEFAULT_DPI)
    return turned


def _printed(paper: Paper, folder: Path, base: Path) -> PrintedSheet:
    dpi = paper.dpi or DEFAULT_DPI
    if paper.kind and paper.sheet_mm:
        size = paper.sheet_mm
        front = _drawn(paper, paper.kind, paper.seed, folder, (size, dpi))
    else:
        path = base / (paper.file or "")
        picture = open_picture(path, paper.sheet_mm, paper.dpi, paper.color, default_dpi=DEFAULT_DPI)
        size, dpi = picture.size_mm, picture.dpi
        front = _copied(picture, folder, paper.upside_down)
    # No front has a negative seed: the back of a sheet is never the front of another.
    back = _drawn(paper, paper.back, ~paper.seed, folder, (size, dpi)) if paper.back else None
    return PrintedSheet(front, back, *size, paper.marked)


def _drawn(paper: Paper, kind: Kind, seed: int, folder: Path, scale: tuple[tuple[float, float], int]) -> Path:
    size, dpi = scale
    color = paper.color or "rgb"
    return write_page(folder, kind, size, dpi=dpi, color=color, seed=seed, upside_down=paper.upside_down)


def _copied(picture: Picture, folder: Path, upside_down: bool) -> Path:
    image = _turned(picture.image, upside_down)
    path = folder / f"file-{_digest(image.mode, image.size, picture.dpi, image.tobytes())}.pnm"
    if not path.exists():
        _write(path, image, picture.dpi)
    return path


def _turned(image: Image.Image, upside_down: bool) -> Image.Image:
    return image.transpose(Image.Transpose.ROTATE_180) if upside_down else image


def _digest(*facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _write(path: Path, image: Image.Image, dpi: int) -> None:
    """Whole or not at all: another run may be printing into the same folder."""
    magic, raw_mode = _FORMATS[image.mode]
    levels = "" if magic == "P4" else "255\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        file.write(f"{magic}\n# dpi {dpi}\n{image.width} {image.height}\n{levels}".encode())
        file.write(image.tobytes("raw", raw_mode))
    Path(file.name).replace(path)
