"""png: PNG (Third Edition), not interlaced, written strip by strip.

Lines are filtered and compressed by what a look at a few of them tells:

- little variation (clean pages, screenshots): filter Up, and deflate looks for repetitions;
- noise, as every real scan has it: the filter that leaves the least entropy, and deflate looks for runs only.
  Searching noise for repetitions takes four times as long and makes the file larger.

Every strip is a deflate stream of its own up to a flush, so each may choose; joined they are one zlib stream.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from enum import IntEnum
from math import log2
from typing import BinaryIO, Final

from PIL import Image, ImageChops

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.strips import Strip, picture

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPE_GRAY, _COLOR_TYPE_RGB = 0, 2
_PERCEPTUAL: Final = 0
#: What PNG 11.3.2.5 recommends beside sRGB, for readers that do not know that: 1 / 2.2, times 100,000.
_SRGB_GAMMA: Final = 45_455
_METRES_PER_INCH: Final = 0.0254
_ZLIB_HEADER: Final = b"\x78\x01"
_LAST_EMPTY_BLOCK: Final = b"\x03\x00"
_SAMPLE_LINES: Final = 4
#: Bits a byte that divide clean pages from noise: clean text and smooth pictures stay below, the least
#: noise of a sensor lies above.
_NOISE_ENTROPY: Final = 3.0


class _Filter(IntEnum):
    """PNG 9.2; Sub and Paeth never paid for their time on scans."""

    NONE = 0
    UP = 2
    AVERAGE = 3


class PngEncoder:
    """Writes one page."""

    def __init__(self, file: BinaryIO, spec: PageSpec, strip_lines: int) -> None:  # noqa: ARG002 - any will do
        self._file = file
        self._spec = spec
        self._line_bytes = spec.color.bytes_per_line(spec.width_px)
        self._pixel_bytes = max(1, spec.color.channels * spec.color.bits_per_sample // 8)
        self._line_above = Image.new("L", (self._line_bytes, 1))
        self._checksum = zlib.adler32(b"")
        file.write(_SIGNATURE)
        self._write_header(spec.height_px)
        metre = [round(dpi / _METRES_PER_INCH) for dpi in (spec.x_dpi, spec.y_dpi)]
        if spec.color is not ColorProcessing.BLACK_AND_WHITE_1:
            self._write_chunk(b"sRGB", bytes((_PERCEPTUAL,)))
            self._write_chunk(b"gAMA", struct.pack(">I", _SRGB_GAMMA))
        self._write_chunk(b"pHYs", struct.pack(">IIB", *metre, 1))
        self._write_chunk(b"IDAT", _ZLIB_HEADER)

    def encode(self, strip: Strip, lines: int) -> None:
        raster = picture(self._in_png_samples(strip), "L", self._line_bytes, lines)
        if self._spec.color is ColorProcessing.BLACK_AND_WHITE_1:
            self._write_lines(ImageChops.invert(raster), _Filter.NONE, zlib.compressobj(6, wbits=-15))
            return
        chosen, deflate = _choose(raster, self._pixel_bytes)
        self._write_lines(_filtered(raster, self._line_above, self._pixel_bytes, chosen), chosen, deflate)
        self._line_above = raster.crop((0, lines - 1, self._line_bytes, lines))

    def finish(self, height_px: int) -> None:
        self._write_chunk(b"IDAT", _LAST_EMPTY_BLOCK + struct.pack(">I", self._checksum))
        self._write_chunk(b"IEND", b"")
        if height_px != self._spec.height_px:
            self._file.seek(len(_SIGNATURE))
            self._write_header(height_px)

    def close(self) -> None:
        """Nothing to let go of."""

    def _in_png_samples(self, strip: Strip) -> Strip:
        """Samples of 16 bit are stored most significant byte first (PNG 7.1)."""
        if self._spec.color.bits_per_sample < 16 or sys.byteorder == "big":
            return strip
        samples = array("H", bytes(strip))
        samples.byteswap()
        return samples.tobytes()

    def _write_lines(self, raster: Image.Image, used: _Filter, deflate: zlib._Compress) -> None:
        """Each line goes behind a byte that names its filter."""
        lines = Image.new("L", (raster.width + 1, raster.height), used)
        lines.paste(raster, (1, 0))
        data = lines.tobytes()
        self._checksum = zlib.adler32(data, self._checksum)
        self._write_chunk(b"IDAT", deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH))

    def _write_header(self, height_px: int) -> None:
        color = self._spec.color
        color_type = _COLOR_TYPE_RGB if color.channels == 3 else _COLOR_TYPE_GRAY
        size = struct.pack(">II", self._spec.width_px, height_px)
        self._write_chunk(b"IHDR", size + bytes((color.bits_per_sample, color_type, 0, 0, 0)))

    def _write_chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(struct.pack(">I", len(data)) + kind)
        self._file.write(data)
        self._file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))


def _choose(raster: Image.Image, pixel_bytes: int) -> tuple[_Filter, zlib._Compress]:
    """The filter and the compression for a strip, by a few lines from its middle."""
    top = max(0, (raster.height - _SAMPLE_LINES) // 2)
    sample = raster.crop((0, top, raster.width, min(top + _SAMPLE_LINES, raster.height)))
    above = raster.crop((0, max(0, top - 1), raster.width, max(0, top - 1) + 1))
    entropy, best = min((_entropy(_filtered(sample, above, pixel_bytes, each)), each) for each in _Filter)
    if entropy < _NOISE_ENTROPY:
        return _Filter.UP, zlib.compressobj(4, wbits=-15)
    return best, zlib.compressobj(1, wbits=-15, strategy=zlib.Z_RLE)


def _filtered(raster: Image.Image, above: Image.Image, pixel_bytes: int, kind: _Filter) -> Image.Image:
    """What the filter leaves of the lines; ``above`` is the line before the first."""
    if kind is _Filter.NONE:
        return raster
    upper = Image.new("L", raster.size)
    upper.paste(above, (0, 0))
    upper.paste(raster, (0, 1))
    if kind is _Filter.UP:
        return ImageChops.subtract_modulo(raster, upper)
    left = Image.new("L", raster.size)
    left.paste(raster, (pixel_bytes, 0))
    return ImageChops.subtract_modulo(raster, ImageChops.add(left, upper, scale=2.0))


def _entropy(raster: Image.Image) -> float:
    """Bits a byte, 0 to 8, of an order-0 code."""
    total = raster.width * raster.height
    return -sum(count * log2(count / total) for count in raster.histogram() if count) / total
