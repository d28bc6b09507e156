"""What stands at which path, and the way of one request through it: read, judged, carried out, answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lxml import etree

from dsm_sim.peers.scan_server import envelope, rules
from dsm_sim.peers.scan_server.answers import Answer, Hangup
from dsm_sim.peers.scan_server.connection import IncompleteRequest, MalformedRequest, Request
from dsm_sim.peers.scan_server.discovery import Identity
from dsm_sim.peers.scan_server.envelope import Message, SeenIds
from dsm_sim.peers.scan_server.eventing import MANAGING, EventingService
from dsm_sim.peers.scan_server.events import EventSource
from dsm_sim.peers.scan_server.media_type import MediaType, read_media_type
from dsm_sim.peers.scan_server.misbehaviour import Action
from dsm_sim.peers.scan_server.names import (
    GET,
    GET_RESPONSE,
    PROBE,
    PROBE_MATCHES,
    SCAN_SERVER_PATH,
    SEND,
    SUBSCRIBE,
    WSA,
    WSDAPI_PATH,
    WSE,
    tag,
)
from dsm_sim.peers.scan_server.operations import ACTIONS, ProcessingService
from dsm_sim.peers.scan_server.operations import Request as OperationRequest
from dsm_sim.peers.scan_server.options import ScanServerOptions
from dsm_sim.peers.scan_server.package import Package, PackageReceiver
from dsm_sim.peers.scan_server.plan import Plan
from dsm_sim.peers.scan_server.refusals import HttpRefusal, SoapFault, fault
from dsm_sim.peers.scan_server.report import Traffic
from dsm_sim.peers.scan_server.rules import Notes
from dsm_sim.peers.scan_server.sockets import LOOPBACK_ADDRESSES
from dsm_sim.peers.scan_server.subscriptions import MANAGER_FOLDER

_LOOPBACK: Final = frozenset({"localhost", *LOOPBACK_ADDRESSES})
_PACKAGE: Final = "multipart/related"
_PLAIN: Final = "application/soap+xml"
_SEND_IMAGE: Final = SEND.rpartition("/")[2]
_EVENTING: Final = MANAGING | {SUBSCRIBE}


@dataclass(frozen=True)
class SiteSettings:
    """What of a site can be chosen. ``names`` are the hosts by which it may be called."""

    names: frozenset[str]
    envelope_limit: int
    probe_at_scan_server: bool
    probe_at_wsdapi_path: bool


def site_settings(options: ScanServerOptions) -> SiteSettings:
    return SiteSettings(
        names=frozenset(name.lower() for name in options.names) | _LOOPBACK | {options.host},
        envelope_limit=options.envelope_limit,
        probe_at_scan_server=options.probe_at_scan_server,
        probe_at_wsdapi_path=options.probe_at_wsdapi_path,
    )


@dataclass
class _Content:
    """The body of a request that has been received whole."""

    root: etree._Element
    package: Package | None = None


@dataclass
class Site:
    """Everything that the server has at its paths.

    ``enter`` takes the notes of a request, ``over`` hears when it has been answered or given up, ``failed`` of
    the server's own errors and the operation. ``eventing`` None is a server without events.
    """

    settings: SiteSettings
    identity: Identity
    service: ProcessingService
    eventing: EventingService | None
    events: EventSource
    plan: Plan
    traffic: Traffic
    incoming: Path
    enter: Callable[[Notes], None]
    over: Callable[[Request], None]
    failed: Callable[[str, Exception], None]
    seen: SeenIds

    # ------------------------------------------------------------------------------------------ HTTP

    async def respond(self, request: Request) -> Answer:
        """The answer to a request. Raises :class:`Hangup` where it gets none."""
        notes = Notes()
        request.afterwards.append(partial(self.over, request))
        try:
            return await self._exchange(request, notes)
        except HttpRefusal as refusal:
            return Answer(refusal.status, headers=())
        except (Hangup, IncompleteRequest, MalformedRequest):
            raise
        except Exception as error:  # whatever it is, the client gets an answer
            return self._failure(error, notes, "")
        finally:
            request.operation, request.job_token = notes.operation, notes.job_token
            request.document_id = notes.document_id
            self.enter(notes)

    def respond_malformed(self, problem: MalformedRequest) -> Answer:
        notes = Notes()
        notes.record(rules.HTTP_MALFORMED, str(problem))
        self.enter(notes)
        return Answer(problem.status, headers=(("Connection", "close"),))

    async def _exchange(self, request: Request, notes: Notes) -> Answer:
        media_type = self._check_head(request, notes)
        planned = self._planned_for_package(request, media_type)
        content = await self._receive(request, media_type, notes)
        try:
            with self.events.exchange() as exchange:
                request.afterwards.append(partial(self.events.answered, exchange))
                answer = self._answer(request, content, planned, notes)
        finally:
            if content.package:
                content.package.discard()
        await exchange.be_overtaken()
        return answer

    def _check_head(self, request: Request, notes: Notes) -> MediaType:
        if request.method != "POST":
            notes.record(rules.HTTP_METHOD, request.method)
            raise HttpRefusal(405)
        if self._actions_at(request.path) is None:
            raise HttpRefusal(404)
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        if host not in self.settings.names:
            notes.record(rules.HTTP_HOST, host)
        if request.is_folded:
            notes.record(rules.HTTP_FOLDED)
        if "soapaction" in request.headers:
            notes.record(rules.HTTP_SOAP_ACTION)
        media_type = read_media_type(request.headers.get("content-type", ""))
        self._check_media_type(request, media_type, notes)
        return media_type

    def _check_media_type(self, request: Request, media_type: MediaType, notes: Notes) -> None:
        is_processing = request.path == self.identity.processing_path
        if media_type.name == _PACKAGE and is_processing:
            if request.headers.get("mime-version", "").strip() != "1.0":
                notes.record(rules.MIME_VERSION)
            if "content-length" not in request.headers:
                notes.record(rules.HTTP_LENGTH)
            return
        if media_type.name != _PLAIN:
            notes.record(rules.HTTP_MEDIA_TYPE, media_type.name)
            raise HttpRefusal(415)
        if media_type.parameter("charset").lower() != "utf-8":
            notes.record(rules.HTTP_CHARSET, media_type.parameter("charset") or "none")

    def _planned_for_package(self, request: Request, media_type: MediaType) -> Action | None:
        """A package is always a SendImage: what is planned for it may begin before its body is there."""
        if media_type.name != _PACKAGE:
            return None
        action = self.plan.take(_SEND_IMAGE)
        request.reset_after = action.resets_after
        if action.reads_at:
            request.pace.rate = action.reads_at
        return action

    # --------------------------------------------------------------------------------------- receive

    async def _receive(self, request: Request, media_type: MediaType, notes: Notes) -> _Content:
        if media_type.name == _PACKAGE:
            package = await self._receive_package(request, media_type, notes)
            try:
                return _Content(envelope.parse(package.envelope, notes), package)
            except HttpRefusal:
                package.discard()
                raise
        data = bytearray()
        async for chunk in request.chunks():
            data += chunk
            if len(data) > self.settings.envelope_limit:
                notes.record(rules.ENVELOPE_SIZE, f"more than {self.settings.envelope_limit:,}")
                raise HttpRefusal(413)
        return _Content(envelope.parse(bytes(data), notes))

    async def _receive_package(self, request: Request, media_type: MediaType, notes: Notes) -> Package:
        notes.operation = _SEND_IMAGE
        receiver = PackageReceiver(media_type, self.incoming, self.settings.envelope_limit, notes)
        try:
            async for chunk in request.chunks():
                receiver.feed(chunk)
            return receiver.finish()
        except BaseException:
            receiver.abandon()
            raise

    # ---------------------------------------------------------------------------------------- answer

    def _answer(self, request: Request, content: _Content, planned: Action | None, notes: Notes) -> Answer:
        url = f"https://{request.headers.get('host', '')}{request.path}"
        notes.operation = envelope.peek_action(content.root).rpartition("/")[2]
        try:
            message = envelope.read(content.root, url, self.seen, notes)
            self.traffic.requests[message.operation] += 1
        except SoapFault as problem:
            return _fault_answer(problem, envelope.peek_message_id(content.root))
        action = planned or self.plan.take(message.operation)

        def carry_out() -> Answer:
            try:
                return Answer(200, self._perform(request, message, content.package, notes))
            except SoapFault as problem:
                return _fault_answer(problem, message.message_id)
            except HttpRefusal:
                raise
            except Exception as error:  # whatever it is, the client gets an answer
                return self._failure(error, notes, message.message_id)

        return action.play(carry_out, message.message_id)

    def _failure(self, error: Exception, notes: Notes, message_id: str) -> Answer:
        """The answer to a request that fails through no fault of the client's."""
        self.failed(notes.operation, error)
        internal = fault("dsp:ServerErrorInternalError", "The scan server has an internal error.")
        return _fault_answer(internal, message_id)

    def _perform(self, request: Request, message: Message, package: Package | None, notes: Notes) -> bytes:
        self._check_action(request.path, message, notes)
        match message.action:
            case action if action == PROBE:
                return self._probe_matches(message, notes)
            case action if action == GET:
                return envelope.write(GET_RESPONSE, message.message_id, self.identity.metadata())
            case action if self.eventing and action in _EVENTING:
                body = self.eventing.perform(message, request.path, notes)
                return envelope.write(f"{action}Response", message.message_id, body)
        work = OperationRequest(message, package, request.identity, request.began, notes)
        return envelope.write(f"{message.action}Response", message.message_id, self.service.perform(work))

    def _probe_matches(self, message: Message, notes: Notes) -> bytes:
        matches = self.identity.probe_matches(message, notes)
        return envelope.write(PROBE_MATCHES, message.message_id, matches, [self.identity.app_sequence()])

    def _actions_at(self, path: str) -> frozenset[str] | None:
        """The actions that a path takes; None where there is nothing."""
        if path.rstrip("/") == SCAN_SERVER_PATH:
            return frozenset({PROBE, GET} if self.settings.probe_at_scan_server else {GET})
        if path == WSDAPI_PATH and self.settings.probe_at_wsdapi_path:
            return frozenset({PROBE})
        if self.eventing and path.startswith(f"{self.identity.processing_path}/{MANAGER_FOLDER}/"):
            return MANAGING
        return {
            self.identity.processing_path: ACTIONS | _EVENTING if self.eventing else ACTIONS,
            self.identity.configuration_path: frozenset[str](),
        }.get(path)

    def _check_action(self, path: str, message: Message, notes: Notes) -> None:
        if message.action in (self._actions_at(path) or ()):
            return
        # A server may do without these two; asking for them is no mistake.
        if message.action != PROBE and not message.action.startswith(WSE):
            notes.record(rules.ACTION_KNOWN, message.action)
        detail = etree.Element(tag(WSA, "Action"), nsmap={"wsa": WSA})
        detail.text = message.action
        raise fault("wsa:ActionNotSupported", f"{message.action} is not supported here.", detail)

    # ------------------------------------------------------------------------------------------- UDP

    def datagram(self, data: bytes) -> bytes | None:
        """The answer to a Probe by UDP; None where it gets none: whatever is wrong meets silence."""
        notes = Notes(operation="Probe")
        try:
            message = envelope.read(envelope.parse(data, notes), "", None, notes)
            if message.action != PROBE:
                return None
            self.traffic.requests["Probe by UDP"] += 1
            answer = self._probe_matches(message, notes)
            return None if b"ProbeMatch>" not in answer else answer
        except (HttpRefusal, SoapFault):
            return None
        finally:
            self.enter(notes)


def _fault_answer(problem: SoapFault, message_id: str) -> Answer:
    return Answer(problem.status, envelope.write_fault(problem, message_id))
