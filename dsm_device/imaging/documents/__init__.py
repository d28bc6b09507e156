"""Documents of many pages, put together from page files while they are sent.

``compose`` lays a document out and knows its size; :class:`Document` streams it: bytes made on the way, and slices
of the page files. Nothing is written to disk, pixels are neither decoded nor held, and what was sent once comes
out the same the next time. ``model`` has pages, documents and their reader, ``layout`` what the formats share;
``multi_tiff``, ``pdf_a`` and ``xps`` are the formats, ``tiff_directory`` reads the TIFF files of pages.
"""

from .compose import compose
from .model import Document, DocumentInfo, DocumentPage, DocumentReader
from .page_facts import page_of_file, stored_file

__all__ = ["Document", "DocumentInfo", "DocumentPage", "DocumentReader", "compose", "page_of_file", "stored_file"]
