"""Where scan servers push their events: an HTTP server of this device, with a secret path for each of them.

Who knows the path is believed, and may change what is displayed of a job, no more: an event deletes no page.
Source: WS-DSP, the sink; WS-Eventing (2004/08) 4; SOAP 1.2 part 2, 7 (one-way messages).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from dsm_device.errors import ConfigurationError
from dsm_device.wire import eventing
from dsm_device.wire.envelope import MAX_ANSWER_OCTETS
from dsm_device.wire.eventing import SubscriptionEnd
from dsm_device.wire.processing import JobStatus
from dsm_device.wire.xml import XmlError

if TYPE_CHECKING:
    from dsm_device.server.http_server import HttpServer

_log = logging.getLogger(__name__)

_FOLDER: Final = "/dsm/events/"
#: Octets of an unguessable path.
_SECRET_OCTETS: Final = 24

Told = JobStatus | SubscriptionEnd
Receiver = Callable[[Told], None]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """``host`` "" listens on every address of this machine, ``port`` 0 on any free port.

    With ``certificate`` and ``key`` (PEM files) it speaks HTTPS, else HTTP.
    """

    host: str = ""
    port: int = 0
    certificate: str = ""
    key: str = ""
    max_octets: int = MAX_ANSWER_OCTETS
    #: For a whole message from its first octet, however it trickles.
    message_s: float = 30.0
    #: More connections are answered with 503.
    connections: int = 128


class _TooLarge(Exception):
    """The body exceeds the limit."""


class _Gone(Exception):
    """The sender hung up in the middle."""


class EventSink:
    """Listens from :meth:`start` until :meth:`aclose`, in the loop that it was started in."""

    def __init__(self, options: SinkOptions | None = None) -> None:
        self._options = options or SinkOptions()
        self._receivers: dict[str, Receiver] = {}
        self._starting = asyncio.Lock()
        self._http: HttpServer | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Listens, where it does not yet. Raises :class:`ConfigurationError`."""
        async with self._starting:
            if self._http is not None:
                return
            from dsm_device.server.http_server import HttpServer  # noqa: PLC0415 - uvicorn takes its time to load

            listening = _listening(self._options)
            try:
                http = HttpServer(self, self._options, listening)
                await http.start()
            except BaseException:
                listening.close()
                raise
            self._port = listening.getsockname()[1]
            self._http = http
            _log.info("events are received on port %d (%s)", self._port, self.scheme)

    async def aclose(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    @property
    def scheme(self) -> str:
        return "https" if self._options.certificate else "http"

    @property
    def port(self) -> int:
        """Where it listens, 0 before it has been started."""
        return self._port

    def open(self, receiver: Receiver) -> str:
        """A fresh path that nobody can guess; what comes to it is read and given to ``receiver``."""
        path = _FOLDER + secrets.token_urlsafe(_SECRET_OCTETS)
        self._receivers[path] = receiver
        return path

    def close(self, path: str) -> None:
        """What comes to it from now on is answered with 404."""
        self._receivers.pop(path, None)

    def url(self, host: str, path: str) -> str:
        """``host`` is a name or an address by which the scan server reaches this machine, IPv6 in brackets."""
        return f"{self.scheme}://{host}:{self._port}{path}"

    # ------------------------------------------------------------------------------------------ ASGI

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """One request, as the ASGI specification (HTTP, 2.4) has it."""
        if scope["type"] != "http":
            return None
        receiver = self._receivers.get(scope["path"])
        if receiver is None:
            return await _answer(send, 404)
        if scope["method"] != "POST":
            return await _answer(send, 405, (b"allow", b"POST"))
        try:
            async with asyncio.timeout(self._options.message_s):
                body = await self._read(scope, receive)
        except TimeoutError:
            return await _answer(send, 408)
        except _TooLarge:
            return await _answer(send, 413)
        except _Gone:
            return None
        await _answer(send, 202)
        _process(receiver, body)
        return None

    async def _read(self, scope: _Message, receive: _Receive) -> bytes:
        stated = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not stated.isdigit() or int(stated[:20]) > self._options.max_octets:
            raise _TooLarge
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise _Gone
            body += message.get("body", b"")
            if len(body) > self._options.max_octets:
                raise _TooLarge
            if not message.get("more_body", False):
                return bytes(body)


async def _answer(send: _Send, status: int, *headers: tuple[bytes, bytes]) -> None:
    """Without a body; a refused message ends its connection, since the rest of it may still be coming."""
    ending = () if status == 202 else ((b"connection", b"close"),)
    fields = [(b"content-length", b"0"), *headers, *ending]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": b""})


def _process(receiver: Receiver, body: bytes) -> None:
    """The sender has its answer already: what cannot be read is nobody's trouble but ours."""
    try:
        told = eventing.parse_notification(body)
    except XmlError as error:
        _log.warning("an event of %d octets cannot be read and is dropped: %s", len(body), error)
        return
    receiver(told)


def _listening(options: SinkOptions) -> socket.socket:
    """IPv6 and IPv4 alike where no address is given. Raises :class:`ConfigurationError`."""
    try:
        if options.host:
            family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
            return socket.create_server((options.host, options.port), family=family)
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", options.port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", options.port))
    except OSError as error:
        raise ConfigurationError(
            f"events cannot be received on port {options.port}: {error.strerror or error}",
            "set scan_server.event_port to a free one, or to 0 for any",
        ) from error
