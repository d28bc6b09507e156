"""The five operations of the processing service.

Every request is validated before it is looked at. What is wrong is answered with the fault that WS-DSP names
for it; the job it was meant for stays as it was.
Source: WS-DSP CreatePostScanJob, SendImage, EndPostScanJob, CancelPostScanJob, GetPostScanJobElements;
MS-BDSRR 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lxml import etree

from dsm_sim.image_files import FORMATS, ImageError, ImageFacts, inspect
from dsm_sim.peers.scan_server import rules
from dsm_sim.peers.scan_server.envelope import Message, text_of
from dsm_sim.peers.scan_server.filters import is_known
from dsm_sim.peers.scan_server.job_elements import ELEMENTS, Say
from dsm_sim.peers.scan_server.jobs import Document, Job, JobBook, JobState
from dsm_sim.peers.scan_server.names import CANCEL, CREATE, DSP, END, QUERY, SEND, tag
from dsm_sim.peers.scan_server.package import Attachment, Package
from dsm_sim.peers.scan_server.personalities import Personality
from dsm_sim.peers.scan_server.processes import Instructions, StoredProcess, matching_process, read_instructions
from dsm_sim.peers.scan_server.refusals import HttpRefusal, fault, invalid, token_not_found
from dsm_sim.peers.scan_server.rules import Notes
from dsm_sim.peers.scan_server.schemas import message_error

ACTIONS: Final = frozenset({CREATE, SEND, END, CANCEL, QUERY})
_SID: Final = re.compile(r"S-1-(\d{1,10}|0x[0-9a-fA-F]{9,12})(-\d{1,10}){1,15}")
_GUID: Final = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")
_ANY_GUID: Final = re.compile(_GUID.pattern, re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """What an operation is given. ``began`` is the server's monotonic time when the request's head arrived."""

    message: Message
    package: Package | None
    identity: str
    began: float
    notes: Notes


@dataclass
class ProcessingService:
    """The service behind the processing endpoint.

    ``processes`` is the folder of scan processes to compare with, None not to compare. ``users`` maps SIDs to
    user@domain. ``on_page`` and ``on_job`` are told of what was accepted; ``on_job`` also of each new state.
    """

    book: JobBook
    personality: Personality
    incoming: Path
    processes: Path | None
    users: Mapping[str, str]
    on_job: Callable[[Job], None]
    on_page: Callable[[Job, Document], None]

    def perform(self, request: Request) -> etree._Element:
        """The body of the answer. Raises :class:`SoapFault` and :class:`HttpRefusal`."""
        body = self._valid_body(request)
        operations: Mapping[str, Callable[[Request, etree._Element], etree._Element]] = {
            CREATE: self._create,
            SEND: self._send,
            END: self._end,
            CANCEL: self._cancel,
            QUERY: self._query,
        }
        return operations[request.message.action](request, body)

    def _valid_body(self, request: Request) -> etree._Element:
        message, body = request.message, request.message.body
        expected = tag(DSP, f"{message.operation}Request")
        if body is None or body.tag != expected:
            request.notes.record(rules.ACTION_BODY, f"{expected} expected")
            raise invalid(f"The body is not {expected}.", body)
        error, element = message_error(body)
        if error:
            request.notes.record(rules.BODY_SCHEMA, error)
            raise invalid(error, element)
        return body

    # ------------------------------------------------------------------------------------ operations

    def _create(self, request: Request, body: etree._Element) -> etree._Element:
        user_sid, psp_identifier = _text(body, "UserIdentifier"), _text(body, "PSP_Identifier")
        self._check_identifiers(request.notes, user_sid, psp_identifier)
        requested = body.find(tag(DSP, "PostScanInstructions"))
        if requested is None:
            raise invalid("There are no instructions.", body)
        process = self._stored(request.notes, psp_identifier, requested)
        job = self.book.open(
            user_sid=user_sid,
            user=self.users.get(user_sid) or f"{user_sid}@sim.example",
            psp=(psp_identifier.upper(), process.name if process else ""),
            instructions=read_instructions(requested),
            identity=request.identity,
        )
        request.notes.job_token = job.token
        self.on_job(job)
        if not _understood(job.instructions):
            job.become(JobState.ABORTED, self.book.clock.now(), "NoValidPostScanInstructionsFound")
            self.on_job(job)
        answer = _answer("CreatePostScanJobResponse")
        etree.SubElement(answer, tag(DSP, "JobToken")).text = job.token
        return answer

    def _send(self, request: Request, body: etree._Element) -> etree._Element:
        job = self._active(request, body)
        package = request.package
        if package is None:
            request.notes.record(rules.XOP_INCLUDE, "not sent as a package")
            raise invalid("SendImage is sent as an MTOM package.", body.find(tag(DSP, "ImageData")))
        package.check_acceptable()
        image = package.image_of(body, request.notes)
        document = self._accept(job, request.notes, body, image)
        job.documents.append(document)
        request.notes.document_id = document.document_id
        self.on_page(job, document)
        return _answer("SendImageResponse")

    def _end(self, request: Request, body: etree._Element) -> etree._Element:
        job = self._active(request, body)
        if not job.documents:
            request.notes.record(rules.JOB_EMPTY)
        job.become(JobState.PENDING, self.book.clock.now())
        self.on_job(job)
        return _answer("EndPostScanJobResponse")

    def _cancel(self, request: Request, body: etree._Element) -> etree._Element:
        job = self._find(request, body)
        if job.is_final:
            raise token_not_found(job.token)
        self._check_owner(request, job)
        job.become(JobState.CANCELED, self.book.clock.now(), "PostScanJobCanceled")
        job.cancelled_at = self.book.clock.monotonic()
        self.on_job(job)
        return _answer("CancelPostScanJobResponse")

    def _query(self, request: Request, body: etree._Element) -> etree._Element:
        job = self._find(request, body)
        answer = _answer("GetPostScanJobElementsResponse")
        elements = etree.SubElement(answer, tag(DSP, "JobElements"))
        for name in body.iter(tag(DSP, "Name")):
            data = _element_data(job, name, self.personality.say)
            if len(data) or not self.personality.skips_unknown_names:
                elements.append(data)
        return answer

    # ---------------------------------------------------------------------------------------- create

    def _check_identifiers(self, notes: Notes, user_sid: str, psp_identifier: str) -> None:
        if not _SID.fullmatch(user_sid):
            notes.record(rules.USER_SID, user_sid)
        if not _GUID.fullmatch(psp_identifier):
            notes.record(rules.PSP_GUID, psp_identifier)

    def _stored(self, notes: Notes, identifier: str, requested: etree._Element) -> StoredProcess | None:
        if self.processes is None:
            return None
        permits = self.personality.knows_extensions
        process, problem = matching_process(self.processes, identifier, requested, knows_extensions=permits)
        if process is None:
            notes.record(rules.INSTRUCTIONS_EQUAL, problem)
            raise invalid(problem, requested)
        return process

    # ------------------------------------------------------------------------------------------ send

    def _accept(self, job: Job, notes: Notes, body: etree._Element, image: Attachment) -> Document:
        description = body.find(tag(DSP, "DocumentDescription"))
        if description is None:
            raise invalid("There is no document description.", body)
        id_element, format_element = description[0], description[1]
        document_id, image_format = int(text_of(id_element)), text_of(format_element)
        if job.has_document(document_id):
            notes.record(rules.DOCUMENT_ONCE, str(document_id))
            raise invalid(f"Document {document_id} was received before.", id_element)
        if document_id != len(job.documents) + 1:
            notes.record(rules.DOCUMENT_ORDER, f"{document_id} after {len(job.documents)}")
        self._check_format(notes, format_element, image)
        facts = self._inspect(notes, format_element, image)
        path = self._take_over(job, image, f"{document_id:06}.{FORMATS.get(image_format, ('bin', ''))[0]}")
        now = self.book.clock.now()
        return Document(document_id, image_format, path, image.octets, image.sha256, facts, now)

    def _check_format(self, notes: Notes, element: etree._Element, image: Attachment) -> None:
        image_format = text_of(element)
        if image_format not in FORMATS:
            notes.record(rules.FORMAT_KNOWN, image_format)
            if ":" not in image_format:  # a vendor's format has a prefix
                raise invalid(f"There is no format {image_format}.", element)
            return
        if image.media_type not in {FORMATS[image_format][1], "application/octet-stream"}:
            notes.record(rules.MIME_IMAGE_TYPE, f"{image.media_type or 'none'} for {image_format}")

    def _inspect(self, notes: Notes, format_element: etree._Element, image: Attachment) -> ImageFacts:
        image_format = text_of(format_element)
        try:
            return inspect(image.path, image_format)
        except ImageError as error:
            notes.record(rules.FORMAT_TRUE, f"{image_format}: {error}")
            raise invalid(f"The image is no {image_format}: {error}.", format_element) from error

    def _take_over(self, job: Job, image: Attachment, name: str) -> Path:
        folder = self.incoming / job.token
        folder.mkdir(exist_ok=True)
        return image.path.replace(folder / name)

    # ----------------------------------------------------------------------------------------- token

    def _find(self, request: Request, body: etree._Element) -> Job:
        token = _text(body, "JobToken")
        request.notes.job_token = token
        job = self.book.find(token)
        if job is None:
            is_odd = not _ANY_GUID.fullmatch(token)
            if is_odd and request.message.action in self.personality.unavailable_for_odd_tokens:
                raise fault("wsa:EndpointUnavailable", "The endpoint is not available.")
            raise token_not_found(token)
        self.book.heard_from(job)
        return job

    def _active(self, request: Request, body: etree._Element) -> Job:
        """The job of a request that only a job in creation takes."""
        job = self._find(request, body)
        self._check_owner(request, job)
        if job.state is JobState.CREATING:
            return job
        if job.state is JobState.CANCELED:
            if request.began <= job.cancelled_at:
                # It was under way when the job was cancelled: nobody's mistake.
                raise fault("dsp:ServerErrorPostScanJobCanceled", "The job has been cancelled meanwhile.")
            request.notes.record(rules.JOB_CANCELED, request.message.operation)
        elif job.state is not JobState.ABORTED and job.reason != "PostScanJobTimedOut":
            request.notes.record(rules.JOB_ENDED, request.message.operation)
        raise token_not_found(job.token)

    def _check_owner(self, request: Request, job: Job) -> None:
        if request.identity != job.identity:
            request.notes.record(rules.JOB_OWNER, request.message.operation)
            raise HttpRefusal(403)


def _understood(instructions: Instructions) -> bool:
    return any(is_known(dialect, config) for dialect, config in instructions.filters)


def _answer(local: str) -> etree._Element:
    return etree.Element(tag(DSP, local), nsmap={"dsp": DSP})


def _text(body: etree._Element, local: str) -> str:
    """The text of a child, white space kept: tokens and identifiers are opaque."""
    return body.findtext(tag(DSP, local)) or ""


def _element_data(job: Job, asked: etree._Element, say: Say) -> etree._Element:
    """The answer to one asked name, under the prefix that it was asked with."""
    name = text_of(asked)
    prefix, colon, local = name.rpartition(":")
    namespace = asked.nsmap.get(prefix if colon else None) or ""
    build = ELEMENTS.get(local) if namespace == DSP else None
    data = etree.Element(tag(DSP, "ElementData"), nsmap={"dsp": DSP, **({prefix: namespace} if colon else {})})
    data.set(tag(DSP, "Name"), f"dsp:{local}" if namespace == DSP else name)
    data.set(tag(DSP, "Valid"), "true" if build else "false")
    if build:
        data.append(build(job, say))
    return data
