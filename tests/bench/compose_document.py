"""Puts a PDF/A together from the JPEG files of a folder, as the device does while it sends one.

Usage: compose_document.py FOLDER TARGET
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from dsm_device.imaging.documents import DocumentInfo, compose, page_of_file

_CHUNK_BYTES = 128 * 1024

pages = [page_of_file(path, size_bytes=path.stat().st_size) for path in sorted(Path(sys.argv[1]).glob("*.jpg"))]
(document,) = compose("pdf-a", pages, DocumentInfo("Bench", datetime(2026, 1, 1, tzinfo=UTC), "bench"))
buffer = memoryview(bytearray(_CHUNK_BYTES))
with document.open() as reader, Path(sys.argv[2]).open("wb", buffering=0) as target:
    while count := reader.readinto(buffer):
        target.write(buffer[:count])
