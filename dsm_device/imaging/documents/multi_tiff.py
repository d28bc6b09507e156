"""tiff-multi-*: one classic TIFF of all pages (TIFF 6.0), from the TIFF files of the pages.

A page is its directory, the values that the directory points to, and its strips. The directory is a copy of that
in the page's file in which offsets are new, and NewSubfileType and PageNumber tell that it is a page of many.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import ClassVar, Final

from .layout import Item, Layout
from .model import DocumentPage, FileSlice, Segment
from .tiff_directory import LONG, SHORT, STRIP_OFFSETS, Directory, Field, read_directory

_NEW_SUBFILE_TYPE, _PAGE_NUMBER = 254, 297
_PAGE_OF_MANY: Final = 2
#: SubIFDs, Exif, GPS, Interoperability; FreeOffsets and FreeByteCounts: they point to what is not copied.
_NOT_COPIED: Final = frozenset({330, 34665, 34853, 40965, 288, 289})
_HEADER_BYTES: Final = 8
_LARGEST_OFFSET: Final = 2**32 - 1


class MultiTiff(Layout):
    """The byte order is that of the first page's file."""

    LIMIT_BYTES: ClassVar[int] = _LARGEST_OFFSET
    MAX_PAGES: ClassVar[int] = 2**16 - 1  # PageNumber is a SHORT
    MAX_ITEMS: ClassVar[int] = 2**16
    _byte_order = "<"

    def head(self) -> list[Item]:
        mark = b"II" if self._byte_order == "<" else b"MM"
        return [(mark + self._pack("HI", 42, _HEADER_BYTES),)]

    def part(self, page: DocumentPage, index: int) -> list[Item]:
        directory = read_directory(page)
        if not self.pages:
            self._byte_order = directory.byte_order
        if directory.byte_order != self._byte_order:
            raise page.damage("has another byte order than the first page's")
        return [self._page(page, directory, index)]

    def _page(self, page: DocumentPage, directory: Directory, index: int) -> Item:
        fields = self._fields(directory, index)
        values_at = self.start(index) + 2 + 12 * len(fields) + 4
        strips_at = values_at + sum(_even(field.size_bytes) for field in fields.values() if not field.is_inline)
        offsets = self._pack_offsets(accumulate(directory.strip_byte_counts[:-1], initial=strips_at))
        entries, values = [], list[Segment]()
        for tag, field in fields.items():
            value = offsets if tag == STRIP_OFFSETS else field.value
            if not field.is_inline:
                values += _padded(offsets if tag == STRIP_OFFSETS else _value(page, directory, field))
                value = self._pack_offsets((values_at,))
                values_at += _even(field.size_bytes)
            entries.append(self._pack("HHI4s", tag, field.kind, field.count, value))
        end = strips_at + sum(directory.strip_byte_counts)
        following = _even(end) if index + 1 < len(self.pages) else 0
        head = self._pack("H", len(fields)) + b"".join(entries) + self._pack_offsets((following,))
        return (head, *values, *_strips(page, directory), bytes(end % 2))

    def _fields(self, directory: Directory, index: int) -> dict[int, Field]:
        """Those of the page in its document, by tag, ascending (TIFF 6.0, section 2: Sort Order)."""
        fields = {tag: field for tag, field in directory.fields.items() if tag not in _NOT_COPIED}
        fields[STRIP_OFFSETS] = Field(LONG, len(directory.strip_offsets), b"")
        fields[_NEW_SUBFILE_TYPE] = Field(LONG, 1, self._pack("I", _PAGE_OF_MANY))
        fields[_PAGE_NUMBER] = Field(SHORT, 2, self._pack("HH", index, len(self.pages)))
        return dict(sorted(fields.items()))

    def _pack(self, format: str, *values: int | bytes) -> bytes:  # noqa: A002 - as in struct
        return struct.pack(self._byte_order + format, *values)

    def _pack_offsets(self, values: Iterable[int]) -> bytes:
        """Those beyond 4 GiB are of a page that is being measured, and will not be taken."""
        offsets = [value & _LARGEST_OFFSET for value in values]
        return self._pack(f"{len(offsets)}I", *offsets)


def _even(offset: int) -> int:
    """Directories and values begin on a word boundary (TIFF 6.0, section 2)."""
    return offset + offset % 2


def _padded(value: Segment) -> tuple[Segment, bytes]:
    return value, bytes(len(value) % 2)


def _value(page: DocumentPage, directory: Directory, field: Field) -> FileSlice:
    return FileSlice(page, field.offset(directory.byte_order), field.size_bytes)


def _strips(page: DocumentPage, directory: Directory) -> Iterator[FileSlice]:
    """The strips in order; those that lie one behind the other are one slice."""
    start = end = directory.strip_offsets[0]
    for offset, length in zip(directory.strip_offsets, directory.strip_byte_counts, strict=True):
        if offset != end:
            yield FileSlice(page, start, end - start)
            start = offset
        end = offset + length
    yield FileSlice(page, start, end - start)
