"""A page seen from afar: the small gray copy by which edges, skew, levels and blank pages are judged.

About 100 dpi, so 1 MB for A4, whatever the page's resolution and colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageChops

from dsm_device.imaging.raster import LineBuffer, Raster

_DPI: Final = 100


class Overview:
    """Filled with the page's lines; :attr:`gray` afterwards is the copy, ``scale`` its pixels' size."""

    def __init__(self, x_dpi: int, y_dpi: int, *, darkest: bool = False) -> None:
        """``darkest``: colours are as dark as their darkest channel, so that yellow on white is seen."""
        self._darkest = darkest
        self.scale = (max(1, x_dpi // _DPI), max(1, y_dpi // _DPI))
        self.dpi = (max(1, x_dpi) / self.scale[0], max(1, y_dpi) / self.scale[1])
        #: How often each level occurs in the copy, for each channel (1 or 3).
        self.histograms: list[list[int]] = []
        self._buffer = LineBuffer()
        self._done = 0
        self._pieces: list[Image.Image] = []

    def push(self, lines: Raster) -> None:
        """See further lines of the page, from top to bottom."""
        self._buffer.push(Raster((lines.in_eight_bits(),)))
        step = self.scale[1]
        ready = self._buffer.bottom // step * step
        if ready > self._done:
            self._add(self._buffer.lines(self._done, ready).planes[0])
            self._done = ready
            self._buffer.drop_before(ready)

    def end(self) -> None:
        """The page is complete."""
        if self._buffer.bottom > self._done:
            self._add(self._buffer.lines(self._done, self._buffer.bottom).planes[0])
            self._done = self._buffer.bottom

    @property
    def gray(self) -> Image.Image:
        """Mode ``L``. The last row and column may stand for fewer lines than the others."""
        joined = Image.new("L", (self._pieces[0].width, sum(piece.height for piece in self._pieces)))
        top = 0
        for piece in self._pieces:
            joined.paste(piece, (0, top))
            top += piece.height
        return joined

    def _add(self, image: Image.Image) -> None:
        small = image.reduce(self.scale)
        bands = len(small.getbands())
        counts = small.histogram()
        found = [counts[channel * 256 : (channel + 1) * 256] for channel in range(bands)]
        known = self.histograms or [[0] * 256] * bands
        self.histograms = [_sum(pair) for pair in zip(known, found, strict=True)]
        self._pieces.append(_darkest(small) if self._darkest else small.convert("L"))


def _darkest(image: Image.Image) -> Image.Image:
    first, *others = image.split()
    for other in others:
        first = ImageChops.darker(first, other)
    return first


def _sum(histograms: Sequence[list[int]]) -> list[int]:
    return [sum(counts) for counts in zip(*histograms, strict=True)]
