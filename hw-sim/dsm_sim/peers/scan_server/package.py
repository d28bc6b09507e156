"""The MTOM package of SendImage: the envelope kept, every other part streamed to disk as it arrives.

Held against the packaging rules of WS-DSP SendImage, SOAP MTOM, XOP 1.0 and DPWS 1.0 R0036 to R0039. What a
receiver may refuse by DPWS (a part that is not binary, a root that is not first) is refused; all other
deviations are read and noted.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote

from lxml import etree

from dsm_sim.peers.rule import Rule
from dsm_sim.peers.scan_server import rules
from dsm_sim.peers.scan_server.media_type import MediaType, read_media_type
from dsm_sim.peers.scan_server.multipart import (
    Event,
    MimeError,
    MultipartReader,
    Oddity,
    PartData,
    PartEnd,
    PartHead,
)
from dsm_sim.peers.scan_server.names import DSP, XOP, tag
from dsm_sim.peers.scan_server.refusals import HttpRefusal, invalid
from dsm_sim.peers.scan_server.rules import Notes

_PARTS_LIMIT: Final = 8
_BOUNDARY: Final = re.compile(r"[A-Za-z0-9-]{1,70}")
_PLAIN_CID: Final = re.compile(r"cid:[A-Za-z0-9.@-]+")
_ODDITY_RULES: Final[Mapping[Oddity, Rule]] = {
    Oddity.BARE_LF: rules.MIME_LINES,
    Oddity.FOLDED: rules.MIME_LINES,
    Oddity.PREAMBLE: rules.MIME_FRAME,
    Oddity.EPILOGUE: rules.MIME_FRAME,
    Oddity.NO_LAST_CRLF: rules.MIME_FRAME,
    Oddity.PADDING: rules.MIME_FRAME,
}


@dataclass
class Attachment:
    """A part on disk. The file belongs to whoever takes it over (see :meth:`Package.discard`)."""

    content_id: str
    media_type: str
    path: Path
    octets: int = 0
    sha256: str = ""


@dataclass
class Package:
    """A whole package. ``refusal`` is why DPWS lets a receiver refuse it, "" where it does not."""

    envelope: bytes
    attachments: list[Attachment]
    refusal: str = ""

    def discard(self) -> None:
        """Removes the files that nobody took over."""
        for attachment in self.attachments:
            attachment.path.unlink(missing_ok=True)

    def check_acceptable(self) -> None:
        """Raises :class:`SoapFault` for a package that DPWS lets a receiver refuse."""
        if self.refusal:
            raise invalid(self.refusal)

    def image_of(self, request: etree._Element, notes: Notes) -> Attachment:
        """The part that ``dsp:ImageData`` of the request includes. Raises :class:`SoapFault`."""
        data = request.find(tag(DSP, "ImageData"))
        content_id = _included_id(data, notes)
        for attachment in self.attachments:
            if attachment.content_id == content_id:
                return attachment
        notes.record(rules.XOP_INCLUDE, f"no part has the Content-ID {content_id}")
        raise invalid(f"No part has the Content-ID {content_id}.", data)


def _included_id(data: etree._Element | None, notes: Notes) -> str:
    includes = [] if data is None else data.findall(tag(XOP, "Include"))
    if data is None or len(includes) != 1:
        notes.record(rules.XOP_INCLUDE, f"{len(includes)} xop:Include elements")
        raise invalid("dsp:ImageData holds no xop:Include.", data)
    include = includes[0]
    if (data.text or "") + (include.tail or "") or len(data) > 1 or set(include.attrib) - {"href"}:
        notes.record(rules.XOP_ALONE, etree.tostring(data).decode()[:200])
    href = include.get("href", "").strip()
    if not href.startswith("cid:"):
        notes.record(rules.XOP_INCLUDE, f"href={href}")
        raise invalid("The href of xop:Include is no cid: URL.", data)
    if not _PLAIN_CID.fullmatch(include.get("href", "")):
        notes.record(rules.MIME_CONTENT_ID, f"unusual characters in {href}")
    return unquote(href.removeprefix("cid:"))


@dataclass
class _Part:
    """The part that is arriving."""

    is_root: bool
    attachment: Attachment | None = None
    file: BinaryIO | None = None
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)


class PackageReceiver:
    """``feed`` the body of the request as it arrives, then ``finish``; on any error ``abandon``.

    ``envelope_limit`` is in octets; a longer root part raises :class:`HttpRefusal` 413.
    """

    def __init__(self, content_type: MediaType, folder: Path, envelope_limit: int, notes: Notes) -> None:
        check_package_type(content_type, notes)
        boundary = content_type.parameter("boundary")
        if not boundary:
            raise HttpRefusal(400)
        self._reader = MultipartReader(boundary)
        self._start = _bare_id(content_type.parameter("start"))
        self._folder = folder
        self._envelope_limit = envelope_limit
        self._notes = notes
        self._envelope: bytearray | None = None
        self._attachments: list[Attachment] = []
        self._refusal = ""
        self._parts = 0
        self._part: _Part | None = None

    def feed(self, data: bytes) -> None:
        try:
            for event in self._reader.feed(data):
                self._take(event)
        except MimeError as error:
            self._notes.record(rules.MIME_LINES, str(error))
            raise HttpRefusal(400) from error

    def finish(self) -> Package:
        """The package. Raises :class:`HttpRefusal` 400 where it is not closed or has no root part."""
        try:
            self._reader.finish()
        except MimeError as error:
            self._notes.record(rules.MIME_TRUNCATED, str(error))
            raise HttpRefusal(400) from error
        for oddity in sorted(self._reader.oddities, key=lambda oddity: oddity.name):
            self._notes.record(_ODDITY_RULES[oddity], oddity.value)
        if self._parts != 2:
            self._notes.record(rules.MIME_PARTS, f"{self._parts} parts")
        if self._envelope is None:
            self._notes.record(rules.MIME_PARAMETERS, f"no part has the Content-ID {self._start} of start")
            raise HttpRefusal(400)
        return Package(bytes(self._envelope), self._attachments, self._refusal)

    def abandon(self) -> None:
        """Closes and removes everything that was received so far."""
        if self._part and self._part.file:
            self._part.file.close()
        Package(b"", self._attachments).discard()

    # --------------------------------------------------------------------------------------- events

    def _take(self, event: Event) -> None:
        match event:
            case PartHead(headers):
                self._begin(headers)
            case PartData(data):
                self._append(data)
            case PartEnd():
                self._end()

    def _begin(self, headers: Mapping[str, str]) -> None:
        self._parts += 1
        if self._parts > _PARTS_LIMIT:
            raise HttpRefusal(400)
        content_id = _content_id(headers.get("content-id", ""), self._notes)
        is_root = self._envelope is None and (not self._start or content_id == self._start)
        self._check_order(is_root)
        self._check_encoding(headers.get("content-transfer-encoding", ""))
        self._part = _Part(is_root)
        if is_root:
            self._envelope = bytearray()
            _check_root_type(read_media_type(headers.get("content-type", "")), self._notes)
        else:
            self._open(self._part, content_id, headers.get("content-type", ""))

    def _check_order(self, is_root: bool) -> None:
        if (self._parts == 1) != is_root and self._parts <= 2:
            self._notes.record(rules.MIME_ROOT_FIRST)
            self._refusal = self._refusal or "The root part is not the first part."

    def _check_encoding(self, encoding: str) -> None:
        if encoding.lower() != "binary":
            self._notes.record(rules.MIME_BINARY, f"part {self._parts}: {encoding or 'none'}")
            self._refusal = self._refusal or "A part's Content-Transfer-Encoding is not binary."

    def _open(self, part: _Part, content_id: str, content_type: str) -> None:
        if any(known.content_id == content_id for known in self._attachments):
            self._notes.record(rules.MIME_CONTENT_ID, f"{content_id} twice")
        media_type = read_media_type(content_type)
        if media_type.oddity:
            self._notes.record(rules.MIME_SYNTAX, f"image part: {media_type.oddity}")
        path = self._folder / f"{uuid.uuid4()}.part"
        part.attachment = Attachment(content_id, media_type.name, path)
        part.file = path.open("xb")
        self._attachments.append(part.attachment)

    def _append(self, data: bytes) -> None:
        part = self._part
        if part is None:
            return
        if part.is_root and self._envelope is not None:
            self._envelope += data
            if len(self._envelope) > self._envelope_limit:
                self._notes.record(rules.ENVELOPE_SIZE, f"more than {self._envelope_limit:,}")
                raise HttpRefusal(413)
        elif part.file and part.attachment:
            part.file.write(data)
            part.digest.update(data)
            part.attachment.octets += len(data)

    def _end(self) -> None:
        part, self._part = self._part, None
        if part and part.file and part.attachment:
            part.file.close()
            part.attachment.sha256 = part.digest.hexdigest()


# -------------------------------------------------------------------------------------- header checks


def check_package_type(content_type: MediaType, notes: Notes) -> None:
    """Holds the Content-Type of the request against rules; the boundary's absence is the caller's to refuse."""
    expected = {"type": "application/xop+xml", "start-info": "application/soap+xml"}
    for name, value in expected.items():
        if content_type.parameter(name).lower() != value:
            notes.record(rules.MIME_PARAMETERS, f"{name}={content_type.parameter(name) or '(none)'}")
    for name in ("boundary", "start"):
        if not content_type.parameter(name):
            notes.record(rules.MIME_PARAMETERS, f"no {name}")
    unquoted = {"type", "boundary", "start", "start-info"} & set(content_type.parameters) - content_type.quoted
    if unquoted:
        notes.record(rules.MIME_QUOTED, ", ".join(sorted(unquoted)))
    if content_type.oddity:
        notes.record(rules.MIME_SYNTAX, content_type.oddity)
    if not _BOUNDARY.fullmatch(content_type.parameter("boundary")):
        notes.record(rules.MIME_BOUNDARY, content_type.parameter("boundary"))


def _check_root_type(media_type: MediaType, notes: Notes) -> None:
    found = (
        media_type.name,
        media_type.parameter("charset").lower(),
        media_type.parameter("type").lower(),
    )
    if found != ("application/xop+xml", "utf-8", "application/soap+xml"):
        notes.record(rules.MIME_ROOT_TYPE, "; ".join(found))
    if media_type.oddity:
        notes.record(rules.MIME_SYNTAX, f"root part: {media_type.oddity}")


def _content_id(value: str, notes: Notes) -> str:
    bare = _bare_id(value)
    if not bare or value != f"<{bare}>":
        notes.record(rules.MIME_CONTENT_ID, value or "none")
    return bare


def _bare_id(value: str) -> str:
    return value.strip().removeprefix("<").removesuffix(">").strip()
