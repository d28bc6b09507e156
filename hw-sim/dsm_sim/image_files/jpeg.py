"""JPEG files, of JFIF and of Exif (ITU-T T.81 B; JFIF 1.02; Exif 2.32, 4.5 and 4.6)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import Final

from .facts import Data, ImageError, PageFacts, expect, number, part
from .tiff_directory import byte_order, read_directory, resolution

_APP0, _APP1, _SOS, _EOI, _DRI = 0xE0, 0xE1, 0xDA, 0xD9, 0xDD
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: What ends entropy-coded data: a marker that is neither stuffing nor a restart.
_NEXT: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_RESTART: Final = re.compile(rb"\xff([\xd0-\xd7])")
#: X and Y resolution and their unit; then version, components, Flashpix version, colour space and both sides.
_EXIF_POINTER: Final = 34665
_MUST_TIFF: Final = frozenset({282, 283, 296, _EXIF_POINTER})
_MUST_EXIF: Final = frozenset({36864, 37121, 40960, 40961, 40962, 40963})


@dataclass
class Jpeg:
    """``first``: marker and content of the segment behind SOI · ``frame``: content of the frame header."""

    first: tuple[int, bytes] = (0, b"")
    frame: bytes = b""
    #: The length of a restart interval in MCUs, 0 without.
    interval: int = 0
    #: The numbers of the restart markers of each scan, and its components.
    scans: list[tuple[list[int], int]] = field(default_factory=list)

    @property
    def size_px(self) -> tuple[int, int]:
        height, width = struct.unpack_from(">HH", self.frame, 1)
        return width, height

    def facts(self, x_dpi: float, y_dpi: float) -> PageFacts:
        return PageFacts(*self.size_px, x_dpi, y_dpi, self.frame[5], self.frame[0])


def jfif_facts(data: Data) -> PageFacts:
    """Raises :class:`ImageError`."""
    jpeg = read_jpeg(data)
    marker, content = jpeg.first
    if marker != _APP0 or not content.startswith(b"JFIF\0"):
        raise ImageError("a JPEG file without JFIF segment at its beginning")
    unit, x_density, y_density = struct.unpack_from(">BHH", content, 7)
    factor = {1: 1.0, 2: 2.54}.get(unit, 0)
    return jpeg.facts(round(x_density * factor, 1), round(y_density * factor, 1))


def exif_facts(data: Data) -> PageFacts:
    """Raises :class:`ImageError`."""
    jpeg = read_jpeg(data)
    marker, content = jpeg.first
    if marker != _APP1 or not content.startswith(b"Exif\0\0"):
        raise ImageError("a JPEG file without Exif segment at its beginning")
    order, first = byte_order(content, 6)
    tags, _ = read_directory(content, order, first, base=6)
    _check_tags(tags, _MUST_TIFF)
    inner, _ = read_directory(content, order, tags[_EXIF_POINTER][0], base=6)
    _check_tags(inner, _MUST_EXIF)
    told = inner[40962][0], inner[40963][0]
    if told != jpeg.size_px:
        raise ImageError(f"Exif says {told} pixels, the frame {jpeg.size_px}")
    return jpeg.facts(*resolution(tags))


def _check_tags(tags: dict[int, tuple[int, ...]], wanted: frozenset[int]) -> None:
    if missing := sorted(wanted - set(tags)):
        raise ImageError(f"an Exif segment without tag {missing[0]}")


def read_jpeg(data: Data) -> Jpeg:
    """A JPEG stream from SOI to EOI, with nothing behind it. Raises :class:`ImageError`."""
    expect(data, b"\xff\xd8\xff", "JPEG file")
    jpeg, at, marker = Jpeg(), 2, 0
    while marker != _EOI:
        marker, at = _marker(data, at)
        if marker != _EOI:
            at = _take(jpeg, marker, data, at)
    if at != len(data):
        raise ImageError("octets after the end of the image")
    if not jpeg.frame or not jpeg.scans:
        raise ImageError("a JPEG file without frame header or scan")
    _check_restarts(jpeg)
    return jpeg


def _marker(data: Data, at: int) -> tuple[int, int]:
    if number(data, at, 1) != 0xFF:
        raise ImageError("a JPEG marker is missing")
    while (marker := number(data, at + 1, 1)) == 0xFF:  # fill octets may precede a marker
        at += 1
    return marker, at + 2


def _take(jpeg: Jpeg, marker: int, data: Data, at: int) -> int:
    """One segment, for a scan with the data behind it; returns where the next marker is."""
    length = number(data, at, 2)
    if length < 2:
        raise ImageError("a JPEG segment without length")
    content, at = part(data, at + 2, length - 2), at + length
    jpeg.first = jpeg.first if jpeg.first[0] else (marker, content)
    if marker in _FRAMES:
        jpeg.frame = content
        width, height = jpeg.size_px
        if not (width and height):
            raise ImageError(f"{width} by {height} pixels")
    elif marker == _DRI:
        jpeg.interval = number(content, 0, 2)
    elif marker == _SOS:
        found = _NEXT.search(data, at)
        if not found:
            raise ImageError("the file ends too early: no end of image")
        restarts = [match[1][0] & 7 for match in _RESTART.finditer(data, at, found.start())]
        jpeg.scans.append((restarts, content[0]))
        return found.start()
    return at


def _check_restarts(jpeg: Jpeg) -> None:
    """They count from 0 to 7 and again, and there are as many as intervals have ends within the image."""
    for restarts, components in jpeg.scans:
        if restarts != [place & 7 for place in range(len(restarts))]:
            raise ImageError("restart markers that do not count on")
        wanted = -(-_units(jpeg, components) // jpeg.interval) - 1 if jpeg.interval else 0
        if len(jpeg.scans) == 1 and len(restarts) != wanted:
            raise ImageError(f"{len(restarts)} restart markers instead of {wanted}")


def _units(jpeg: Jpeg, components: int) -> int:
    """MCUs of a scan (T.81, A.2): one component alone comes in blocks of 8 by 8, whatever its sampling."""
    sampling = jpeg.frame[7::3][: jpeg.frame[5]]
    across, down = (1, 1) if components == 1 else (max(s >> 4 for s in sampling), max(s & 15 for s in sampling))
    width, height = jpeg.size_px
    return -(-width // (8 * across)) * -(-height // (8 * down))
