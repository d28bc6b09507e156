"""The server's side of SOAP: requests read in any lawful form; answers, faults and one-way messages in one form.

Sources: SOAP 1.2 part 1, 2.6, 5 and appendix A; WS-Addressing (2004/08) 3 and 4; DPWS 1.0; WS-DSD, faults; and
the open points of both, as the project's reference settles them (DPWS hosting, SOAP over HTTP).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Final, Literal

from lxml import etree

from dsm_device.wire import xml
from dsm_device.wire.discovery import MAX_URI_OCTETS
from dsm_device.wire.envelope import MAX_ENVELOPE_OCTETS, MessageError
from dsm_device.wire.names import (
    ANONYMOUS,
    DISCOVERY_FAULT,
    FAULT,
    PREFIXES,
    SOAP,
    SOAP_1_1,
    WSA,
    WSCN,
    WSD,
    WSE,
    XML,
    qname,
)

#: The most that is repeated of an argument that is wrong, in characters.
MAX_REPEATED: Final = 200

_UNDERSTOOD: Final = frozenset({qname(WSD, "AppSequence"), qname(WSE, "Identifier")})
_OUR_ROLES: Final = frozenset({"", f"{SOAP}/role/next", f"{SOAP}/role/ultimateReceiver"})

#: A qualified name: namespace and local name.
Name = tuple[str, str]
FaultCode = Literal["Sender", "Receiver", "MustUnderstand", "VersionMismatch"]


@dataclass(frozen=True, slots=True)
class Request:
    """A message to this device. Header values are trimmed; "" stands for a header that is not there.

    ``body`` is the body's one element, None where it is empty. ``identifier`` is the header wse:Identifier, by
    which subscribers say which subscription they mean.
    """

    action: str
    to: str
    message_id: str = ""
    body: etree._Element | None = None
    identifier: str = ""
    relates_to: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingFault:
    """A soap:Fault. ``subcode`` is None only for SOAP's own codes.

    ``detail`` is the one element of Detail. Without it Detail repeats ``action``: a known client fails where there
    is no Detail, and an empty one is not lawful. ``blocks`` are header blocks as text with all their declarations.
    """

    code: FaultCode
    subcode: Name | None
    reason: str
    detail: etree._Element | None = None
    action: str = FAULT
    blocks: tuple[bytes, ...] = ()


class RequestFault(Exception):
    """A request that is answered by ``fault``. ``message_id`` is the request's own, "" where it gives none."""

    def __init__(self, fault: OutgoingFault, message_id: str = "") -> None:
        super().__init__(fault.reason)
        self.fault = fault
        self.message_id = message_id


# --------------------------------------------------------------------------------------- what is read


def parse_request(data: bytes) -> Request:
    """The message in ``data``, at most :data:`MAX_ENVELOPE_OCTETS` octets, UTF-8 or UTF-16.

    Raises :class:`~dsm_device.wire.xml.XmlError` for what is no SOAP message at all, :class:`RequestFault` for
    one that has an answer.
    """
    envelope = xml.parse(data, limit=MAX_ENVELOPE_OCTETS)
    _check_envelope(envelope)
    header = xml.child(envelope, SOAP, "Header")
    content = xml.child(envelope, SOAP, "Body")
    if content is None:
        raise MessageError("the envelope has no Body")
    message_id = _token(header, WSA, "MessageID")
    try:
        return _request(header, content, message_id)
    except RequestFault as refused:
        refused.message_id = message_id if _is_short(message_id) else ""
        raise


def _check_envelope(envelope: etree._Element) -> None:
    if any(True for _ in envelope.getroottree().iter(etree.ProcessingInstruction)) or _has_outer_instruction(
        envelope
    ):
        raise MessageError("it has a processing instruction, which SOAP does not allow")
    if envelope.tag == qname(SOAP, "Envelope"):
        return
    if xml.local_name(envelope) != "Envelope":
        raise MessageError(f"not a SOAP envelope: it is {str(envelope.tag)[:120]}")
    version = "SOAP 1.1" if xml.namespace(envelope) == SOAP_1_1 else "another version of SOAP"
    raise RequestFault(_version_mismatch(version))


def _has_outer_instruction(root: etree._Element) -> bool:
    around = (*root.itersiblings(preceding=True), *root.itersiblings())
    return any(isinstance(each, etree._ProcessingInstruction) for each in around)


