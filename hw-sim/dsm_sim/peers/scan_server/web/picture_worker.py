"""Makes pictures small or fit for a browser. A program of its own, so that a hostile image harms nothing else.

Each line on standard input is a request in JSON: ``path``, ``page`` (from 0), ``side_px`` (the longer side at
most), ``is_thumbnail``. The answer is a line of JSON, ``media_type`` and ``octets``, and then so many octets;
``media_type`` is "" where there is no picture. Imports nothing of the server, so that it starts at once.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Final

from PIL import Image, ImageOps

from dsm_sim.page_images import eight_bit, opened_page

_MEMORY_OCTETS: Final = 3 * 1024**3
#: A3 at 1200 dpi has 278 million pixels; Pillow refuses twice its limit.
Image.MAX_IMAGE_PIXELS = 150_000_000


def picture(path: str, page: int, side_px: int, *, is_thumbnail: bool) -> tuple[str, bytes]:
    """Media type and content. Raises whatever is raised for what is no picture."""
    with opened_page(Path(path), page) as image:
        is_bilevel = image.mode == "1"
        if image.format == "JPEG":
            image.draft("RGB", (side_px, side_px))  # decodes at a fraction of the size
        small = _fitted(eight_bit(image), side_px)
    if is_bilevel and not is_thumbnail:
        return "image/png", _saved(small, "PNG", optimize=True)
    return "image/jpeg", _saved(small, "JPEG", quality=82 if is_thumbnail else 92)


def _fitted(image: Image.Image, side_px: int) -> Image.Image:
    if max(image.size) <= side_px:
        return image
    factor = max(image.size) // (2 * side_px)
    return ImageOps.contain(image.reduce(factor) if factor > 1 else image, (side_px, side_px))


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _answer(line: bytes) -> tuple[str, bytes]:
    request = json.loads(line)
    try:
        return picture(request["path"], request["page"], request["side_px"], is_thumbnail=request["is_thumbnail"])
    except Exception:  # an image of strangers can fail in any way
        return "", b""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Until there are no more requests."""
    for line in requests:
        media_type, content = _answer(line)
        head = json.dumps({"media_type": media_type, "octets": len(content)})
        answers.write(head.encode() + b"\n" + content)
        answers.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # large pictures are expected, and standard error belongs to the server
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_OCTETS, _MEMORY_OCTETS))
    os.nice(10)
    serve(sys.stdin.buffer, sys.stdout.buffer)
