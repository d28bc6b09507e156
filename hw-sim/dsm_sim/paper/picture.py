"""Pictures of the user's own, laid on a sheet as they are or fitted into a given size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from .originals import Color
from .sizes import DPI, MAX_PIXELS, check_sides, size_px

_MODES: Final[dict[Color, str]] = {"rgb": "RGB", "gray": "L", "bilevel": "1"}


@dataclass(frozen=True)
class Picture:
    """One side of a sheet: mode RGB, L or 1, and what it measures."""

    image: Image.Image
    size_mm: tuple[float, float]
    dpi: int


def open_picture(
    path: Path, size_mm: tuple[float, float] | None, dpi: int | None, color: Color | None, default_dpi: int
) -> Picture:
    """The first picture in ``path``. What is None is taken from the file, ``default_dpi`` where it says nothing.

    With neither size nor dpi given its pixels stay as they are. Raises ``ValueError`` of one line, with the path,
    for a file that is missing, no picture, or larger than 64 Mpx.
    """
    try:
        with Image.open(path) as file:
            return _laid(file, size_mm, dpi, color, default_dpi)
    except UnidentifiedImageError as error:
        raise ValueError(f"file {path}: is no picture of a known format") from error
    except OSError as error:
        raise ValueError(f"file {path}: {error.strerror or error}") from error
    except Exception as error:  # Pillow's decoders raise whatever broken data leads them to
        raise ValueError(f"file {path}: {' '.join(str(error).split()) or type(error).__name__}") from error


def _laid(
    file: Image.Image, size_mm: tuple[float, float] | None, dpi: int | None, color: Color | None, default_dpi: int
) -> Picture:
    if file.width * file.height > MAX_PIXELS:
        raise ValueError(f"has over {MAX_PIXELS:,} pixels: make it smaller")
    x_dpi, y_dpi = _resolution(file, dpi or default_dpi)
    image = _colored(file, color)
    natural = (image.width / x_dpi * 25.4, image.height / y_dpi * 25.4)
    sheet, target_dpi = size_mm or natural, dpi or _allowed(x_dpi)
    check_sides(sheet)
    return Picture(_fitted(image, natural, sheet, target_dpi), sheet, target_dpi)


def _resolution(file: Image.Image, default_dpi: int) -> tuple[float, float]:
    x_dpi, y_dpi = (float(each) for each in file.info.get("dpi", (0, 0)))
    # Pillow says 1 dpi for a TIFF that says nothing.
    if not (10 <= x_dpi <= 10_000 and 10 <= y_dpi <= 10_000):
        return default_dpi, default_dpi
    # A photograph that the camera turned is upright after this, and its axes have changed places.
    turned = file.getexif().get(0x0112, 1) in {5, 6, 7, 8}
    return (y_dpi, x_dpi) if turned else (x_dpi, y_dpi)


def _allowed(dpi: float) -> int:
    return min(DPI[1], max(DPI[0], round(dpi)))


def _colored(file: Image.Image, color: Color | None) -> Image.Image:
    """Upright, without transparency, in the mode of ``color`` or the nearest to its own."""
    image = ImageOps.exif_transpose(file)
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda level: level / 256).convert("L")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    own = image.mode if image.mode in _MODES.values() else "RGB"
    return image.convert(_MODES[color] if color else own)


def _fitted(
    image: Image.Image, natural_mm: tuple[float, float], sheet_mm: tuple[float, float], dpi: int
) -> Image.Image:
    """``image`` as large as fits on the sheet, in the middle; the rest stays white."""
    target = size_px(sheet_mm, dpi)
    factor = min(sheet_mm[0] / natural_mm[0], sheet_mm[1] / natural_mm[1])
    size = tuple(
        min(most, max(1, round(side * factor * dpi / 25.4))) for side, most in zip(natural_mm, target, strict=True)
    )
    scaled = image if image.size == size else image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    if scaled.size == target:
        return scaled
    sheet = Image.new(image.mode, target, "white")
    sheet.paste(scaled, ((target[0] - size[0]) // 2, (target[1] - size[1]) // 2))
    return sheet
