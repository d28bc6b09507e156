"""SOAP envelopes: a request written, what came in answer read and held against the rules of its header.

Source: SOAP 1.2 Part 1; WS-Addressing (2004/08) 3; DPWS 1.0, 2.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.errors import Fault, Unreadable
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.names import (
    ANONYMOUS,
    FAULT_ACTIONS,
    SOAP,
    WSA,
    WSCN,
    WSD,
    WSDP,
    WSE,
    XML,
    tag,
)
from dsm_sim.peers.console.xml import (
    add,
    child_text,
    children,
    find,
    namespace_of,
    new,
    parse,
    resolve,
    text_of,
)

_MESSAGE_ID: Final = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ADDRESSING: Final = ("To", "Action", "MessageID", "RelatesTo")
_RECEIVER_FAULTS: Final = frozenset(
    {
        tag(WSCN, "OperationFailed"),
        tag(WSCN, "ServerErrorTemporaryError"),
        tag(WSCN, "ServerErrorInternalError"),
        tag(WSCN, "ServerErrorNotAcceptingJobs"),
        tag(WSA, "EndpointUnavailable"),
        tag(WSE, "EventSourceUnableToProcess"),
        tag(WSE, "UnableToRenew"),
    }
)
#: The action of a fault whose subcode is of one of these vocabularies; WS-Addressing's for all others.
_FAULT_ACTIONS: Final = {WSD: f"{WSD}/fault", WSDP: f"{WSDP}/fault"}


@dataclass(frozen=True, slots=True)
class Message:
    """A message: addressing headers (white space trimmed, "" where absent) and the element in its body, if any."""

    action: str
    to: str
    message_id: str
    relates_to: str
    header: etree._Element
    body: etree._Element | None


def read(data: bytes, notes: Notes) -> Message:
    """The message in ``data``. Raises :class:`Unreadable`."""
    root = parse(data, notes)
    if root.tag != tag(SOAP, "Envelope"):
        notes.record(rules.SOAP_VERSION, str(root.tag))
        raise Unreadable(f"what came is no envelope of SOAP 1.2 but {root.tag}")
    header, body = _structure(root, notes)
    _check_understood(header, notes)
    found = {name: header.findall(tag(WSA, name)) for name in _ADDRESSING}
    repeated = [name for name, blocks in found.items() if len(blocks) > 1]
    notes.require(not repeated and bool(found["Action"]), rules.WSA_ONCE, " ".join(repeated) or "no wsa:Action")
    to, action, message_id, relates_to = (text_of(next(iter(found[name]), None)) for name in _ADDRESSING)
    notes.require(bool(_MESSAGE_ID.fullmatch(message_id)), rules.WSA_MESSAGE_ID, message_id or "absent")
    return Message(action, to, message_id, relates_to, header, body)


def _structure(root: etree._Element, notes: Notes) -> tuple[etree._Element, etree._Element | None]:
    parts = [part.tag for part in children(root)]
    bodies = root.findall(tag(SOAP, "Body"))
    header = root.find(tag(SOAP, "Header"))
    if not bodies or header is None:
        notes.record(rules.SOAP_STRUCTURE, ", ".join(map(str, parts)))
        raise Unreadable("the envelope has no Header or no Body")
    content = children(bodies[0])
    is_plain = parts == [tag(SOAP, "Header"), tag(SOAP, "Body")] and len(content) <= 1
    notes.require(is_plain, rules.SOAP_STRUCTURE, ", ".join(map(str, parts)))
    return header, content[0] if content else None


def _check_understood(header: etree._Element, notes: Notes) -> None:
    for block in children(header):
        is_demanded = block.get(tag(SOAP, "mustUnderstand"), "").strip() in {"1", "true"}
        if is_demanded and namespace_of(block) not in {WSA, WSD, WSE}:
            notes.record(rules.SOAP_UNDERSTAND, str(block.tag))


# --------------------------------------------------------------------------------------------- faults


def fault_of(message: Message, notes: Notes) -> Fault | None:
    """The fault in a message, held against the rules of faults; None where there is none."""
    if message.body is None or message.body.tag != tag(SOAP, "Fault"):
        return None
    element = message.body
    code, subcode = (_code(element, *path, "Value") for path in (("Code",), ("Code", "Subcode")))
    reason, detail = find(element, SOAP, "Reason", "Text"), find(element, SOAP, "Detail")
    is_whole = bool(
        code.startswith("{")
        and subcode.startswith("{")
        and reason is not None
        and text_of(reason)
        and reason.get(tag(XML, "lang"))
        and not (detail is not None and (text_of(detail) or not children(detail)))
    )
    notes.require(is_whole, rules.FAULT_STRUCTURE, f"{code or 'no code'} {subcode or 'no subcode'}")
    _check_codes(message.action, code, subcode, notes)
    parts = "" if detail is None else " ".join("".join(map(str, detail.itertext())).split())
    return Fault(code, subcode, text_of(reason), parts)


def _code(fault: etree._Element, *path: str) -> str:
    value = find(fault, SOAP, *path)
    return "" if value is None else resolve(text_of(value), value) or text_of(value)


def _check_codes(action: str, code: str, subcode: str, notes: Notes) -> None:
    vocabulary = subcode.rpartition("}")[0][1:]
    expected = _FAULT_ACTIONS.get(vocabulary, f"{WSA}/fault")
    notes.require(action in FAULT_ACTIONS and action == expected, rules.FAULT_ACTION, f"{action} for {subcode}")
    if vocabulary in {WSCN, WSA, WSE, WSD, WSDP}:
        right = tag(SOAP, "Receiver" if subcode in _RECEIVER_FAULTS else "Sender")
        notes.require(code == right, rules.FAULT_CODE, f"{code} with {subcode}")


# ---------------------------------------------------------------------------------------------- write


def new_message_id() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def write(
    action: str,
    to: str,
    message_id: str,
    body: etree._Element | None,
    *,
    header_blocks: Sequence[etree._Element] = (),
    wants_reply: bool = True,
) -> bytes:
    """A request. ``header_blocks`` are the reference parameters of the addressed endpoint."""
    envelope = new(SOAP, "Envelope")
    header = add(envelope, SOAP, "Header")
    for name, value in (("To", to), ("Action", action), ("MessageID", message_id)):
        add(header, WSA, name, value)
    if wants_reply:
        add(add(header, WSA, "ReplyTo"), WSA, "Address", ANONYMOUS)
    header.extend(deepcopy(block) for block in header_blocks)
    content = add(envelope, SOAP, "Body")
    if body is not None:
        content.append(body)
    return etree.tostring(envelope, encoding="utf-8", xml_declaration=True)


def endpoint_address(parent: etree._Element | None) -> str:
    """The address of the wsa:EndpointReference below an element; "" where there is none."""
    return child_text(parent, WSA, "EndpointReference", "Address")
