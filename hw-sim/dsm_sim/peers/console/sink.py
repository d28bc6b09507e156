"""Where events arrive: an HTTP server of the console's own.

Source: WS-Eventing (2004/08) 2 (push delivery); SOAP 1.2 Part 2, 7.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self

import h11

from dsm_sim.peers.console.errors import ConsoleError
from dsm_sim.peers.console.options import ConsoleOptions
from dsm_sim.peers.console.transport import host_of, is_loopback

#: More than any event is long; the connection is closed here.
_CAP_OCTETS: Final = 1_048_576
_READ_OCTETS: Final = 65_536
_IDLE_S: Final = 300.0
#: Takes content type and body of a POST, returns the HTTP status to answer with.
Receive = Callable[[str, bytes], int]


@dataclass
class Sink:
    """``async with Sink(host) as sink``; entering raises ConsoleError where the address cannot be bound."""

    host: str
    port: int = 0
    _receivers: dict[str, Receive] = field(default_factory=dict)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(self._connected, self.host, self.port)
        except OSError as error:
            raise ConsoleError(f"cannot listen for events on {self.host}: {error.strerror or error}") from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def open(self, path: str, receive: Receive) -> str:
        """The URL under which ``receive`` is called from now on."""
        self._receivers[path] = receive
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}{path}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this in a task
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            with suppress(OSError, TimeoutError, h11.ProtocolError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        while True:
            request, body = await self._request(connection, reader)
            if request is None:
                return
            writer.write(_answer(connection, self._status(request, body)))
            await writer.drain()
            if connection.our_state is h11.MUST_CLOSE:
                return
            connection.start_next_cycle()

    async def _request(
        self, connection: h11.Connection, reader: asyncio.StreamReader
    ) -> tuple[h11.Request | None, bytes]:
        """A whole request; None where the peer is done."""
        request: h11.Request | None = None
        body = bytearray()
        while len(body) <= _CAP_OCTETS:
            event = connection.next_event()
            match event:
                case h11.NEED_DATA:
                    connection.receive_data(await asyncio.wait_for(reader.read(_READ_OCTETS), _IDLE_S))
                case h11.Request():
                    request = event
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage():
                    return request, bytes(body)
                case _:
                    return None, b""
        return None, b""

    def _status(self, request: h11.Request, body: bytes) -> int:
        receive = self._receivers.get(request.target.decode("ascii", "replace"))
        if receive is None:
            return 404
        headers = {name: value.decode("latin-1") for name, value in request.headers}
        return receive(headers.get(b"content-type", ""), body) if request.method == b"POST" else 405


def _answer(connection: h11.Connection, status: int) -> bytes:
    response = connection.send(h11.Response(status_code=status, headers=[("Content-Length", "0")]))
    return (response or b"") + (connection.send(h11.EndOfMessage()) or b"")


def sink_host(options: ConsoleOptions, device_url: str) -> str:
    """The address to listen on for events of this device. Raises :class:`ConsoleError`."""
    device = host_of(device_url)
    if options.sink_host:
        return options.sink_host
    if is_loopback(device):
        return "::1" if ":" in device else "127.0.0.1"
    if not options.is_network_allowed:
        raise ConsoleError(f"{device} cannot send events to loopback: allow the network or name an address")
    return _facing_address(device)


def _facing_address(device: str) -> str:
    """This machine's address on the way to the device; nothing is sent."""
    try:
        family, _, _, _, address = socket.getaddrinfo(device, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.connect(address)
            return str(udp.getsockname()[0])
    except OSError as error:
        raise ConsoleError(f"there is no way to {device}: {error.strerror or error}") from error
