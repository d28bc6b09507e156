"""Who the server says it is: ProbeMatches, and the metadata that lead to the processing service.

Source: WS-Discovery 5; DPWS 1.0, 4.1 and 5; WS-DSP (the ten steps).
"""

from __future__ import annotations

import itertools
import time
import uuid
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server import rules
from dsm_sim.peers.scan_server.envelope import Message
from dsm_sim.peers.scan_server.names import DSC, DSP, SCAN_SERVER_PATH, WSA, WSD, WSDP, WSX, tag
from dsm_sim.peers.scan_server.refusals import invalid
from dsm_sim.peers.scan_server.rules import Notes

_FACT_SETS: Final = {
    "ThisDevice": {"FriendlyName": "Simulated scan server", "FirmwareVersion": "1", "SerialNumber": "1"},
    "ThisModel": {"Manufacturer": "dsm-device", "ModelName": "Simulated scan server"},
}


@dataclass
class Identity:
    """The addresses of a server: ``base`` is ``https://name:port``; both services have a GUID."""

    base: str
    processing_id: uuid.UUID
    configuration_id: uuid.UUID
    _instance: int = field(default_factory=lambda: int(time.time()))
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def address(self) -> str:
        """Of the hosting device; with TLS it is both endpoint reference and XAddr."""
        return f"{self.base}{SCAN_SERVER_PATH}"

    @property
    def processing_path(self) -> str:
        return f"{SCAN_SERVER_PATH}/{self.processing_id}"

    @property
    def processing_address(self) -> str:
        return f"{self.base}{self.processing_path}"

    @property
    def configuration_path(self) -> str:
        return f"{SCAN_SERVER_PATH}/{self.configuration_id}"

    def app_sequence(self) -> etree._Element:
        """The header block of each ProbeMatches."""
        sequence = etree.Element(tag(WSD, "AppSequence"), nsmap={"wsd": WSD})
        sequence.set("InstanceId", str(self._instance))
        sequence.set("MessageNumber", str(next(self._numbers)))
        return sequence

    def probe_matches(self, message: Message, notes: Notes) -> etree._Element:
        """The answer to a Probe: itself, or nothing where the types are not its own."""
        matches = etree.Element(tag(WSD, "ProbeMatches"), nsmap={"wsd": WSD, "wsa": WSA, "wsdp": WSDP})
        if _asks_for_device(message, notes):
            match = etree.SubElement(matches, tag(WSD, "ProbeMatch"))
            match.append(_reference(self.address))
            _add(match, WSD, "Types", "wsdp:Device")
            _add(match, WSD, "XAddrs", self.address)
            _add(match, WSD, "MetadataVersion", "1")
        return matches

    def metadata(self) -> etree._Element:
        """The body of GetResponse, with the configuration and the processing service."""
        metadata = etree.Element(tag(WSX, "Metadata"), nsmap={"wsx": WSX, "wsdp": WSDP, "wsa": WSA})
        for name, facts in _FACT_SETS.items():
            section = _add(_section(metadata, name), WSDP, name)
            for key, value in facts.items():
                _add(section, WSDP, key, value)
        relationship = _add(_section(metadata, "Relationship"), WSDP, "Relationship")
        relationship.set("Type", f"{WSDP}/host")
        host = _add(relationship, WSDP, "Host")
        host.append(_reference(self.address))
        _add(host, WSDP, "ServiceId", self.address)
        self._hosted(relationship, DSC, "dsc:RepositoryConfigurationServiceType", self.configuration_path)
        self._hosted(relationship, DSP, "dsp:RepositoryProcessingServiceType", self.processing_path)
        return metadata

    def _hosted(self, relationship: etree._Element, namespace: str, type_name: str, path: str) -> None:
        prefix, _, _ = type_name.partition(":")
        hosted = etree.SubElement(relationship, tag(WSDP, "Hosted"), nsmap={prefix: namespace})
        hosted.append(_reference(f"{self.base}{path}"))
        _add(hosted, WSDP, "Types", type_name)
        _add(hosted, WSDP, "ServiceId", f"{self.address}/{namespace.rpartition('/')[2]}")


def _asks_for_device(message: Message, notes: Notes) -> bool:
    probe = message.body
    if probe is None or probe.tag != tag(WSD, "Probe"):
        notes.record(rules.ACTION_BODY, "wsd:Probe expected")
        raise invalid("The body is no wsd:Probe.", probe)
    if probe.find(tag(WSD, "Scopes")) is not None:
        notes.record(rules.PROBE_SCOPES)
    types = probe.find(tag(WSD, "Types"))
    names = [] if types is None else (types.text or "").split()
    if types is None or not names:
        notes.record(rules.PROBE_TYPES)
        return False
    return all(_resolve(name, types) == (WSDP, "Device") for name in names)


def _resolve(name: str, element: etree._Element) -> tuple[str, str]:
    prefix, colon, local = name.rpartition(":")
    return element.nsmap.get(prefix if colon else None) or "", local


def _reference(address: str) -> etree._Element:
    reference = etree.Element(tag(WSA, "EndpointReference"), nsmap={"wsa": WSA})
    _add(reference, WSA, "Address", address)
    return reference


def _section(metadata: etree._Element, name: str) -> etree._Element:
    section = _add(metadata, WSX, "MetadataSection")
    section.set("Dialect", f"{WSDP}/{name}")
    return section


def _add(parent: etree._Element, namespace: str, local: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, tag(namespace, local))
    child.text = text
    return child
