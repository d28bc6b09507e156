"""What a page file says of itself. The file is the only record of it: nothing can come to disagree.

Sources: ISO/IEC 10918-1 B.1.1.4, B.2.2 (segments, frame header); JFIF 1.02 (density); TIFF 6.0 sections 3 to 8.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.checksum import crc32_of

from .model import DocumentPage, open_page_file
from .tiff_directory import BITS_PER_SAMPLE, COMPRESSION, IMAGE_LENGTH, IMAGE_WIDTH, read_values

_SAMPLES_PER_PIXEL: Final = 277
_RESOLUTIONS: Final = (282, 283)
_TAGS: Final = (IMAGE_WIDTH, IMAGE_LENGTH, BITS_PER_SAMPLE, COMPRESSION, _SAMPLES_PER_PIXEL, *_RESOLUTIONS)
_TIFF_FORMATS: Final = {
    1: "tiff-single-uncompressed",
    3: "tiff-single-g3mh",
    4: "tiff-single-g4",
    7: "tiff-single-jpeg-tn2",
}
_COLORS: Final = {(each.channels, each.bits_per_sample): each for each in ColorProcessing}
_JPEG_HEADER_BYTES: Final = 64 * 1024


def page_of_file(path: Path, *, size_bytes: int, crc32: int = 0) -> DocumentPage:
    """The page in a JPEG or TIFF file of a device's own. Without its ``crc32`` (0) the whole file is read for it.

    Raises :class:`SpoolError` where the file is missing, has another size or is neither of the two.
    """
    page = stored_file(path, "", size_bytes)
    descriptor = open_page_file(page)
    try:
        header = os.pread(descriptor, _JPEG_HEADER_BYTES, 0)
        crc32 = crc32 or crc32_of(descriptor)
    except OSError as error:
        raise page.damage(f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    try:
        format_, color, pixels, dpi = _jpeg(header) if header[:2] == b"\xff\xd8" else _tiff(page)
    except (struct.error, IndexError, KeyError, ValueError, ZeroDivisionError) as error:
        raise page.damage("is damaged: its header cannot be read") from error
    return DocumentPage(path, format_, size_bytes, *pixels, *dpi, color, crc32)


def stored_file(path: Path, format_: str, size_bytes: int) -> DocumentPage:
    """A page of which nothing but its file is of interest, as it is sent by itself: the rest is not looked at."""
    return DocumentPage(path, format_, size_bytes, 1, 1, 1, 1, ColorProcessing.RGB_24, 0)


_Facts = tuple[str, ColorProcessing, tuple[int, int], tuple[int, int]]


def _jpeg(header: bytes) -> _Facts:
    """From JFIF's density, in pixels per inch, and the frame header."""
    dpi = (0, 0)
    at = 2
    while not 0xC0 <= (marker := header[at + 1]) <= 0xC2:
        if marker == 0xE0:
            dpi = struct.unpack_from(">HH", header, at + 12)
        at += 2 + struct.unpack_from(">H", header, at + 2)[0]
    height_px, width_px, components = struct.unpack_from(">HHB", header, at + 5)
    return "jfif", _COLORS[components, 8], (width_px, height_px), _positive(*dpi)


def _tiff(page: DocumentPage) -> _Facts:
    values = read_values(page, _TAGS)
    color = _COLORS[values.get(_SAMPLES_PER_PIXEL, (1,))[0], values.get(BITS_PER_SAMPLE, (1,))[0]]
    dpi = [round(numerator / denominator) for numerator, denominator in map(values.__getitem__, _RESOLUTIONS)]
    pixels = values[IMAGE_WIDTH][0], values[IMAGE_LENGTH][0]
    return _TIFF_FORMATS[values[COMPRESSION][0]], color, _positive(*pixels), _positive(*dpi)


def _positive(first: int, second: int) -> tuple[int, int]:
    if first < 1 or second < 1:
        raise ValueError(f"{first} x {second}")
    return first, second
