"""Finding the service that processes scans: directed probe, metadata, choice.

Source: WS-DSP, finding the service. Which answers are believed is in :mod:`dsm_device.wire.discovery`.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import socket
from collections.abc import Iterable
from typing import Any, Final, Protocol

from dsm_device.client import soap
from dsm_device.client.messages import Message
from dsm_device.client.server_name import ServerName
from dsm_device.client.transport import Transport
from dsm_device.errors import (
    AnswerLost,
    ServerError,
    ServerFault,
    ServerProtocolError,
    ServerRefused,
    ServerUnreachable,
)
from dsm_device.wire import discovery, envelope, metadata
from dsm_device.wire.discovery import DISCOVERY_PORT, SERVER_PATH, STABLE_PATH, Endpoint
from dsm_device.wire.envelope import Answer, MessageError
from dsm_device.wire.faults import Operation
from dsm_device.wire.xml import XmlError

_log = logging.getLogger(__name__)

#: Reached, but this is not how it wants to be asked: the next form is tried.
_WRONG_FORM: Final = (ServerFault, ServerRefused, ServerProtocolError, AnswerLost)
_DATAGRAM_TRIES: Final = 2


class Form(enum.Enum):
    """The ways to come to the device address."""

    AT_SERVER_PATH = f"by HTTPS at {SERVER_PATH}"
    AT_STABLE_PATH = f"by HTTPS at {STABLE_PATH}"
    BY_DATAGRAM = "by UDP"
    #: The address that every published example shows is taken for granted.
    NOT_AT_ALL = "without a probe"


_FORMS: Final = {"https": (Form.AT_SERVER_PATH, Form.AT_STABLE_PATH), "udp": (Form.BY_DATAGRAM,)}


class FormMemory(Protocol):
    """Where it is kept over restarts which :class:`Form` led to a server. Called in threads; never raises."""

    def recall(self, server: str) -> str:
        """The form's name for a server's "host:port"; "" where there is none."""
        ...

    def remember(self, server: str, form: str) -> None: ...


class ServiceFinder:
    """Finds the processing service of one scan server, and begins with the form that led to it last time."""

    def __init__(
        self, server: ServerName, probes: Iterable[str], transport: Transport, memory: FormMemory | None = None
    ) -> None:
        """``probes`` are "https" and "udp" in the order in which they are tried."""
        self._server = server
        self._transport = transport
        self._memory = memory
        self._forms = [form for probe in probes for form in _FORMS[probe]] + [Form.NOT_AT_ALL]
        self._answered: Form | None = None
        #: What is remembered is not asked for again once its form has led nowhere.
        self._has_misled = False

    async def find(self) -> str:
        """The URL of the processing service. Raises any :class:`ServerError`.

        A server that cannot be reached, or is not trusted, is asked once and not in every form.
        """
        before = self._answered or await self._recalled()
        failure: ServerError | None = None
        for form in sorted(self._forms, key=lambda form: form is not before):
            endpoint = await self._probe(form)
            if endpoint is None:
                continue
            try:
                address = await self._processing_address(endpoint)
            except ServerError as error:
                self._answered, self._has_misled, failure = None, True, error
                if form is not before or not isinstance(error, _WRONG_FORM):
                    raise
                _log.info("no service behind the probe %s any more: %s", form.value, error)
                continue
            await self._remember(form)
            return address
        assert failure is not None  # noqa: S101 - the last form needs no answer
        raise failure

    async def _recalled(self) -> Form | None:
        """The form of an earlier run, if it is one of those that are allowed."""
        if self._memory is None or self._has_misled:
            return None
        name = await asyncio.to_thread(self._memory.recall, self._key)
        return next((form for form in self._forms if form.name == name), None)

    async def _remember(self, form: Form) -> None:
        if self._memory is not None and form is not self._answered:
            await asyncio.to_thread(self._memory.remember, self._key, form.name)
        self._answered = form

    @property
    def _key(self) -> str:
        return f"{self._server.host}:{self._server.port}"

    def _usual_endpoint(self) -> Endpoint:
        url = self._server.url(SERVER_PATH)
        return Endpoint(url, url)

    async def _probe(self, form: Form) -> Endpoint | None:
        try:
            match form:
                case Form.AT_SERVER_PATH:
                    return await self._probe_at(SERVER_PATH)
                case Form.AT_STABLE_PATH:
                    return await self._probe_at(STABLE_PATH)
                case Form.BY_DATAGRAM:
                    return await self._probe_by_datagram()
                case Form.NOT_AT_ALL:
                    return self._usual_endpoint()
        except _WRONG_FORM as error:
            _log.info("no answer to a probe %s: %s", form.value, error)
        except MessageError as error:
            _log.warning("an answer of %s to a probe is not believed: %s", self._server.host, error)
        return None

    async def _probe_at(self, path: str) -> Endpoint:
        def build(message_id: str) -> Message:
            return Message(discovery.render_probe(message_id), Operation.PROBE)

        answer = await soap.call(self._transport, self._server.url(path), build)
        matches = discovery.parse_probe_matches(answer)
        return discovery.choose(matches, self._server.host, await self._addresses())

    async def _probe_by_datagram(self) -> Endpoint | None:
        addresses = await self._addresses()
        for port in dict.fromkeys((self._server.port, DISCOVERY_PORT)):
            answer = await ask_by_datagram(addresses, port, self._transport.limits.datagram_s)
            if answer is not None:
                matches = discovery.parse_probe_matches(answer)
                return discovery.choose(matches, self._server.host, addresses)
        return None

    async def _addresses(self) -> list[str]:
        """The IP addresses of the server's name."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                self._server.host, self._server.port, type=socket.SOCK_DGRAM
            )
        except OSError as error:
            raise ServerUnreachable(
                f"the name of the scan server {self._server.host} is not known: {error.strerror}",
                "check ScanRepository and this device's DNS servers",
            ) from error
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    async def _processing_address(self, endpoint: Endpoint) -> str:
        def build(message_id: str) -> Message:
            return Message(metadata.render_get(endpoint.address, message_id), Operation.METADATA)

        answer = await soap.call(self._transport, endpoint.url, build)
        try:
            return metadata.processing_address(metadata.parse_get_response(answer), self._server.host)
        except MessageError as error:
            raise soap.unusable(error, self._server.host, Operation.METADATA) from error


