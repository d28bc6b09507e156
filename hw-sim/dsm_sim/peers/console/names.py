"""Namespaces, actions and numbers of the messages between a console and a device.

Sources: WS-DSD; WS-Scan; DPWS 1.0 (2006/02), appendix I; WS-Addressing (2004/08); WS-Discovery (2005/04);
WS-Eventing (2004/08); WS-Transfer (2004/09); WS-MetadataExchange (2004/09); PnP-X.
"""

from __future__ import annotations

from typing import Final

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
WSA: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSD: Final = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
WSDP: Final = "http://schemas.xmlsoap.org/ws/2006/02/devprof"
WSX: Final = "http://schemas.xmlsoap.org/ws/2004/09/mex"
WXF: Final = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSE: Final = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
PNPX: Final = "http://schemas.microsoft.com/windows/pnpx/2005/10"
DSD: Final = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/device"
WSCN: Final = "http://schemas.microsoft.com/windows/2006/08/wdp/scan"
XML: Final = "http://www.w3.org/XML/1998/namespace"
#: Of a name that no device knows.
FOREIGN: Final = "http://console.sim.example/extension"

PREFIXES: Final = {
    "soap": SOAP,
    "wsa": WSA,
    "wsd": WSD,
    "wsdp": WSDP,
    "wsx": WSX,
    "wse": WSE,
    "pnpx": PNPX,
    "dsd": DSD,
    "wscn": WSCN,
}

ANONYMOUS: Final = f"{WSA}/role/anonymous"
DISCOVERY_URN: Final = "urn:schemas-xmlsoap-org:ws:2005:04:discovery"
PUSH: Final = f"{WSE}/DeliveryModes/Push"
ACTION_FILTER: Final = f"{WSDP}/Action"
FAULT_ACTIONS: Final = frozenset({f"{WSA}/fault", f"{WSD}/fault", f"{WSDP}/fault"})

GET: Final = f"{WXF}/Get"
PROBE: Final = f"{WSD}/Probe"
RESOLVE: Final = f"{WSD}/Resolve"

#: Where a device answers a directed Probe over HTTP.
DIRECTED_PROBE_PATH: Final = "/StableWSDiscoveryEndpoint/schemas-xmlsoap-org_ws_2005_04_discovery"
HTTP_PORT: Final = 5357
DISCOVERY_PORT: Final = 3702
MAX_ENVELOPE_OCTETS: Final = 32_767
MAX_DATAGRAM_OCTETS: Final = 4_096
MAX_FIELD_CHARACTERS: Final = 255
MAX_URI_OCTETS: Final = 2_048

SCANNER_ELEMENTS: Final = ("ScannerDescription", "ScannerConfiguration", "ScannerStatus", "DefaultScanTicket")
JOB_ELEMENTS: Final = ("JobStatus", "ScanTicket", "Documents")
EVENTS: Final = (
    "JobStatusEvent",
    "JobEndStateEvent",
    "ScannerElementsChangeEvent",
    "ScannerStatusConditionEvent",
    "ScannerStatusConditionClearedEvent",
    "ScannerStatusSummaryEvent",
)


def tag(namespace: str, local: str) -> str:
    """The name in Clark notation, ``{namespace}local``."""
    return f"{{{namespace}}}{local}"


def readable(clark: str) -> str:
    """``{namespace}local`` as ``prefix:local`` where the namespace is one of the protocol's."""
    namespace, _, local = clark.rpartition("}")
    prefix = next((known for known, uri in PREFIXES.items() if uri == namespace[1:]), "")
    return f"{prefix}:{local}" if prefix else clark
