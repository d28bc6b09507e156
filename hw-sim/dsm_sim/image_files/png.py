"""PNG (third edition) 5, 11.2, 11.3."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from .facts import Data, ImageError, PageFacts, expect, part

_METRES_PER_INCH: Final = 0.0254
_BLOCK_OCTETS: Final = 1 << 20
_CHANNELS: Final = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def png_facts(data: Data) -> PageFacts:
    """Raises :class:`ImageError`."""
    expect(data, _SIGNATURE, "PNG file")
    chunks = _chunks(data)
    if chunks[0][0] != b"IHDR" or chunks[0][2] != 13:
        raise ImageError("a PNG file without IHDR")
    width, height, bits, color = struct.unpack(">IIBB", part(data, chunks[0][1], 10))
    if color not in _CHANNELS:
        raise ImageError(f"colour type {color}")
    kinds = [kind for kind, _, _ in chunks]
    if b"IDAT" not in kinds:
        raise ImageError("a PNG file without IDAT")
    x_dpi, y_dpi = _dpi(data, chunks)
    return PageFacts(width, height, x_dpi, y_dpi, _CHANNELS[color], bits)


def _chunks(data: Data) -> list[tuple[bytes, int, int]]:
    """Kind, place and length of each, up to IEND, with which the file ends."""
    chunks: list[tuple[bytes, int, int]] = []
    at = len(_SIGNATURE)
    while True:
        length, kind = struct.unpack(">I4s", part(data, at, 8))
        end = at + 8 + length
        if int.from_bytes(part(data, end, 4), "big") != _crc(data, at + 4, end):
            raise ImageError(f"the check sum of {kind.decode('latin-1')} is wrong")
        chunks.append((kind, at + 8, length))
        at = end + 4
        if kind == b"IEND":
            if len(data) > at:
                raise ImageError("octets after IEND")
            return chunks


def _crc(data: Data, start: int, end: int) -> int:
    crc = 0
    for at in range(start, end, _BLOCK_OCTETS):
        crc = zlib.crc32(data[at : min(at + _BLOCK_OCTETS, end)], crc)
    return crc


def _dpi(data: Data, chunks: list[tuple[bytes, int, int]]) -> tuple[float, float]:
    for kind, at, length in chunks:
        if kind == b"pHYs" and length == 9:
            x_per_metre, y_per_metre, unit = struct.unpack(">IIB", part(data, at, 9))
            if unit == 1:
                return round(x_per_metre * _METRES_PER_INCH, 1), round(y_per_metre * _METRES_PER_INCH, 1)
    return 0, 0
