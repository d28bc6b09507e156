"""A device's metadata: Get, and what its answer says, held against the rules.

Source: DPWS 1.0, 5; WS-Transfer (2004/09) Get; WS-MetadataExchange (2004/09); PnP-X 3; WSDAPI.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.announcements import check_endpoint, read_types
from dsm_sim.peers.console.conversation import Conversation, Question, expect_body
from dsm_sim.peers.console.envelope import endpoint_address
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.names import (
    DSD,
    GET,
    MAX_FIELD_CHARACTERS,
    MAX_URI_OCTETS,
    PNPX,
    WSA,
    WSCN,
    WSDP,
    WSX,
    tag,
)
from dsm_sim.peers.console.transport import host_of, is_http_url
from dsm_sim.peers.console.xml import child_text, children, descendants, find, local_of, text_of

SCANNER_SERVICE: Final = tag(WSCN, "ScannerServiceType")
_SECTIONS: Final = ("ThisDevice", "ThisModel", "Relationship")
_REQUIRED: Final = (("ThisDevice", "FriendlyName"), ("ThisModel", "Manufacturer"), ("ThisModel", "ModelName"))
_WANTED: Final = (
    ("ThisDevice", "SerialNumber"),
    ("ThisModel", "ManufacturerUrl"),
    ("ThisModel", "ModelNumber"),
    ("ThisModel", "ModelUrl"),
    ("ThisModel", "PresentationUrl"),
)
_CATEGORIES: Final = frozenset({"Scanners", "MFP"})
_HOSTED_ORDER: Final = (tag(WSA, "EndpointReference"), tag(WSDP, "Types"), tag(WSDP, "ServiceId"))


@dataclass(frozen=True, slots=True)
class HostedService:
    """One service of a device. ``namespace`` is the one of the messages to ask it in."""

    url: str
    types: tuple[str, ...]
    service_id: str

    @property
    def namespace(self) -> str:
        """WS-DSD's where a type of the service is of that namespace, else WS-Scan's."""
        return DSD if any(name.startswith(f"{{{DSD}}}") for name in self.types) else WSCN

    @property
    def is_scanner(self) -> bool:
        """Whether it answers the operations of WS-Scan or WS-DSD."""
        return SCANNER_SERVICE in self.types or self.namespace == DSD


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a device says of itself. ``fields`` are those of ThisDevice and ThisModel by local name."""

    endpoint: str
    types: tuple[str, ...]
    fields: dict[str, str]
    services: tuple[HostedService, ...]
    #: Canonical text, to see whether it changed.
    fingerprint: bytes

    @property
    def name(self) -> str:
        return self.fields.get("FriendlyName", "")

    @property
    def scanner_services(self) -> tuple[HostedService, ...]:
        return tuple(service for service in self.services if service.is_scanner)


async def get_metadata(conversation: Conversation, url: str, endpoint: str) -> Metadata:
    """Asks the device ``endpoint`` at ``url``. Raises :class:`ConsoleError`."""
    question = Question(url, GET, to=endpoint)
    message = await conversation.ask(question)
    notes = conversation.findings.at(question.where)
    metadata = expect_body(message, tag(WSX, "Metadata"), notes)
    sections = {local_of(part): part for part in _sections(metadata, notes)}
    fields = _fields(sections, notes)
    relationship = sections.get("Relationship")
    services = tuple(_services(relationship, host_of(url), notes))
    notes.require(any(SCANNER_SERVICE in service.types for service in services), rules.HOSTED_SCANNER)
    ids = [service.service_id for service in services]
    notes.require(all(ids) and len(set(ids)) == len(ids), rules.SERVICE_ID, " ".join(ids))
    host = find(relationship, WSDP, "Host")
    own = endpoint_address(host) or endpoint
    _check_host(host, own, endpoint, notes)
    types = read_types(find(host, WSDP, "Types"), notes)
    _check_uris(metadata, notes)
    return Metadata(own, types, fields, services, etree.tostring(metadata, method="c14n"))


