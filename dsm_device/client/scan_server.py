"""A scan server as a job sees it: five operations, and three for its events.

Each is either done or failed with one typed error.

Nothing is repeated here that a job has to know of: a caller finds in the error's ``recovery`` what comes next.
Source: WS-DSP, operations.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

import anyio.lowlevel
from lxml import etree

from dsm_device.client import soap
from dsm_device.client.discovery import FormMemory, ServiceFinder
from dsm_device.client.messages import FileMessage, Message, Sendable
from dsm_device.client.server_name import ServerName
from dsm_device.client.transport import TimeLimits, Transport
from dsm_device.errors import (
    AnswerLost,
    Recovery,
    ServerError,
    ServerFault,
    ServerProtocolError,
    ServerRefused,
    ServerUnreachable,
)
from dsm_device.wire.discovery import is_https
from dsm_device.wire.envelope import MAX_ENVELOPE_OCTETS, Answer, MessageError
from dsm_device.wire.eventing import Granted, Manager, Renew, Subscribe, Unsubscribe
from dsm_device.wire.faults import Operation
from dsm_device.wire.processing import (
    CancelPostScanJob,
    CreatePostScanJob,
    EndPostScanJob,
    GetPostScanJobElements,
    JobElements,
    SendImage,
)

_log = logging.getLogger(__name__)

Result = TypeVar("Result")
_Build = Callable[[str, str], Message | FileMessage]
_AFTER_SENDING: Final = (ServerFault, ServerRefused, ServerProtocolError, AnswerLost)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """As in the section ``scan_server`` of the configuration."""

    port: int = 5362
    probe: tuple[str, ...] = ("https", "udp")
    limits: TimeLimits = field(default_factory=TimeLimits)


class ScanServer:
    """One scan server: its connections and the address of its processing service, shared by all of its jobs.

    For use in one event loop, by any number of tasks; an async context manager. A job's ``token`` is the text that
    :meth:`create_job` returned, unchanged. Every operation raises :class:`ServerError` when it fails.
    """

    def __init__(
        self,
        repository: str,
        options: ServerOptions,
        context: ssl.SSLContext,
        memory: FormMemory | None = None,
    ) -> None:
        """``repository`` is the text of psp:ScanRepository, ``context`` from :func:`tls.client_context`.

        Raises :class:`ProcessUnusable` where that is no name.
        """
        self._server = ServerName.parse(repository, options.port)
        self._transport = Transport(self._server.host, context, options.limits)
        self._finder = ServiceFinder(self._server, options.probe, self._transport, memory)
        self._finding = asyncio.Lock()
        self._address: str | None = None

    async def __aenter__(self) -> Self:
        # anyio, on which httpx stands, loads its half for asyncio at its first call: not while a page waits.
        await anyio.lowlevel.checkpoint()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def locate(self) -> str:
        """The URL of the processing service: known from before, or found now by probe and metadata.

        It is forgotten when the server cannot be reached there any more or says that it has moved.
        """
        async with self._finding:
            if self._address is None:
                self._address = await self._finder.find()
                _log.info("scan server %s processes scans at %s", self._server.host, self._address)
            return self._address

    async def create_job(self, user_sid: str, psp_identifier: str, instructions: etree._Element) -> str:
        """Begin a job and return its token.

        ``instructions`` is psp:PostScanInstructions as the scan process has it. The server's clock starts: it
        completes a job by itself that hears nothing for 10 minutes.
        """
        request = CreatePostScanJob(user_sid, psp_identifier, instructions)
        octets = 0

        def build(address: str, message_id: str) -> Message:
            nonlocal octets
            message = Message(request.render(address, message_id), Operation.CREATE)
            octets = message.length
            if octets > MAX_ENVELOPE_OCTETS:
                _log.warning(
                    "the message of scan process %s has %d octets: a server may refuse it", psp_identifier, octets
                )
            return message

        try:
            return await self._ask(Operation.CREATE, build, request.parse_answer)
        except _AFTER_SENDING as error:
            if octets > MAX_ENVELOPE_OCTETS:
                limit = f"a server need not take more than {MAX_ENVELOPE_OCTETS:,} octets"
                error.remedy = (
                    f"shorten the scan process, its message has {octets:,} and {limit}; else {error.remedy}"
                )
            raise

    async def send_image(
        self,
        token: str,
        document_id: int,
        format: str,  # noqa: A002 - the name that it has in WS-DSP
        document: Sendable,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        """Deliver ``document`` as number ``document_id`` (1, 2, 3 … in the job).

        It is streamed from the disk. ``on_progress`` is called with the octets of it that have gone out.
        Raises :class:`SpoolError` where it cannot be read, or shrinks.
        """
        request = SendImage(token, document_id, format)
        boundary = uuid.uuid4().hex

        def build(address: str, message_id: str) -> FileMessage:
            origin = f"{boundary}.dsm-device"
            package = request.package(address, message_id, boundary=boundary, origin=origin)
            return FileMessage(package, document, on_progress)

        await self._ask(Operation.SEND, build, request.check_answer)

    async def end_job(self, token: str) -> None:
        """Say that all images are there. To be called when the last :meth:`send_image` has returned."""
        request = EndPostScanJob(token)
        await self._ask(Operation.END, _message(request, Operation.END), request.check_answer)

    async def cancel_job(self, token: str) -> None:
        """Stop the job; a job that the server does not have any more counts as stopped."""
        request = CancelPostScanJob(token)
        try:
            await self._ask(Operation.CANCEL, _message(request, Operation.CANCEL), request.check_answer)
        except ServerFault as error:
            if error.recovery is not Recovery.SUCCESS:
                raise

    async def job_elements(self, token: str, *names: str) -> JobElements:
        """What the server knows of the job; ``names`` as in :mod:`dsm_device.wire.processing`, at least one."""
        request = GetPostScanJobElements(token, names)
        return await self._ask(Operation.QUERY, _message(request, Operation.QUERY), request.parse_answer)

    # ------------------------------------------------------------------------------------------ events

    @property
    def name(self) -> str:
        """The host's name, for messages."""
        return self._server.host

    async def subscribe(self, request: Subscribe) -> Granted:
        """Have events pushed. A subscription ends by itself when it is not renewed."""

        def read(answer: Answer) -> Granted:
            return request.parse_answer(answer, _now())

        return await self._ask(Operation.SUBSCRIBE, _message(request, Operation.SUBSCRIBE), read)

    async def renew(self, manager: Manager, expires_s: float | None) -> float | None:
        """The time from now for which it is granted, in seconds; None where the server does not say."""
        request = Renew(manager, expires_s)

        def read(answer: Answer) -> float | None:
            return request.parse_answer(answer, _now())

        return await self._manage(manager, _message(request, Operation.RENEW), Operation.RENEW, read)

    async def unsubscribe(self, manager: Manager) -> None:
        message = _message(Unsubscribe(manager), Operation.UNSUBSCRIBE)
        await self._manage(manager, message, Operation.UNSUBSCRIBE, lambda _answer: None)

    async def _manage(
        self, manager: Manager, build: _Build, operation: Operation, read: Callable[[Answer], Result]
    ) -> Result:
        """One message to the subscription's manager, which may be elsewhere.

        The certificate is checked all the same. An address that is no URL, or a plain one, stands for the service.
        """
        address = manager.address if is_https(manager.address) else await self.locate()
        try:
            return read(await soap.call(self._transport, address, functools.partial(build, address)))
        except MessageError as error:
            raise soap.unusable(error, self._server.host, operation) from error

    async def _ask(self, operation: Operation, build: _Build, read: Callable[[Answer], Result]) -> Result:
        """One message to the processing service: ``build`` gets its address and a message id."""
        address = await self.locate()
        try:
            return read(await soap.call(self._transport, address, functools.partial(build, address)))
        except MessageError as error:
            raise soap.unusable(error, self._server.host, operation) from error
        except ServerError as error:
            # Only if nobody has found another one meanwhile.
            if _is_about_address(error) and self._address == address:
                self._address = None
            raise


def _now() -> datetime:
    return datetime.now(UTC).astimezone()


class _Request(Protocol):
    def render(self, to: str, message_id: str) -> bytes: ...


def _message(request: _Request, operation: Operation) -> _Build:
    return lambda address, message_id: Message(request.render(address, message_id), operation)


def _is_about_address(error: ServerError) -> bool:
    return isinstance(error, ServerUnreachable) or error.recovery is Recovery.RELOCATE
