"""The addresses that this machine has now, on interfaces that are up, and being told when that changes.

ifaddr lists them (getifaddrs by ctypes: pure Python, typed; zeroconf rests on it). It knows nothing of the state
of an interface, which is asked for here. Changes are told by the kernel (rtnetlink(7)); what they say is not read:
each one means to look again. So there is no second account of the network that could come to disagree.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import ipaddress
import logging
import os
import socket
import struct
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import ifaddr

_log = logging.getLogger(__name__)

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_SIOCGIFFLAGS: Final = 0x8913
#: IFF_UP and IFF_RUNNING: switched on, and its cable or radio has a peer.
_ALIVE: Final = 0x1 | 0x40
#: RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
_GROUPS: Final = 0x1 | 0x10 | 0x100
_MESSAGE_OCTETS: Final = 65_536


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An address of this machine."""

    ip: IpAddress
    network: IpNetwork
    interface: str
    index: int

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET if self.ip.version == 4 else socket.AF_INET6

    @property
    def host(self) -> str:
        """As the host part of a URL: IPv6 in brackets, without the zone."""
        return f"[{self.ip}]" if self.ip.version == 6 else str(self.ip)

    @property
    def socket_address(self) -> tuple[str, int] | tuple[str, int, int, int]:
        """Where a socket is bound for it, with port 0."""
        if self.ip.version == 4:
            return (str(self.ip), 0)
        return (str(self.ip), 0, 0, self.index if self.ip.is_link_local else 0)


def read_addresses(chosen: Collection[str] = ()) -> tuple[InterfaceAddress, ...]:
    """The addresses of all interfaces that are up, or of those in ``chosen``, in the kernel's order.

    An interface that cannot be asked is left out. Nothing is raised: without a network there are none.
    """
    try:
        adapters = list(ifaddr.get_adapters())
    except (OSError, AssertionError, ValueError) as error:  # what its code raises for odd interfaces
        _log.warning("the network interfaces cannot be listed: %s", error)
        return ()
    return tuple(
        address
        for adapter in adapters
        if (name := adapter.name.partition(":")[0]) in chosen or not chosen  # "eth0:1" is a label of eth0
        if _is_alive(name)
        for address in _addresses_of(name, adapter)
    )


def _addresses_of(name: str, adapter: ifaddr.Adapter) -> Iterator[InterfaceAddress]:
    with suppress(OSError):  # it is gone already
        index = socket.if_nametoindex(name)
        for each in adapter.ips:
            text = each.ip[0] if isinstance(each.ip, tuple) else each.ip
            network = ipaddress.ip_network(f"{text}/{each.network_prefix}", strict=False)
            yield InterfaceAddress(ipaddress.ip_address(text), network, name, index)


def _is_alive(interface: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            answer = fcntl.ioctl(asked, _SIOCGIFFLAGS, struct.pack("16sH14x", os.fsencode(interface)[:15], 0))
        except OSError:
            return False
    return int(struct.unpack("16xH14x", answer)[0]) & _ALIVE == _ALIVE


class AddressWatch:
    """Calls ``changed`` in the running loop after each change of interfaces or addresses, from open to close."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._socket: socket.socket | None = None

    def open(self) -> bool:
        """Whether the kernel tells; it does not where a sandbox forbids such sockets."""
        told = None
        try:
            told = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
            told.setblocking(False)
            told.bind((0, _GROUPS))
        except OSError as error:
            _log.warning("the kernel does not tell of changed addresses (%s): they are looked for", error.strerror)
            if told is not None:
                told.close()
            return False
        self._socket = told
        asyncio.get_running_loop().add_reader(told, self._read, told)
        return True

    def _read(self, told: socket.socket) -> None:
        while True:
            try:
                told.recv(_MESSAGE_OCTETS)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # there were more changes than fit: look again all the same
                    _log.warning("the kernel does not tell of changed addresses any more: %s", error.strerror)
                    self.close()
                    return
        self._changed()

    def close(self) -> None:
        told, self._socket = self._socket, None
        if told is not None:
            asyncio.get_running_loop().remove_reader(told)
            told.close()
