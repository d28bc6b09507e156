"""What a scan server tells about itself, and which of its services processes scans.

Sources: WS-Transfer (2004/09) 3.1; WS-MetadataExchange (2004/09); DPWS 1.0, description; WS-DSP, metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final

from lxml import etree

from dsm_device.wire import envelope, xml
from dsm_device.wire.discovery import is_https, is_on_host
from dsm_device.wire.envelope import MessageError
from dsm_device.wire.names import DSP, GET, WSA, WSDP, WSX, qname

#: More than any host has. The rest of a longer list is not looked at: each name costs a search for its prefix.
_MAX_HOSTED: Final = 64
_MAX_TYPES: Final = 16


@dataclass(frozen=True, slots=True)
class HostedService:
    """One service of the host. ``types`` are (namespace, local name); a prefix that nobody declared gives ""."""

    addresses: tuple[str, ...]
    types: tuple[tuple[str, str], ...]
    service_id: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """GetResponse, as far as a client needs it."""

    friendly_name: str
    model_name: str
    hosted: tuple[HostedService, ...]


def render_get(to: str, message_id: str) -> bytes:
    """``to`` is the device address of the ProbeMatch exactly as written: a host may compare it as text."""
    return envelope.render(to=to, action=GET, message_id=message_id, body=None)


def parse_get_response(answer: envelope.Answer) -> Metadata:
    """Raises :class:`MessageError` where the answer is no wsx:Metadata."""
    metadata = envelope.expect(answer, WSX, "Metadata")
    hosted = [_hosted(each) for each in islice(metadata.iter(qname(WSDP, "Hosted")), _MAX_HOSTED)]
    return Metadata(
        friendly_name=_first(metadata, "FriendlyName"),
        model_name=_first(metadata, "ModelName"),
        hosted=tuple(hosted),
    )


def _first(metadata: etree._Element, local: str) -> str:
    return xml.token(next(metadata.iter(qname(WSDP, local)), None))


def _hosted(hosted: etree._Element) -> HostedService:
    references = hosted.iterchildren(qname(WSA, "EndpointReference"))
    addresses = [xml.token(xml.child(each, WSA, "Address")) for each in references]
    types = xml.child(hosted, WSDP, "Types")
    names = xml.token(types).split()[:_MAX_TYPES] if types is not None else []
    return HostedService(
        addresses=tuple(each for each in addresses if each),
        types=tuple(xml.resolve_qname(each, hosted if types is None else types) for each in names),
        service_id=xml.token(xml.child(hosted, WSDP, "ServiceId")),
    )


def processing_address(metadata: Metadata, host: str) -> str:
    """The address of the service with any type in the WS-DSP namespace, preferably on ``host`` itself.

    The local name of the type is not published, and the configuration service stands beside it: only the
    namespace tells. Another host than ``host`` is allowed here, since the certificate is checked against ``host``
    whatever the address; plain HTTP is not. Raises :class:`MessageError`.
    """
    services = [each for each in metadata.hosted if any(namespace == DSP for namespace, _ in each.types)]
    if not services:
        raise MessageError("its metadata list no service for processing scans (a type in the WS-DSP namespace)")
    offered = [address for service in services for address in service.addresses]
    secure = [address for address in offered if is_https(address)]
    if not secure:
        raise MessageError(f"its processing service has no https address: {', '.join(offered)[:200] or 'none'}")
    return min(secure, key=lambda address: not is_on_host(address, host))