def _request(header: etree._Element | None, content: etree._Element, message_id: str) -> Request:
    _check_understood(header)
    _check_addressing(header)
    bodies = list(xml.elements(content))
    if len(bodies) > 1:
        raise RequestFault(invalid_args(bodies[1]))
    return Request(
        action=_token(header, WSA, "Action"),
        to=_token(header, WSA, "To"),
        message_id=message_id,
        body=bodies[0] if bodies else None,
        identifier=_token(header, WSE, "Identifier"),
        relates_to=_token(header, WSA, "RelatesTo"),
    )


def _check_understood(header: etree._Element | None) -> None:
    unknown = [block for block in _blocks(header) if not _is_understood(block)]
    if unknown:
        raise RequestFault(_not_understood(unknown))


def _is_understood(block: etree._Element) -> bool:
    demanded = block.get(qname(SOAP, "mustUnderstand"), "").strip() in ("1", "true")
    for_us = block.get(qname(SOAP, "role"), "").strip() in _OUR_ROLES
    return not (demanded and for_us) or xml.namespace(block) == WSA or block.tag in _UNDERSTOOD


def _check_addressing(header: etree._Element | None) -> None:
    """MessageID may lack: a known client leaves it out where it waits for no answer."""
    for local in ("Action", "To", "MessageID"):
        found = [] if header is None else header.findall(qname(WSA, local))
        if local != "MessageID" and not any(xml.token(each) for each in found):
            raise RequestFault(_header_required(local))
        if len(found) > 1 or any(not _is_short(xml.token(each)) for each in found):
            raise RequestFault(_invalid_header(found[-1]))
    for local in ("ReplyTo", "FaultTo"):
        for endpoint in [] if header is None else header.findall(qname(WSA, local)):
            if xml.token(xml.child(endpoint, WSA, "Address")) not in ("", ANONYMOUS):
                raise RequestFault(_invalid_header(endpoint))


def _blocks(header: etree._Element | None) -> list[etree._Element]:
    return [] if header is None else list(xml.elements(header))


def _token(header: etree._Element | None, namespace: str, local: str) -> str:
    return "" if header is None else xml.token(xml.child(header, namespace, local))


def _is_short(text: str) -> bool:
    return len(text.encode()) <= MAX_URI_OCTETS


# ------------------------------------------------------------------------------------ faults of all kinds


def _version_mismatch(version: str) -> OutgoingFault:
    """With the header that says what is understood (SOAP 1.2, 5.4.7)."""
    upgrade = etree.Element(qname(SOAP, "Upgrade"), nsmap={"soap": SOAP})
    etree.SubElement(upgrade, qname(SOAP, "SupportedEnvelope")).set("qname", "soap:Envelope")
    reason = f"The message is {version}; SOAP 1.2 is understood."
    return OutgoingFault("VersionMismatch", None, reason, blocks=(etree.tostring(upgrade),))


def _not_understood(blocks: Sequence[etree._Element]) -> OutgoingFault:
    """With a header for each of ``blocks``, the first ten (SOAP 1.2, 5.4.8)."""
    told = tuple(etree.tostring(_not_understood_header(each)) for each in blocks[:10])
    return OutgoingFault("MustUnderstand", None, "A header that must be understood is not.", blocks=told)


def _not_understood_header(block: etree._Element) -> etree._Element:
    name, namespace = xml.local_name(block), xml.namespace(block)
    header = etree.Element(
        qname(SOAP, "NotUnderstood"), nsmap={"soap": SOAP} | ({"unknown": namespace} if namespace else {})
    )
    header.set("qname", f"unknown:{name}" if namespace else name)
    return header


def _header_required(local: str) -> OutgoingFault:
    detail = etree.Element(qname(WSA, local), nsmap={"wsa": WSA})
    reason = "A required message information header, To, MessageID, or Action, is not present."
    return OutgoingFault("Sender", (WSA, "MessageInformationHeaderRequired"), reason, detail)


def _invalid_header(header: etree._Element) -> OutgoingFault:
    reason = "A message information header is not valid and the message cannot be processed."
    return OutgoingFault("Sender", (WSA, "InvalidMessageInformationHeader"), reason, repeated(header))


def action_not_supported(action: str) -> OutgoingFault:
    reason = "The [action] cannot be processed at the receiver."
    return OutgoingFault("Sender", (WSA, "ActionNotSupported"), reason, _action(action))


def destination_unreachable() -> OutgoingFault:
    reason = "No route can be determined to reach the destination role defined by the WS-Addressing To."
    return OutgoingFault("Sender", (WSA, "DestinationUnreachable"), reason)


