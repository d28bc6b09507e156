"""The CRC-32 of a file, by which page files are compared and put into archives."""

from __future__ import annotations

import os
import zlib
from typing import Final

#: Small enough that the same memory is used again and again.
_READ_BYTES: Final = 64 * 1024


def crc32_of(descriptor: int) -> int:
    """Of the file as it is on disk: some encoders write behind Python's back. Raises ``OSError``."""
    crc32, at = 0, 0
    while chunk := os.pread(descriptor, _READ_BYTES, at):
        crc32 = zlib.crc32(chunk, crc32)
        at += len(chunk)
    return crc32
