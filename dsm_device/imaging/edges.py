"""Where on the scanned area the sheet lies."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageFilter, ImageStat

from dsm_device.imaging.overview import Overview
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
#: A sheet fills its rectangle, also when it lies askew; what is printed on white paper does not.
_SOLID_SHARE: Final = 0.8


def sheet(overview: Overview, degrees: float = 0.0) -> Box | None:
    """The sheet in pixels of the page, which is turned clockwise by ``degrees`` first; None if it is not certain.

    Certain is a sheet whose surroundings are even and darker or lighter than its paper. Paper as white as the lid
    is not found: the page is then kept as it is.
    """
    gray = overview.gray
    beside = _beside(gray, overview)
    if beside is None:
        return None
    turned = gray.rotate(-degrees, Image.Resampling.BILINEAR, fillcolor=beside) if degrees else gray
    different = _different(turned, beside)
    box = different.getbbox()
    if box is None or not _is_sheet(different.crop(box), overview):
        return None
    inset = 1 if degrees else 0  # where the edge runs through pixels
    left, top, right, bottom = box[0] + inset, box[1] + inset, box[2] - inset, box[3] - inset
    x, y = overview.scale
    return Box(left * x, top * y, (right - left) * x, (bottom - top) * y)


def _beside(gray: Image.Image, overview: Overview) -> int | None:
    """The level of what is beside the sheet: the darkest even border, since a sheet may reach to some of them."""
    across, down = (max(1, round(dpi * _BORDER_INCH)) for dpi in overview.dpi)
    width, height = gray.size
    borders = (
        (0, 0, width, down),
        (0, height - down, width, height),
        (0, 0, across, height),
        (width - across, 0, width, height),
    )
    levels = [_even_level(gray.crop(border)) for border in borders]
    return min((level for level in levels if level is not None), default=None)


def _even_level(border: Image.Image) -> int | None:
    median = ImageStat.Stat(border).median[0]
    counts = border.histogram()
    near = sum(counts[max(0, median - _CONTRAST // 2) : median + _CONTRAST // 2 + 1])
    return int(median) if near >= _EVEN_SHARE * sum(counts) else None


def _different(gray: Image.Image, beside: int) -> Image.Image:
    """255 where the page is not like what is beside the sheet, without dust."""
    far = [255 * (abs(level - beside) > _CONTRAST) for level in range(256)]
    return gray.point(far).filter(ImageFilter.MinFilter(_DUST_PX)).filter(ImageFilter.MaxFilter(_DUST_PX))


def _is_sheet(different: Image.Image, overview: Overview) -> bool:
    large = all(side >= dpi * _SHEET_INCH for side, dpi in zip(different.size, overview.dpi, strict=True))
    return large and ImageStat.Stat(different).mean[0] >= 255 * _SOLID_SHARE
