"""The server's sockets: TCP and UDP under one port number, and the addresses they are reached by."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Final, cast

from dsm_sim.held_port import HeldPort, family

LOOPBACK_ADDRESSES: Final = ("127.0.0.1", "::1")
#: Small, so that a slow reader is felt by the sender and not swallowed by buffers.
SLOW_BUFFER: Final = 65_536
_PORT_TRIES: Final = 20


class Datagrams(asyncio.DatagramProtocol):
    """Answers probes that come by UDP."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None
        self._is_gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance check: asyncio's own datagram transport is no subclass of this before Python 3.13.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._is_gone.set()

    async def close(self) -> None:
        """Returns when the port is free again."""
        if self._transport:
            self._transport.close()
            await self._is_gone.wait()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data)
        if answer and self._transport:
            self._transport.sendto(answer, addr)


def own_addresses(host: str) -> tuple[str, ...]:
    """The IP addresses that the server's certificate is also good for."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return LOOPBACK_ADDRESSES
    if address.is_unspecified or address.is_loopback:
        return LOOPBACK_ADDRESSES
    return (*LOOPBACK_ADDRESSES, str(address))


class Port:
    """A port number of a server, its own from here to :meth:`close`, also while nothing listens there.

    Raises OSError where the number cannot be had for TCP, and for UDP where ``has_udp``.
    """

    def __init__(self, host: str, number: int, *, has_udp: bool) -> None:
        self._host = host
        self._has_udp = has_udp
        self._tcp, self._first_udp = self._take(number)
        self.number: int = self._tcp.number

    def tcp(self, receive_buffer: int | None) -> socket.socket:
        """A listening socket; ``receive_buffer`` in octets, None for the system's choice."""
        return self._tcp.listen(receive_buffer)

    def udp(self) -> socket.socket | None:
        udp, self._first_udp = self._first_udp, None
        return udp or (_bound_udp(self._host, self.number) if self._has_udp else None)

    def close(self) -> None:
        self._tcp.close()
        if self._first_udp:
            self._first_udp.close()

    def _take(self, number: int) -> tuple[HeldPort, socket.socket | None]:
        for _ in range(_PORT_TRIES):
            tcp = HeldPort(self._host, number)
            if not self._has_udp:
                return tcp, None
            try:
                return tcp, _bound_udp(self._host, tcp.number)
            except OSError:
                tcp.close()
                if number:
                    raise
        raise OSError(f"no port is free for both TCP and UDP on {self._host}")


def _bound_udp(host: str, number: int) -> socket.socket:
    udp = socket.socket(family(host), socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        udp.bind((host, number))
    except OSError:
        udp.close()
        raise
    return udp
