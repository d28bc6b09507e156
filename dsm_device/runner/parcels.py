"""What one SendImage carries: a page's file, or the document that all pages of a job are put together to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import RawIOBase

from dsm_device.imaging.documents import Document, DocumentInfo, DocumentPage, compose, page_of_file, stored_file
from dsm_device.imaging.formats import FORMATS
from dsm_device.job.model import Job, SpooledPage
from dsm_device.spool import JobFolder


@dataclass(frozen=True, slots=True)
class Parcel:
    """``document`` shows ``pages``, at least one. What is to be sent, as the client wants it."""

    pages: tuple[SpooledPage, ...]
    document: Document

    @property
    def name(self) -> str:
        first, last = self.pages[0].n, self.pages[-1].n
        return f"page {first}" if first == last else f"the document of pages {first} to {last}"

    @property
    def size_bytes(self) -> int:
        return self.document.size_bytes

    def open(self) -> RawIOBase:
        return self.document.open()


def is_packed_whole(job: Job) -> bool:
    """Whether the job is delivered as one document, for which all pages must be there."""
    return FORMATS[job.format].is_document


def pack_page(folder: JobFolder, page: SpooledPage) -> Parcel:
    """The page by itself. Raises ``SpoolError`` where its file is not what was recorded."""
    stored = stored_file(folder.file(page), folder.job.format, page.bytes)
    return next(_parcels(folder.job, (page,), [stored]))


def pack_job(folder: JobFolder) -> list[Parcel]:
    """All pages that are delivered: one document, or several where one would be too large for its format."""
    pages = folder.job.kept
    stored = [page_of_file(folder.file(page), size_bytes=page.bytes, crc32=page.crc32) for page in pages]
    return list(_parcels(folder.job, pages, stored))


def _parcels(job: Job, pages: tuple[SpooledPage, ...], stored: list[DocumentPage]) -> Iterator[Parcel]:
    info = DocumentInfo(job.process_name, job.created, job.id)
    for document in compose(job.format, stored, info):
        last = document.first_page + document.page_count
        yield Parcel(pages[document.first_page : last], document)
