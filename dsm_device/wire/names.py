"""Every namespace, action and protocol name, written once.

Sources: WS-DSP and WS-DSD (Distributed Scan Management Protocol pages), WS-Scan 1.0, MS-BDSRR, DPWS (2006/02),
WS-Addressing (2004/08), WS-Discovery (2005/04), WS-Transfer (2004/09), WS-MetadataExchange (2004/09).
"""

from __future__ import annotations

from typing import Final

# ---------------------------------------------------------------------------------------- namespaces
DSP: Final = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/processing"
#: The sister service, for administrators. Its events have the same form.
DSC: Final = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/configuration"
#: The device's own service, for the console.
DSD: Final = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/device"
PSP: Final = "http://schemas.microsoft.com/windows/2008/02/imaging/postscan/psp"
WSCN: Final = "http://schemas.microsoft.com/windows/2006/08/wdp/scan"
#: WS-Scan before it was finished: read like WSCN, never written (WS-DSD, namespaces).
WSCN_DRAFT: Final = "http://schemas.microsoft.com/windows/2006/01/wdp/scan"
SPX: Final = "http://schemas.microsoft.com/windows/2010/09/imaging/postscan/scanprocess/extensions"
EMLF: Final = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/email"
FSF: Final = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/fileshare"
SPF: Final = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/sharepoint"

SOAP_1_1: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
WSA: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSD: Final = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
WSDP: Final = "http://schemas.xmlsoap.org/ws/2006/02/devprof"
WSX: Final = "http://schemas.xmlsoap.org/ws/2004/09/mex"
WXF: Final = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSE: Final = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
PNPX: Final = "http://schemas.microsoft.com/windows/pnpx/2005/10"
XOP: Final = "http://www.w3.org/2004/08/xop/include"
XML: Final = "http://www.w3.org/XML/1998/namespace"

PREFIXES: Final = {
    "soap": SOAP,
    "wsa": WSA,
    "wsd": WSD,
    "wsdp": WSDP,
    "wsx": WSX,
    "wse": WSE,
    "pnpx": PNPX,
    "xop": XOP,
    "dsp": DSP,
    "dsd": DSD,
    "psp": PSP,
    "wscn": WSCN,
    "spx": SPX,
    "emlf": EMLF,
    "fsf": FSF,
    "spf": SPF,
}

# ----------------------------------------------------------------------------------------- addresses
ANONYMOUS: Final = f"{WSA}/role/anonymous"
DISCOVERY_URN: Final = "urn:schemas-xmlsoap-org:ws:2005:04:discovery"

# ------------------------------------------------------------------------------------------- actions
PROBE: Final = f"{WSD}/Probe"
GET: Final = f"{WXF}/Get"
GET_RESPONSE: Final = f"{WXF}/GetResponse"
#: The action of SOAP's and WS-Addressing's faults, and of WS-Scan's and WS-Eventing's.
FAULT: Final = f"{WSA}/fault"
#: That of the faults of DPWS and of WS-Discovery.
DEVICE_PROFILE_FAULT: Final = f"{WSDP}/fault"
DISCOVERY_FAULT: Final = f"{WSD}/fault"


def qname(namespace: str, local: str) -> str:
    """The name in Clark notation, ``{namespace}local``."""
    return f"{{{namespace}}}{local}"
