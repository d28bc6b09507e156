"""UDP sockets of WS-Discovery: one that hears the group in each family, and one for each address of this machine.

Sources: SOAP-over-UDP; ip(7), ipv6(7), linux/in.h. The ports are shared (SO_REUSEADDR and SO_REUSEPORT): a
multicast reaches every program that listens. A datagram to one address reaches the socket that is bound to just
this address, which is why there is one for each; it also sends what comes from this address.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from dsm_device.server.discovery.interfaces import InterfaceAddress, IpAddress

#: Multicasts stay on the link.
_HOPS: Final = 1
#: What is larger is no message of ours (DPWS 1.0, appendix I, MAX_ENVELOPE_SIZE); one octet more shows it.
DATAGRAM_OCTETS: Final = 32_767
_ANCILLARY_OCTETS: Final = socket.CMSG_SPACE(64)
#: linux/in.h and linux/in6.h, where the socket module has no name for them.
_IP_PKTINFO: Final = 8
_IP_MULTICAST_ALL: Final = 49
_IPV6_MULTICAST_ALL: Final = 29

SocketAddress = tuple[str, int] | tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class Datagram:
    """``data`` as it came from ``sender`` to the address ``to`` on the interface ``index``."""

    data: bytes
    sender: SocketAddress
    to: IpAddress
    index: int

    @property
    def source(self) -> IpAddress:
        return ipaddress.ip_address(self.sender[0].partition("%")[0])


def open_group(family: socket.AddressFamily, port: int) -> socket.socket:
    """Hears the groups that it is made to join, and what goes to any address. Raises OSError."""
    with _new_socket(family) as udp:
        if family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            udp.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        else:
            udp.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        udp.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))  # noqa: S104 - filtered by interface
    return udp


def join(udp: socket.socket, group: str, index: int) -> None:
    """Hear ``group`` on the interface ``index``. Raises OSError."""
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, _membership(group, index))
    else:
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _membership(group, index))


def leave(udp: socket.socket, group: str, index: int) -> None:
    """Raises OSError, as it must where the interface is no more."""
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, _membership(group, index))
    else:
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, _membership(group, index))


def open_address(address: InterfaceAddress, port: int) -> socket.socket:
    """Sends from, and hears what goes to, this one address. Raises OSError."""
    with _new_socket(address.family) as udp:
        if address.family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, address.index)
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
        else:
            outgoing = struct.pack("@4s4si", b"", address.ip.packed, address.index)
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, outgoing)
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _HOPS)
        host, _, *scope = address.socket_address
        udp.bind((host, port, *scope))
    return udp


def group_address(group: str, port: int, address: InterfaceAddress) -> SocketAddress:
    """Where a multicast from ``address`` goes."""
    return (group, port, 0, address.index) if address.family == socket.AF_INET6 else (group, port)


def receive(udp: socket.socket) -> Datagram | None:
    """The next datagram; None where it is too large or says nothing of where it came in.

    Raises :class:`BlockingIOError` where there is none, and OSError.
    """
    data, ancillary, flags, sender = udp.recvmsg(DATAGRAM_OCTETS, _ANCILLARY_OCTETS)
    if flags & socket.MSG_TRUNC:
        return None
    for level, kind, content in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO) and len(content) >= 12:
            index, _, to = struct.unpack_from("@i4s4s", content)
            return Datagram(data, sender, ipaddress.IPv4Address(to), index)
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) and len(content) >= 20:
            to, index = struct.unpack_from("@16si", content)
            return Datagram(data, sender, ipaddress.IPv6Address(to), index)
    return None


def _membership(group: str, index: int) -> bytes:
    """struct ip_mreqn of linux/in.h, struct ipv6_mreq of linux/in6.h."""
    address = ipaddress.ip_address(group)
    if address.version == 6:
        return struct.pack("@16si", address.packed, index)
    return struct.pack("@4s4si", address.packed, b"", index)


@contextmanager
def _new_socket(family: socket.AddressFamily) -> Iterator[socket.socket]:
    """One that stays open unless setting it up fails."""
    udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        udp.setblocking(False)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        yield udp
    except OSError:
        udp.close()
        raise
