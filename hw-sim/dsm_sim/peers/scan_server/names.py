"""Namespaces, actions and fixed words of the messages that a scan server reads and writes.

Sources: WS-DSP, MS-BDSRR, DPWS 1.0 (2006/02), WS-Addressing (2004/08), WS-Discovery (2005/04),
WS-Transfer (2004/09), WS-MetadataExchange (2004/09), XOP 1.0.
"""

from __future__ import annotations

from typing import Final

_DISTRIBUTED_SCAN: Final = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan"
_FILTER: Final = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter"

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
SOAP_1_1: Final = "http://schemas.xmlsoap.org/soap/envelope/"
WSA: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSD: Final = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
WSDP: Final = "http://schemas.xmlsoap.org/ws/2006/02/devprof"
WSX: Final = "http://schemas.xmlsoap.org/ws/2004/09/mex"
WXF: Final = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSE: Final = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
XOP: Final = "http://www.w3.org/2004/08/xop/include"
DSP: Final = f"{_DISTRIBUTED_SCAN}/processing"
DSC: Final = f"{_DISTRIBUTED_SCAN}/configuration"
PSP: Final = "http://schemas.microsoft.com/windows/2008/02/imaging/postscan/psp"
SPX: Final = "http://schemas.microsoft.com/windows/2010/09/imaging/postscan/scanprocess/extensions"
EMLF: Final = f"{_FILTER}/email"
FSF: Final = f"{_FILTER}/fileshare"
SPF: Final = f"{_FILTER}/sharepoint"

#: The namespace of WS-DSP in some of its own published fault examples.
FORMER_DSP: Final = "http://schemas.microsoft.com/windows/2008/02/wdp/repository/processing"

PREFIXES: Final = {"soap": SOAP, "wsa": WSA, "wsd": WSD, "wsdp": WSDP, "wsx": WSX, "wse": WSE, "dsp": DSP}

ANONYMOUS: Final = f"{WSA}/role/anonymous"
DISCOVERY: Final = "urn:schemas-xmlsoap-org:ws:2005:04:discovery"

PROBE: Final = f"{WSD}/Probe"
PROBE_MATCHES: Final = f"{WSD}/ProbeMatches"
GET: Final = f"{WXF}/Get"
GET_RESPONSE: Final = f"{WXF}/GetResponse"
FAULT: Final = f"{WSA}/fault"
CREATE: Final = f"{DSP}/CreatePostScanJob"
SEND: Final = f"{DSP}/SendImage"
END: Final = f"{DSP}/EndPostScanJob"
CANCEL: Final = f"{DSP}/CancelPostScanJob"
QUERY: Final = f"{DSP}/GetPostScanJobElements"

SUBSCRIBE: Final = f"{WSE}/Subscribe"
RENEW: Final = f"{WSE}/Renew"
GET_STATUS: Final = f"{WSE}/GetStatus"
UNSUBSCRIBE: Final = f"{WSE}/Unsubscribe"
SUBSCRIPTION_END: Final = f"{WSE}/SubscriptionEnd"
PUSH: Final = f"{WSE}/DeliveryModes/Push"
ACTION_DIALECT: Final = f"{WSDP}/Action"
STATUS_EVENT: Final = f"{DSP}/PostScanJobStatusEvent"
END_EVENT: Final = f"{DSP}/PostScanJobEndStateEvent"

SCAN_SERVER_PATH: Final = "/ScanServer"
#: Where hosts built on Windows' WSDAPI answer a directed probe.
WSDAPI_PATH: Final = "/StableWSDiscoveryEndpoint/schemas-xmlsoap-org_ws_2005_04_discovery"


def tag(namespace: str, local: str) -> str:
    """The name in Clark notation, ``{namespace}local``."""
    return f"{{{namespace}}}{local}"
