"""UDP sockets for discovery: one that asks on each interface and address family, one that hears multicasts.

Source: SOAP-over-UDP; WS-Discovery (2005/04) 2.4; DPWS 1.0, appendix I.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from dsm_sim.peers.console.errors import ConsoleError
from dsm_sim.peers.console.options import DiscoveryOptions
from dsm_sim.peers.console.transport import is_loopback

#: linux/in.h: 0 keeps groups away that other programs of this machine have joined on other interfaces.
_IP_MULTICAST_ALL: Final = 49
_LOOPBACK: Final = "lo"

_Made = TypeVar("_Made")
Address = tuple[str, int] | tuple[str, int, int, int]
#: Called with the octets and the sender's IP address.
Receive = Callable[[bytes, str], None]


@dataclass(frozen=True, slots=True)
class Route:
    """A socket that asks, and whom."""

    socket: socket.socket
    to: Address
    #: For people: ``eth0 IPv4``.
    name: str


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._receive(data, addr[0].partition("%")[0])


async def listen(udp: socket.socket, receive: Receive) -> asyncio.DatagramTransport:
    """Hands each datagram to ``receive`` until the transport is closed."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Protocol(receive), sock=udp)
    return transport


def multicast_routes(options: DiscoveryOptions) -> list[Route]:
    """A route for each interface and address family that works. Raises :class:`ConsoleError` if none does."""
    routes = list(_each(options, _ipv4_route, _ipv6_route))
    if not routes:
        raise ConsoleError(f"no multicast on {', '.join(options.interfaces)}: name another interface")
    return routes


def unicast_route(host: str, port: int) -> Route:
    """A route to one IP address."""
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    with _new_socket(family) as udp:
        if is_loopback(host):
            udp.bind((host, 0))
    return Route(udp, (host, port), host)


def group_sockets(options: DiscoveryOptions) -> list[socket.socket]:
    """A socket that hears the group, for each interface and address family that works. Raises ConsoleError."""
    try:
        sockets = list(_each(options, _ipv4_group, _ipv6_group))
    except PermissionError as error:
        raise ConsoleError(f"cannot listen on UDP port {options.port}: {error.strerror}") from error
    if not sockets:
        raise ConsoleError(f"cannot listen for multicasts on {', '.join(options.interfaces)}, port {options.port}")
    return sockets


def _each(options: DiscoveryOptions, *makers: Callable[[DiscoveryOptions, str, int], _Made]) -> Iterator[_Made]:
    for interface in options.interfaces:
        try:
            index = socket.if_nametoindex(interface)
        except OSError as error:
            raise ConsoleError(f"there is no network interface {interface!r}") from error
        for make in makers:
            # An interface without addresses of a family is nothing wrong.
            with suppress(OSError):
                yield make(options, interface, index)


def _ipv4_route(options: DiscoveryOptions, interface: str, index: int) -> Route:
    with _new_socket(socket.AF_INET) as udp:
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _membership("0.0.0.0", index))  # noqa: S104 - any
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        udp.bind(("127.0.0.1" if interface == _LOOPBACK else "", 0))
    return Route(udp, (options.group_ipv4, options.port), f"{interface} IPv4")


def _ipv6_route(options: DiscoveryOptions, interface: str, index: int) -> Route:
    """Linux routes no IPv6 multicast over loopback, so that this machine is asked by unicast there."""
    is_loopback = interface == _LOOPBACK
    with _new_socket(socket.AF_INET6) as udp:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
        udp.bind(("::1" if is_loopback else "::", 0))
    to: Address = ("::1", options.port) if is_loopback else (options.group_ipv6, options.port, 0, index)
    return Route(udp, to, f"{interface} IPv6")


def _ipv4_group(options: DiscoveryOptions, _interface: str, index: int) -> socket.socket:
    with _new_socket(socket.AF_INET) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        # To the group, not to any address: nothing but multicasts is heard, and only those of this interface.
        udp.bind((options.group_ipv4, options.port))
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _membership(options.group_ipv4, index))
    return udp


def _ipv6_group(options: DiscoveryOptions, _interface: str, index: int) -> socket.socket:
    with _new_socket(socket.AF_INET6) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.bind((options.group_ipv6, options.port, 0, index))
        group = socket.inet_pton(socket.AF_INET6, options.group_ipv6)
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("@I", index))
    return udp


def _membership(group: str, index: int) -> bytes:
    """struct ip_mreqn of linux/in.h."""
    return struct.pack("=4s4si", socket.inet_aton(group), b"", index)


@contextmanager
def _new_socket(family: socket.AddressFamily) -> Iterator[socket.socket]:
    """A datagram socket that stays open unless setting it up fails."""
    udp = socket.socket(family, socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        yield udp
    except OSError:
        udp.close()
        raise
