"""The server's sockets: TCP and UDP under one port number, and the addresses they are reached by."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Final, cast

from dsm_sim.peers.scan_server.options import ScanServerOptions

LOOPBACK_ADDRESSES: Final = ("127.0.0.1", "::1")
#: Small, so that a slow reader is felt by the sender and not swallowed by buffers.
SLOW_BUFFER: Final = 65_536
_PORT_TRIES: Final = 20


class Datagrams(asyncio.DatagramProtocol):
    """Answers probes that come by UDP."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance check: asyncio's own datagram transport is no subclass of this before Python 3.13.
        self._transport = cast("asyncio.DatagramTransport", transport)

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


def bind_sockets(options: ScanServerOptions) -> tuple[socket.socket, socket.socket | None]:
    """A TCP and, unless switched off, a UDP socket of the same port number. Raises OSError."""
    for _ in range(_PORT_TRIES):
        tcp = _tcp_socket(options)
        if not options.probe_by_udp:
            return tcp, None
        try:
            return tcp, _udp_socket(options.host, tcp.getsockname()[1])
        except OSError:
            tcp.close()
            if options.port:
                raise
    raise OSError(f"no port is free for both TCP and UDP on {options.host}")


def _tcp_socket(options: ScanServerOptions) -> socket.socket:
    tcp = socket.socket(_family(options.host), socket.SOCK_STREAM)
    try:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.read_rate:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
        tcp.bind((options.host, options.port))
        tcp.listen(128)
    except OSError:
        tcp.close()
        raise
    return tcp


def _udp_socket(host: str, port: int) -> socket.socket:
    udp = socket.socket(_family(host), socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        udp.bind((host, port))
    except OSError:
        udp.close()
        raise
    return udp


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
