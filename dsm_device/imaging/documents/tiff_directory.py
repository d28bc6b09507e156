"""The TIFF file of one page: its fields and strips, read from a file that may be damaged. (TIFF 6.0, section 2)"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from .model import DocumentPage, open_page_file

IMAGE_WIDTH, IMAGE_LENGTH, BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC_INTERPRETATION = 256, 257, 258, 259, 262
FILL_ORDER, STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_BYTE_COUNTS, PLANAR_CONFIGURATION = 266, 273, 278, 279, 284
T6_OPTIONS = 293
SHORT, LONG, RATIONAL = 3, 4, 5
#: Bytes of one value by field type, 1 to 12 and TIFF Technical Note 1's IFD.
_TYPE_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
#: The types whose values are whole numbers, as struct writes them.
_CODES: Final = {SHORT: "H", LONG: "I", RATIONAL: "II"}
_MAX_VALUES: Final = 8
_BYTE_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_INLINE_BYTES: Final = 4
_ENTRY_BYTES: Final = 12
_MAX_FIELDS: Final = 1000
#: Two million lines in the smallest strips.
_MAX_STRIPS: Final = 2**17
_ONE_STRIP: Final = 2**32 - 1  # the default of RowsPerStrip


@dataclass(frozen=True, slots=True)
class Field:
    """``value`` is the entry's last four bytes: the value itself or, where that is longer, its offset."""

    kind: int
    count: int
    value: bytes

    @property
    def size_bytes(self) -> int:
        return _TYPE_BYTES[self.kind] * self.count

    @property
    def is_inline(self) -> bool:
        return self.size_bytes <= _INLINE_BYTES

    def offset(self, byte_order: str) -> int:
        """Where the value lies that is not inline."""
        return int.from_bytes(self.value, "little" if byte_order == "<" else "big")


@dataclass(frozen=True, slots=True)
class Directory:
    """The fields by tag, ascending, and where the strips lie. ``byte_order`` is ``<`` or ``>`` as for struct."""

    byte_order: str
    fields: dict[int, Field]
    strip_offsets: array[int]
    strip_byte_counts: array[int]
    rows_per_strip: int

    def number(self, tag: int, default: int) -> int:
        """The first value of a SHORT or LONG field that is inline, or ``default``."""
        field = self.fields.get(tag)
        if field is None or field.kind not in (SHORT, LONG) or not field.is_inline:
            return default
        return int(struct.unpack_from(self.byte_order + "HI"[field.kind - SHORT], field.value)[0])


def read_directory(page: DocumentPage) -> Directory:
    """The first directory of the page's file. Raises :class:`SpoolError` where the file is no TIFF of that page.

    Every offset and length in the result lies within the file, and the strips are no longer than the file.
    """
    with _opened(page) as file:
        order = _byte_order(file)
        fields = _fields(file, order)
        offsets = _numbers(file, order, fields.get(STRIP_OFFSETS))
        byte_counts = _numbers(file, order, fields.get(STRIP_BYTE_COUNTS))
    rows_per_strip = Directory(order, fields, offsets, byte_counts, 0).number(ROWS_PER_STRIP, _ONE_STRIP)
    directory = Directory(order, fields, offsets, byte_counts, min(rows_per_strip, page.height_px))
    _check(page, directory)
    return directory


def read_values(page: DocumentPage, tags: Collection[int]) -> dict[int, tuple[int, ...]]:
    """The numbers of those of ``tags`` that the file has: SHORT, LONG, or RATIONAL as numerator and denominator.

    Raises :class:`SpoolError` where the file is no TIFF.
    """
    values: dict[int, tuple[int, ...]] = {}
    with _opened(page) as file:
        order = _byte_order(file)
        for tag, field in _fields(file, order).items():
            if tag in tags and field.kind in _CODES and field.count <= _MAX_VALUES:
                data = field.value if field.is_inline else file.read(field.offset(order), field.size_bytes)
                values[tag] = struct.unpack_from(f"{order}{_CODES[field.kind] * field.count}", data)
    return values


def _byte_order(file: _File) -> str:
    order = _BYTE_ORDERS.get(file.read(0, 4))
    if order is None:
        raise file.page.damage("is no TIFF file")
    return order


class _File:
    """Reads within the file's bounds only."""

    def __init__(self, page: DocumentPage, descriptor: int) -> None:
        self.page = page
        self._descriptor = descriptor

    def read(self, offset: int, length: int) -> bytes:
        self.check(offset, length)
        try:
            data = os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise self.page.damage(f"cannot be read: {error.strerror}") from error
        if len(data) != length:
            raise self.page.damage("has become shorter while it was read")
        return data

    def check(self, offset: int, length: int) -> None:
        if offset + length > self.page.size_bytes:
            raise self.page.damage("is damaged: it points behind its end")


@contextmanager
def _opened(page: DocumentPage) -> Iterator[_File]:
    descriptor = open_page_file(page)
    try:
        yield _File(page, descriptor)
    finally:
        os.close(descriptor)


def _fields(file: _File, order: str) -> dict[int, Field]:
    (at,) = struct.unpack(order + "I", file.read(4, 4))
    (count,) = struct.unpack(order + "H", file.read(at, 2))
    if count > _MAX_FIELDS:
        raise file.page.damage(f"is damaged: it has {count} fields")
    entries = struct.iter_unpack(order + "HHI4s", file.read(at + 2, count * _ENTRY_BYTES))
    fields = {tag: Field(kind, count, value) for tag, kind, count, value in entries}
    if len(fields) != count or list(fields) != sorted(fields):
        raise file.page.damage("is damaged: its fields are not in order")
    for field in fields.values():
        if field.kind not in _TYPE_BYTES or not field.count:
            raise file.page.damage("is damaged: a field is of no known type")
        if not field.is_inline:
            file.check(field.offset(order), field.size_bytes)
    return fields


def _numbers(file: _File, order: str, field: Field | None) -> array[int]:
    """The values of a field of SHORT or LONG that has one for each strip."""
    if field is None or field.kind not in (SHORT, LONG) or field.count > _MAX_STRIPS:
        raise file.page.damage("is damaged: it has no strips")
    data = field.value
    if not field.is_inline:
        data = file.read(field.offset(order), field.size_bytes)
    return array("Q", struct.unpack_from(f"{order}{field.count}{'HI'[field.kind - SHORT]}", data))


def _check(page: DocumentPage, directory: Directory) -> None:
    """The file must be what the page is said to be, and must not point anywhere but into itself."""
    if (directory.number(IMAGE_WIDTH, 0), directory.number(IMAGE_LENGTH, 0)) != (page.width_px, page.height_px):
        raise page.damage(f"is no image of {page.width_px} x {page.height_px} pixels")
    strips = -(-page.height_px // max(directory.rows_per_strip, 1))
    offsets, byte_counts = directory.strip_offsets, directory.strip_byte_counts
    if directory.number(PLANAR_CONFIGURATION, 1) != 1 or not len(offsets) == len(byte_counts) == strips:
        raise page.damage("is damaged: it has another number of strips than its height demands")
    ends = map(int.__add__, offsets, byte_counts)
    if not min(byte_counts) or max(ends) > page.size_bytes or sum(byte_counts) > page.size_bytes:
        raise page.damage("is damaged: its strips lie beyond its end")
