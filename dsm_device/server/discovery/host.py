"""The device on the network: says Hello and Bye, answers Probe and Resolve, and follows the machine's addresses.

Sources: WS-Discovery (2005/04) 4 to 6; DPWS 1.0, 4. Nothing that happens to an interface, and nothing
that comes in, stops the rest: what fails is tried again when something changes, and every :data:`RECHECK_S`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Final, Self

from dsm_device.errors import SpoolError
from dsm_device.server.discovery import outbox, sockets
from dsm_device.server.discovery.interfaces import AddressWatch, InterfaceAddress, IpAddress, read_addresses
from dsm_device.server.discovery.options import DiscoveryOptions
from dsm_device.server.discovery.outbox import Letter, Outbox
from dsm_device.server.discovery.responder import Responder
from dsm_device.server.discovery.restraint import AMPLIFICATION, Bucket, Rate
from dsm_device.server.discovery.sockets import Datagram
from dsm_device.server.identity import Identity
from dsm_device.wire import announcing
from dsm_device.wire.announcing import Announced, Question

_log = logging.getLogger(__name__)

GROUP_IPV4: Final = "239.255.255.250"
GROUP_IPV6: Final = "ff02::c"
#: Of the first Hello, so that the machines of a house do not all speak at once when the power comes back.
HELLO_DELAY_S: Final = 0.15
#: Of an answer to a multicast. The profile allows 5 s, but a known client listens for 2.5 s in all.
MATCH_DELAY_S: Final = 0.25
#: After a change, addresses are looked at again after the first of these times, twice as long after that, and so
#: on up to the last, for ever: a network takes a moment to work, and what could not be had is tried again.
RECHECK_S: Final = (1.0, 30.0)
#: Changes come several at once.
_SETTLE_S: Final = 0.05
#: Datagrams that are looked at; while there are more, the kernel drops them, which costs nothing.
_READING_RATE: Final = Rate(500, 500)
_PAUSE_S: Final = 0.1
#: Datagrams that are taken from one socket before the loop turns to others.
_AT_ONCE: Final = 16

_Place = tuple[int, socket.AddressFamily]


@dataclass(frozen=True, slots=True)
class _Link:
    """An address of this machine, with the socket that speaks from it."""

    address: InterfaceAddress
    udp: socket.socket

    @property
    def place(self) -> _Place:
        return self.address.index, self.address.family


class DiscoveryHost:
    """Found on the network from :meth:`start` until :meth:`aclose`, in the loop that it was started in."""

    def __init__(self, identity: Identity, options: DiscoveryOptions | None = None) -> None:
        self._identity = identity
        self._options = options or DiscoveryOptions()
        self._groups: dict[socket.AddressFamily, socket.socket] = {}
        self._joined: set[_Place] = set()
        self._links: dict[InterfaceAddress, _Link] = {}
        #: For each interface and family, the address that its last Hello named.
        self._greeted: dict[_Place, InterfaceAddress] = {}
        #: Where it has come since the start, and has said Hello only once.
        self._late: set[_Place] = set()
        self._complained: set[str] = set()
        self._outbox = Outbox()
        self._look_again = asyncio.Event()
        self._watch = AddressWatch(self._look_again.set)
        now_s = time.monotonic()
        self._responder = Responder(self._announced, now_s)
        self._reading = Bucket(_READING_RATE, now_s)
        self._is_reading = True
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Listens, and says Hello. Raises nothing: a machine without a network may get one."""
        self._watch.open()
        await self._refresh()
        self._following = asyncio.create_task(self._follow())

    def announce(self) -> None:
        """Say Hello again on every interface: what the device is has changed, and with it MetadataVersion."""
        self._greeted.clear()
        self._look_again.set()

    async def aclose(self) -> None:
        """Says Bye, twice, and falls silent within half a second. May be called again."""
        following, self._following = self._following, None
        if following is None:
            return
        following.cancel()
        await asyncio.wait([following])
        self._watch.close()
        self._outbox.cancel()
        try:
            await self._say_bye()
        finally:
            for udp in self._sockets():
                self._close(udp)
            self._links.clear()
            self._groups.clear()
            self._joined.clear()

    @property
    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """Where the device is found now."""
        return tuple(self._links)

    def _announced(self) -> Announced:
        return self._options.announced(self._identity)

    def _xaddr(self, link: _Link) -> str:
        return self._options.xaddr(self._identity, link.address)

    # ----------------------------------------------------------------------------------- its addresses

    async def _follow(self) -> None:
        recheck_s = RECHECK_S[0]
        while True:
            try:
                async with asyncio.timeout(recheck_s):
                    await self._look_again.wait()
                await asyncio.sleep(_SETTLE_S)
                recheck_s = RECHECK_S[0]
            except TimeoutError:
                recheck_s = min(2 * recheck_s, RECHECK_S[1])
                self._greet_again()
            self._look_again.clear()
            try:
                await self._refresh()
            except Exception:  # a bug must not keep the device from saying Bye
                _log.exception("the addresses of this machine cannot be followed right now")

    async def _refresh(self) -> None:
        found = [each for each in read_addresses(self._options.interfaces) if self._options.is_served(each)]
        for address in self._links.keys() - set(found):
            self._close(self._links.pop(address).udp)
        for address in found:
            if address not in self._links:
                self._open_link(address)
        self._follow_groups({(address.index, address.family) for address in found})
        if await self._is_elsewhere():
            self._greeted.clear()
        self._greet()

    def _open_link(self, address: InterfaceAddress) -> None:
        try:
            udp = sockets.open_address(address, self._options.port)
        except OSError as error:
            # An IPv6 address is no use before the kernel has seen that nobody else has it: it tells when it is.
            self._complain(f"{address.ip} on {address.interface}, UDP port {self._options.port}", error)
            return
        self._links[address] = _Link(address, udp)
        self._listen(udp)

    def _follow_groups(self, places: set[_Place]) -> None:
        """Hear the groups in these places and in no other."""
        for place in self._joined - places:
            with suppress(OSError, KeyError):  # with the interface, its membership is gone
                sockets.leave(self._groups[place[1]], _group(place[1]), place[0])
        self._joined &= places
        for place in places - self._joined:
            index, family = place
            try:
                sockets.join(self._group_socket(family), _group(family), index)
            except OSError as error:
                self._complain(f"multicasts of {family.name} on interface {index}", error)
                continue
            self._joined.add(place)

    def _group_socket(self, family: socket.AddressFamily) -> socket.socket:
        """Raises OSError."""
        udp = self._groups.get(family)
        if udp is None:
            udp = self._groups[family] = sockets.open_group(family, self._options.port)
            self._listen(udp)
        return udp

    def _complain(self, about: str, error: OSError) -> None:
        """Once for each thing: it is tried again and again."""
        line = f"{about}: {error.strerror or error}"
        level = logging.DEBUG if line in self._complained else logging.WARNING
        self._complained.add(line)
        _log.log(level, "discovery does without %s", line)

    async def _is_elsewhere(self) -> bool:
        """Whether the device is at a new address, and so has new metadata."""
        hosts = {str(address.ip) for address in self._links if not address.ip.is_loopback}
        try:
            return await asyncio.to_thread(self._identity.locate, hosts)  # it waits for the disk
        except SpoolError as error:
            _log.error("%s", error)
            return False

    # ----------------------------------------------------------------------------------- Hello and Bye

    def _greet(self) -> None:
        voices = self._voices()
        self._greeted = {place: address for place, address in self._greeted.items() if place in voices}
        for place, link in voices.items():
            if self._greeted.get(place) != link.address:
                self._greeted[place] = link.address
                self._say_hello(link)
                if self._following is not None:
                    self._late.add(place)

    def _greet_again(self) -> None:
        """Once more where the device is since lately: a link that has just come up may not reach others yet."""
        late, self._late = self._late, set()
        for place, link in self._voices().items():
            if place in late and self._greeted.get(place) == link.address:
                self._say_hello(link)

    def _voices(self) -> dict[_Place, _Link]:
        """The link that speaks to all on each interface in each family; one that all can reach where there is one.

        Linux has no IPv6 multicast on loopback. And where an interface has IPv4, nobody is told of an address that
        works with a zone only: it would replace the better one.
        """
        voices: dict[_Place, _Link] = {}
        for link in sorted(self._links.values(), key=lambda link: link.address.ip.is_link_local):
            voices.setdefault(link.place, link)
        return {place: link for place, link in voices.items() if not self._is_mute(link, voices)}

    def _is_mute(self, link: _Link, voices: dict[_Place, _Link]) -> bool:
        ip = link.address.ip
        has_ipv4 = (link.address.index, socket.AF_INET) in voices
        return ip.version == 6 and (ip.is_loopback or (ip.is_link_local and has_ipv4))

    def _say_hello(self, link: _Link) -> None:
        def write() -> bytes:
            return announcing.render_hello(
                self._announced(), self._xaddr(link), _new_id(), self._identity.next_sequence()
            )

        def forget() -> None:
            self._greeted.pop(link.place, None)

        self._outbox.post(Letter(link.udp, self._to_all(link), write, lost=forget), HELLO_DELAY_S)

    async def _say_bye(self) -> None:
        data = announcing.render_bye(self._announced(), _new_id(), self._identity.next_sequence())
        voices = list(self._voices().values())
        for is_repetition in (False, True):
            if is_repetition and voices:
                await asyncio.sleep(outbox.repeat_delay_s())
            for link in voices:
                outbox.send(link.udp, data, self._to_all(link))

    def _to_all(self, link: _Link) -> sockets.SocketAddress:
        return sockets.group_address(_group(link.address.family), self._options.port, link.address)

    # ----------------------------------------------------------------------------------- questions

    def _listen(self, udp: socket.socket) -> None:
        if self._is_reading:
            asyncio.get_running_loop().add_reader(udp, self._read, udp)

    def _read(self, udp: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            now_s = time.monotonic()
            if not self._reading.has(now_s):
                self._pause()
                return
            try:
                datagram = sockets.receive(udp)
            except OSError:  # there is no more, or the interface is going down
                return
            self._reading.take()
            if datagram is not None:
                self._consider(datagram, now_s)

    def _pause(self) -> None:
        self._is_reading = False
        loop = asyncio.get_running_loop()
        for udp in self._sockets():
            loop.remove_reader(udp)
        loop.call_later(_PAUSE_S, self._resume)

    def _resume(self) -> None:
        self._is_reading = True
        for udp in self._sockets():
            self._listen(udp)

    def _consider(self, datagram: Datagram, now_s: float) -> None:
        link = self._link_for(datagram)
        if link is None:
            return
        source, port = datagram.source, datagram.sender[1]
        question = self._responder.question(datagram.data, source, port, now_s)
        if question is not None:
            self._answer(question, datagram, link)

    def _link_for(self, datagram: Datagram) -> _Link | None:
        """Who answers: the address that was asked, or on the interface that was the one nearest to who asks."""
        if not datagram.to.is_multicast:
            return next((link for link in self._links.values() if link.address.ip == datagram.to), None)
        place = (datagram.index, socket.AF_INET if datagram.to.version == 4 else socket.AF_INET6)
        return min(
            (link for link in self._links.values() if link.place == place),
            key=lambda link: (link.address.ip.is_link_local, datagram.source not in link.address.network),
            default=None,
        )

    def _answer(self, question: Question, datagram: Datagram, link: _Link) -> None:
        write = partial(self._write_answer, question, link)
        is_neighbour = self._is_neighbour(datagram.source, datagram.index)
        budget = None if is_neighbour else AMPLIFICATION * len(datagram.data)
        is_one_of_many = datagram.to.is_multicast and isinstance(question, announcing.Probe)
        letter = Letter(link.udp, datagram.sender, write, budget)
        self._outbox.post(letter, MATCH_DELAY_S if is_one_of_many else 0.0)

    def _write_answer(self, question: Question, link: _Link) -> bytes:
        return announcing.render_matches(
            question, self._announced(), self._xaddr(link), _new_id(), self._identity.next_sequence()
        )

    def _is_neighbour(self, source: IpAddress, index: int) -> bool:
        return any(address.index == index and source in address.network for address in self._links)

    # ----------------------------------------------------------------------------------- sockets

    def _sockets(self) -> Iterator[socket.socket]:
        yield from self._groups.values()
        yield from (link.udp for link in self._links.values())

    def _close(self, udp: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(udp)
        udp.close()


def _group(family: socket.AddressFamily) -> str:
    return GROUP_IPV6 if family == socket.AF_INET6 else GROUP_IPV4


def _new_id() -> str:
    return f"urn:uuid:{uuid.uuid4()}"
