"""The MIME package of SendImage: one envelope, one file, its length known before the file is read.

Sources: MTOM 1.0; XOP 1.0; RFC 2045, RFC 2046 5.1, RFC 2387, RFC 2392; DPWS 1.0 R0036 to R0039; WS-DSP, MTOM
packaging of SendImage. Each rule is met as the strictest receiver reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BOUNDARY = re.compile(r"[A-Za-z0-9-]{1,70}")
#: What needs no percent-encoding in a cid: URL and no quoting in a header.
_CONTENT_ID = re.compile(r"[A-Za-z0-9.-]+@[A-Za-z0-9.-]+")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")


@dataclass(frozen=True, slots=True)
class Package:
    """The body of the request is ``head``, the octets of the file, ``tail``."""

    #: The value of the HTTP header Content-Type, on one line.
    content_type: str
    head: bytes
    tail: bytes

    def length(self, file_octets: int) -> int:
        """Content-Length of the request when the file has ``file_octets``."""
        return len(self.head) + file_octets + len(self.tail)


def package(envelope: bytes, *, boundary: str, root_id: str, file_id: str, file_type: str) -> Package:
    """The package round a file.

    ``envelope`` has one xop:Include with href ``cid:`` and ``file_id``. ``boundary`` has 1 to 70 letters, digits
    and "-"; with 128 random bits it need not be looked for in the file. ``root_id`` and ``file_id`` are content
    ids without angle brackets, ``file_type`` is the media type of the file.
    """
    if not _BOUNDARY.fullmatch(boundary):
        raise ValueError(f"not a boundary: {boundary!r}")
    if not (_CONTENT_ID.fullmatch(root_id) and _CONTENT_ID.fullmatch(file_id)):
        raise ValueError(f"not content ids: {root_id!r}, {file_id!r}")
    if not _MEDIA_TYPE.fullmatch(file_type):
        raise ValueError(f"not a media type: {file_type!r}")
    root = _part_header('application/xop+xml; charset=UTF-8; type="application/soap+xml"', root_id)
    file = _part_header(file_type, file_id)
    line = f"--{boundary}\r\n".encode()
    return Package(
        content_type=(
            f'multipart/related; type="application/xop+xml"; boundary="{boundary}"; '
            f'start="<{root_id}>"; start-info="application/soap+xml"'
        ),
        # The line end before a boundary belongs to the boundary (RFC 2046 5.1.1), not to the content.
        head=line + root + envelope + b"\r\n" + line + file,
        tail=f"\r\n--{boundary}--\r\n".encode(),
    )


def _part_header(content_type: str, content_id: str) -> bytes:
    return (
        f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{content_id}>\r\n\r\n"
    ).encode()
