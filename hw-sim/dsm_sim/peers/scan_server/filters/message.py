"""The message that the e-mail filter sends: a short text, and every document as an attachment.

Seven-bit lines ended by CR LF throughout, so that any mail server takes it as it is.
Sources: RFC 5322; RFC 2045 to 2047; RFC 2231 (names of attachments).
"""

from __future__ import annotations

import base64
import quopri
import re
import uuid
from collections.abc import Iterator, Sequence
from email.header import Header
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote

from dsm_sim.peers.scan_server.filters.delivery import Batch, extension, media_type
from dsm_sim.peers.scan_server.jobs import Document

SENDER: Final = "scan-server@sim.example"
#: Dot-atoms on both sides (RFC 5322, 3.4.1), which is what mail addresses in use look like.
_ADDRESS: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+", re.ASCII)
_BASE64_LINE: Final = 57
_BASE64_CHUNK: Final = _BASE64_LINE * 1024


def is_address(text: str) -> bool:
    """Whether it may stand in a header and in a command as it is."""
    return _ADDRESS.fullmatch(text) is not None


def message_chunks(recipients: Sequence[str], batch: Batch) -> Iterator[bytes]:
    """The message in chunks of whole lines, none of them larger than some 80 kB.

    ``recipients`` must be addresses; see :func:`is_address`.
    """
    boundary = f"scan-{uuid.uuid4().hex}"
    yield _head(recipients, batch, boundary)
    yield _part_head(
        boundary,
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", "quoted-printable"),
    )
    yield _text(batch)
    for document in batch.documents:
        yield from _attachment(boundary, document, f"{batch.stem(document)}.{extension(document)}")
    yield f"--{boundary}--\r\n".encode()


def _head(recipients: Sequence[str], batch: Batch, boundary: str) -> bytes:
    """Nothing of strangers gets in as it is: addresses are checked before, the subject is encoded here."""
    subject = Header(f"Scanned documents: {batch.root_name}", "utf-8", header_name="Subject")
    return _headers(
        ("From", SENDER),
        ("To", ",\r\n ".join(recipients)),
        ("Subject", subject.encode(linesep="\r\n")),
        ("Date", format_datetime(batch.at.astimezone())),
        ("Message-ID", f"<{uuid.uuid4()}@sim.example>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/mixed; boundary="{boundary}"'),
    )


def _text(batch: Batch) -> bytes:
    name = " ".join(batch.root_name.split())
    text = f"{name}\n{len(batch.documents)} scanned document(s) for {batch.user}\n"
    return quopri.encodestring(text.encode(errors="replace")).replace(b"\n", b"\r\n")


def _attachment(boundary: str, document: Document, name: str) -> Iterator[bytes]:
    yield _part_head(
        boundary,
        ("Content-Type", media_type(document)),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", f"attachment; filename*=utf-8''{quote(name, safe='')}"),
    )
    with document.path.open("rb") as image:
        while chunk := image.read(_BASE64_CHUNK):
            yield base64.encodebytes(chunk).replace(b"\n", b"\r\n")


def _part_head(boundary: str, *headers: tuple[str, str]) -> bytes:
    return f"--{boundary}\r\n".encode() + _headers(*headers)


def _headers(*headers: tuple[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode() + b"\r\n"
