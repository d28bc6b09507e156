"""The three filters: file share, e-mail, SharePoint. Each writes below the output folder what it would deliver.

Blocking; called off the event loop. Memory does not depend on the images.
Source: MS-BDSRR 2.2 (FileShareConfig, EmailConfig, SharePointConfig), 3.1 (filters); WS-DSP FilterStateReason.
"""

from __future__ import annotations

import base64
import datetime
import errno
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.header import Header
from email.utils import format_datetime
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote, urlsplit

from lxml import etree

from dsm_sim.peers.scan_server.file_names import safe_component, share_components
from dsm_sim.peers.scan_server.images import FORMATS
from dsm_sim.peers.scan_server.jobs import Document
from dsm_sim.peers.scan_server.names import EMLF, FSF, SPF, tag
from dsm_sim.peers.scan_server.storage import place, place_copy

#: Dot-atoms on both sides (RFC 5322, 3.4.1), which is what mail addresses in use look like.
_ADDRESS: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+", re.ASCII)
_OCTET_STREAM: Final = "application/octet-stream"
_BASE64_LINE: Final = 57
_BASE64_CHUNK: Final = _BASE64_LINE * 1024


class FilterError(Exception):
    """A filter that could not deliver; ``str()`` is its FilterStateReason."""


@dataclass(frozen=True)
class Batch:
    """What a filter delivers, for whom, below which folder. ``user`` has the form user@domain."""

    user: str
    root_name: str
    documents: tuple[Document, ...]
    out: Path
    at: datetime.datetime

    def stem(self, document: Document) -> str:
        """Root name, date, time and number, as one safe component without extension."""
        return f"{safe_component(self.root_name)}-{self.at:%Y%m%d-%H%M%S}-{document.document_id:03}"


Deliver = Callable[[etree._Element, Batch], list[Path]]


def run_filter(dialect: str, config: etree._Element | None, batch: Batch) -> list[Path]:
    """Delivers a batch; returns the files written. Raises :class:`FilterError`."""
    known = FILTERS.get(dialect)
    if known is None or config is None or config.tag != known.element:
        raise FilterError("InvalidArgs")
    try:
        return known.deliver(config, batch)
    except OSError as error:
        raise FilterError(known.reasons.get(error.errno or 0, "UnknownError")) from error


# ----------------------------------------------------------------------------------------- file share


def _store_on_shares(config: etree._Element, batch: Batch) -> list[Path]:
    stored = []
    for share in config.iter(tag(FSF, "ShareUNC")):
        folder = batch.out.joinpath("shares", *share_components(share.text or ""), safe_component(batch.user))
        for document in batch.documents:
            stored.append(place_copy(document.path, folder, batch.stem(document), _extension(document)))
    return stored


# --------------------------------------------------------------------------------------------- e-mail


def _write_mail(config: etree._Element, batch: Batch) -> list[Path]:
    recipients = [(address.text or "").strip() for address in config.iter(tag(EMLF, "EmailAddress"))]
    if _is_true(config, EMLF, "SendToScanUser"):
        recipients.append(batch.user)
    if not recipients:
        raise FilterError("InvalidArgs")
    stem = f"{safe_component(batch.root_name)}-{batch.at:%Y%m%d-%H%M%S}"

    def write(temporary: Path) -> None:
        with temporary.open("xb") as file:
            _write_message(file, recipients, batch)

    return [place(batch.out / "mail", stem, "eml", write)]


def _mail_head(recipients: list[str], batch: Batch, boundary: str) -> bytes:
    """The headers. Nothing of strangers gets in as it is: addresses are checked, the subject is encoded."""
    if not all(map(_ADDRESS.fullmatch, recipients)):
        raise FilterError("UnableToSendEmail")
    subject = Header(f"Scanned documents: {batch.root_name}", "utf-8", header_name="Subject")
    headers = {
        "From": "scan-server@sim.example",
        "To": ",\r\n ".join(recipients),
        "Subject": subject.encode(linesep="\r\n"),
        "Date": format_datetime(batch.at.astimezone()),
        "Message-ID": f"<{uuid.uuid4()}@sim.example>",
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/mixed; boundary="{boundary}"',
    }
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n"


