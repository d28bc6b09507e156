"""Pages, the documents made of them, and the stream that a document is read as."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dsm_device.errors import SpoolError
from dsm_device.hardware import ColorProcessing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_NONE: Final = -1
_MAX_TITLE: Final = 1000
#: What XML 1.0 (2.2, Char) cannot hold.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """A complete page file. ``format`` is that of the file, ``crc32`` that of all its bytes."""

    path: Path
    format: str
    size_bytes: int
    width_px: int
    height_px: int
    x_dpi: int
    y_dpi: int
    color: ColorProcessing
    crc32: int

    def damage(self, problem: str) -> SpoolError:
        """The error to raise for this page; ``problem`` follows the file's name."""
        return SpoolError(f"the page file {self.path} {problem}", "cancel the job and scan its pages again")

    def too_large(self) -> SpoolError:
        """The error to raise where the page alone is more than a document can hold."""
        return SpoolError(
            f"the page file {self.path} is too large for a document of this format",
            "choose a lower resolution, or a format of single pages",
        )


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What a document says about itself.

    ``created`` is an aware time. ``identifier`` stands for the job: the same for the same document, however often
    it is composed.
    """

    title: str
    created: datetime
    identifier: str

    @property
    def xml_title(self) -> str:
        """The title without what XML cannot hold, and no longer than anybody reads."""
        return _NOT_XML.sub("", self.title)[:_MAX_TITLE]

    @property
    def created_utc(self) -> datetime:
        return self.created.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class FileSlice:
    """``length`` bytes (>= 1) of a page file from ``offset`` on."""

    page: DocumentPage
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length


Segment = bytes | FileSlice


def whole_file(page: DocumentPage) -> FileSlice:
    return FileSlice(page, 0, page.size_bytes)


def open_page_file(page: DocumentPage) -> int:
    """A descriptor for reading. Raises :class:`SpoolError` where the file is missing or has another size."""
    try:
        descriptor = os.open(page.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise page.damage(f"cannot be read: {error.strerror}") from error
    size_bytes = os.fstat(descriptor).st_size
    if size_bytes != page.size_bytes:
        os.close(descriptor)
        raise page.damage(f"has {size_bytes} bytes instead of {page.size_bytes}")
    return descriptor


@dataclass(frozen=True, slots=True)
class Document:
    """One file to be sent: ``page_count`` pages from index ``first_page`` on, ``size_bytes`` in all."""

    first_page: int
    page_count: int
    size_bytes: int
    segments: Callable[[], Iterator[Segment]]
    """Makes the segments anew, of together ``size_bytes``; may raise :class:`SpoolError`."""

    def open(self) -> DocumentReader:
        return DocumentReader(self)


class DocumentReader(io.RawIOBase):
    """The document's bytes. At most one page file is open at any time.

    Reading fills the buffer up to the document's end. Seeking back begins anew, seeking on reads no page file's
    samples. Raises :class:`SpoolError` where a page file is missing, has changed or cannot be read; the reader
    is of no use after that.
    """

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document
        self._descriptor = _NONE
        self._opened: DocumentPage | None = None
        self._position = 0
        self._rewind()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        self._refuse_if_closed()
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._refuse_if_closed()
        wanted = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(wanted) and self._at_a_segment():
            count = self._read(wanted[filled:])
            self._used += count
            filled += count
        self._position += filled
        return filled

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._refuse_if_closed()
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._document.size_bytes}[whence]
        target = base + offset
        if target < 0:
            raise ValueError(f"cannot seek to {target}")
        if target < self._position:
            self._rewind()
        self._skip(target - self._position)
        self._position = target
        return target

    def close(self) -> None:
        if not self.closed:
            self._let_go()
        super().close()

    def _rewind(self) -> None:
        self._segments = self._document.segments()
        self._segment: Segment = b""
        self._used = 0
        self._position = 0

    def _skip(self, count: int) -> None:
        while count and self._at_a_segment():
            step = min(count, len(self._segment) - self._used)
            self._used += step
            count -= step

    def _at_a_segment(self) -> bool:
        """Go on to the next segment where the present one is used up; False at the document's end."""
        while self._used == len(self._segment):
            following = next(self._segments, None)
            if following is None:
                return False
            self._segment, self._used = following, 0
        return True

    def _read(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._segment) - self._used)
        if isinstance(self._segment, FileSlice):
            return self._read_file(self._segment, buffer[:count])
        buffer[:count] = self._segment[self._used : self._used + count]
        return count

    def _read_file(self, segment: FileSlice, buffer: memoryview) -> int:
        if self._opened is not segment.page:
            self._let_go()
            self._descriptor = open_page_file(segment.page)
            self._opened = segment.page
        try:
            count = os.preadv(self._descriptor, [buffer], segment.offset + self._used)
        except OSError as error:
            raise segment.page.damage(f"cannot be read: {error.strerror}") from error
        if not count:
            raise segment.page.damage("has become shorter while it was sent")
        return count

    def _let_go(self) -> None:
        if self._descriptor != _NONE:
            os.close(self._descriptor)
        self._descriptor, self._opened = _NONE, None

    def _refuse_if_closed(self) -> None:
        if self.closed:
            raise ValueError("read of a closed document")
