"""By how much a page lies askew, and the page made straight."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, cos, floor, radians, sin
from statistics import fmean
from typing import Final

from PIL import Image, ImageChops, ImageFilter

from dsm_device.imaging.held_page import HeldPage
from dsm_device.imaging.overview import Overview
from dsm_device.imaging.raster import Raster, white

_MAX_DEGREES: Final = 5.0
_COARSE_DEGREES: Final = 0.5
_FINE_DEGREES: Final = 0.1
#: Less is not worth a page's sharpness.
_LEAST_DEGREES: Final = 0.2
#: How much better than the average of all angles the best one must fit.
_CERTAIN: Final = 2.0
#: What differs less from its surroundings is no line of text.
_INK: Final = 24
_BLUR_PX: Final = 12
#: The page is straightened in blocks: their sources are hardly larger, however askew the page is.
_BLOCK_PX: Final = 128
_MARGIN_PX: Final = 3


def skew_degrees(overview: Overview) -> float:
    """The angle by which the page must be turned clockwise to be straight; 0.0 where that is not certain.

    Lines of text are sharpest in the profile across them at the right angle. Found to 0.1 degrees within 5.
    """
    ink = _ink(_square(overview))
    coarse = _scores(ink.reduce(2), _steps(-_MAX_DEGREES, _MAX_DEGREES, _COARSE_DEGREES))
    best = max(coarse, key=coarse.__getitem__)
    if coarse[best] < _CERTAIN * fmean(coarse.values()):
        return 0.0
    fine = _scores(ink, _steps(best - _COARSE_DEGREES, best + _COARSE_DEGREES, _FINE_DEGREES))
    angle = max(fine, key=fine.__getitem__)
    if abs(angle) < _LEAST_DEGREES or abs(angle) > _MAX_DEGREES:
        return 0.0
    return angle


def _square(overview: Overview) -> Image.Image:
    """With as many pixels an inch both ways."""
    gray = overview.gray
    x_dpi, y_dpi = overview.dpi
    dpi = min(x_dpi, y_dpi)
    return gray.resize((max(1, round(gray.width * dpi / x_dpi)), max(1, round(gray.height * dpi / y_dpi))))


def _ink(gray: Image.Image) -> Image.Image:
    """What is darker than its surroundings; the page's border is left out, with the shadows there."""
    around = gray.filter(ImageFilter.BoxBlur(_BLUR_PX))
    ink = ImageChops.subtract(around, gray).point(
        [min(4 * level, 255) if level > _INK else 0 for level in range(256)]
    )
    border = min(_BLUR_PX, (min(gray.size) - 1) // 2)
    return ink.crop((border, border, gray.width - border, gray.height - border))


def _steps(first: float, last: float, step: float) -> list[float]:
    return [round(first + number * step, 2) for number in range(round((last - first) / step) + 1)]


def _scores(ink: Image.Image, angles: list[float]) -> dict[float, float]:
    return {angle: _sharpness_of_lines(ink, angle) for angle in angles}


def _sharpness_of_lines(ink: Image.Image, degrees: float) -> float:
    turned = ink.rotate(-degrees, Image.Resampling.BILINEAR)
    profile = turned.convert("F").resize((1, turned.height), Image.Resampling.BOX).tobytes()
    levels = memoryview(profile).cast("f").tolist()
    return sum((after - before) ** 2 for before, after in pairwise(levels)) + 1e-9


Affine = tuple[float, float, float, float, float, float]


def straightening(size_px: tuple[int, int], degrees: float, aspect: float) -> Affine:
    """From places of an image that is turned by ``degrees`` clockwise around its middle to those of the askew one.

    x and y are ``(a x + b y + c, d x + e y + f)``. ``aspect`` is the resolution across by that down: what is
    turned is paper, not pixels.
    """
    x, y = size_px[0] / 2, size_px[1] / 2
    a, b = cos(radians(degrees)), sin(radians(degrees)) * aspect
    d, e = -sin(radians(degrees)) / aspect, cos(radians(degrees))
    return a, b, x - a * x - b * y, d, e, y - d * x - e * y


class Straightened:
    """A held page, turned by ``degrees`` clockwise around its middle; its size stays, its corners are white."""

    def __init__(self, page: HeldPage, degrees: float, aspect: float) -> None:
        self._page = page
        self.width_px, self.height_px = page.width_px, page.height_px
        self._affine = straightening((page.width_px, page.height_px), degrees, aspect)
        # A row of blocks comes back to the bands of tiles that the one above has read.
        page.keep_bands(2 + _BLOCK_PX // page.tile_px)

    def window(self, left: int, top: int, right: int, bottom: int) -> Raster:
        mode = "L" if self._page.mode == "1" else self._page.mode
        found = white(mode, self._page.planes, right - left, bottom - top)
        for y in range(top, bottom, _BLOCK_PX):
            for x in range(left, right, _BLOCK_PX):
                block = self._block(x, y, min(x + _BLOCK_PX, right), min(y + _BLOCK_PX, bottom))
                found.paste(block, x - left, y - top)
        return found

    def _block(self, left: int, top: int, right: int, bottom: int) -> Raster:
        corners = [self._source(x, y) for x in (left, right) for y in (top, bottom)]
        from_x, from_y = (floor(min(each)) - _MARGIN_PX for each in zip(*corners, strict=True))
        to_x, to_y = (ceil(max(each)) + _MARGIN_PX for each in zip(*corners, strict=True))
        origin = self._source(left, top)
        a, b, _, d, e, _ = self._affine
        matrix = (a, b, origin[0] - from_x, d, e, origin[1] - from_y)
        window = self._page.window(from_x, from_y, to_x, to_y).as_gray()
        return window.map(
            lambda plane: plane.transform(
                (right - left, bottom - top), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
            )
        )

    def _source(self, x: float, y: float) -> tuple[float, float]:
        """Where on the askew page a place of the straight one is."""
        a, b, c, d, e, f = self._affine
        return a * x + b * y + c, d * x + e * y + f