def _write_message(file: BinaryIO, recipients: list[str], batch: Batch) -> None:
    boundary = f"scan-{uuid.uuid4().hex}"
    file.write(_mail_head(recipients, batch, boundary))
    text = f"{len(batch.documents)} scanned document(s) for {batch.user}"
    file.write(_part_head(boundary, ("Content-Type", 'text/plain; charset="utf-8"')))
    file.write(b"\r\n" + text.encode() + b"\r\n")
    for document in batch.documents:
        _write_attachment(file, boundary, document, f"{batch.stem(document)}.{_extension(document)}")
    file.write(f"--{boundary}--\r\n".encode())


def _write_attachment(file: BinaryIO, boundary: str, document: Document, name: str) -> None:
    file.write(
        _part_head(
            boundary,
            ("Content-Type", _media_type(document)),
            ("Content-Transfer-Encoding", "base64"),
            ("Content-Disposition", f"attachment; filename*=utf-8''{quote(name, safe='')}"),
        )
    )
    file.write(b"\r\n")
    with document.path.open("rb") as image:
        while chunk := image.read(_BASE64_CHUNK):
            file.write(base64.encodebytes(chunk).replace(b"\n", b"\r\n"))


def _part_head(boundary: str, *headers: tuple[str, str]) -> bytes:
    lines = [f"--{boundary}", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in lines).encode()


# ----------------------------------------------------------------------------------------- SharePoint


def _put_to_sharepoint(config: etree._Element, batch: Batch) -> list[Path]:
    sites = [(site.text or "").strip() for site in config.iter(tag(SPF, "SaveToSharePointSiteURL"))]
    if _is_true(config, SPF, "SaveToMySite"):
        sites.append(f"https://my.sim.example/personal/{quote(batch.user, safe='@')}")
    if not sites:
        raise FilterError("InvalidArgs")
    return [path for site in sites for path in _put_to_site(site, batch)]


def _put_to_site(site: str, batch: Batch) -> list[Path]:
    parts = [part for part in urlsplit(site.replace("\\", "/"))[1:] if part]
    folder = batch.out.joinpath("sharepoint", *share_components("/".join(parts)), safe_component(batch.user))
    stored = [
        place_copy(document.path, folder, batch.stem(document), _extension(document))
        for document in batch.documents
    ]
    requests = [
        {
            "method": "PUT",
            "url": f"{site.rstrip('/')}/{quote(batch.user, safe='@')}/{quote(path.name)}",
            "headers": {"Content-Type": _media_type(document), "Content-Length": str(document.octets)},
            "file": path.name,
        }
        for document, path in zip(batch.documents, stored, strict=True)
    ]
    text = json.dumps(requests, indent=2, ensure_ascii=False)
    listing = place(
        folder, f"requests-{batch.at:%Y%m%d-%H%M%S}", "json", lambda temporary: _write_text(temporary, text)
    )
    return [*stored, listing]


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


# --------------------------------------------------------------------------------------------- shared


def _is_true(config: etree._Element, namespace: str, local: str) -> bool:
    return (config.findtext(tag(namespace, local)) or "").strip() in {"true", "1"}


def _extension(document: Document) -> str:
    return FORMATS.get(document.format, ("bin", _OCTET_STREAM))[0]


def _media_type(document: Document) -> str:
    return FORMATS.get(document.format, ("bin", _OCTET_STREAM))[1]


@dataclass(frozen=True)
class _Filter:
    element: str
    deliver: Deliver
    #: The FilterStateReason for an errno.
    reasons: Mapping[int, str]


FILTERS: Final[Mapping[str, _Filter]] = {
    FSF: _Filter(
        tag(FSF, "FileShareConfig"),
        _store_on_shares,
        {
            errno.EACCES: "FileShareAccessDenied",
            errno.EPERM: "FileShareAccessDenied",
            errno.ENOSPC: "FileShareOutOfDiskSpace",
        },
    ),
    EMLF: _Filter(tag(EMLF, "EmailConfig"), _write_mail, {errno.ENOSPC: "OutOfDiskSpace"}),
    SPF: _Filter(
        tag(SPF, "SharePointConfig"),
        _put_to_sharepoint,
        {errno.EACCES: "SharePointAccessDenied", errno.ENOSPC: "SharePointOutOfDiskSpace"},
    ),
}


def is_known(dialect: str, config: etree._Element | None) -> bool:
    """Whether a filter of this server understands the dialect and its instructions."""
    return dialect in FILTERS and config is not None and config.tag == FILTERS[dialect].element
