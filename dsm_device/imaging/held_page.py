"""A page that must be there whole before its first line can leave: held on disk, compressed, in tiles.

What turns a page, or straightens it, needs its pixels in another order than the scanner gives them. A page of
A3 at 1200 dpi is 1.7 GB, so it is neither kept in memory nor written uncompressed: it goes into a file without a
name, tile by tile, from which any rectangle is read back.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from array import array
from collections import OrderedDict
from pathlib import Path
from typing import Final

from PIL import Image

from dsm_device.imaging.raster import LineBuffer, Raster, empty, white

#: Sides of tiles by mode and planes, in pixels: about 8 to 24 KiB each. Larger ones make the band of lines that
#: must be in memory higher, smaller ones cost more calls than compression.
_TILE_PX: Final = {("1", 1): 256, ("L", 1): 128, ("RGB", 1): 64, ("I;16", 1): 96, ("I;16", 3): 64}
#: Without a header, with a window of 8 KiB: a tile is hardly larger.
_WINDOW_BITS: Final = -13
#: From which compression on a tile counts as clean.
_CLEAN_RATIO: Final = 8


class HeldPage:
    """Filled with :meth:`push` from the top, closed with :meth:`end`, then read with :meth:`window`.

    Every method but :meth:`close` raises ``OSError`` where the disk is full. ``folder`` is where the scratch
    file goes; it has no name there and ends with the process, however that ends.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=256 * 1024)  # noqa: SIM115 - closed by close()
        self._lines = LineBuffer()
        self._banded = 0
        #: Where each tile begins, band by band, and where the last one ends.
        self._offsets = array("Q", [0])
        self._cache: OrderedDict[int, Raster] = OrderedDict()
        self._cache_tiles = 0
        self._clean = [False, False]
        self.mode = "L"
        self.planes = 1
        self.width_px = 0
        self.height_px = 0

    @property
    def tile_px(self) -> int:
        return _TILE_PX[self.mode, self.planes]

    def push(self, lines: Raster) -> None:
        """Take further lines, all of one mode and width."""
        self.mode, self.planes, self.width_px = lines.mode, len(lines.planes), lines.width_px
        self._lines.push(lines)
        while self._lines.bottom - self._banded >= self.tile_px:
            self._store_band(self.tile_px)

    def end(self) -> None:
        """The page is complete."""
        if self._lines.bottom > self._banded:
            self._store_band(self._lines.bottom - self._banded)
        self.height_px = self._banded
        self._lines = LineBuffer()
        self._file.flush()

    def keep_bands(self, bands: int) -> None:
        """Keep so many bands of tiles in memory, for windows that come back to them."""
        self._cache_tiles = bands * self._columns

    def window(self, left: int, top: int, right: int, bottom: int) -> Raster:
        """The rectangle, white where it lies beyond the page."""
        inside = left >= 0 and top >= 0 and right <= self.width_px and bottom <= self.height_px
        found = (empty if inside else white)(self.mode, self.planes, right - left, bottom - top)
        side = self.tile_px
        for band in _tiles_touched(top, bottom, self.height_px, side):
            for column in _tiles_touched(left, right, self.width_px, side):
                tile = self._tile(band, column)
                found.paste(tile, column * side - left, band * side - top)
        return found

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()
        self._cache.clear()
        self._lines = LineBuffer()

    @property
    def _raw(self) -> str:
        """Colour goes channel by channel: then even paper is a run."""
        return "RGB;L" if self.mode == "RGB" else self.mode

    @property
    def _columns(self) -> int:
        return -(-self.width_px // self.tile_px)

    def _store_band(self, lines: int) -> None:
        band = self._lines.lines(self._banded, self._banded + lines)
        self._banded += lines
        self._lines.drop_before(self._banded)
        for left in range(0, self.width_px, self.tile_px):
            tile = band.crop(left, 0, min(left + self.tile_px, self.width_px), lines)
            data = self._compressed(tile)
            self._file.write(data)
            self._offsets.append(self._offsets[-1] + len(data))

    def _compressed(self, tile: Raster) -> bytes:
        """High and low bytes of 16 bit apart: the low ones are noise that hides the order of the high ones."""
        samples = b"".join(plane.tobytes("raw", self._raw) for plane in tile.planes)
        parts = (samples[1::2], samples[::2]) if self.mode == "I;16" else (samples,)
        return b"".join(self._deflated(number, part) for number, part in enumerate(parts))

    def _deflated(self, number: int, part: bytes) -> bytes:
        """Noise, as every scan has it, is searched for runs only: searching it for repetitions takes longer and
        finds nothing. Clean paper is the other way round, and a tile is mostly like the one before it.
        """
        strategy = zlib.Z_DEFAULT_STRATEGY if self._clean[number] else zlib.Z_RLE
        deflate = zlib.compressobj(1, wbits=_WINDOW_BITS, strategy=strategy)
        data = deflate.compress(part) + deflate.flush()
        self._clean[number] = len(data) * _CLEAN_RATIO < len(part)
        return data

    def _tile(self, band: int, column: int) -> Raster:
        number = band * self._columns + column
        tile = self._cache.pop(number, None) or self._read_tile(number, band, column)
        if self._cache_tiles:
            self._cache[number] = tile
            if len(self._cache) > self._cache_tiles:
                self._cache.popitem(last=False)
        return tile

    def _read_tile(self, number: int, band: int, column: int) -> Raster:
        side = self.tile_px
        size = min(side, self.width_px - column * side), min(side, self.height_px - band * side)
        start, end = self._offsets[number : number + 2]
        data = _inflated(os.pread(self._file.fileno(), end - start, start), deep=self.mode == "I;16")
        share = len(data) // self.planes
        return Raster(
            tuple(
                Image.frombytes(self.mode, size, data[plane * share : (plane + 1) * share], "raw", self._raw)
                for plane in range(self.planes)
            )
        )


def _inflated(data: bytes, *, deep: bool) -> bytes:
    first = zlib.decompressobj(_WINDOW_BITS)
    high = first.decompress(data)
    if not deep:
        return high
    samples = bytearray(2 * len(high))
    samples[1::2], samples[::2] = high, zlib.decompress(first.unused_data, _WINDOW_BITS)
    return bytes(samples)


def _tiles_touched(first: int, end: int, length: int, side: int) -> range:
    return range(max(first, 0) // side, -(-min(end, length) // side))
