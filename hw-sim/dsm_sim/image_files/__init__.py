"""Whether a file is what its declared format says: first octets, structure to the end, sizes, number of pages.

Reads structure only, through a map of the file, so that memory does not depend on the file. No decoder: pixels may
still be wrong. Formats of which nothing is known (vendor formats) pass. Knows all formats of WS-Scan Format.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from .bmp import bmp_facts
from .facts import Data, ImageError, ImageFacts, PageFacts, reading
from .jbig import jbig_facts
from .jpeg import exif_facts, jfif_facts
from .jpeg2000 import jpeg2000_facts
from .pdf import pdf_facts
from .png import png_facts
from .tiff import tiff_facts
from .xps import xps_facts

__all__ = ["FORMATS", "ImageError", "ImageFacts", "PageFacts", "inspect", "inspect_data"]

_MAX_SIDE_PX: Final = 200_000

#: Format: its file extension and its media type.
FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    "dib": ("bmp", "image/bmp"),
    "exif": ("jpg", "image/jpeg"),
    "jbig": ("jbg", "image/x-jbig"),
    "jfif": ("jpg", "image/jpeg"),
    "jpeg2k": ("jp2", "image/jp2"),
    "pdf-a": ("pdf", "application/pdf"),
    "png": ("png", "image/png"),
    "tiff-single-uncompressed": ("tif", "image/tiff"),
    "tiff-single-g4": ("tif", "image/tiff"),
    "tiff-single-g3mh": ("tif", "image/tiff"),
    "tiff-single-jpeg-tn2": ("tif", "image/tiff"),
    "tiff-multi-uncompressed": ("tif", "image/tiff"),
    "tiff-multi-g4": ("tif", "image/tiff"),
    "tiff-multi-g3mh": ("tif", "image/tiff"),
    "tiff-multi-jpeg-tn2": ("tif", "image/tiff"),
    "xps": ("xps", "application/vnd.ms-xpsdocument"),
}

_READERS: Final[Mapping[str, Callable[[Data, str], tuple[PageFacts, ...]]]] = {
    "dib": lambda data, _: (bmp_facts(data),),
    "exif": lambda data, _: (exif_facts(data),),
    "jbig": lambda data, _: (jbig_facts(data),),
    "jfif": lambda data, _: (jfif_facts(data),),
    "jpeg2k": lambda data, _: (jpeg2000_facts(data),),
    "pdf-a": lambda data, _: pdf_facts(data),
    "png": lambda data, _: (png_facts(data),),
    "xps": lambda data, _: xps_facts(data),
    **{name: tiff_facts for name in FORMATS if name.startswith("tiff-")},
}


def inspect(path: Path, image_format: str) -> ImageFacts:
    """The facts of a file that is declared as ``image_format``. Raises :class:`ImageError`, OSError."""
    if image_format not in _READERS:
        return ImageFacts()
    with path.open("rb") as file:
        if not file.seek(0, 2):
            raise ImageError("the file is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return inspect_data(data, image_format)


def inspect_data(data: Data, image_format: str) -> ImageFacts:
    """As :func:`inspect`, for a format that is in :data:`FORMATS`."""
    with reading():
        each = _READERS[image_format](data, image_format)
    for page in each:
        _check_size(page)
    return ImageFacts(each)


def _check_size(page: PageFacts) -> None:
    if not (0 < page.width_px <= _MAX_SIDE_PX and 0 < page.height_px <= _MAX_SIDE_PX):
        raise ImageError(f"{page.width_px} by {page.height_px} pixels")
