"""WS-DSP: the five operations of a post-scan job, one class a message.

Requests are written, answers are read. Source: WS-DSP, operations and values; MS-BDSRR for what the sister
configuration service documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count, islice
from types import MappingProxyType
from typing import Final

from lxml import etree

from dsm_device.wire import envelope, mtom, xml
from dsm_device.wire.envelope import Answer, MessageError
from dsm_device.wire.faults import Operation
from dsm_device.wire.names import DSP, XOP, qname

#: The formats of WS-DSP with the media type of their files. Its schema takes any word, so this list is the check.
FORMATS: Final = MappingProxyType(
    {
        "dib": "application/octet-stream",
        "exif": "image/jpeg",
        "jbig": "application/octet-stream",
        "jfif": "image/jpeg",
        "jpeg2k": "application/octet-stream",
        "pdf-a": "application/pdf",
        "png": "image/png",
        "tiff-single-uncompressed": "image/tiff",
        "tiff-single-g4": "image/tiff",
        "tiff-single-g3mh": "image/tiff",
        "tiff-single-jpeg-tn2": "image/tiff",
        "tiff-multi-uncompressed": "image/tiff",
        "tiff-multi-g4": "image/tiff",
        "tiff-multi-g3mh": "image/tiff",
        "tiff-multi-jpeg-tn2": "image/tiff",
        "xps": "application/octet-stream",
    }
)

#: JobState. Servers may add values of their own: a state is text, and an unknown one is not final.
CREATING: Final = "Creating"
PENDING: Final = "Pending"
PENDING_HELD: Final = "Pending-Held"
STARTED: Final = "Started"
PROCESSING: Final = "Processing"
TERMINATING: Final = "Terminating"
ABORTED: Final = "Aborted"
CANCELED: Final = "Canceled"
COMPLETED: Final = "Completed"
FINAL_STATES: Final = frozenset({ABORTED, CANCELED, COMPLETED})

#: What GetPostScanJobElements may be asked for.
JOB_STATUS: Final = "JobStatus"
JOB_DESCRIPTION: Final = "JobDescription"
DOCUMENTS: Final = "Documents"

#: Far more than can be asked for; the rest is not looked at.
_MAX_ELEMENT_DATA: Final = 16
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_START_TAG: Final = re.compile(rb"""<([^\s/>]+)((?:[^>"']|"[^"]*"|'[^']*')*)>""")


def action(operation: Operation) -> str:
    return f"{DSP}/{operation.value}"


def _request(operation: Operation) -> etree._Element:
    return envelope.element(DSP, f"{operation.value}Request")


def _add(parent: etree._Element, local: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, qname(DSP, local))
    child.text = text
    return child


def _render(
    operation: Operation, body: etree._Element, to: str, message_id: str, inserted: Mapping[bytes, bytes] = {}
) -> bytes:
    return envelope.render(to=to, action=action(operation), message_id=message_id, body=body, inserted=inserted)


def _expect(answer: Answer, operation: Operation) -> etree._Element:
    return envelope.expect(answer, DSP, f"{operation.value}Response")


# --------------------------------------------------------------------------------- CreatePostScanJob


@dataclass(frozen=True, slots=True)
class CreatePostScanJob:
    """Begin a job. ``instructions`` is psp:PostScanInstructions as the scan process has it.

    The server compares it with the process in the directory, so everything below the wrapper is sent as it was
    read: the same prefixes, with every declaration in scope (QNames in content need them), the same white space,
    comments and CDATA sections. Processing instructions, which an envelope must not have, are left out. Only the
    wrapper itself gets another name: it belongs to the dsp namespace here.
    """

    #: The user's SID as text.
    user_identifier: str
    #: The process's GUID, without braces.
    psp_identifier: str
    instructions: etree._Element

    def render(self, to: str, message_id: str) -> bytes:
        body = _request(Operation.CREATE)
        _add(body, "UserIdentifier", self.user_identifier)
        _add(body, "PSP_Identifier", self.psp_identifier)
        _add(body, "PostScanInstructions")
        # Moving elements into another tree may change their prefixes, so the text is put in place of the empty
        # element.
        inserted = {b"<dsp:PostScanInstructions/>": _as_dsp(self.instructions)}
        return _render(Operation.CREATE, body, to, message_id, inserted)

    @staticmethod
    def parse_answer(answer: Answer) -> str:
        """The JobToken: opaque, so not even white space is trimmed. Raises :class:`MessageError`."""
        token = xml.child(_expect(answer, Operation.CREATE), DSP, "JobToken")
        if token is None or not xml.text(token):
            raise MessageError("its CreatePostScanJobResponse has no JobToken")
        return xml.text(token)


def _as_dsp(instructions: etree._Element) -> bytes:
    """The element as text with its own start and end tag renamed, standing where ``dsp`` is declared."""
    wrapper = _without_processing_instructions(instructions)
    prefix = _dsp_prefix(wrapper)
    declaration = b"" if prefix == "dsp" else f' xmlns:{prefix}="{DSP}"'.encode()
    text = etree.tostring(wrapper, encoding="utf-8")
    start = _START_TAG.match(text)
    if start is None:
        raise ValueError("libxml2 wrote an element that does not begin with a start tag")
    name = f"{prefix}:PostScanInstructions".encode()
    end = len(text) - len(start[1]) - 3
    return b"<%b%b%b>%b</%b>" % (name, declaration, start[2], text[start.end() : end], name)


def _without_processing_instructions(instructions: etree._Element) -> etree._Element:
    """A copy as a tree of its own, with all declarations that were in scope, and never an empty-element tag."""
    text = etree.tostring(instructions, encoding="utf-8", with_tail=False)
    copy = xml.parse(text, limit=len(text))
    etree.strip_tags(copy, etree.ProcessingInstruction)
    copy.text = copy.text or ""
    return copy


def _dsp_prefix(wrapper: etree._Element) -> str:
    """``dsp``, or another one where the scan process uses that for something else."""
    names = chain(["dsp"], (f"dsp{number}" for number in count(1)))
    taken = {prefix for prefix, uri in wrapper.nsmap.items() if (prefix, uri) != ("dsp", DSP)}
    return next(name for name in names if name not in taken)


# ----------------------------------------------------------------------------------------- SendImage


@dataclass(frozen=True, slots=True)
class SendImage:
    """Deliver one file. ``document_id`` is 1, 2, 3 … in the job, ``format`` one of :data:`FORMATS`."""

    job_token: str
    document_id: int
    format: str

    def __post_init__(self) -> None:
        if self.document_id < 1 or self.format not in FORMATS:
            raise ValueError(f"not a document to send: {self.document_id}, {self.format}")

    def render(self, to: str, message_id: str, *, file_id: str) -> bytes:
        """The envelope alone; ``file_id`` is the content id of the file's part."""
        body = _request(Operation.SEND)
        _add(body, "JobToken", self.job_token)
        description = _add(body, "DocumentDescription")
        _add(description, "DocumentId", str(self.document_id))
        _add(description, "Format", self.format)
        # xop:Include stands for the whole content of ImageData: no white space round it (XOP 1.0, 2.1).
        include = etree.SubElement(_add(body, "ImageData"), qname(XOP, "Include"), nsmap={"xop": XOP})
        include.set("href", f"cid:{file_id}")
        return _render(Operation.SEND, body, to, message_id)

    def package(self, to: str, message_id: str, *, boundary: str, origin: str) -> mtom.Package:
        """The package; ``origin`` is what follows "@" in its content ids."""
        file_id = f"image-{self.document_id}@{origin}"
        return mtom.package(
            self.render(to, message_id, file_id=file_id),
            boundary=boundary,
            root_id=f"soap@{origin}",
            file_id=file_id,
            file_type=FORMATS[self.format],
        )

    @staticmethod
    def check_answer(answer: Answer) -> None:
        """That the image was received; nothing about its processing. Raises :class:`MessageError`."""
        _expect(answer, Operation.SEND)


# ------------------------------------------------------------------- EndPostScanJob, CancelPostScanJob


@dataclass(frozen=True, slots=True)
class EndPostScanJob:
    """All images have been received: process them."""

    job_token: str

    def render(self, to: str, message_id: str) -> bytes:
        body = _request(Operation.END)
        _add(body, "JobToken", self.job_token)
        return _render(Operation.END, body, to, message_id)

    @staticmethod
    def check_answer(answer: Answer) -> None:
        _expect(answer, Operation.END)


@dataclass(frozen=True, slots=True)
class CancelPostScanJob:
    """Stop the job. Best effort at the server: what its filters have delivered stays."""

    job_token: str

    def render(self, to: str, message_id: str) -> bytes:
        body = _request(Operation.CANCEL)
        _add(body, "JobToken", self.job_token)
        return _render(Operation.CANCEL, body, to, message_id)

    @staticmethod
    def check_answer(answer: Answer) -> None:
        _expect(answer, Operation.CANCEL)


# ---------------------------------------------------------------------------- GetPostScanJobElements


@dataclass(frozen=True, slots=True)
class FilterStatus:
    """One filter of the job: its dialect (a URI), its state, and why."""

    dialect: str
    state: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far the job is. Times are the server's local time, as text and for display only; "" for none."""

    job_token: str
    state: str
    reasons: tuple[str, ...]
    filters: tuple[FilterStatus, ...]
    #: SendImage messages accepted so far, not pages. None where the server does not say.
    images_received: int | None
    created: str
    completed: str
    #: Whether the server tells of the job's end with it, which makes any state a final one.
    is_end: bool = False

    @property
    def is_final(self) -> bool:
        return self.is_end or self.state in FINAL_STATES

    @classmethod
    def parse(cls, status: etree._Element) -> JobStatus:
        return cls(
            job_token=_job_token(status),
            state=_token(status, "JobState"),
            reasons=tuple(_tokens(status, "JobStateReasons", "JobStateReason")),
            filters=tuple(_filters(status, "FilterStatuses")),
            images_received=_number(_token(status, "ImagesReceived")),
            created=_token(status, "JobCreatedTime"),
            completed=_token(status, "JobCompletedTime"),
        )

    @classmethod
    def parse_end(cls, end_state: etree._Element) -> JobStatus:
        """From dsp:PostScanJobEndState, which names most of it differently."""
        return cls(
            job_token=_job_token(end_state),
            state=_token(end_state, "JobCompletedState"),
            reasons=tuple(_tokens(end_state, "JobCompletedStateReasons", "JobStateReason")),
            filters=tuple(_filters(end_state, "FilterCompletedStatuses")),
            images_received=_number(_token(end_state, "ImagesReceived")),
            created="",
            completed=_token(end_state, "JobCompletedTime"),
            is_end=True,
        )


@dataclass(frozen=True, slots=True)
class JobDescription:
    """Which process the job runs, and for whom; ``user_name`` has no fixed form."""

    psp_identifier: str
    display_name: str
    user_name: str

    @classmethod
    def parse(cls, description: etree._Element) -> JobDescription:
        return cls(
            _token(description, "PSP_Identifier"),
            _token(description, "PSP_DisplayName"),
            _token(description, "JobOriginatingUserName"),
        )


@dataclass(frozen=True, slots=True)
class Document:
    """An image that the server has."""

    document_id: int
    format: str

    @classmethod
    def parse(cls, description: etree._Element) -> Document:
        number = _number(_token(description, "DocumentId"))
        if number is None:
            raise MessageError("one of its Documents has no number")
        return cls(number, _token(description, "Format"))


@dataclass(frozen=True, slots=True)
class JobElements:
    """What the server told about a job; None for what it does not know or left out."""

    status: JobStatus | None
    description: JobDescription | None
    documents: tuple[Document, ...] | None


@dataclass(frozen=True, slots=True)
class GetPostScanJobElements:
    """Ask for some of :data:`JOB_STATUS`, :data:`JOB_DESCRIPTION`, :data:`DOCUMENTS`; at least one."""

    job_token: str
    names: tuple[str, ...]

    def render(self, to: str, message_id: str) -> bytes:
        body = _request(Operation.QUERY)
        _add(body, "JobToken", self.job_token)
        requested = _add(body, "RequestedElements")
        for name in self.names:
            _add(requested, "Name", f"dsp:{name}")
        return _render(Operation.QUERY, body, to, message_id)

    @staticmethod
    def parse_answer(answer: Answer) -> JobElements:
        """Elements are matched by name, since a server may leave out some. Raises :class:`MessageError`."""
        found = dict(_valid_elements(_expect(answer, Operation.QUERY)))
        status, description = found.get(JOB_STATUS), found.get(JOB_DESCRIPTION)
        documents = found.get(DOCUMENTS)
        return JobElements(
            status=None if status is None else JobStatus.parse(status),
            description=None if description is None else JobDescription.parse(description),
            documents=None if documents is None else tuple(_documents(documents)),
        )


def _valid_elements(response: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Local name and content of each ElementData that the server calls valid."""
    path = f"{qname(DSP, 'JobElements')}/{qname(DSP, 'ElementData')}"
    for data in islice(response.iterfind(path), _MAX_ELEMENT_DATA):
        namespace, local = xml.resolve_qname(_attribute(data, "Name"), data)
        content = next(xml.elements(data), None)
        valid = _attribute(data, "Valid") not in ("false", "0")
        if namespace == DSP and valid and content is not None and content.tag == qname(DSP, local):
            yield local, content


def _attribute(element: etree._Element, local: str) -> str:
    """Qualified, as WS-DSP has it, or not, as one would expect."""
    return str(element.get(qname(DSP, local), element.get(local, ""))).strip()


def _documents(documents: etree._Element) -> Iterator[Document]:
    path = f"{qname(DSP, 'Document')}/{qname(DSP, 'DocumentDescription')}"
    return (Document.parse(each) for each in documents.iterfind(path))


def _job_token(status: etree._Element) -> str:
    token = xml.child(status, DSP, "JobToken")
    return "" if token is None else xml.text(token)


def _filters(status: etree._Element, list_name: str) -> Iterator[FilterStatus]:
    for each in status.iterfind(f"{qname(DSP, list_name)}/{qname(DSP, 'FilterStatus')}"):
        reasons = tuple(_tokens(each, "FilterStateReasons", "FilterStateReason"))
        yield FilterStatus(_token(each, "Dialect"), _token(each, "FilterState"), reasons)


def _token(parent: etree._Element, local: str) -> str:
    return xml.token(xml.child(parent, DSP, local))


def _tokens(parent: etree._Element, list_name: str, local: str) -> Iterator[str]:
    return (xml.token(each) for each in parent.iterfind(f"{qname(DSP, list_name)}/{qname(DSP, local)}"))


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None
