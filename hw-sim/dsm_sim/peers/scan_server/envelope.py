"""SOAP envelopes: a request read and held against the rules of its header, an answer written.

Source: SOAP 1.2 Part 1; WS-Addressing (2004/08) 3; DPWS 1.0, 2.
"""

from __future__ import annotations

import re
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server import rules
from dsm_sim.peers.scan_server.names import (
    ANONYMOUS,
    DISCOVERY,
    PREFIXES,
    PROBE,
    SOAP,
    SOAP_1_1,
    WSA,
    WSD,
    WSE,
    tag,
)
from dsm_sim.peers.scan_server.refusals import HttpRefusal, SoapFault, fault, subcode_namespace
from dsm_sim.peers.scan_server.rules import Notes

_BOM: Final = b"\xef\xbb\xbf"
_MESSAGE_ID: Final = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_REMEMBERED_IDS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Message:
    """A request: its header, what addressing says in it (white space trimmed), and the body's element, if any."""

    action: str
    to: str
    message_id: str
    header: etree._Element
    body: etree._Element | None

    @property
    def operation(self) -> str:
        """The last segment of the action: ``SendImage``."""
        return self.action.rpartition("/")[2]


@dataclass
class SeenIds:
    """The message ids of the last 10,000 requests."""

    known: set[str] = field(default_factory=set)
    order: deque[str] = field(default_factory=deque)

    def is_new(self, message_id: str) -> bool:
        if message_id in self.known:
            return False
        self.known.add(message_id)
        self.order.append(message_id)
        if len(self.order) > _REMEMBERED_IDS:
            self.known.discard(self.order.popleft())
        return True


def text_of(element: etree._Element | None) -> str:
    """The text with surrounding white space removed; "" for None."""
    return "" if element is None else (element.text or "").strip()