def matching_rule_not_supported(supported: str) -> OutgoingFault:
    """To a Probe by HTTP whose scopes are to be compared by a strange rule; ``supported`` lists those known."""
    detail = etree.Element(qname(WSD, "SupportedMatchingRules"), nsmap={"wsd": WSD})
    detail.text = supported
    reason = "The matching rule specified is not supported."
    return OutgoingFault("Sender", (WSD, "MatchingRuleNotSupported"), reason, detail, DISCOVERY_FAULT)


def invalid_args(argument: etree._Element | None = None) -> OutgoingFault:
    """``wscn:InvalidArgs``: WS-Scan's, for too few, too many, misnamed or mistyped arguments."""
    detail = None if argument is None else repeated(argument)
    return OutgoingFault("Sender", (WSCN, "InvalidArgs"), "At least one input argument is invalid.", detail)


def repeated(element: etree._Element) -> etree._Element:
    """``element`` for a Detail: its name and the start of its text, without attributes and children."""
    namespace = xml.namespace(element)
    prefix = next((each for each, uri in PREFIXES.items() if uri == namespace), "arg")
    copy = etree.Element(element.tag, nsmap={prefix: namespace} if namespace else None)
    copy.text = xml.token(element)[:MAX_REPEATED]
    return copy


# ------------------------------------------------------------------------------------- what is written


def render_answer(
    action: str,
    message_id: str,
    relates_to: str,
    body: etree._Element | None,
    extra_headers: Sequence[bytes] = (),
) -> bytes:
    """An answer on the back channel. ``message_id`` is a fresh ``urn:uuid:``, ``relates_to`` the MessageID of the
    request, "" to leave RelatesTo out. ``extra_headers`` are further header blocks as text, each with all the
    declarations that it needs. ``body`` is moved into the message, its declarations are on the envelope then."""
    addressing = {"To": ANONYMOUS, "Action": action, "MessageID": message_id, "RelatesTo": relates_to}
    return _render(addressing, body, extra_headers)


def render_one_way(
    to: str, action: str, message_id: str, body: etree._Element, blocks: Sequence[bytes] = ()
) -> bytes:
    """A message that expects no answer: an event, SubscriptionEnd, Hello, Bye. ``blocks`` as in
    :func:`render_answer`: AppSequence, reference parameters."""
    return _render({"To": to, "Action": action, "MessageID": message_id}, body, blocks)


def render_fault(fault: OutgoingFault, message_id: str, relates_to: str) -> bytes:
    """``fault`` as the answer to the request whose MessageID is ``relates_to``."""
    return render_answer(fault.action, message_id, relates_to, _fault(fault), fault.blocks)


def _fault(fault: OutgoingFault) -> etree._Element:
    namespace, local = fault.subcode or (SOAP, "")
    prefix = next((each for each, uri in PREFIXES.items() if uri == namespace), "sub")
    root = etree.Element(qname(SOAP, "Fault"), nsmap={"soap": SOAP, prefix: namespace})
    code = _add(root, "Code")
    _add(code, "Value").text = f"soap:{fault.code}"
    if local:
        _add(_add(code, "Subcode"), "Value").text = f"{prefix}:{local}"
    reason = _add(_add(root, "Reason"), "Text")
    reason.set(qname(XML, "lang"), "en")
    reason.text = fault.reason
    _add(root, "Detail").append(_action(fault.action) if fault.detail is None else deepcopy(fault.detail))
    return root


def _action(action: str) -> etree._Element:
    element = etree.Element(qname(WSA, "Action"), nsmap={"wsa": WSA})
    element.text = action
    return element


def _render(addressing: Mapping[str, str], body: etree._Element | None, blocks: Sequence[bytes]) -> bytes:
    declared = {"soap": SOAP, "wsa": WSA}
    for prefix, uri in body.nsmap.items() if body is not None else ():
        if prefix:
            declared.setdefault(prefix, uri)
    envelope = etree.Element(qname(SOAP, "Envelope"), nsmap=declared)
    header = _add(envelope, "Header")
    for local, value in addressing.items():
        if value:
            etree.SubElement(header, qname(WSA, local)).text = value
    content = _add(envelope, "Body")
    if body is not None:
        content.append(body)
    return xml.serialize(envelope, blocks)


def _add(parent: etree._Element, local: str) -> etree._Element:
    return etree.SubElement(parent, qname(SOAP, local))
