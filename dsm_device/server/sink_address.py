"""Where events may be sent: the rule for the addresses that subscribers name.

A NotifyTo or EndTo is an outbound request that a stranger can order: without a rule, whoever reaches the device
makes it call what only the device can reach, its own loopback services or a cloud's metadata service, and hit a
third party with its events. So:

- http and https only; no user name, no password; nothing that two readers of URLs could read in two ways;
- the host is a literal address, or a name whose addresses are looked up *once*: the connection goes to the very
  address that was checked, so that a name cannot mean another one later (DNS rebinding). No redirects;
- loopback only for a subscriber that comes from loopback itself: it can reach those services anyway;
- the subscriber's own address, which TCP's handshake shows to be its own, is where events belong;
- another address only within a network of one of our interfaces, and only for a subscriber that is in one itself
  (a console with two addresses): who comes through a router has no business with the neighbours behind it. It must
  not be an address of ours, nor a network's own or broadcast address;
- never, whoever asks: multicast, broadcast, unspecified and reserved addresses, and those at which clouds serve
  credentials, which no scan management console has.

An address of IPv4 inside IPv6 counts as the former. Whatever the cause, a refusal has the same words: otherwise it
would tell a stranger which names resolve in this network.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import ipaddress
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dsm_device.server.networks import Address, Network, address_of
from dsm_device.wire.discovery import MAX_URI_OCTETS

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
#: The addresses of a name, literally. Raises OSError.
Resolve = Callable[[str], Awaitable[Sequence[str]]]

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<v6>[0-9a-fA-F:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[!$-;=?-Z_a-z~%\[\]]*)?(?P<query>\?[!$-;=?-Z_a-z~%\[\]]*)?(?:#[!-~]*)?",
    re.ASCII | re.IGNORECASE,
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

#: Where clouds serve credentials: AWS (instances, ECS, EKS; IPv6), Azure, Alibaba, Oracle.
_METADATA: Final = frozenset(
    ipaddress.ip_address(each)
    for each in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23",
        "168.63.129.16", "100.100.100.200", "192.0.0.192",
    )
)  # fmt: skip

_LOOK_UP_S: Final = 5.0
#: At a time: a resolver that does not answer holds a thread.
_LOOK_UPS: Final = 4


class NotAllowed(Exception):
    """Nothing may be sent there; ``str()`` says why in one line, for the log of the device only."""


@dataclass(frozen=True, slots=True)
class SinkAddress:
    """A URL that may be sent to. ``address`` is the one that was checked, with its zone: connect to that.

    ``host`` and ``target`` (path and query) are as they stand in the URL.
    """

    scheme: str
    host: str
    port: int
    target: str
    address: str

    @property
    def origin(self) -> tuple[str, str, int, str]:
        """Two with the same may share a connection."""
        return (self.scheme, self.host, self.port, self.address)


class SinkRule:
    """``interfaces`` gives the addresses of this machine with their networks, as they are at the moment."""

    def __init__(self, interfaces: Callable[[], Sequence[Interface]], resolve: Resolve | None = None) -> None:
        self._interfaces = interfaces
        self._resolve = resolve or _Resolver()

    async def check(self, url: str, subscriber: str, local: str = "") -> SinkAddress:
        """``subscriber`` is the address that the request came from, ``local`` the one of ours that it came to.

        Raises :class:`NotAllowed`.
        """
        match = _URL.fullmatch(url) if len(url) <= MAX_URI_OCTETS else None
        if match is None:
            raise NotAllowed("it is no plain http or https URL")
        scheme = match["scheme"].lower()
        port = int(match["port"] or _DEFAULT_PORTS[scheme])
        if not 1 <= port <= 65535:
            raise NotAllowed("it has no valid port")
        if match["v6"] and not _is_ipv6(match["v6"]):
            raise NotAllowed("it has no address in its brackets")
        host = f"[{match['v6']}]" if match["v6"] else match["name"]
        address = self._choose(await self._addresses(match["v6"] or match["name"]), subscriber, local)
        return SinkAddress(scheme, host, port, (match["path"] or "/") + (match["query"] or ""), address)

    async def _addresses(self, host: str) -> Sequence[str]:
        if address_of(host) is not None:
            return (host,)
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                return await self._resolve(host)
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            raise NotAllowed(f"its name has no address: {error}") from error

    def _choose(self, addresses: Sequence[str], subscriber: str, local: str) -> str:
        """The first of ``addresses`` that may be sent to, with its zone where it needs one."""
        interfaces = self._interfaces()
        peer = address_of(subscriber)
        problem = "its name has no address"
        for address in map(address_of, addresses):
            if address is None or peer is None:
                continue
            zone = ""
            problem = _objection(address, peer, interfaces)
            if not problem and address.version == 6 and address.is_link_local:
                zone = subscriber.partition("%")[2] or _zone(interfaces, local)
                problem = "" if zone else "it is a link-local address, and of which interface is not known"
            if not problem:
                return f"{address}%{zone}" if zone else str(address)
        raise NotAllowed(problem)


def _objection(address: Address, peer: Address, interfaces: Sequence[Interface]) -> str:
    """Why nothing may be sent to ``address``, "" if it may."""
    if address in _METADATA:
        return f"{address} is a metadata service"
    if address.is_loopback:
        return "" if peer.is_loopback else f"{address} is this device's loopback"
    if address.is_multicast or address.is_unspecified or (address.version == 4 and address.is_reserved):
        return f"{address} is nobody's address"
    if address == peer:
        return ""
    if any(address == address_of(str(each.ip)) for each in interfaces):
        return f"{address} is this device's own"
    ours = [each.network for each in interfaces if not each.is_loopback]
    if not any(peer in network for network in ours):
        return f"{address} is not the subscriber's own address, and that one comes through a router"
    near = [network for network in ours if address in network]
    if not near:
        return f"{address} is in no network of this device"
    if any(_is_whole_network(address, network) for network in near):
        return f"{address} is a whole network"
    return ""


def _is_whole_network(address: Address, network: Network) -> bool:
    ends = (network.network_address, network.broadcast_address)
    return network.version == 4 and network.prefixlen < 31 and address in ends


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _zone(interfaces: Sequence[Interface], local: str) -> str:
    """That of the interface which has the address ``local``, else the only one there is."""
    scoped = [each for each in interfaces if isinstance(each, ipaddress.IPv6Interface) and each.scope_id]
    here = {each.scope_id for each in scoped if address_of(str(each.ip)) == address_of(local)}
    zones = here or {each.scope_id for each in scoped}
    return next(iter(zones)) or "" if len(zones) == 1 else ""


class _Resolver:
    """The system's, in threads of its own: a name of a hostile zone may keep one for long, but nothing else.

    They are daemons, since nobody can end a look-up, and the agent must not wait for one when it stops.
    """

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(_LOOK_UPS)

    async def __call__(self, name: str) -> Sequence[str]:
        if not self._places.acquire(blocking=False):
            raise OSError("too many names are being looked up")
        found: concurrent.futures.Future[Sequence[str]] = concurrent.futures.Future()
        threading.Thread(target=self._look_up, args=(name, found), name="sink-name", daemon=True).start()
        return await asyncio.wrap_future(found)

    def _look_up(self, name: str, found: concurrent.futures.Future[Sequence[str]]) -> None:
        try:
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            result: Sequence[str] | Exception = [str(address[0]) for *_, address in answers]
        except (OSError, UnicodeError) as error:
            result = error
        finally:
            self._places.release()
        if found.set_running_or_notify_cancel():
            if isinstance(result, Exception):
                found.set_exception(result)
            else:
                found.set_result(result)