def parse(data: bytes, notes: Notes) -> etree._Element:
    """The root of ``data``. Raises :class:`HttpRefusal` 400 for what SOAP does not allow at all."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        notes.record(rules.XML_WELL_FORMED, str(error))
        raise HttpRefusal(400) from error
    _check_prolog(data, root, notes)
    return root


def _check_prolog(data: bytes, root: etree._Element, notes: Notes) -> None:
    tree = root.getroottree()
    info = tree.docinfo
    if data.startswith(_BOM) or not data.startswith(b"<?xml"):
        notes.record(rules.XML_DECLARATION, repr(data[:20]))
    if str(info.encoding or "utf-8").lower() != "utf-8":
        notes.record(rules.XML_DECLARATION, f"encoding {info.encoding}")
    if info.internalDTD or tree.xpath("//processing-instruction()"):
        notes.record(rules.XML_DTD)
        raise HttpRefusal(400)


def peek_action(root: etree._Element) -> str:
    """The action of an envelope that was not looked at yet; "" where there is none."""
    return text_of(root.find(f"{tag(SOAP, 'Header')}/{tag(WSA, 'Action')}"))


def peek_message_id(root: etree._Element) -> str:
    return text_of(root.find(f"{tag(SOAP, 'Header')}/{tag(WSA, 'MessageID')}"))


def read(root: etree._Element, url: str, seen: SeenIds | None, notes: Notes) -> Message:
    """The message in ``root`` that was sent to ``url``.

    ``seen`` is None where repetitions are lawful (datagrams). Raises :class:`SoapFault` for header faults.
    """
    header, body = _structure(root, notes)
    _check_understood(header, notes)
    action, to, message_id = (_required(header, name, notes) for name in ("Action", "To", "MessageID"))
    _check_reply_to(header, notes)
    _check_message_id(message_id, seen, notes)
    _check_to(action, to, url, notes)
    elements = list(body.iterchildren(tag=etree.Element))
    if len(elements) > 1:
        notes.record(rules.SOAP_STRUCTURE, f"{len(elements)} elements in the body")
    return Message(action, to, message_id, header, elements[0] if elements else None)


def _structure(root: etree._Element, notes: Notes) -> tuple[etree._Element, etree._Element]:
    if root.tag != tag(SOAP, "Envelope"):
        notes.record(rules.SOAP_VERSION, str(root.tag))
        if root.tag != tag(SOAP_1_1, "Envelope"):
            raise HttpRefusal(400)
        raise SoapFault("VersionMismatch", "", "Only SOAP 1.2 is understood.")
    children = list(root.iterchildren(tag=etree.Element))
    if [child.tag for child in children] != [tag(SOAP, "Header"), tag(SOAP, "Body")]:
        notes.record(rules.SOAP_STRUCTURE, ", ".join(str(child.tag) for child in children))
        raise SoapFault("Sender", "", "An envelope has a Header and a Body.")
    return children[0], children[1]


def _check_understood(header: etree._Element, notes: Notes) -> None:
    for block in header.iterchildren(tag=etree.Element):
        demanded = block.get(tag(SOAP, "mustUnderstand"), "").strip() in {"1", "true"}
        if demanded and etree.QName(block).namespace not in {WSA, WSD, WSE}:
            notes.record(rules.SOAP_UNDERSTAND, str(block.tag))
            raise SoapFault("MustUnderstand", "", f"The header {block.tag} is not understood.")


def _required(header: etree._Element, name: str, notes: Notes) -> str:
    found = header.findall(tag(WSA, name))
    value = text_of(found[0]) if found else ""
    if len(found) > 1:
        notes.record(rules.WSA_REQUIRED, f"{len(found)} times wsa:{name}")
        raise fault("wsa:InvalidMessageInformationHeader", f"wsa:{name} occurs {len(found)} times.")
    if not value:
        notes.record(rules.WSA_REQUIRED, f"wsa:{name} is missing")
        raise fault("wsa:MessageInformationHeaderRequired", f"The header wsa:{name} is required.")
    return value


def _check_reply_to(header: etree._Element, notes: Notes) -> None:
    reply_to = header.find(tag(WSA, "ReplyTo"))
    if reply_to is None:
        notes.record(rules.WSA_REPLY_TO, "missing")
        return
    address = text_of(reply_to.find(tag(WSA, "Address")))
    if address != ANONYMOUS:
        notes.record(rules.WSA_REPLY_TO, address)
        raise fault("wsa:InvalidMessageInformationHeader", "Only the anonymous reply address is supported.")


def _check_message_id(message_id: str, seen: SeenIds | None, notes: Notes) -> None:
    if not _MESSAGE_ID.fullmatch(message_id):
        notes.record(rules.WSA_MESSAGE_ID, message_id)
    if seen is not None and not seen.is_new(message_id):
        notes.record(rules.WSA_UNIQUE, message_id)


def _check_to(action: str, to: str, url: str, notes: Notes) -> None:
    if action == PROBE:
        if to != DISCOVERY:
            notes.record(rules.WSA_DISCOVERY_TO, to)
    elif to.rstrip("/").lower() != url.rstrip("/").lower():
        notes.record(rules.WSA_TO, f"{to} sent to {url}")
        raise fault("wsa:DestinationUnreachable", f"{to} is no endpoint at this address.")


# ---------------------------------------------------------------------------------------------- write


def write(
    action: str,
    relates_to: str,
    body: etree._Element | None,
    header_blocks: Sequence[etree._Element] = (),
    *,
    to: str = ANONYMOUS,
) -> bytes:
    """The answer to the message ``relates_to``; "" where that had no id, or where this answers nothing."""
    envelope = etree.Element(tag(SOAP, "Envelope"), nsmap=PREFIXES)
    header = etree.SubElement(envelope, tag(SOAP, "Header"))
    _block(header, "To", to)
    _block(header, "Action", action)
    _block(header, "MessageID", f"urn:uuid:{uuid.uuid4()}")
    if relates_to:
        _block(header, "RelatesTo", relates_to)
    header.extend(header_blocks)
    content = etree.SubElement(envelope, tag(SOAP, "Body"))
    if body is not None:
        content.append(body)
    return etree.tostring(envelope, encoding="utf-8", xml_declaration=True)


def _block(header: etree._Element, name: str, text: str) -> None:
    etree.SubElement(header, tag(WSA, name)).text = text


def write_fault(problem: SoapFault, relates_to: str) -> bytes:
    """The envelope of a fault."""
    element = etree.Element(tag(SOAP, "Fault"), nsmap=PREFIXES)
    code = etree.SubElement(element, tag(SOAP, "Code"))
    etree.SubElement(code, tag(SOAP, "Value")).text = f"soap:{problem.code}"
    if problem.subcode:
        subcode = etree.SubElement(code, tag(SOAP, "Subcode"), nsmap=subcode_namespace(problem.subcode))
        etree.SubElement(subcode, tag(SOAP, "Value")).text = problem.subcode
    reason = etree.SubElement(element, tag(SOAP, "Reason"))
    text = etree.SubElement(reason, tag(SOAP, "Text"))
    text.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    text.text = problem.reason
    if problem.detail is not None:
        etree.SubElement(element, tag(SOAP, "Detail")).append(problem.detail)
    return write(problem.action, relates_to, element)
