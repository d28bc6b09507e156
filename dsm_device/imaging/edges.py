"""Where on the scanned area the sheet lies."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageFilter, ImageStat

from dsm_device.imaging.overview import Overview
from dsm_device.imaging.skew import straightening
from dsm_device.imaging.treatment import Box

#: Paper and what is beside it differ at least by so many levels, or the edge is not certain.
_CONTRAST: Final = 20
#: The width of the border by which what is beside the sheet is judged, and the smallest sheet.
_BORDER_INCH: Final = 0.06
_SHEET_INCH: Final = 0.5
#: Dust beside the sheet is smaller than this; odd, in pixels of the overview.
_DUST_PX: Final = 7
#: What is beside the sheet is even: this share of a border lies close to its median.
_EVEN_SHARE: Final = 0.6
#: Beside a lid as white as paper, what is printed may be all that is seen: only what is solid is a sheet.
_WHITE: Final = 225
_SOLID_SHARE: Final = 0.8
#: Beside a darker one the paper is seen; of a photograph much may be as gray as the lid.
_SEEN_SHARE: Final = 0.3


def sheet(overview: Overview, degrees: float = 0.0) -> Box | None:
    """The sheet in pixels of the page, which is turned clockwise by ``degrees`` first; None if it is not certain.

    Certain is a sheet whose surroundings are even and darker or lighter than its paper. Paper as white as the lid
    is not found: the page is then kept as it is.
    """
    found = [box for level in _borders(overview) if (box := _sheet_on(overview, level, degrees))]
    if not found:
        return None
    inset = 1 if degrees else 0  # where the edge runs through pixels
    left, top, right, bottom = min(found, key=_size)
    left, top, right, bottom = left + inset, top + inset, right - inset, bottom - inset
    x, y = overview.scale
    return Box(left * x, top * y, (right - left) * x, (bottom - top) * y)


_Corners = tuple[int, int, int, int]


def _size(box: _Corners) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def _sheet_on(overview: Overview, beside: int, degrees: float) -> _Corners | None:
    """The sheet if what is beside it has the level ``beside``."""
    different = _different(_turned(overview, beside, degrees) if degrees else overview.gray, beside)
    box = different.getbbox()
    return box if box and _is_sheet(different.crop(box), beside, overview) else None


def _turned(overview: Overview, beside: int, degrees: float) -> Image.Image:
    gray, (x_dpi, y_dpi) = overview.gray, overview.dpi
    matrix = straightening(gray.size, degrees, x_dpi / y_dpi)
    return gray.transform(gray.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=beside)


def _borders(overview: Overview) -> set[int]:
    """The levels of the even borders: what is beside the sheet is one, another is paper that lies in a corner."""
    gray = overview.gray
    across, down = (max(1, round(dpi * _BORDER_INCH)) for dpi in overview.dpi)
    width, height = gray.size
    borders = (
        (0, 0, width, down),
        (0, height - down, width, height),
        (0, 0, across, height),
        (width - across, 0, width, height),
    )
    levels = [_even_level(gray.crop(border)) for border in borders]
    return {level for level in levels if level is not None}


def _even_level(border: Image.Image) -> int | None:
    median = ImageStat.Stat(border).median[0]
    counts = border.histogram()
    near = sum(counts[max(0, median - _CONTRAST // 2) : median + _CONTRAST // 2 + 1])
    return int(median) if near >= _EVEN_SHARE * sum(counts) else None


def _different(gray: Image.Image, beside: int) -> Image.Image:
    """255 where the page is not like what is beside the sheet, without dust."""
    far = [255 * (abs(level - beside) > _CONTRAST) for level in range(256)]
    return gray.point(far).filter(ImageFilter.MinFilter(_DUST_PX)).filter(ImageFilter.MaxFilter(_DUST_PX))


def _is_sheet(different: Image.Image, beside: int, overview: Overview) -> bool:
    share = _SOLID_SHARE if beside >= _WHITE else _SEEN_SHARE
    large = all(side >= dpi * _SHEET_INCH for side, dpi in zip(different.size, overview.dpi, strict=True))
    return large and ImageStat.Stat(different).mean[0] >= 255 * share
