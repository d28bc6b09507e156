"""uvicorn's HTTP/1.1 inside a loop that is somebody else's, for any ASGI application, closed against strangers.

What is uvicorn's: reading and writing HTTP (by h11), and ASGI. What is ours: who is let in, on which of a few
places, and how long everything may take. A connection is watched from its first moment to its last: whatever
should happen next has its time, and then the connection is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol
from uvicorn.server import ServerState

from dsm_device.server.asgi import CERTIFIED, Application, Message, Receive, Send, refuse
from dsm_device.server.networks import Networks, plain_host
from dsm_device.server.places import Place, PlaceLimits, Places
from dsm_device.server.tls import server_context

_log = logging.getLogger(__name__)

#: Chunks, or packets, of one body. Clients send some hundreds of octets in each at least.
_MAX_PIECES: Final = 1024
_NEVER_S: Final = 1_000_000
#: How long answers under way may take when the server stops.
_FAREWELL_S: Final = 1.0
#: How long a connection that was closed may take to bring its last octets to the client.
_LAST_OCTETS_S: Final = 5.0
#: Without a file descriptor left it makes no sense to try again at once.
_OUT_OF_FILES_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """Limits of one port. Source of the numbers: DPWS hosting."""

    networks: Networks = field(default_factory=Networks)
    places: PlaceLimits = field(default_factory=PlaceLimits)
    #: Request line and header fields of one request.
    head_octets: int = 8192
    #: From the connection, or the first octet of a later request, until its head is there; TLS has the same again.
    head_s: float = 10.0
    #: From the head until the answer is written. The application ends earlier what it can end in words.
    exchange_s: float = 60.0
    #: Between two requests.
    idle_s: float = 30.0
    certificate: str = ""
    key: str = ""
    client_ca: str = ""

    @property
    def scheme(self) -> str:
        return "https" if self.certificate else "http"


class HttpServer:
    """Serves ``application`` from :meth:`start` to :meth:`aclose` on ``listening``, which it closes in the end."""

    def __init__(
        self,
        application: Application,
        options: HttpOptions,
        listening: socket.socket,
        places: Places | None = None,
    ) -> None:
        """``places`` may be shared by several servers. Raises :class:`ConfigurationError` for the certificate."""
        self.options = options
        self.tls = (
            server_context(options.certificate, options.key, options.client_ca) if options.certificate else None
        )
        self.places = places or Places(options.places)
        self.state = ServerState()
        self.config = uvicorn.Config(
            _with_lawful_head(application, options.head_octets),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",  # that somebody sends nonsense is no news to anybody
            access_log=False,
            timeout_keep_alive=_NEVER_S,  # the watch over the connection does it, exactly
        )
        self.config.load()
        self._listening = listening
        self._arriving: set[asyncio.Task[None]] = set()
        self._trying_again: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    async def start(self) -> None:
        """Returns when connections are taken."""
        self._listening.setblocking(False)
        self._accept_connections()

    async def aclose(self) -> None:
        """Takes no more connections and ends those there are, within two seconds."""
        self._accept_no_connections()
        await _cancelled(list(self._arriving))
        self._listening.close()
        connections = [each for each in self.state.connections if isinstance(each, Connection)]
        for connection in connections:
            connection.shutdown()
        if self.state.tasks:
            await asyncio.wait(set(self.state.tasks), timeout=_FAREWELL_S)
        await _cancelled(list(self.state.tasks))
        for connection in connections:
            connection.transport.abort()

    # ----------------------------------------------------------------------------------------- arrivals

    def _accept_connections(self) -> None:
        self._trying_again = None
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept_no_connections(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listening)
        if self._trying_again is not None:
            self._trying_again.cancel()

    def _accept(self) -> None:
        """One connection that is there."""
        try:
            connection, address = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # it has gone again
        except OSError as error:
            _log.warning("no connection can be taken: %s", error.strerror or error)
            self._accept_no_connections()
            self._trying_again = asyncio.get_running_loop().call_later(_OUT_OF_FILES_S, self._accept_connections)
            return
        connection.setblocking(False)
        self._let_in(connection, plain_host(address[0]))

    def _let_in(self, connection: socket.socket, host: str) -> None:
        """Before anything is read of it."""
        if not self.options.networks.allow(host):
            _log.info("%s is in none of the networks that may come", host)
            connection.close()
            return
        # asyncio does so only for sockets that were made with the protocol's number, which this one was not. An
        # answer is written in two parts, of which the second would wait for the client's delayed ACK, 40 ms.
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        place = self.places.take(host)
        if place is None:
            _log.info("there is no place for another connection of %s", host)
            _turn_away(connection, in_words=self.tls is None)
            return
        task = asyncio.create_task(self._take(connection, place))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _take(self, connection: socket.socket, place: Place) -> None:
        limit_s = self.options.head_s if self.tls else None
        ending_s = _LAST_OCTETS_S if self.tls else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Connection(self, place),
                connection,
                ssl=self.tls,
                ssl_handshake_timeout=limit_s,
                ssl_shutdown_timeout=ending_s,
            )
        except OSError as error:  # ssl.SSLError and TimeoutError are among them
            _log.debug("%s did not get as far as a request: %s", place.host, error)
            place.leave()
            connection.close()
        except BaseException:
            place.leave()
            connection.close()
            raise


class _FewPieces(h11.Connection):
    """Reads no body that comes in crumbs: each chunk costs as much as a small request, whatever is in it."""

    _pieces = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = 0
        elif isinstance(event, h11.Data):
            self._pieces += 1
            if self._pieces > _MAX_PIECES:
                raise h11.RemoteProtocolError("a body in too many pieces", error_status_hint=413)
        return event


class Connection(H11Protocol):
    """One connection, always with a time for what should happen next."""

    def __init__(self, server: HttpServer, place: Place) -> None:
        self._certified = {CERTIFIED: False}
        super().__init__(server.config, server.state, self._certified)
        self.conn = _FewPieces(h11.SERVER, server.options.head_octets)
        self._options = server.options
        self._place = place
        self._watch: asyncio.TimerHandle | None = None
        self._is_idle = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._certified[CERTIFIED] = bool(transport.get_extra_info("peercert"))
        self._expect_within(self._options.head_s)

    def data_received(self, data: bytes) -> None:
        if self._is_idle:
            self._is_idle = False
            self._place.busy()
            self._expect_within(self._options.head_s)
        was_in_exchange = self._is_in_exchange
        super().data_received(data)
        if self._is_in_exchange and not was_in_exchange:
            self._expect_within(self._options.exchange_s)

    def handle_events(self) -> None:
        # What the answer to a request says of the time, should there be one.
        self.server_state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        super().handle_events()

    def eof_received(self) -> bool:  # type: ignore[override]
        """True where the client only has no more to say, but waits for its answer."""
        if self._is_in_exchange and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return self.scheme == "http"  # TLS 1.2 knows no half of a connection
        return False

    def on_response_complete(self) -> None:
        super().on_response_complete()  # the next request may have been waiting, and is then begun
        if self.transport.is_closing():
            self._expect_within(_LAST_OCTETS_S)
        elif self._is_in_exchange:
            self._expect_within(self._options.exchange_s)
        elif self.conn.trailing_data[0]:
            self._expect_within(self._options.head_s)
        else:
            self._is_idle = True
            self._place.idle(self._close)
            self._expect_within(self._options.idle_s, self._close)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are not needed
        """For what is no HTTP, without a word: called where h11's error is being handled."""
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            fields = [*self.server_state.default_headers, (b"content-length", b"0"), (b"connection", b"close")]
            response = h11.Response(status_code=status, headers=fields, reason=STATUS_PHRASES[status])
            self.transport.write(self.conn.send(response) or b"")
            self.transport.write(self.conn.send(h11.EndOfMessage()) or b"")
        self.transport.close()
        self._expect_within(_LAST_OCTETS_S)

    def shutdown(self) -> None:
        with contextlib.suppress(h11.LocalProtocolError):
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._unset_keepalive_if_required()
        self._place.leave()
        super().connection_lost(exc)

    @property
    def _is_in_exchange(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_within(self, limit_s: float, otherwise: Callable[[], None] | None = None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self.loop.call_later(limit_s, otherwise or self._cut)

    def _cut(self) -> None:
        """Not closed, which would wait for a client that does not read."""
        self._watch = None
        self.transport.abort()

    def _close(self) -> None:
        """With what is still to be written, if the client takes it soon."""
        self.transport.close()
        self._expect_within(_LAST_OCTETS_S)


# ------------------------------------------------------------------------------------------------ heads


def _with_lawful_head(application: Application, head_octets: int) -> Application:
    """``application``, called for requests only of which everybody on the way reads the same.

    h11 refuses most that is unlawful. Left to us: a head that came in one piece may have any size, and a version
    be any; a length beside chunks, and chunks in HTTP/1.0, which RFC 9112 (6.1, 6.3) lets a server refuse since
    smuggled requests use them.
    """

    async def lawful(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status = _unlawful(scope, head_octets)
        if status:
            await refuse(receive, send, status)
        else:
            await application(scope, receive, send)

    return lawful


def _unlawful(scope: Message, head_octets: int) -> int:
    """The status for a head that is not taken, 0 for one that is."""
    fields: list[tuple[bytes, bytes]] = scope["headers"]
    line = f"{scope['method']} {scope['raw_path'].decode()}?{scope['query_string'].decode()} HTTP/1.1"
    size = sum(len(name) + len(value) + 4 for name, value in fields) + len(line) + 4
    if size > head_octets:
        return 431
    if scope["http_version"] not in ("1.0", "1.1"):
        return 505
    names = {name for name, _ in fields}
    if b"transfer-encoding" in names and (b"content-length" in names or scope["http_version"] != "1.1"):
        return 400
    return 0


# --------------------------------------------------------------------------------------------- sockets


def _turn_away(connection: socket.socket, *, in_words: bool) -> None:
    """What is so short is always taken by a new connection; who is gone already misses nothing."""
    with connection, contextlib.suppress(OSError):
        if in_words:
            connection.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for each in tasks:
        each.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_FAREWELL_S)
