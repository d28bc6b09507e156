"""TIFF 6.0 with the compressions of WS-Scan; JPEG in TIFF after Technical Note 2."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from .facts import Data, ImageError, PageFacts, number, part
from .jpeg import Jpeg, read_jpeg
from .tiff_directory import Tags, byte_order, read_directory, resolution

_COMPRESSIONS: Final = {"uncompressed": 1, "g3mh": 3, "g4": 4, "jpeg-tn2": 7}
_FAX: Final = frozenset({3, 4})
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _CHANNELS = 256, 257, 258, 259, 262, 277
_STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_COUNTS, _T4_OPTIONS, _PAGE_NUMBER = 273, 278, 279, 292, 297
_PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _JPEG_TABLES = 284, 322, 323, 324, 325, 347
_MUST: Final = (_WIDTH, _LENGTH, _PHOTOMETRIC)
#: T4Options: two-dimensional coding, and uncompressed mode. Without them it is Modified Huffman.
_NOT_MH: Final = 0b11


def tiff_facts(data: Data, image_format: str) -> tuple[PageFacts, ...]:
    """All pages of a ``tiff-single-...`` or ``tiff-multi-...``. Raises :class:`ImageError`."""
    _, arity, compression = image_format.split("-", 2)
    order, offset = byte_order(data)
    directories: list[Tags] = []
    visited: set[int] = set()
    while offset:
        if offset in visited:
            raise ImageError("its pages form a circle")
        visited.add(offset)
        tags, offset = read_directory(data, order, offset)
        directories.append(tags)
    if not directories or (arity == "single" and len(directories) != 1):
        raise ImageError(f"{len(directories)} pages in a {image_format}")
    _check_page_numbers(directories)
    return tuple(_page(data, tags, _COMPRESSIONS[compression]) for tags in directories)


def _check_page_numbers(directories: list[Tags]) -> None:
    """PageNumber counts from 0, and says how many there are, or 0 for not known."""
    for place, tags in enumerate(directories):
        told = tags.get(_PAGE_NUMBER)
        if told and (told[0] != place or told[1] not in {0, len(directories)}):
            raise ImageError(f"page {place + 1} of {len(directories)} is called page {told[0] + 1} of {told[1]}")


def _page(data: Data, tags: Tags, compression: int) -> PageFacts:
    for tag in _MUST:
        if tag not in tags:
            raise ImageError(f"no tag {tag}")
    found = tags.get(_COMPRESSION, (1,))[0]
    if found != compression:
        raise ImageError(f"compression {found} instead of {compression}")
    bits, channels = tags.get(_BITS, (1,)), tags.get(_CHANNELS, (1,))[0]
    if len(set(bits)) != 1 or len(bits) != channels:
        raise ImageError(f"{channels} samples of {bits} bits")
    facts = PageFacts(tags[_WIDTH][0], tags[_LENGTH][0], *resolution(tags), channels, bits[0])
    if not (facts.width_px and facts.height_px):
        raise ImageError(f"{facts.width_px} by {facts.height_px} pixels")
    _check_coding(tags, compression, facts)
    _check_chunks(data, tags, compression, facts)
    return facts


def _check_coding(tags: Tags, compression: int, facts: PageFacts) -> None:
    if compression in _FAX and (facts.bits, facts.channels) != (1, 1):
        raise ImageError(f"{facts.channels} samples of {facts.bits} bits in fax code")
    if compression == 3 and tags.get(_T4_OPTIONS, (0,))[0] & _NOT_MH:
        raise ImageError(f"T4Options {tags[_T4_OPTIONS][0]}: not Modified Huffman")


def _check_chunks(data: Data, tags: Tags, compression: int, facts: PageFacts) -> None:
    """All strips, or tiles, are there, lie in the file, and do not overlap."""
    is_tiled = _TILE_OFFSETS in tags
    offsets = tags.get(_TILE_OFFSETS if is_tiled else _STRIP_OFFSETS, ())
    counts = tags.get(_TILE_COUNTS if is_tiled else _STRIP_COUNTS, ())
    sizes = _chunk_sizes(tags, facts, len(offsets), is_tiled=is_tiled)
    if len(offsets) != len(counts):
        raise ImageError(f"{len(offsets)} strips of {len(counts)} lengths")
    spans = sorted(zip(offsets, counts, strict=True))
    if spans[-1][0] + spans[-1][1] > len(data):
        raise ImageError("a strip lies beyond the end of the file")
    if any(start < 8 or start + count > following for (start, count), (following, _) in pairwise(spans)):
        raise ImageError("strips lie upon one another")
    if min(counts) < 1:
        raise ImageError("a strip without data")
    tables = bytes(tags.get(_JPEG_TABLES, ()))
    for offset, count, size in zip(offsets, counts, sizes, strict=True):
        if compression == 1:
            _check_raw(count, size, facts, tags)
        elif compression == 7:
            _check_jpeg(part(data, offset, count), size, facts, tables)


def _chunk_sizes(tags: Tags, facts: PageFacts, found: int, *, is_tiled: bool) -> list[tuple[int, int]]:
    """Width and height of each, if there are as many as are ``found``."""
    planes = facts.channels if tags.get(_PLANAR, (1,))[0] == 2 else 1
    width = tags[_TILE_WIDTH][0] if is_tiled else facts.width_px
    height = tags[_TILE_HEIGHT][0] if is_tiled else tags.get(_ROWS_PER_STRIP, (facts.height_px,))[0]
    if not (width and height):
        raise ImageError("strips or tiles without size")
    down = -(-facts.height_px // height)
    wanted = -(-facts.width_px // width) * down * planes
    if found != wanted or not found:
        raise ImageError(f"{found} strips instead of {wanted}")
    if is_tiled:
        return [(width, height)] * wanted
    last = facts.height_px - (down - 1) * height
    return ([(width, height)] * (down - 1) + [(width, last)]) * planes


def _check_raw(count: int, size: tuple[int, int], facts: PageFacts, tags: Tags) -> None:
    channels = 1 if tags.get(_PLANAR, (1,))[0] == 2 else facts.channels
    wanted = (size[0] * channels * facts.bits + 7) // 8 * size[1]
    if count != wanted:
        raise ImageError(f"a strip of {count} octets instead of {wanted}")


def _check_jpeg(stream: bytes, size: tuple[int, int], facts: PageFacts, tables: bytes) -> None:
    """Each strip or tile is a JPEG stream of its own, whose tables may be in JPEGTables."""
    if tables and not (tables.startswith(b"\xff\xd8") and tables.endswith(b"\xff\xd9")):
        raise ImageError("JPEGTables that are no JPEG stream")
    if number(stream, len(stream) - 2, 2) != 0xFFD9 and stream.endswith(b"\0"):
        stream = stream[:-1]  # padded to a word
    jpeg: Jpeg = read_jpeg(stream)
    if jpeg.size_px != size or jpeg.frame[5] != facts.channels:
        raise ImageError(f"a strip of {jpeg.size_px} pixels instead of {size}")
