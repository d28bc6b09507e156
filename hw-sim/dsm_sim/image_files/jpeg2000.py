"""JPEG 2000: the boxes of JP2 and the code stream in them (ITU-T T.800, annexes I and A)."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from typing import Final

from .facts import Data, ImageError, PageFacts, expect, number, part

_METRES_PER_INCH: Final = 0.0254
_SIGNATURE: Final = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_SOC_SIZ: Final = b"\xff\x4f\xff\x51"
_SOT: Final = 0xFF90
_EOC: Final = b"\xff\xd9"
_Span = tuple[int, int]


def jpeg2000_facts(data: Data) -> PageFacts:
    """Raises :class:`ImageError`."""
    expect(data, _SIGNATURE, "JPEG 2000 file")
    boxes = dict(_boxes(data, (0, len(data))))
    if b"ftyp" not in boxes or b"jp2 " not in part(data, boxes[b"ftyp"][0], _length(boxes[b"ftyp"])):
        raise ImageError("a JPEG 2000 file whose ftyp box does not name JP2")
    if b"jp2h" not in boxes or b"jp2c" not in boxes:
        raise ImageError("a JPEG 2000 file without header or code stream")
    inner = dict(_boxes(data, boxes[b"jp2h"]))
    if b"ihdr" not in inner or b"colr" not in inner:
        raise ImageError("a JPEG 2000 file without ihdr or colr box")
    height, width, channels = struct.unpack(">IIH", part(data, inner[b"ihdr"][0], 10))
    of_stream = _code_stream(data, boxes[b"jp2c"])
    if (width, height, channels) != of_stream[:3]:
        raise ImageError(f"header {width} by {height} by {channels}, code stream {of_stream[:3]}")
    x_dpi, y_dpi = _dpi(data, inner)
    return PageFacts(width, height, x_dpi, y_dpi, channels, of_stream[3])


def _length(span: _Span) -> int:
    return span[1] - span[0]


def _boxes(data: Data, within: _Span) -> Iterator[tuple[bytes, _Span]]:
    """Type and content of each box; they fill ``within``."""
    at, end = within
    while at < end:
        length, kind = struct.unpack(">I4s", part(data, at, 8))
        start = at + 8
        if length == 1:
            length, start = number(data, start, 8), start + 8
        after = end if length == 0 else at + length
        if not start <= after <= end:
            raise ImageError(f"a box {kind.decode('latin-1')} that ends beyond what holds it")
        yield kind, (start, after)
        at = after


def _dpi(data: Data, header: dict[bytes, _Span]) -> tuple[float, float]:
    """Of the capture resolution, else the display's; points per metre as a fraction and a power of ten."""
    resolutions = dict(_boxes(data, header[b"res "])) if b"res " in header else {}
    for kind in (b"resc", b"resd"):
        if kind in resolutions:
            y_num, y_den, x_num, x_den, y_exp, x_exp = struct.unpack(
                ">HHHHbb", part(data, resolutions[kind][0], 10)
            )
            if x_den and y_den:
                across, down = x_num / x_den * 10.0**x_exp, y_num / y_den * 10.0**y_exp
                return round(across * _METRES_PER_INCH, 1), round(down * _METRES_PER_INCH, 1)
    return 0, 0


def _code_stream(data: Data, span: _Span) -> tuple[int, int, int, int]:
    """Width, height, channels and bits, once all of its tile-parts were walked."""
    start, end = span
    if part(data, start, 4) != _SOC_SIZ:
        raise ImageError("a code stream without SIZ")
    right, lower, left, upper, tile_w, tile_h, tile_x, tile_y, channels = struct.unpack(
        ">IIIIIIIIH", part(data, start + 8, 34)
    )
    bits = (part(data, start + 42, 1)[0] & 0x7F) + 1
    if not (tile_w and tile_h and right > left and lower > upper):
        raise ImageError("a code stream without size")
    tiles = -(-(right - tile_x) // tile_w) * -(-(lower - tile_y) // tile_h)
    _walk_tiles(data, _main_header_end(data, start), end, tiles)
    return right - left, lower - upper, channels, bits


def _main_header_end(data: Data, start: int) -> int:
    at = start + 2
    while (marker := number(data, at, 2)) != _SOT:
        if marker < 0xFF00:
            raise ImageError("a marker of the code stream is missing")
        at += 2 + number(data, at + 2, 2)
    return at


def _walk_tiles(data: Data, at: int, end: int, tiles: int) -> None:
    """Each tile-part says its length; behind the last one is EOC, and the end of the box."""
    parts: Counter[int] = Counter()
    promised: dict[int, int] = {}
    while part(data, at, 2) != _EOC:
        marker, _, tile, length, place, count = struct.unpack(">HHHIBB", part(data, at, 12))
        if marker != _SOT:
            raise ImageError("a tile-part is missing")
        if place != parts[tile]:
            raise ImageError(f"tile-part {place} of tile {tile} in the place of {parts[tile]}")
        parts[tile] += 1
        promised[tile] = count or promised.get(tile, 0)
        at = end - 2 if length == 0 else at + length
        if length and length < 14:
            raise ImageError("a tile-part without data")
    if at + 2 != end:
        raise ImageError("octets after the end of the code stream")
    if len(parts) != tiles or max(parts) != tiles - 1:
        raise ImageError(f"{len(parts)} tiles instead of {tiles}")
    if any(count and parts[tile] != count for tile, count in promised.items()):
        raise ImageError("tile-parts are missing")
