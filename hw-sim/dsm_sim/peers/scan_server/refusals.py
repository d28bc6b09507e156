"""How a scan server says no: a SOAP fault, or an HTTP status where there is nothing to answer to.

Source: WS-DSP faults; WS-Addressing 4; SOAP 1.2 Part 2, table 20 (fault code to HTTP status).
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server.names import DSP, FAULT, FORMER_DSP, WSA, WSDP, WSE, tag

_PREFIXES: Final = {"dsp": DSP, "former": FORMER_DSP, "wsa": WSA, "wsdp": WSDP, "wse": WSE}
#: The published subcodes, each with the fault code that goes with it.
CODES: Final = {
    "dsp:InvalidArgs": "Sender",
    "dsp:OperationFailed": "Receiver",
    "dsp:ServerErrorTemporaryError": "Receiver",
    "dsp:ServerErrorInternalError": "Receiver",
    "dsp:ClientErrorJobTokenNotFound": "Sender",
    "dsp:ServerErrorPostScanJobCanceled": "Receiver",
    "dsp:ClientErrorCurrentUserNotScanAdmin": "Sender",
    "wsa:ActionNotSupported": "Sender",
    "wsa:DestinationUnreachable": "Sender",
    "wsa:EndpointUnavailable": "Receiver",
    "wsa:InvalidMessageInformationHeader": "Sender",
    "wsa:MessageInformationHeaderRequired": "Sender",
    "wse:DeliveryModeRequestedUnavailable": "Sender",
    "wse:InvalidExpirationTime": "Sender",
    "wse:UnsupportedExpirationType": "Sender",
    "wse:FilteringNotSupported": "Sender",
    "wse:FilteringRequestedUnavailable": "Sender",
    "wse:EventSourceUnableToProcess": "Receiver",
    "wse:UnableToRenew": "Receiver",
    "wse:InvalidMessage": "Sender",
    "wsdp:FilterActionNotSupported": "Sender",
}


class HttpRefusal(Exception):
    """An answer by HTTP status alone."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class SoapFault(Exception):
    """A fault to answer with; ``subcode`` is "" or ``prefix:name`` of the published codes."""

    def __init__(self, code: str, subcode: str, reason: str, detail: etree._Element | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.subcode = subcode
        self.reason = reason
        self.detail = detail

    @property
    def status(self) -> int:
        """400 where the sender is to blame, else 500."""
        return 400 if self.code == "Sender" else 500

    @property
    def action(self) -> str:
        """The action of its envelope: DPWS has one of its own (DPWS 1.0, 6)."""
        return f"{WSDP}/fault" if self.subcode.startswith("wsdp:") else FAULT


def fault(subcode: str, reason: str, detail: etree._Element | None = None) -> SoapFault:
    """The fault of a published subcode, with the code that belongs to it (``Receiver`` if unknown)."""
    return SoapFault(CODES.get(subcode, "Receiver"), subcode, reason, detail)


def invalid(reason: str, argument: etree._Element | None = None) -> SoapFault:
    """``dsp:InvalidArgs``; the detail repeats the bad argument without its children."""
    return fault("dsp:InvalidArgs", reason, None if argument is None else _shallow(argument))


def token_not_found(token: str) -> SoapFault:
    detail = etree.Element(tag(DSP, "JobToken"), nsmap={"dsp": DSP})
    detail.text = token
    return fault("dsp:ClientErrorJobTokenNotFound", "No active post-scan job has this token.", detail)


def subcode_namespace(subcode: str) -> dict[str, str]:
    """The prefix of a subcode with its namespace, to be declared where the code stands."""
    prefix, _, _ = subcode.partition(":")
    return {prefix: _PREFIXES[prefix]} if prefix in _PREFIXES else {}


def _shallow(argument: etree._Element) -> etree._Element:
    copy = etree.Element(argument.tag, nsmap=_PREFIXES)
    copy.text = (argument.text or "")[:255]
    return copy
