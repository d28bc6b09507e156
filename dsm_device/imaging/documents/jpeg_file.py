"""The JPEG file of one page: is it whole?"""

from __future__ import annotations

import os
from typing import Final

from .model import DocumentPage, open_page_file

_SOI, _EOI = b"\xff\xd8\xff", b"\xff\xd9"
_SMALLEST_BYTES: Final = len(_SOI) + len(_EOI)


def check(page: DocumentPage) -> None:
    """Raises :class:`SpoolError` where the file does not begin and end as a JPEG (ISO/IEC 10918-1, B.2.1)."""
    descriptor = open_page_file(page)
    try:
        start = os.pread(descriptor, len(_SOI), 0)
        end = os.pread(descriptor, len(_EOI), max(page.size_bytes - len(_EOI), 0))
    except OSError as error:
        raise page.damage(f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if page.size_bytes < _SMALLEST_BYTES or start != _SOI or end != _EOI:
        raise page.damage("is no JPEG file, or not a whole one")