async def ask_by_datagram(addresses: Iterable[str], port: int, wait_s: float) -> Answer | None:
    """Probe all ``addresses`` at ``port`` by UDP, twice, waiting ``wait_s`` each time; the first answer to it.

    Only what comes from one of the addresses and relates to the probe is an answer; its port does not matter.
    """
    message_id = soap.new_message_id()
    probe = discovery.render_probe(message_id)
    wanted = list(addresses)
    listener = _Listener(frozenset(wanted), message_id)
    with contextlib.ExitStack() as open_endpoints:
        endpoints = [(each, await _open_endpoint(listener, each, open_endpoints)) for each in wanted]
        for _ in range(_DATAGRAM_TRIES):
            for address, endpoint in endpoints:
                if endpoint is not None:
                    endpoint.sendto(probe, (address, port))
            await asyncio.wait([listener.answer], timeout=wait_s)
            if listener.answer.done():
                return listener.answer.result()
    return None


async def _open_endpoint(
    listener: _Listener, address: str, opened: contextlib.ExitStack
) -> asyncio.DatagramTransport | None:
    """A socket that is not connected: WSDAPI answers from another port than it was asked at."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        loop = asyncio.get_running_loop()
        endpoint, _ = await loop.create_datagram_endpoint(lambda: listener, family=family)
    except OSError:
        return None  # this machine has no such network
    opened.callback(endpoint.close)
    return endpoint


class _Listener(asyncio.DatagramProtocol):
    """Waits for the one datagram that answers; everything else on the network is passed over."""

    def __init__(self, addresses: frozenset[str], message_id: str) -> None:
        self._addresses = addresses
        self._message_id = message_id
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if addr[0] not in self._addresses or self.answer.done():
            return
        try:
            answer = envelope.parse_answer(data, request_id=self._message_id)
        except XmlError as error:
            _log.debug("a datagram from %s is no answer: %s", addr[0], error)
            return
        # Tolerated on a connection, but here anybody may have sent it.
        if answer.relates_to:
            self.answer.set_result(answer)
