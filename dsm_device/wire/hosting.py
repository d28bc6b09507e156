"""What the device tells of itself as a DPWS host: the answer to WS-Transfer's Get.

Sources: DPWS (2006/02), description; WS-MetadataExchange (2004/09); PnP-X; the project's reference on DPWS
hosting, metadata. A known client fails where any of these elements lacks, so all are there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_device.wire import xml
from dsm_device.wire.discovery import MAX_URI_OCTETS
from dsm_device.wire.names import DSD, PNPX, PREFIXES, WSA, WSCN, WSDP, WSX, XML, qname

#: DPWS, MAX_FIELD_SIZE, in characters: Windows refuses what is longer.
MAX_FIELD: Final = 255

#: What the device announces itself as, everywhere. These and all types are in Clark notation.
DEVICE_TYPES: Final = (qname(WSDP, "Device"), qname(WSCN, "ScanDeviceType"))
SCANNER_SERVICE: Final = qname(WSCN, "ScannerServiceType")
#: No source prints the type of a DSM device: a placeholder (the reference on DPWS hosting, types).
DSM_SERVICE: Final = qname(DSD, "DistributedScanDeviceServiceType")


@dataclass(frozen=True, slots=True)
class ThisDevice:
    """This one device."""

    friendly_name: str
    firmware_version: str
    serial_number: str
    language: str = "en"


@dataclass(frozen=True, slots=True)
class ThisModel:
    """Its kind. ``category`` is what Windows shows it among (PnP-X, DeviceCategory). For a URL that is "" the
    device's own page is told: clients want one."""

    manufacturer: str
    manufacturer_url: str
    model_name: str
    model_number: str
    model_url: str
    category: str = "Scanners"
    language: str = "en"


@dataclass(frozen=True, slots=True)
class HostedService:
    """A service at ``path`` ("scan") of the host. ``compatible_id`` "" lets Windows install no driver for it."""

    path: str
    types: tuple[str, ...]
    compatible_id: str = ""
    hardware_id: str = ""


@dataclass(frozen=True, slots=True)
class HostMetadata:
    """Everything in the answer. ``uuid`` is the device's own, lower case, 36 characters."""

    uuid: str
    device: ThisDevice
    model: ThisModel
    services: tuple[HostedService, ...]
    types: tuple[str, ...] = DEVICE_TYPES

    @property
    def address(self) -> str:
        """The endpoint address, which never changes."""
        return f"urn:uuid:{self.uuid}"


def hosted_services(hardware_id: str, *, for_drivers: bool = True) -> tuple[HostedService, ...]:
    """The two services, one implementation: WS-Scan at /scan, WS-DSD at /dsd. ``for_drivers``: Windows may bind
    its scanner driver to them."""
    return tuple(
        HostedService(path, (kind,), kind[1:].replace("}", "/") if for_drivers else "", hardware_id)
        for path, kind in (("scan", SCANNER_SERVICE), ("dsd", DSM_SERVICE))
    )


def render(metadata: HostMetadata, base_url: str) -> etree._Element:
    """wsx:Metadata. ``base_url`` is scheme, host and port at which the request came in, without final slash."""
    names = [*metadata.types, *(each for service in metadata.services for each in service.types)]
    prefixes = type_prefixes(names)
    declared = {prefix: uri for uri, prefix in prefixes.items()}
    declared |= {"wsx": WSX, "wsdp": WSDP, "wsa": WSA, "pnpx": PNPX}
    root = etree.Element(qname(WSX, "Metadata"), nsmap=declared)
    _fill_device(_section(root, "ThisDevice"), metadata.device)
    _fill_model(_section(root, "ThisModel"), metadata.model, base_url)
    relationship = _section(root, "Relationship")
    relationship.set("Type", f"{WSDP}/host")
    _add_host(relationship, metadata, written_types(metadata.types, prefixes), base_url)
    for service in metadata.services:
        _add_hosted(relationship, service, written_types(service.types, prefixes), metadata.uuid, base_url)
    return root


def digest(metadata: HostMetadata) -> str:
    """What tells whether anything in ``metadata`` has changed, wherever the device is (MetadataVersion)."""
    return hashlib.sha256(etree.tostring(render(metadata, ""))).hexdigest()


def type_prefixes(names: Sequence[str]) -> dict[str, str]:
    """A prefix for each namespace of the Clark names: the usual one, since some clients compare text."""
    usual = {uri: prefix for prefix, uri in PREFIXES.items()}
    namespaces = dict.fromkeys(etree.QName(name).namespace or "" for name in names)
    return {uri: usual.get(uri, f"t{number}") for number, uri in enumerate(namespaces)}


def written_types(names: Sequence[str], prefixes: Mapping[str, str]) -> str:
    """Clark names as a list of QNames."""
    types = map(etree.QName, names)
    return " ".join(f"{prefixes[each.namespace or '']}:{each.localname}" for each in types)


def _section(root: etree._Element, local: str) -> etree._Element:
    section = etree.SubElement(root, qname(WSX, "MetadataSection"))
    section.set("Dialect", f"{WSDP}/{local}")
    return etree.SubElement(section, qname(WSDP, local))


def _fill_device(element: etree._Element, device: ThisDevice) -> None:
    _add_localized(element, "FriendlyName", device.friendly_name, device.language)
    _add(element, "FirmwareVersion", device.firmware_version)
    _add(element, "SerialNumber", device.serial_number)


def _fill_model(element: etree._Element, model: ThisModel, base_url: str) -> None:
    page = f"{base_url}/"
    _add_localized(element, "Manufacturer", model.manufacturer, model.language)
    _add(element, "ManufacturerUrl", model.manufacturer_url or page)
    _add_localized(element, "ModelName", model.model_name, model.language)
    _add(element, "ModelNumber", model.model_number)
    _add(element, "ModelUrl", model.model_url or page)
    _add(element, "PresentationUrl", page)
    _add(element, "DeviceCategory", model.category, PNPX)


def _add_host(parent: etree._Element, metadata: HostMetadata, types: str, base_url: str) -> None:
    host = _add(parent, "Host")
    _add_endpoint(host, metadata.address)
    _add(host, "Types", types)
    _add(host, "ServiceId", f"{base_url}/device")


def _add_hosted(parent: etree._Element, service: HostedService, types: str, uuid: str, base_url: str) -> None:
    hosted = _add(parent, "Hosted")
    _add_endpoint(hosted, f"{base_url}/{service.path}")
    _add(hosted, "Types", types)
    _add(hosted, "ServiceId", f"uri:{uuid}/{service.path}")
    if service.compatible_id:
        _add(hosted, "CompatibleId", service.compatible_id, PNPX)
    if service.hardware_id:
        _add(hosted, "HardwareId", service.hardware_id, PNPX)


def _add_endpoint(parent: etree._Element, address: str) -> None:
    reference = etree.SubElement(parent, qname(WSA, "EndpointReference"))
    etree.SubElement(reference, qname(WSA, "Address")).text = address


def _add(parent: etree._Element, local: str, text: str | None = None, namespace: str = WSDP) -> etree._Element:
    child = etree.SubElement(parent, qname(namespace, local))
    child.text = None if text is None else xml.writable(text, MAX_URI_OCTETS)
    return child


def _add_localized(parent: etree._Element, local: str, text: str, language: str) -> None:
    _add(parent, local, xml.writable(text, MAX_FIELD)).set(qname(XML, "lang"), language)
