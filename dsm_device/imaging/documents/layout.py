"""What the layouts of all documents share: pages are added until one no longer fits, then segments are made.

A document is a row of *items*: TIFF pages, PDF objects, ZIP entries. Of each only the offset is remembered (8
bytes); its segments are made when they are measured and again whenever the document is streamed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import ClassVar

from .model import Document, DocumentInfo, DocumentPage, Segment

Item = tuple[Segment, ...]


class Layout(ABC):
    """A document in the making, from the page at index ``first_page`` of a job on.

    The limits are those of the format: bytes of a file, pages, items. Tail bytes are upper bounds for what stands
    behind the last page: in any case, for each item, for each page.
    """

    LIMIT_BYTES: ClassVar[int]
    MAX_PAGES: ClassVar[int]
    MAX_ITEMS: ClassVar[int]
    TAIL_BYTES: ClassVar[tuple[int, int, int]] = (0, 0, 0)

    def __init__(self, info: DocumentInfo, first_page: int, limit_bytes: int | None = None) -> None:
        self.info = info
        self.pages: list[DocumentPage] = []
        self._first_page = first_page
        self._limit_bytes = limit_bytes or self.LIMIT_BYTES
        #: Where each item starts; behind the last one, where the document would go on.
        self.starts = array("Q", [0])
        #: The index of each page's first item; behind the last one, that of the next page.
        self.first_items = array("Q")
        self._extend(self.head())

    @abstractmethod
    def head(self) -> list[Item]:
        """What stands before the first page; its length must not depend on the pages."""

    @abstractmethod
    def part(self, page: DocumentPage, index: int) -> list[Item]:
        """The page at ``index`` of this document; its length depends on nothing that comes later.

        Raises :class:`SpoolError` where the page's file is damaged.
        """

    def tail(self) -> Iterator[bytes]:
        """What stands behind the last page, in small portions."""
        return iter(())

    def add(self, page: DocumentPage) -> bool:
        """Take the page, unless the document would grow beyond what its format allows."""
        part = self.part(page, len(self.pages))
        items = self.first_items[-1] + len(part)
        pages = len(self.pages) + 1
        fixed, an_item, a_page = self.TAIL_BYTES
        size_bytes = self.starts[-1] + _length(part) + fixed + an_item * items + a_page * pages
        if size_bytes > self._limit_bytes or items > self.MAX_ITEMS or pages > self.MAX_PAGES:
            return False
        self.pages.append(page)
        self._extend(part)
        return True

    def document(self) -> Document:
        """The document of all pages added; none may be added afterwards."""
        size_bytes = self.starts[-1] + sum(map(len, self.tail()))
        return Document(self._first_page, len(self.pages), size_bytes, self._segments)

    def start(self, index: int) -> int:
        """Where the page at ``index`` starts."""
        return self.starts[self.first_items[index]]

    def _segments(self) -> Iterator[Segment]:
        yield from chain.from_iterable(self.head())
        for index, page in enumerate(self.pages):
            part = self.part(page, index)
            if _length(part) != self.start(index + 1) - self.start(index):
                raise page.damage("has changed since it was scanned")
            yield from chain.from_iterable(part)
        yield from self.tail()

    def _extend(self, items: Iterable[Item]) -> None:
        for item in items:
            self.starts.append(self.starts[-1] + sum(map(len, item)))
        self.first_items.append(len(self.starts) - 1)


def _length(items: Iterable[Item]) -> int:
    return sum(map(len, chain.from_iterable(items)))
