"""From the pages of a job to the documents that are sent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from dsm_device.errors import SpoolError
from dsm_device.imaging.formats import FORMATS, page_format

from .layout import Layout
from .model import Document, DocumentInfo, DocumentPage, open_page_file, whole_file
from .multi_tiff import MultiTiff
from .pdf_a import PdfA
from .xps import Xps

_LAYOUTS: Final[dict[str, type[Layout]]] = {
    "pdf-a": PdfA,
    "tiff-multi-uncompressed": MultiTiff,
    "tiff-multi-g4": MultiTiff,
    "tiff-multi-g3mh": MultiTiff,
    "tiff-multi-jpeg-tn2": MultiTiff,
    "xps": Xps,
}


def compose(
    format: str,  # noqa: A002 - wscn:Format
    pages: Sequence[DocumentPage],
    info: DocumentInfo,
    limit_bytes: int | None = None,
) -> tuple[Document, ...]:
    """What a job of that wscn:Format is sent as, in order: one file a page, or documents of all pages.

    A document is normally one. Where it would exceed what its format can hold, or ``limit_bytes``, it goes on in
    further volumes, split between pages. Every page file is opened here once: not for an event loop. Raises
    :class:`SpoolError` where one is missing, damaged or alone too large for the document.
    """
    for number, page in enumerate(pages, 1):
        _check_format(format, page, number)
    if FORMATS[format].is_document:
        return _volumes(_LAYOUTS[format], pages, info, limit_bytes)
    return tuple(_single(page, index) for index, page in enumerate(pages))


def _check_format(name: str, page: DocumentPage, number: int) -> None:
    if page.format != page_format(name, page.color):
        raise SpoolError(
            f"page {number} is stored as {page.format} in {page.color}, which {name} cannot take",
            "cancel the job and scan its pages again",
        )


def _single(page: DocumentPage, index: int) -> Document:
    os.close(open_page_file(page))
    return Document(index, 1, page.size_bytes, lambda: iter((whole_file(page),)))


def _volumes(
    layout: type[Layout], pages: Sequence[DocumentPage], info: DocumentInfo, limit_bytes: int | None
) -> tuple[Document, ...]:
    volumes: list[Layout] = []
    for index, page in enumerate(pages):
        if volumes and volumes[-1].add(page):
            continue
        volumes.append(layout(info, index, limit_bytes))
        if not volumes[-1].add(page):
            raise page.too_large()
    return tuple(volume.document() for volume in volumes)
