"""The proxy itself: the way in, and each line through it with its rate, its time of travel and its end."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import replace
from typing import Final

from dsm_sim.held_port import HeldPort, stop_accepting
from dsm_sim.network.behaviour import NetworkBehaviour, NetworkCounts

_HOST: Final = "127.0.0.1"
#: Small, so that a sender feels the rate of the line and not the size of buffers.
_BUFFER: Final = 65_536
#: Pieces of a line with a rate are so many seconds long.
_PIECE_S: Final = 0.05
#: How much may be under way on a line without a rate, in pieces.
_UNDER_WAY: Final = 64


class Proxy:
    """The way in, and all lines through it. The listening socket comes and goes."""

    def __init__(self, target_port: int | None) -> None:
        self.behaviour = NetworkBehaviour(down=True)
        self.target_port = target_port
        self.counts = NetworkCounts()
        #: Set while things come through.
        self.audible = asyncio.Event()
        self._held = HeldPort(_HOST, 0)
        self.port: int = self._held.number
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def behave(self, behaviour: NetworkBehaviour) -> None:
        self.behaviour = behaviour
        if behaviour.black_hole:
            self.audible.clear()
        else:
            self.audible.set()
        if behaviour.down:
            await self._hang_up()
        elif self._server is None:
            listening = self._held.listen(_BUFFER)
            self._server = await asyncio.start_server(self._connected, sock=listening, limit=_BUFFER)

    async def close(self) -> None:
        await self._hang_up()
        self._held.close()

    async def _hang_up(self) -> None:
        server, self._server = self._server, None
        if server:
            await stop_accepting(server)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if self._server is None or task is None:  # it came in while the network went down
            _reset(writer)
            return
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        self.counts = replace(self.counts, connections=self.counts.connections + 1)
        line = _Line(self, self.behaviour.cuts(self.counts.connections))
        with suppress(asyncio.CancelledError):  # hung up on
            await line.carry(reader, writer)


class _Cut(Exception):
    """The line is cut."""


class _Line:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, is_cut: bool) -> None:
        self._proxy = proxy
        self._is_cut = is_cut
        self._octets = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Returns, both sockets closed, when the line is done. One that breaks is reset on the client's side."""
        target: asyncio.StreamWriter | None = None
        is_whole = False
        try:
            self._check_cut()
            await self._be_silent()
            back, target = await asyncio.open_connection(_HOST, self._proxy.target_port or 0, limit=_BUFFER)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, target, is_to_server=True))
                both.create_task(self._pump(back, writer, is_to_server=False))
            is_whole = True
        except* (OSError, _Cut):
            pass  # whoever is left sees the reset
        finally:
            if target:
                target.close()
            if not is_whole:
                _reset(writer)
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_to_server: bool) -> None:
        """One way, to its end: what was read is written when its time of travel is over."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(self._capacity(is_to_server))
        async with asyncio.TaskGroup() as ends:
            ends.create_task(self._read(source, under_way, is_to_server))
            ends.create_task(self._write(sink, under_way, is_to_server))

    async def _read(
        self, source: asyncio.StreamReader, under_way: asyncio.Queue[tuple[float, bytes]], is_to_server: bool
    ) -> None:
        loop, data = asyncio.get_running_loop(), b"-"
        while data:
            data = await source.read(self._piece(is_to_server))
            await under_way.put((loop.time() + self._proxy.behaviour.latency_s, data))

    async def _write(
        self, sink: asyncio.StreamWriter, under_way: asyncio.Queue[tuple[float, bytes]], is_to_server: bool
    ) -> None:
        loop, free_at = asyncio.get_running_loop(), 0.0
        while True:
            due, data = await under_way.get()
            rate = self._rate(is_to_server)
            free_at = max(free_at, loop.time()) + (len(data) / rate if rate else 0.0)
            await asyncio.sleep(max(due, free_at if rate else due) - loop.time())
            await self._be_silent()
            if not data:
                break
            data = self._shortened(data)
            self._count(len(data), is_to_server)
            sink.write(data)
            await sink.drain()
            self._check_cut()
        if sink.can_write_eof():
            sink.write_eof()

    # ------------------------------------------------------------------------------------- behaviour

    def _rate(self, is_to_server: bool) -> int | None:
        behaviour = self._proxy.behaviour
        return behaviour.to_server_bytes_per_s if is_to_server else behaviour.to_client_bytes_per_s

    def _piece(self, is_to_server: bool) -> int:
        rate = self._rate(is_to_server)
        return _BUFFER if rate is None else max(1, min(_BUFFER, int(rate * _PIECE_S)))

    def _capacity(self, is_to_server: bool) -> int:
        if self._rate(is_to_server) is None:
            return _UNDER_WAY
        return 1 + int(self._proxy.behaviour.latency_s / _PIECE_S)

    async def _be_silent(self) -> None:
        await self._proxy.audible.wait()

    def _limit(self) -> int | None:
        return (self._proxy.behaviour.cut_after_bytes or 0) if self._is_cut else None

    def _shortened(self, data: bytes) -> bytes:
        limit = self._limit()
        return data if limit is None else data[: limit - self._octets]

    def _check_cut(self) -> None:
        limit, counts = self._limit(), self._proxy.counts
        if limit is not None and self._octets >= limit:
            self._proxy.counts = replace(counts, cut=counts.cut + 1)
            raise _Cut

    def _count(self, octets: int, is_to_server: bool) -> None:
        self._octets += octets
        counts = self._proxy.counts
        self._proxy.counts = replace(
            counts,
            to_server_bytes=counts.to_server_bytes + octets * is_to_server,
            to_client_bytes=counts.to_client_bytes + octets * (not is_to_server),
        )


def _reset(writer: asyncio.StreamWriter) -> None:
    """Lets the client see a reset instead of an orderly end."""
    endpoint = writer.get_extra_info("socket")
    if endpoint.fileno() >= 0:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
