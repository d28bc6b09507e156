"""Gray becomes black and white."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from PIL import Image, ImageChops, ImageFilter

from dsm_device.imaging.raster import Raster
from dsm_device.imaging.stages import Neighborhood, PerLine, Stage
from dsm_device.imaging.treatment import Bilevel

_LEVEL: Final = 128
_WHITE_FROM_MIDDLE: Final = [255 * (level >= _LEVEL) for level in range(256)]
#: A share of an inch: about the height of a line of text with the space around it.
_WINDOWS_PER_INCH: Final = 6
#: Black is what is darker than its surroundings by more than this: more than paper's grain, less than pencil.
_DARKER_BY: Final = 14
_WHITE_FROM_DIFFERENCE: Final = [255 * (level >= _LEVEL - _DARKER_BY) for level in range(256)]
#: Darker than this is black whatever surrounds it, so that black areas are not hollow.
_SURELY_BLACK: Final = 48
_WHITE_UNLESS_SURELY_BLACK: Final = [255 * (level >= _SURELY_BLACK) for level in range(256)]
_SCREEN_PX: Final = 16


def bilevel(how: Bilevel, x_dpi: int, y_dpi: int) -> Stage:
    """From mode ``L`` to ``1``; the resolutions are those of the lines."""
    if how is Bilevel.ADAPTIVE:
        radii = (_radius_px(x_dpi), _radius_px(y_dpi))
        return Neighborhood(lambda lines: lines.map(lambda gray: _against_surroundings(gray, radii)), radii[1])
    return Dither() if how is Bilevel.DITHER else PerLine(threshold)


def threshold(lines: Raster) -> Raster:
    """Samples below 128 are black."""
    return lines.map(lambda gray: gray.point(_WHITE_FROM_MIDDLE, "1"))


def _radius_px(dpi: int) -> int:
    return max(1, dpi // _WINDOWS_PER_INCH // 2)


def _against_surroundings(gray: Image.Image, radii_px: tuple[int, int]) -> Image.Image:
    mean = gray.filter(ImageFilter.BoxBlur(radii_px))
    lighter = ImageChops.subtract(gray, mean, 1, _LEVEL).point(_WHITE_FROM_DIFFERENCE)
    return ImageChops.darker(lighter, gray.point(_WHITE_UNLESS_SURELY_BLACK)).point(_WHITE_FROM_MIDDLE, "1")


class Dither:
    """Ordered dither, by a screen that lies still on the page, so that strips join without a seam."""

    def __init__(self) -> None:
        self._line = 0

    def push(self, lines: Raster) -> Iterable[Raster]:
        screen = _screen(lines.width_px, lines.height_px + _SCREEN_PX)
        phase = self._line % _SCREEN_PX
        self._line += lines.height_px
        shifted = screen.crop((0, phase, lines.width_px, phase + lines.height_px))
        yield lines.map(lambda gray: ImageChops.subtract(gray, shifted).point(_WHITE_ABOVE_NOTHING, "1"))

    def finish(self) -> Iterable[Raster]:
        return ()

    def close(self) -> None:
        """Nothing is held."""


_WHITE_ABOVE_NOTHING: Final = [0] + [255] * 255


@cache
def _cell() -> Image.Image:
    """Bayer's matrix of 16 x 16 as levels 0 to 254: of each gray as many pixels are white as it is light."""
    levels = bytes(_rank(x, y) * 255 // 256 for y in range(_SCREEN_PX) for x in range(_SCREEN_PX))
    return Image.frombytes("L", (_SCREEN_PX, _SCREEN_PX), levels)


def _rank(x: int, y: int) -> int:
    """The bits of x ^ y and y, interleaved and reversed: the lowest bits of the place weigh most."""
    rank = 0
    for bit in range(4):
        rank = rank << 2 | ((x ^ y) >> bit & 1) << 1 | y >> bit & 1
    return rank


def _screen(width_px: int, height_px: int) -> Image.Image:
    """The cell tiled, by doubling."""
    screen = Image.new("L", (width_px, height_px))
    screen.paste(_cell(), (0, 0))
    side = _SCREEN_PX
    while side < width_px:
        screen.paste(screen.crop((0, 0, side, _SCREEN_PX)), (side, 0))
        side *= 2
    side = _SCREEN_PX
    while side < height_px:
        screen.paste(screen.crop((0, 0, width_px, side)), (0, side))
        side *= 2
    return screen
