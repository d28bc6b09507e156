"""A device-independent bitmap in a file: BITMAPFILEHEADER and BITMAPINFOHEADER, uncompressed (BI_RGB)."""

from __future__ import annotations

import struct
from typing import Final

from .facts import Data, ImageError, PageFacts, expect, part

_METRES_PER_INCH: Final = 0.0254
_FILE_HEADER: Final = 14


def bmp_facts(data: Data) -> PageFacts:
    """Raises :class:`ImageError`."""
    expect(data, b"BM", "BMP file")
    size, pixels_at = struct.unpack("<I4xI", part(data, 2, 12))
    header, width, height, planes, bits, compression = struct.unpack("<IiiHHI", part(data, _FILE_HEADER, 20))
    x_per_metre, y_per_metre, used = struct.unpack("<iiI", part(data, _FILE_HEADER + 24, 12))
    if size != len(data):
        raise ImageError(f"a file of {len(data)} octets whose header says {size}")
    if header < 40 or planes != 1 or bits not in {1, 4, 8, 16, 24, 32} or compression:
        raise ImageError(f"a header of {header} octets, {planes} planes, {bits} bits, compression {compression}")
    colors = (used or 1 << bits) if bits <= 8 else used
    if pixels_at < _FILE_HEADER + header + 4 * colors:
        raise ImageError("the pixels begin within the header")
    if pixels_at + _raster_octets(width, height, bits) > size:
        raise ImageError("the file ends too early")
    palette = part(data, _FILE_HEADER + header, 4 * colors) if bits <= 8 else b""
    channels = 1 if palette and _is_gray(palette) else 3
    return PageFacts(
        width,
        abs(height),
        round(x_per_metre * _METRES_PER_INCH, 1),
        round(y_per_metre * _METRES_PER_INCH, 1),
        channels,
        bits if bits <= 8 else 8,
    )


def _raster_octets(width: int, height: int, bits: int) -> int:
    """Lines are padded to four octets."""
    return (width * bits + 31) // 32 * 4 * abs(height)


def _is_gray(palette: bytes) -> bool:
    return palette[0::4] == palette[1::4] == palette[2::4]
