"""A contact sheet: one PNG with a numbered thumbnail of every page of every file, to look at what arrived.

One page is in memory at a time, and JPEG files are decoded at a fraction of their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

from dsm_sim.page_images import eight_bit, opened_page, page_count

_THUMB: Final = (240, 340)
_CAPTION_HEIGHT: Final = 36
_GAP: Final = 16
_PAPER, _DESK, _INK, _FAINT, _ALARM = "white", "#e6e6ea", "#222222", "#666666", "#b00020"
#: Larger pages than A3 at 1,200 dpi in 16-bit colour are not for a thumbnail.
_MAX_PIXELS: Final = 400_000_000
#: What is taken out of these is an image of another format.
_KINDS: Final = {".pdf": "PDF", ".xps": "XPS", ".jbg": "JBIG"}


def contact_sheet(images: Sequence[Path], target: Path, columns: int = 5) -> Path:
    """Writes the sheet of ``images``, in their order, to ``target`` (PNG) and returns it.

    A file that cannot be read becomes a tile that says so. ``columns`` is at least 1.
    """
    pages = [(path, page) for path in images for page in range(_count(path))]
    rows = max(1, -(-len(pages) // columns))
    used_columns = max(1, min(columns, len(pages)))
    cell = (_THUMB[0] + _GAP, _THUMB[1] + _CAPTION_HEIGHT + _GAP)
    sheet = Image.new("RGB", (used_columns * cell[0] + _GAP, rows * cell[1] + _GAP), _DESK)
    for index, (path, page) in enumerate(pages):
        place = (_GAP + index % columns * cell[0], _GAP + index // columns * cell[1])
        _paste_tile(sheet, place, index + 1, path, page)
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target, "PNG")
    return target


def _count(path: Path) -> int:
    """Of what cannot be read, one tile tells."""
    try:
        return page_count(path)
    except Exception:  # a picture of strangers can fail in any way
        return 1


def _paste_tile(sheet: Image.Image, place: tuple[int, int], number: int, path: Path, page: int) -> None:
    try:
        thumbnail, facts = _thumbnail(path, page)
    except Exception as error:  # a picture of strangers can fail in any way; the sheet shows it
        thumbnail, facts = _failed_tile(error), f"unreadable: {type(error).__name__}"
    left = place[0] + (_THUMB[0] - thumbnail.width) // 2
    sheet.paste(thumbnail, (left, place[1]))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left - 1, place[1] - 1, left + thumbnail.width, place[1] + thumbnail.height), outline=_FAINT)
    font = ImageFont.load_default(13)
    top = place[1] + _THUMB[1] + 3
    draw.text((place[0], top), f"{number}  {_shortened(path.name)}", _INK, font)
    draw.text((place[0], top + 16), facts, _FAINT, font)


def _thumbnail(path: Path, page: int) -> tuple[Image.Image, str]:
    with opened_page(path, page) as image:
        facts = _facts(image, path)
        if image.width * image.height > _MAX_PIXELS:
            raise ValueError("too large")
        image.draft("RGB", _THUMB)
        factor = min(image.width // _THUMB[0], image.height // _THUMB[1])
        small = eight_bit(image)
        if factor > 1:
            small = small.reduce(factor)
        return ImageOps.contain(small.convert("RGB"), _THUMB), facts


def _facts(image: Image.Image, path: Path) -> str:
    resolution = image.info.get("dpi")
    dpi = f", {round(float(resolution[0]))} dpi" if resolution else ""
    kilobytes = max(1, round(path.stat().st_size / 1000))
    return f"{_KINDS.get(path.suffix, image.format)} {image.width} x {image.height}{dpi}, {kilobytes:,} kB"


def _failed_tile(error: Exception) -> Image.Image:
    tile = Image.new("RGB", _THUMB, _PAPER)
    draw = ImageDraw.Draw(tile)
    draw.line((0, 0, *_THUMB), _ALARM, 2)
    draw.line((0, _THUMB[1], _THUMB[0], 0), _ALARM, 2)
    draw.text((8, 8), _shortened(str(error) or type(error).__name__), _ALARM, ImageFont.load_default(13))
    return tile


def _shortened(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:14]}…{text[-14:]}"