def _sections(metadata: etree._Element, notes: Notes) -> Iterator[etree._Element]:
    """The content of the sections, the first of each kind."""
    found = [section.get("Dialect", "") for section in children(metadata)]
    right = [f"{WSDP}/{name}" for name in _SECTIONS]
    contents = [part for section in children(metadata) for part in children(section)]
    names = [part.tag for part in contents]
    is_right = [each for each in found if each in right] == right and names[: len(right)] == [
        tag(WSDP, name) for name in _SECTIONS
    ]
    notes.require(is_right, rules.METADATA_SECTIONS, " ".join(found))
    for name in _SECTIONS:
        yield from contents[names.index(tag(WSDP, name)) :][:1] if tag(WSDP, name) in names else ()


def _fields(sections: dict[str, etree._Element], notes: Notes) -> dict[str, str]:
    for section, name in _REQUIRED:
        notes.require(bool(child_text(sections.get(section), WSDP, name)), rules.METADATA_REQUIRED, name)
    for section, name in _WANTED:
        notes.require(bool(child_text(sections.get(section), WSDP, name)), rules.METADATA_COMPLETE, name)
    category = child_text(sections.get("ThisModel"), PNPX, "DeviceCategory")
    notes.require(bool(_CATEGORIES & set(category.split())), rules.DEVICE_CATEGORY, category or "absent")
    fields: dict[str, str] = {}
    for part in (*children(sections.get("ThisDevice")), *children(sections.get("ThisModel"))):
        text = text_of(part)
        is_short = len(text) <= MAX_FIELD_CHARACTERS or local_of(part).endswith("Url")
        notes.require(is_short, rules.TEXT_LENGTH, f"{local_of(part)}: {len(text)} characters")
        fields.setdefault(local_of(part), text)
    return fields


def _services(relationship: etree._Element | None, host: str, notes: Notes) -> Iterator[HostedService]:
    if relationship is not None:
        kind = relationship.get("Type", "")
        notes.require(kind == f"{WSDP}/host", rules.RELATIONSHIP_TYPE, kind or "absent")
    for hosted in children(relationship):
        if hosted.tag != tag(WSDP, "Hosted"):
            continue
        own = [child.tag for child in children(hosted)]
        leading = list(dict.fromkeys(own))[: len(_HOSTED_ORDER)]
        notes.require(tuple(leading) == _HOSTED_ORDER, rules.HOSTED_ORDER, " ".join(map(str, own)))
        for name in ("CompatibleId", "HardwareId"):
            notes.require(bool(child_text(hosted, PNPX, name)), rules.PNPX_IDS, name)
        url = endpoint_address(hosted)
        notes.require(is_http_url(url) and host_of(url) == host, rules.HOSTED_ADDRESS, url or "absent")
        types = read_types(find(hosted, WSDP, "Types"), notes)
        yield HostedService(url, types, child_text(hosted, WSDP, "ServiceId"))


def _check_host(host: etree._Element | None, own: str, endpoint: str, notes: Notes) -> None:
    """Host may be left out; where it is there it has the address that was asked for."""
    if host is None:
        return
    if endpoint and not is_http_url(endpoint):
        notes.require(own == endpoint, rules.ENDPOINT_ADDRESS, f"{own}, asked for {endpoint}")
    elif own.startswith("urn:"):
        check_endpoint(own, (), notes)


def _check_uris(metadata: etree._Element, notes: Notes) -> None:
    urls = ("ManufacturerUrl", "ModelUrl", "PresentationUrl", "ServiceId")
    for element in (*descendants(metadata, WSDP, *urls), *descendants(metadata, WSA, "Address")):
        octets = len(text_of(element).encode())
        notes.require(octets <= MAX_URI_OCTETS, rules.URI_SIZE, f"{local_of(element)}: {octets:,} octets")
