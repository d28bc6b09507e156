"""What a device says of itself in Hello, Bye, ProbeMatches and ResolveMatches, held against the rules.

Source: WS-Discovery (2005/04) 4 to 6 and appendix I; DPWS 1.0, 4; WSDAPI (discovery).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.envelope import Message, endpoint_address
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.names import MAX_URI_OCTETS, WSA, WSCN, WSD, WSDP, tag
from dsm_sim.peers.console.transport import host_of, is_http_url
from dsm_sim.peers.console.xml import child_text, children, find, integer, local_of, resolve, text_of

DEVICE: Final = tag(WSDP, "Device")
SCAN_DEVICE: Final = tag(WSCN, "ScanDeviceType")
_URN: Final = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ORDER: Final = ("EndpointReference", "Types", "Scopes", "XAddrs", "MetadataVersion")
_PREFIXES: Final = {WSDP: "wsdp", WSCN: "wscn"}


@dataclass(frozen=True, slots=True)
class Announcement:
    """A device as it announced itself: by Hello, Bye, ProbeMatch or ResolveMatch. Types are Clark names."""

    kind: str
    endpoint: str
    types: tuple[str, ...]
    xaddrs: tuple[str, ...]
    metadata_version: int | None
    #: IP address that it came from.
    source: str

    @property
    def is_scanner(self) -> bool:
        return SCAN_DEVICE in self.types


@dataclass
class _Track:
    """What is known of one endpoint's application sequence."""

    instance: int = -1
    metadata_version: int = -1
    ids_by_number: dict[int, str] = field(default_factory=dict)
    last_by_channel: dict[str, int] = field(default_factory=dict)


@dataclass
class SequenceLedger:
    """The application sequences of all devices. Order is judged within a socket: between sockets there is none."""

    _tracks: dict[str, _Track] = field(default_factory=dict)

    def check(self, endpoint: str, message: Message, channel: str, notes: Notes) -> None:
        sequence = find(message.header, WSD, "AppSequence")
        numbers = [] if sequence is None else [sequence.get(name, "") for name in ("InstanceId", "MessageNumber")]
        instance, number = (integer(text) for text in numbers or ("", ""))
        if instance is None or instance < 0 or number is None or number < 1:
            notes.record(rules.APP_SEQUENCE, " ".join(numbers) or "absent")
            return
        track = self._tracks.setdefault(endpoint, _Track())
        notes.require(instance >= track.instance, rules.INSTANCE_ID, f"{instance} after {track.instance}")
        if instance != track.instance:
            track.instance = instance
            track.ids_by_number.clear()
            track.last_by_channel.clear()
        self._check_number(track, number, message.message_id, channel, notes)

    def _check_number(self, track: _Track, number: int, message_id: str, channel: str, notes: Notes) -> None:
        owner = track.ids_by_number.setdefault(number, message_id)
        last = track.last_by_channel.get(channel, 0)
        notes.require(
            owner == message_id and number >= last,
            rules.MESSAGE_NUMBER,
            f"{number} after {last}, for {message_id}",
        )
        track.last_by_channel[channel] = max(last, number)

    def check_metadata_version(self, endpoint: str, version: int | None, notes: Notes) -> None:
        track = self._tracks.setdefault(endpoint, _Track())
        if version is None or version < max(track.metadata_version, 0):
            notes.record(rules.METADATA_VERSION, f"{version} after {track.metadata_version}")
            return
        track.metadata_version = version


