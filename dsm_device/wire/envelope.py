"""SOAP 1.2 envelopes with WS-Addressing: requests written in one form, answers read in any lawful one.

Sources: SOAP 1.2 part 1, 5; WS-Addressing (2004/08) 3; DPWS 1.0; WS-DSP, HTTP and operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_device.wire import faults, xml
from dsm_device.wire.names import ANONYMOUS, PREFIXES, SOAP, WSA, WSD, WSE, qname
from dsm_device.wire.xml import XmlError

#: DPWS 1.0, appendix I, MAX_ENVELOPE_SIZE, in octets: a receiver may refuse more. Attachments do not count.
MAX_ENVELOPE_OCTETS: Final = 32_767
#: What we read of an answer, in octets. Metadata may exceed the limit of DPWS.
MAX_ANSWER_OCTETS: Final = 1_048_576

_UNDERSTOOD: Final = frozenset({WSA, WSD, WSE})
_OURS: Final = frozenset({"", f"{SOAP}/role/next", f"{SOAP}/role/ultimateReceiver"})


class MessageError(XmlError):
    """Well-formed, but not the message that it should be; ``str()`` says why in one line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an element in the body, or a fault, or neither where the body is empty."""

    action: str
    #: The request's MessageID, or "" where the answer does not say.
    relates_to: str
    body: etree._Element | None
    fault: faults.Fault | None


def render(
    *,
    to: str,
    action: str,
    message_id: str,
    body: etree._Element | None,
    blocks: Sequence[bytes] = (),
    inserted: Mapping[bytes, bytes] = {},
) -> bytes:
    """A request envelope on one line, its answer expected on the back channel.

    ``to`` is the URL that it is sent to, or what its specification says; ``message_id`` a fresh ``urn:uuid:``.
    The namespaces declared on ``body`` are declared on the envelope. ``blocks`` and ``inserted`` as in
    :func:`dsm_device.wire.xml.serialize`.
    """
    declared = {"soap": SOAP, "wsa": WSA}
    if body is not None:
        declared |= {prefix: uri for prefix, uri in body.nsmap.items() if prefix}
    envelope = etree.Element(qname(SOAP, "Envelope"), nsmap=declared)
    header = etree.SubElement(envelope, qname(SOAP, "Header"))
    etree.SubElement(header, qname(WSA, "To")).text = to
    etree.SubElement(header, qname(WSA, "Action")).text = action
    etree.SubElement(header, qname(WSA, "MessageID")).text = message_id
    reply_to = etree.SubElement(header, qname(WSA, "ReplyTo"))
    etree.SubElement(reply_to, qname(WSA, "Address")).text = ANONYMOUS
    content = etree.SubElement(envelope, qname(SOAP, "Body"))
    if body is not None:
        content.append(body)
    return xml.serialize(envelope, blocks, inserted)


def element(namespace: str, local: str, *prefixes: str) -> etree._Element:
    """A new element for a body; its own prefix and ``prefixes`` are declared by their usual names."""
    declared = {prefix: uri for prefix, uri in PREFIXES.items() if uri == namespace or prefix in prefixes}
    return etree.Element(qname(namespace, local), nsmap=declared)


def parse_answer(data: bytes, *, request_id: str) -> Answer:
    """The answer to the request whose MessageID is ``request_id``.

    Tolerated as in published messages: any prefix, white space round tokens, unknown headers that need not be
    understood, no Action, no RelatesTo. Raises :class:`XmlError`, of which :class:`MessageError` is one.
    """
    answer = parse_message(data)
    if answer.relates_to not in ("", request_id):
        raise MessageError(f"it answers another message: RelatesTo is {answer.relates_to[:80]}")
    return answer


def parse_message(data: bytes) -> Answer:
    """A message that nobody asked for, an event, read as tolerantly. Raises :class:`XmlError`."""
    envelope = xml.parse(data, limit=MAX_ANSWER_OCTETS)
    if envelope.tag != qname(SOAP, "Envelope"):
        raise MessageError(f"not a SOAP 1.2 envelope: it is {_name(envelope)}")
    header = xml.child(envelope, SOAP, "Header")
    _check_understood(header)
    content = xml.child(envelope, SOAP, "Body")
    if content is None:
        raise MessageError("the envelope has no Body")
    body = next(xml.elements(content), None)
    is_fault = body is not None and body.tag == qname(SOAP, "Fault")
    return Answer(
        action=_header_token(header, "Action"),
        relates_to=_header_token(header, "RelatesTo"),
        body=None if is_fault else body,
        fault=faults.parse(body) if is_fault and body is not None else None,
    )


def _check_understood(header: etree._Element | None) -> None:
    for block in xml.elements(header) if header is not None else ():
        if _must_be_understood(block) and xml.namespace(block) not in _UNDERSTOOD:
            raise MessageError(f"it demands that the unknown header {_name(block)} be understood")


def _header_token(header: etree._Element | None, local: str) -> str:
    return "" if header is None else xml.token(xml.child(header, WSA, local))


def _must_be_understood(block: etree._Element) -> bool:
    demanded = block.get(qname(SOAP, "mustUnderstand"), "").strip() in ("1", "true")
    return demanded and block.get(qname(SOAP, "role"), "").strip() in _OURS


def expect(answer: Answer, namespace: str, local: str) -> etree._Element:
    """The body of ``answer``, which has to be that element. Raises :class:`MessageError`."""
    if answer.body is None:
        raise MessageError(f"it has nothing where {local} was expected")
    if answer.body.tag != qname(namespace, local):
        raise MessageError(f"it has {_name(answer.body)} where {local} was expected")
    return answer.body


def _name(element: etree._Element) -> str:
    return str(element.tag)[:120]
