"""Where scan servers push their events: a secret path for each of them, behind a port of this device.

Who knows the path is believed, and may change what is displayed of a job, no more: an event deletes no page.
Source: WS-DSP, the sink; WS-Eventing (2004/08) 4; SOAP 1.2 part 2, 7 (one-way messages).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from dsm_device.server.asgi import Gone, Message, Receive, Send, TooLarge, TooSlow, answer, read_body, refuse
from dsm_device.server.listening import listen
from dsm_device.wire import eventing
from dsm_device.wire.envelope import MAX_ANSWER_OCTETS
from dsm_device.wire.eventing import SubscriptionEnd
from dsm_device.wire.processing import JobStatus
from dsm_device.wire.xml import XmlError

if TYPE_CHECKING:
    from dsm_device.server.http_server import HttpServer

_log = logging.getLogger(__name__)

#: All paths of the sink begin with it.
FOLDER: Final = "/dsm/events/"
#: Octets of an unguessable path.
_SECRET_OCTETS: Final = 24

Told = JobStatus | SubscriptionEnd
Receiver = Callable[[Told], None]


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
    #: For a head and for a body, each from its first octet, however they trickle.
    message_s: float = 15.0
    #: For a port of its own. A few scan servers, with a connection for each event where they know no better.
    connections: int = 128


class EventSink:
    """An ASGI application. It stands behind a port of somebody else's (:meth:`served_at`), or has its own.

    Its own port is there from :meth:`start` until :meth:`aclose`, in the loop that it was started in.
    """

    def __init__(self, options: SinkOptions | None = None) -> None:
        self._options = options or SinkOptions()
        self._receivers: dict[str, Receiver] = {}
        self._starting = asyncio.Lock()
        self._http: HttpServer | None = None
        self._scheme = "https" if self._options.certificate else "http"
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def served_at(self, scheme: str, port: int) -> None:
        """Requests for its paths come to it from somebody who listens there; it needs no port of its own."""
        self._scheme, self._port = scheme, port

    async def start(self) -> None:
        """Listens, where nobody does yet. Raises :class:`ConfigurationError`."""
        async with self._starting:
            if self._port:
                return
            await asyncio.to_thread(import_module, "dsm_device.server.http_server")  # uvicorn takes its time
            from dsm_device.server.http_server import HttpOptions, HttpServer  # noqa: PLC0415
            from dsm_device.server.places import PlaceLimits  # noqa: PLC0415

            options = self._options
            http_options = HttpOptions(
                places=PlaceLimits(options.connections, options.connections),
                head_s=options.message_s,
                exchange_s=2 * options.message_s + 1,
                certificate=options.certificate,
                key=options.key,
            )
            listening = listen(options.host, options.port, "scan_server.event_port")
            try:
                http = HttpServer(self, http_options, listening)
                await http.start()
            except BaseException:
                listening.close()
                raise
            self._http, self._port = http, http.port
            _log.info("events are received on port %d (%s)", self._port, self._scheme)

    async def aclose(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    @property
    def scheme(self) -> str:
        return self._scheme

    @property
    def port(self) -> int:
        """Where it listens, 0 before it has been started."""
        return self._port

    def open(self, receiver: Receiver) -> str:
        """A fresh path that nobody can guess; what comes to it is read and given to ``receiver``."""
        path = FOLDER + secrets.token_urlsafe(_SECRET_OCTETS)
        self._receivers[path] = receiver
        return path

    def close(self, path: str) -> None:
        """What comes to it from now on is answered with 404."""
        self._receivers.pop(path, None)

    def url(self, host: str, path: str) -> str:
        """``host`` is a name or an address by which the scan server reaches this machine, IPv6 in brackets."""
        return f"{self.scheme}://{host}:{self._port}{path}"

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        receiver = self._receivers.get(scope["path"])
        if receiver is None:
            return await refuse(receive, send, 404)
        if scope["method"] != "POST":
            return await refuse(receive, send, 405, (b"allow", b"POST"))
        options = self._options
        try:
            body = await read_body(scope, receive, max_octets=options.max_octets, limit_s=options.message_s)
        except TooSlow:
            return await refuse(receive, send, 408)
        except TooLarge:
            return await refuse(receive, send, 413)
        except Gone:
            return None
        await answer(send, 202)
        _process(receiver, body)
        return None


def _process(receiver: Receiver, body: bytes) -> None:
    """The sender has its answer already: what cannot be read is nobody's trouble but ours."""
    try:
        told = eventing.parse_notification(body)
    except XmlError as error:
        _log.warning("an event of %d octets cannot be read and is dropped: %s", len(body), error)
        return
    receiver(told)