@dataclass
class AnnouncementReader:
    """Reads the bodies of discovery messages."""

    ledger: SequenceLedger = field(default_factory=SequenceLedger)
    #: Who answered last on a channel: an empty answer names nobody.
    _endpoints: dict[str, str] = field(default_factory=dict)

    def matches(self, message: Message, source: str, channel: str, notes: Notes) -> list[Announcement]:
        """The devices in ProbeMatches or ResolveMatches; none for another body."""
        found = [
            self._announcement(element, source, notes)
            for element in children(message.body)
            if element.tag in {tag(WSD, "ProbeMatch"), tag(WSD, "ResolveMatch")}
        ]
        endpoint = found[0].endpoint if found else self._endpoints.get(channel, channel)
        self._endpoints[channel] = endpoint
        self.ledger.check(endpoint, message, channel, notes)
        return found

    def hello_or_bye(self, message: Message, source: str, notes: Notes) -> Announcement | None:
        """The device that came or went; None for another body."""
        body = message.body
        if body is None or body.tag not in {tag(WSD, "Hello"), tag(WSD, "Bye")}:
            return None
        notes.require(message.action == f"{WSD}/{local_of(body)}", rules.WSA_ACTION, message.action)
        announcement = self._announcement(body, source, notes)
        self.ledger.check(announcement.endpoint, message, "multicast", notes)
        return announcement

    def _announcement(self, element: etree._Element, source: str, notes: Notes) -> Announcement:
        kind, endpoint = local_of(element), endpoint_address(element)
        xaddrs = tuple(child_text(element, WSD, "XAddrs").split())
        types = read_types(find(element, WSD, "Types"), notes)
        version = integer(child_text(element, WSD, "MetadataVersion"))
        check_endpoint(endpoint, xaddrs, notes)
        if kind != "Bye":
            _check_order(element, notes)
            _check_xaddrs(xaddrs, source, notes)
            self.ledger.check_metadata_version(endpoint, version, notes)
        if kind == "ProbeMatch":
            notes.require({DEVICE, SCAN_DEVICE} <= set(types), rules.TYPES, child_text(element, WSD, "Types"))
        return Announcement(kind, endpoint, types, xaddrs, version, source)


def read_types(element: etree._Element | None, notes: Notes) -> tuple[str, ...]:
    """The QNames of a Types element as Clark names; those whose prefix is not bound are left out."""
    if element is None:
        return ()
    found = []
    for word in text_of(element).split():
        name = resolve(word, element)
        if name is None:
            notes.record(rules.TYPES, f"the prefix of {word} is not bound")
            continue
        namespace, _, local = name[1:].partition("}")
        right = f"{_PREFIXES.get(namespace, '')}:{local}"
        notes.require(namespace not in _PREFIXES or word == right, rules.TYPES_PREFIX, f"{word}, not {right}")
        found.append(name)
    return tuple(found)


def check_endpoint(endpoint: str, xaddrs: tuple[str, ...], notes: Notes) -> None:
    """An endpoint address by itself."""
    is_secure = endpoint.startswith("https:") and endpoint in xaddrs
    notes.require(is_secure or bool(_URN.fullmatch(endpoint)), rules.ENDPOINT_ADDRESS, endpoint or "absent")


def _check_order(element: etree._Element, notes: Notes) -> None:
    own = [child.tag for child in children(element)]
    places = [tag(WSA if name == "EndpointReference" else WSD, name) for name in _ORDER]
    known = [name for name in own if name in places]
    notes.require(known == [name for name in places if name in known], rules.MATCH_ORDER, " ".join(map(str, own)))


def _check_xaddrs(xaddrs: tuple[str, ...], source: str, notes: Notes) -> None:
    notes.require(bool(xaddrs), rules.XADDRS_ABSENT)
    for url in xaddrs:
        notes.require(is_http_url(url) and "%" not in host_of(url), rules.XADDRS_URL, url)
        notes.require(
            len(url.encode()) <= MAX_URI_OCTETS, rules.URI_SIZE, f"XAddr of {len(url.encode()):,} octets"
        )
    schemes = {url.partition(":")[0] for url in xaddrs}
    notes.require(len(schemes) <= 1, rules.XADDRS_MIXED, " ".join(xaddrs))
    if xaddrs and source:
        notes.require(host_of(xaddrs[0]) == source, rules.XADDRS_REACHABLE, f"{xaddrs[0]} from {source}")
