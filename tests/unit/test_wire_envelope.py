"""Envelopes: what is written can be read, and what is read may look in many lawful ways but not in others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dsm_device.wire import envelope
from dsm_device.wire.envelope import MAX_ANSWER_OCTETS, MessageError, parse_answer
from dsm_device.wire.names import DSP
from dsm_device.wire.xml import XmlError

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
ID = "urn:uuid:00000000-0000-4000-8000-000000000001"

XML_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="￾￿"))
TOKENS = XML_TEXT.map(lambda text: " ".join(text.split()))


def envelope_of(header: str, body: str, *, soap: str = SOAP, extra: str = "") -> bytes:
    return (
        f'<x:Envelope xmlns:x="{soap}" xmlns:y="{WSA}" {extra}>{header}<x:Body>{body}</x:Body></x:Envelope>'
    ).encode()


@pytest.mark.writes_anything("any text at any place")
@given(to=TOKENS, action=TOKENS, message_id=TOKENS, text=XML_TEXT)
def test_what_is_written_is_well_formed_and_holds_every_text(
    to: str, action: str, message_id: str, text: str
) -> None:
    body = envelope.element(DSP, "Anything")
    body.text = text
    root = etree.fromstring(envelope.render(to=to, action=action, message_id=message_id, body=body))
    header, content = root
    assert [block.text or "" for block in header][:3] == [to, action, message_id]
    assert header[3][0].text == f"{WSA}/role/anonymous"
    assert (content[0].tag, content[0].text or "") == (f"{{{DSP}}}Anything", text)


@given(
    action=TOKENS,
    space=st.text(" \t\r\n", max_size=5),
    prefix=st.sampled_from(["x", "soap", "SOAP-ENV", "é"]),
    has_relation=st.booleans(),
    comment=st.sampled_from(["", "<!-- c -->", "<?pi x?>"]),
)
def test_an_answer_is_read_in_any_lawful_form(
    action: str, space: str, prefix: str, has_relation: bool, comment: str
) -> None:
    safe_action = action.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    relation = f"<a:RelatesTo>{space}{ID}{space}</a:RelatesTo>" if has_relation else ""
    data = (
        f'<{prefix}:Envelope xmlns:{prefix}="{SOAP}"><{prefix}:Header xmlns:a="{WSA}">{comment}'
        f"<a:Action>{space}{safe_action}{comment}{space}</a:Action>{relation}"
        f'<o:Other xmlns:o="urn:other" {prefix}:mustUnderstand="0"/></{prefix}:Header>{space}'
        f"<{prefix}:Body>{comment}{space}<Answer xmlns='urn:a'/>{space}</{prefix}:Body></{prefix}:Envelope>"
    ).encode()
    answer = parse_answer(data, request_id=ID)
    assert answer.action == action
    assert answer.relates_to == (ID if has_relation else "")
    assert answer.body is not None
    assert answer.body.tag == "{urn:a}Answer"
    assert answer.fault is None


def test_an_envelope_without_header_and_with_an_empty_body_is_an_answer() -> None:
    answer = parse_answer(envelope_of("", ""), request_id=ID)
    assert (answer.action, answer.relates_to, answer.body) == ("", "", None)
    with pytest.raises(MessageError, match="nothing where Answer was expected"):
        envelope.expect(answer, DSP, "Answer")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not well-formed XML"),
        (b"\x00\xffgarbage<<<", "not well-formed XML"),
        (b"<html><body>It works!</body></html>", "not a SOAP 1.2 envelope: it is html"),
        (envelope_of("", "", soap="http://schemas.xmlsoap.org/soap/envelope/"), "not a SOAP 1.2 envelope"),
        (envelope_of("", "", soap="http://www.w3.org/2003/05/soapelope"), "not a SOAP 1.2 envelope"),
        (f'<s:Envelope xmlns:s="{SOAP}"/>'.encode(), "no Body"),
        (
            envelope_of("<x:Header><y:RelatesTo>urn:uuid:2</y:RelatesTo></x:Header>", ""),
            "answers another message: RelatesTo is urn:uuid:2",
        ),
        (
            envelope_of('<x:Header><o:S xmlns:o="urn:s" x:mustUnderstand=" true "/></x:Header>', ""),
            "unknown header {urn:s}S",
        ),
        (b"<!DOCTYPE x [<!ENTITY e 'v'>]>" + envelope_of("", ""), "DOCTYPE"),
        (envelope_of("", "").ljust(MAX_ANSWER_OCTETS + 1), "larger than 1,048,576 octets"),
        (envelope_of("", "<a>" * 5000 + "</a>" * 5000), "deep|not well-formed"),
    ],
)
def test_what_is_no_answer_is_refused_in_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(XmlError, match=reason) as caught:
        parse_answer(data, request_id=ID)
    assert "\n" not in str(caught.value)


def test_a_header_for_another_node_need_not_be_understood() -> None:
    header = f'<x:Header><o:S xmlns:o="urn:s" x:mustUnderstand="1" x:role="{SOAP}/role/none"/></x:Header>'
    assert parse_answer(envelope_of(header, ""), request_id=ID).body is None


def test_addressing_headers_are_understood() -> None:
    header = '<x:Header><y:Action x:mustUnderstand="1">urn:a</y:Action></x:Header>'
    assert parse_answer(envelope_of(header, ""), request_id=ID).action == "urn:a"


def test_every_message_begins_with_the_declaration_and_has_no_byte_order_mark() -> None:
    message = envelope.render(to="urn:a", action="urn:b", message_id=ID, body=None)
    assert message.startswith(b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope ')
