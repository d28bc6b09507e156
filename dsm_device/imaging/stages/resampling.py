"""From the region's pixels to the file's: resampled with antialiasing, strip by strip.

Pillow's resize takes a box with fractions of pixels, and its filter looks beyond the box where the image goes on.
So a strip with a few lines around it gives the very lines that the whole page would give: across first, then
down, each by a call of its own, since Pillow chooses the order by the sizes and rounds in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Final

from PIL import Image

from dsm_device.imaging.raster import LineBuffer, Raster, white

_FILTER: Final = Image.Resampling.BICUBIC
#: How far the filter looks: two pixels, of the larger of the two rasters.
_SUPPORT_PX: Final = 2
#: The most that is resampled at once.
_OUTPUT_BYTES: Final = 1024 * 1024
_PIXEL_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Scale:
    """Source pixels a pixel of the result, along each axis."""

    x: Fraction
    y: Fraction

    @property
    def turned(self) -> Scale:
        return Scale(self.y, self.x)


class Resample:
    """Takes lines of any one width; the result has as many whole pixels as fit into them, at least one."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._support = _SUPPORT_PX * max(Fraction(1), scale.y)
        self._buffer = LineBuffer()
        self._done = 0
        self._width_px = 0

    def push(self, lines: Raster) -> Iterable[Raster]:
        wide_enough = _at_least(lines, ceil(self._scale.x), 1)
        self._width_px = floor(wide_enough.width_px / self._scale.x)
        across = (0, 0, float(self._width_px * self._scale.x), lines.height_px)
        self._buffer.push(_resized(wide_enough, self._width_px, lines.height_px, across))
        yield from self._produce(floor((self._buffer.bottom - self._support) / self._scale.y - Fraction(1, 2)))

    def finish(self) -> Iterable[Raster]:
        if not self._buffer.bottom:
            return
        if self._buffer.bottom < self._scale.y:
            whole = self._buffer.lines(0, self._buffer.bottom)
            self._buffer = LineBuffer()
            self._buffer.push(_at_least(whole, 1, ceil(self._scale.y)))
        yield from self._produce(floor(self._buffer.bottom / self._scale.y))

    def close(self) -> None:
        self._buffer = LineBuffer()

    def _produce(self, ready: int) -> Iterable[Raster]:
        while self._done < ready:
            at_once = max(1, _OUTPUT_BYTES // (self._width_px * _PIXEL_BYTES))
            yield self._resampled(self._done, min(ready, self._done + at_once))

    def _resampled(self, first: int, end: int) -> Raster:
        step = self._scale.y
        top = max(0, floor((first + Fraction(1, 2)) * step - self._support) - 1)
        bottom = min(self._buffer.bottom, ceil((end - Fraction(1, 2)) * step + self._support) + 1)
        window = self._buffer.lines(top, bottom)
        down = (0, float(first * step - top), self._width_px, float(end * step - top))
        lines = end - first
        self._done = end
        self._buffer.drop_before(floor((end + Fraction(1, 2)) * step - self._support) - 1)
        return _resized(window, self._width_px, lines, down)


def _resized(lines: Raster, width_px: int, height_px: int, box: tuple[float, float, float, float]) -> Raster:
    return lines.map(lambda plane: plane.resize((width_px, height_px), _FILTER, box))


def _at_least(lines: Raster, width_px: int, height_px: int) -> Raster:
    """Padded with white, where so little came that it is not one pixel of the result."""
    if lines.width_px >= width_px and lines.height_px >= height_px:
        return lines
    size = max(lines.width_px, width_px), max(lines.height_px, height_px)
    padded = white(lines.mode, len(lines.planes), *size)
    padded.paste(lines, 0, 0)
    return padded
