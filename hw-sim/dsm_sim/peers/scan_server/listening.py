"""One span of time in which a server listens, from its sockets' opening to the death of the last connection."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Self

from dsm_sim.held_port import stop_accepting
from dsm_sim.peers.scan_server.connection import READ_OCTETS, Connection, Listener
from dsm_sim.peers.scan_server.report import Traffic
from dsm_sim.peers.scan_server.site import Site
from dsm_sim.peers.scan_server.sockets import SLOW_BUFFER, Datagrams, Port


class Listening:
    """Made by :meth:`begin`; over with :meth:`end`, after which nobody is served any more."""

    def __init__(self, listener: Listener, traffic: Traffic) -> None:
        self._listener = listener
        self._traffic = traffic
        self._connections: set[asyncio.Task[None]] = set()
        self._is_over = False
        self._server: asyncio.Server | None = None
        self._datagrams: Datagrams | None = None

    @classmethod
    async def begin(
        cls, port: Port, site: Site, tls: ssl.SSLContext, listener: Listener, traffic: Traffic
    ) -> Self:
        """Raises OSError where the port is taken."""
        listening = cls(listener, traffic)
        limit = SLOW_BUFFER if listener.read_rate else READ_OCTETS
        udp, tcp = port.udp(), port.tcp(SLOW_BUFFER if listener.read_rate else None)
        listening._server = await asyncio.start_server(listening._connected, sock=tcp, ssl=tls, limit=limit)
        if udp:
            loop = asyncio.get_running_loop()
            _, listening._datagrams = await loop.create_datagram_endpoint(
                lambda: Datagrams(site.datagram), sock=udp
            )
        return listening

    async def end(self) -> None:
        """Closes the sockets and breaks off every connection."""
        self._is_over = True
        if self._server:
            await stop_accepting(self._server)
        if self._datagrams:
            await self._datagrams.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if self._is_over or task is None:  # its handshake was under way at the end
            writer.transport.abort()
            return
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        self._traffic.connections += 1
        with suppress(asyncio.CancelledError):  # the server stops
            await Connection(reader, writer, self._listener).serve()
