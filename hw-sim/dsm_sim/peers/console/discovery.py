"""Finding devices: Probe and Resolve by UDP and by HTTP, Hello and Bye as they come.

Source: WS-Discovery (2005/04) 4 to 6; DPWS 1.0, 4 and appendix I; WSDAPI (discovery).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Final

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.announcements import SCAN_DEVICE, Announcement, AnnouncementReader
from dsm_sim.peers.console.conversation import Conversation, Question, SeenIds, expect_body
from dsm_sim.peers.console.datagrams import Route, group_sockets, listen, multicast_routes, unicast_route
from dsm_sim.peers.console.envelope import Message, new_message_id, read, write
from dsm_sim.peers.console.errors import Unreadable
from dsm_sim.peers.console.findings import Findings, Notes
from dsm_sim.peers.console.names import (
    ANONYMOUS,
    DIRECTED_PROBE_PATH,
    DISCOVERY_URN,
    FOREIGN,
    MAX_DATAGRAM_OCTETS,
    PROBE,
    RESOLVE,
    WSA,
    WSD,
    readable,
    tag,
)
from dsm_sim.peers.console.options import DiscoveryOptions
from dsm_sim.peers.console.transport import host_of
from dsm_sim.peers.console.xml import add, new

#: A type that no device has.
UNKNOWN_TYPE: Final = tag(FOREIGN, "NoSuchDevice")
_REPEAT_DELAY_S: Final = (0.05, 0.25)
_COPIES: Final = 2
_KEPT_DATAGRAMS: Final = 1_000


@dataclass
class _Query:
    """One question on one route, and what came back. Answers are judged as they come."""

    message_id: str
    route: Route
    answer: str
    only_from: str
    sent_at_s: float = 0.0
    matches: list[Announcement] = field(default_factory=list)
    copies: Counter[str] = field(default_factory=Counter)

    @property
    def where(self) -> str:
        return f"{self.answer} to {self.route.name}"


class Discovery:
    """Asks and listens on the interfaces of ``options``."""

    def __init__(self, options: DiscoveryOptions, findings: Findings, reader: AnnouncementReader) -> None:
        self._options = options
        self._findings = findings
        self._reader = reader
        self._seen_ids = SeenIds()

    async def probe(self, type_name: str = SCAN_DEVICE, *, only_from: str = "") -> list[Announcement]:
        """Every device that answers a multicast Probe in time, once each. ``only_from``: an IP address to heed."""
        return await self._multicast(PROBE, probe_body(type_name), only_from)

    async def resolve(self, endpoint: str, *, only_from: str = "") -> list[Announcement]:
        """The device with this endpoint address, or nothing."""
        return await self._multicast(RESOLVE, resolve_body(endpoint), only_from)

    async def probe_host(self, host: str, type_name: str = SCAN_DEVICE) -> list[Announcement]:
        """What one IP address answers to a unicast Probe."""
        return await self._ask([unicast_route(host, self._options.port)], PROBE, probe_body(type_name), host)

    async def _multicast(self, action: str, body: etree._Element, only_from: str) -> list[Announcement]:
        return await self._ask(multicast_routes(self._options), action, body, only_from)

    async def _ask(
        self, routes: list[Route], action: str, body: etree._Element, only_from: str
    ) -> list[Announcement]:
        # A message of its own for each route: a device drops a MessageID that it knows, also from elsewhere.
        answer = f"{action.rpartition('/')[2]}Matches"
        queries = [_Query(new_message_id(), route, answer, only_from) for route in routes]
        await asyncio.gather(*(self._run(query, action, body) for query in queries))
        return merged(match for query in queries for match in query.matches)

    async def _run(self, query: _Query, action: str, body: etree._Element) -> None:
        loop = asyncio.get_running_loop()
        envelope = write(action, DISCOVERY_URN, query.message_id, deepcopy(body), wants_reply=False)
        transport = await listen(query.route.socket, lambda data, host: self._receive(query, data, host))
        try:
            query.sent_at_s = loop.time()
            end_s = query.sent_at_s + self._options.window_s + self._options.grace_s
            for delay_s in (0.0, random.uniform(*_REPEAT_DELAY_S)):  # noqa: S311 - no secret
                await asyncio.sleep(min(delay_s, max(end_s - loop.time(), 0)))
                transport.sendto(envelope, query.route.to)
            await asyncio.sleep(max(end_s - loop.time(), 0))
        finally:
            transport.close()

    def _receive(self, query: _Query, data: bytes, host: str) -> None:
        if (query.only_from and host != query.only_from) or query.copies.total() >= _KEPT_DATAGRAMS:
            return
        notes = self._findings.at(f"{query.where}, from {host}")
        # A datagram that cannot be read is in the notebook; there is nobody to tell.
        with suppress(Unreadable):
            self._take(query, read_datagram(data, notes), host, notes)

    def _take(self, query: _Query, message: Message, host: str, notes: Notes) -> None:
        query.copies[message.message_id] += 1
        if (copies := query.copies[message.message_id]) > 1:
            notes.require(copies <= _COPIES, rules.UDP_REPEAT, f"{copies} times")
            return
        expect_body(message, tag(WSD, query.answer), notes)
        self._seen_ids.check(message, notes)
        notes.require(message.action == f"{WSD}/{query.answer}", rules.WSA_ACTION, message.action)
        notes.require(message.to in {"", ANONYMOUS}, rules.WSA_TO, message.to)
        is_related = message.relates_to == query.message_id
        notes.require(is_related, rules.WSA_RELATES_TO, message.relates_to or "absent")
        matches = self._reader.matches(message, host, query.message_id, notes)
        notes.require(bool(matches), rules.MATCH_FOREIGN, "an empty answer by UDP")
        elapsed_s = asyncio.get_running_loop().time() - query.sent_at_s
        if elapsed_s > self._options.window_s:
            notes.record(rules.MATCH_TIME, f"after {elapsed_s:.1f} s")
        elif is_related:
            query.matches += matches

    # --------------------------------------------------------------------------------- Hello and Bye

    @asynccontextmanager
    async def announcements(self, only_from: str = "") -> AsyncIterator[asyncio.Queue[Announcement]]:
        """A queue of Hello and Bye as they come, each once. Raises ConsoleError where nothing can be heard."""
        queue: asyncio.Queue[Announcement] = asyncio.Queue()
        seen: set[str] = set()

        def receive(data: bytes, host: str) -> None:
            if not only_from or host == only_from:
                self._hear(data, host, seen, queue)

        with ExitStack() as stack:
            for udp in group_sockets(self._options):
                stack.callback((await listen(udp, receive)).close)
            yield queue

    def _hear(self, data: bytes, host: str, seen: set[str], queue: asyncio.Queue[Announcement]) -> None:
        notes = self._findings.at(f"multicast from {host}")
        if not any(word in data for word in (b"Hello", b"Bye")):
            return
        with suppress(Unreadable):
            message = read_datagram(data, notes)
            if message.message_id in seen:
                return
            seen.add(message.message_id)
            notes.require(message.to == DISCOVERY_URN, rules.WSA_TO, message.to or "absent")
            notes.require(not message.relates_to, rules.WSA_RELATES_TO, message.relates_to)
            announcement = self._reader.hello_or_bye(message, host, notes)
            if announcement is not None:
                queue.put_nowait(announcement)


# ------------------------------------------------------------------------------------------- by HTTP


async def directed_probe(
    conversation: Conversation, reader: AnnouncementReader, origin: str, type_name: str = SCAN_DEVICE
) -> list[Announcement]:
    """What ``origin`` (``http://host:port``) answers to a Probe at the stable path. Raises ConsoleError."""
    question = probe_question(origin, type_name)
    message = await conversation.ask(question)
    notes = conversation.findings.at(question.where)
    expect_body(message, tag(WSD, "ProbeMatches"), notes)
    return merged(reader.matches(message, host_of(origin), f"HTTP {origin}", notes))


def probe_question(origin: str, type_name: str, match_by: str = "") -> Question:
    """A directed Probe, with a scope under the rule ``match_by`` where one is given."""
    body = probe_body(type_name)
    if match_by:
        add(body, WSD, "Scopes", "http://console.sim.example/scope", {"MatchBy": match_by})
    return Question(
        f"{origin}{DIRECTED_PROBE_PATH}", PROBE, body, to=DISCOVERY_URN, answer_action=f"{WSD}/ProbeMatches"
    )


# ------------------------------------------------------------------------------------------ messages


def probe_body(type_name: str) -> etree._Element:
    """A Probe for one type, a Clark name of the protocol's namespaces or of no namespace of its own."""
    body = new(WSD, "Probe")
    name = readable(type_name)
    if name.startswith("{"):
        namespace, _, local = type_name[1:].partition("}")
        types = etree.SubElement(body, tag(WSD, "Types"), nsmap={"other": namespace})
        types.text = f"other:{local}"
    else:
        add(body, WSD, "Types", name)
    return body


def resolve_body(endpoint: str) -> etree._Element:
    body = new(WSD, "Resolve")
    add(add(body, WSA, "EndpointReference"), WSA, "Address", endpoint)
    return body


def read_datagram(data: bytes, notes: Notes) -> Message:
    """Raises :class:`Unreadable`."""
    notes.require(len(data) <= MAX_DATAGRAM_OCTETS, rules.DATAGRAM_SIZE, f"{len(data):,} octets")
    return read(data, notes)


def merged(matches: Iterable[Announcement]) -> list[Announcement]:
    """Each device once, in the order of their answers, with the addresses of all of them."""
    by_endpoint: dict[str, Announcement] = {}
    for match in matches:
        known = by_endpoint.setdefault(match.endpoint, match)
        xaddrs = tuple(dict.fromkeys((*known.xaddrs, *match.xaddrs)))
        by_endpoint[match.endpoint] = replace(known, xaddrs=xaddrs)
    return list(by_endpoint.values())
