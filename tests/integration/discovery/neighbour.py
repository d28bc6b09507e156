"""A machine on the device's network that asks and listens; written against the specification, not with our code.

As a program it takes orders on standard input, and prints a JSON line for each datagram that comes in:

    python neighbour.py INTERFACE PORT         then: probe 4 · probe 6 · ask ADDRESS · resolve 4 URN
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

GROUPS = {4: "239.255.255.250", 6: "ff02::c"}
WSD = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
ANYBODY = "<d:Probe><d:Types>w:ScanDeviceType</d:Types></d:Probe>"


def message(body: str = ANYBODY, action: str = "Probe", message_id: str = "") -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:d="' + WSD + '" '
        'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
        'xmlns:w="http://schemas.microsoft.com/windows/2006/08/wdp/scan"><s:Header>'
        "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
        f"<a:Action>{WSD}/{action}</a:Action><a:MessageID>{message_id or uuid.uuid4().urn}</a:MessageID>"
        f"</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def resolve(endpoint: str) -> bytes:
    address = f"<a:EndpointReference><a:Address>{endpoint}</a:Address></a:EndpointReference>"
    return message(f"<d:Resolve>{address}</d:Resolve>", "Resolve")


@dataclass(frozen=True)
class Heard:
    """A datagram, with the time of its arrival (CLOCK_MONOTONIC)."""

    data: bytes
    source: str
    port: int
    is_multicast: bool
    at_s: float = field(default_factory=time.monotonic)

    def text(self, local: str) -> str:
        """The text of the element with that local name; "" for none."""
        found = re.search(rf"<(?:\w+:)?{local}(?: [^>]*)?>([^<]*)<".encode(), self.data)
        return found[1].decode() if found else ""

    def attribute(self, name: str) -> str:
        found = re.search(rf' {name}="([^"]*)"'.encode(), self.data)
        return found[1].decode() if found else ""

    @property
    def kind(self) -> str:
        return self.text("Action").rpartition("/")[2]

    @property
    def xaddr(self) -> str:
        return self.text("XAddrs")


class Neighbour:
    """Listens on an interface, as long as it is open, and asks there."""

    def __init__(self, interface: str, port: int, tell: Callable[[Heard], None] | None = None) -> None:
        self._index = socket.if_nametoindex(interface)
        self._is_loopback = interface == "lo"
        self._port = port
        self._queue: asyncio.Queue[Heard] = asyncio.Queue()
        self._tell = tell or self._queue.put_nowait
        self._sockets: dict[tuple[str, int], socket.socket] = {}

    async def __aenter__(self) -> Neighbour:
        for family in (4, 6):
            for kind, make in (("group", self._group), ("asking", self._asking)):
                with suppress(OSError):  # the interface has no such family
                    udp = self._sockets[kind, family] = make(family)
                    asyncio.get_running_loop().add_reader(udp, self._read, udp, kind == "group")
        return self

    async def __aexit__(self, *_: object) -> None:
        for udp in self._sockets.values():
            asyncio.get_running_loop().remove_reader(udp)
            udp.close()

    def _group(self, family: int) -> socket.socket:
        group = socket.inet_pton(_family(family), GROUPS[family])
        udp = socket.socket(_family(family), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            udp.bind((GROUPS[6], self._port, 0, self._index))
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("@i", self._index))
        else:
            udp.setsockopt(socket.IPPROTO_IP, 49, 0)  # IP_MULTICAST_ALL: on this interface only
            udp.bind((GROUPS[4], self._port))
            udp.setsockopt(
                socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("@4s4si", group, b"", self._index)
            )
        return udp

    def _asking(self, family: int) -> socket.socket:
        udp = socket.socket(_family(family), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        if family == 6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self._index)
            udp.bind(("::1" if self._is_loopback else "::", 0))
        else:
            chosen = struct.pack("@4s4si", b"", b"", self._index)
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, chosen)
            udp.bind(("127.0.0.1" if self._is_loopback else "", 0))
        return udp

    def _read(self, udp: socket.socket, is_multicast: bool) -> None:
        with suppress(BlockingIOError):
            while True:
                data, (source, port, *_) = udp.recvfrom(65_536)
                self._tell(Heard(data, source.partition("%")[0], port, is_multicast))

    def send(self, data: bytes, family: int = 4, to: str = "") -> float:
        """To the group, or to one address; when that was (CLOCK_MONOTONIC)."""
        scope = (0, self._index) if family == 6 and to[:4] in ("", "fe80") else ()
        self._sockets["asking", family].sendto(data, (to or GROUPS[family], self._port, *scope))
        return time.monotonic()

    async def next(self, *kinds: str, within_s: float = 5.0) -> Heard:
        """The next datagram of one of these kinds; others are passed over. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while (heard := await self._queue.get()).kind not in kinds:
                pass
        return heard

    async def rest(self, *kinds: str, within_s: float) -> list[Heard]:
        """Everything of these kinds that comes in so many seconds."""
        end_s, found = time.monotonic() + within_s, []
        with suppress(TimeoutError):
            while (left_s := end_s - time.monotonic()) > 0:
                found.append(await self.next(*kinds, within_s=left_s))
        return found


def _family(version: int) -> socket.AddressFamily:
    return socket.AF_INET if version == 4 else socket.AF_INET6


# ---------------------------------------------------------------------------------------- as a program


def _print(heard: Heard) -> None:
    line: dict[str, Any] = {"kind": heard.kind, "xaddr": heard.xaddr, "source": heard.source, "port": heard.port}
    line |= {"multicast": heard.is_multicast, "version": heard.text("MetadataVersion")}
    print(json.dumps(line), flush=True)


async def _main(interface: str, port: str) -> None:
    async with Neighbour(interface, int(port), _print) as neighbour:
        print(json.dumps({"kind": "ready"}), flush=True)
        while order := (await asyncio.to_thread(sys.stdin.readline)).split():
            match order:
                case ["probe", family]:
                    neighbour.send(message(), int(family))
                case ["resolve", family, endpoint]:
                    neighbour.send(resolve(endpoint), int(family))
                case ["ask", address]:
                    neighbour.send(message(), 6 if ":" in address else 4, address)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
