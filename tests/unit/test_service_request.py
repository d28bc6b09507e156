"""Requests to this device: what is read, what is refused with which fault, and what goes back."""

from __future__ import annotations

import pytest
from lxml import etree

from dsm_device.wire import names
from dsm_device.wire.envelope import parse_answer
from dsm_device.wire.names import ANONYMOUS, SOAP, WSA, WSCN, WSE
from dsm_device.wire.service_request import (
    OutgoingFault,
    RequestFault,
    action_not_supported,
    destination_unreachable,
    invalid_args,
    matching_rule_not_supported,
    parse_request,
    render_answer,
    render_fault,
    render_one_way,
)
from dsm_device.wire.xml import XmlError

ACTION = f"{WSCN}/GetActiveJobs"
TO = "<a:To>http://192.0.2.40:5357/scan</a:To>"
ACT = f"<a:Action>{ACTION}</a:Action>"
ID = "<a:MessageID>urn:uuid:1</a:MessageID>"
BODY = f'<w:GetActiveJobsRequest xmlns:w="{WSCN}"/>'


def envelope(header: str = TO + ACT + ID, body: str = BODY, soap: str = SOAP) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{soap}" xmlns:a="{WSA}" xmlns:e="{WSE}"><s:Header>{header}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def refusal(data: bytes) -> RequestFault:
    with pytest.raises(RequestFault) as caught:
        parse_request(data)
    return caught.value


# --------------------------------------------------------------------------------------------- read


def test_what_a_request_says() -> None:
    header = f"{TO}{ACT}{ID}<e:Identifier> urn:uuid:9\n</e:Identifier><a:RelatesTo>urn:x</a:RelatesTo>"
    request = parse_request(envelope(header))
    assert (request.action, request.to) == (ACTION, "http://192.0.2.40:5357/scan")
    assert (request.message_id, request.identifier, request.relates_to) == ("urn:uuid:1", "urn:uuid:9", "urn:x")
    assert request.body is not None
    assert request.body.tag == f"{{{WSCN}}}GetActiveJobsRequest"


def test_white_space_round_header_values_is_nothing() -> None:
    request = parse_request(envelope(f"<a:To>\n {ANONYMOUS}\n</a:To><a:Action>\n  {ACTION} </a:Action>"))
    assert (request.to, request.action, request.message_id) == (ANONYMOUS, ACTION, "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    text = envelope(f"{TO}{ACT}<a:MessageID>urn:grün</a:MessageID>").decode()
    assert parse_request(text.encode(encoding)).message_id == "urn:grün"


@pytest.mark.parametrize(
    "header",
    [
        f"<a:ReplyTo><a:Address> {ANONYMOUS} </a:Address></a:ReplyTo>",
        f"<a:FaultTo><a:Address>{ANONYMOUS}</a:Address></a:FaultTo>",
        "<a:ReplyTo/>",
        '<x:Y xmlns:x="urn:x"/>',
        '<x:Y xmlns:x="urn:x" s:mustUnderstand="0"/>',
        f'<x:Y xmlns:x="urn:x" s:mustUnderstand="1" s:role="{SOAP}/role/none"/>',
        '<x:Y xmlns:x="urn:x" s:mustUnderstand="1" s:role="urn:somebody:else"/>',
        '<a:ReplyTo s:mustUnderstand="1"/>',
        '<e:Identifier s:mustUnderstand="true">x</e:Identifier>',
        f'<d:AppSequence xmlns:d="{names.WSD}" s:mustUnderstand="1"/>',
    ],
)
def test_header_that_is_no_reason_to_refuse(header: str) -> None:
    assert parse_request(envelope(TO + ACT + ID + header)).message_id == "urn:uuid:1"


# ------------------------------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not well-formed"),
        (b"GET / HTTP/1.1", "not well-formed"),
        (envelope()[:-3], "not well-formed"),
        (b"<html/>", "not a SOAP envelope"),
        (f'<Envelope xmlns="{SOAP}"/>'.encode(), "no Body"),
        (b"<!DOCTYPE x>" + envelope(), "DOCTYPE"),
        (b'<!DOCTYPE x [<!ENTITY y "z">]>' + envelope(), "DOCTYPE"),
        (b"<?x y?>" + envelope(), "processing instruction"),
        (envelope() + b"<?x y?>", "processing instruction"),
        (envelope(body="<n><?x y?></n>"), "processing instruction"),
        (envelope(body="<n>" * 70 + "</n>" * 70), "nested"),
        (envelope(body=" " * 32_767), "larger"),
    ],
)
def test_what_is_no_message_has_no_answer(data: bytes, problem: str) -> None:
    with pytest.raises(XmlError, match=problem):
        parse_request(data)


def test_the_largest_message_is_read() -> None:
    padding = 32_767 - len(envelope(body=""))
    assert parse_request(envelope(body=" " * padding)).action == ACTION
    with pytest.raises(XmlError, match="larger"):
        parse_request(envelope(body=" " * (padding + 1)))


@pytest.mark.parametrize(
    ("header", "subcode", "detail"),
    [
        (ACT + ID, "MessageInformationHeaderRequired", "To"),
        (TO + ID, "MessageInformationHeaderRequired", "Action"),
        (f"{TO}<a:Action> </a:Action>{ID}", "MessageInformationHeaderRequired", "Action"),
        (TO + ACT + ACT + ID, "InvalidMessageInformationHeader", "Action"),
        (TO + TO + ACT + ID, "InvalidMessageInformationHeader", "To"),
        (
            f"{TO}{ACT}{ID}<a:ReplyTo><a:Address>http://192.0.2.9/</a:Address></a:ReplyTo>",
            "InvalidMessageInformationHeader",
            "ReplyTo",
        ),
        (
            f"{TO}{ACT}{ID}<a:FaultTo><a:Address>http://192.0.2.9/</a:Address></a:FaultTo>",
            "InvalidMessageInformationHeader",
            "FaultTo",
        ),
    ],
)
def test_addressing_that_is_refused(header: str, subcode: str, detail: str) -> None:
    refused = refusal(envelope(header))
    assert refused.message_id == "urn:uuid:1"
    assert (refused.fault.code, refused.fault.subcode) == ("Sender", (WSA, subcode))
    assert refused.fault.detail is not None
    assert refused.fault.detail.tag == f"{{{WSA}}}{detail}"


def test_message_id_that_is_too_long_is_not_sent_back() -> None:
    refused = refusal(envelope(f"{TO}{ACT}<a:MessageID>{'x' * 2049}</a:MessageID>"))
    assert refused.fault.subcode == (WSA, "InvalidMessageInformationHeader")
    assert refused.message_id == ""
    assert parse_request(envelope(f"{TO}{ACT}<a:MessageID>{'x' * 2048}</a:MessageID>")).message_id == "x" * 2048


def test_two_elements_in_the_body_are_too_many() -> None:
    assert refusal(envelope(body=BODY + BODY)).fault.subcode == (WSCN, "InvalidArgs")


def test_soap_1_1_is_told_what_is_understood() -> None:
    refused = refusal(envelope(soap="http://schemas.xmlsoap.org/soap/envelope/"))
    assert (refused.fault.code, refused.fault.subcode) == ("VersionMismatch", None)
    told = parse_answer(render_fault(refused.fault, "urn:uuid:2", ""), request_id="urn:uuid:1")
    assert told.fault is not None
    assert told.fault.code == "VersionMismatch"
    header = etree.fromstring(render_fault(refused.fault, "urn:uuid:2", ""))[0]
    supported = header.find(f"{{{SOAP}}}Upgrade/{{{SOAP}}}SupportedEnvelope")
    assert supported is not None
    assert supported.nsmap[supported.get("qname", "").partition(":")[0]] == SOAP


def test_header_that_must_be_understood_and_is_not() -> None:
    demanded = '<x:Y xmlns:x="urn:x" s:mustUnderstand="1"/><Z xmlns="" s:mustUnderstand="true"/>'
    refused = refusal(envelope(TO + ACT + ID + demanded))
    assert (refused.fault.code, refused.message_id) == ("MustUnderstand", "urn:uuid:1")
    header = etree.fromstring(render_fault(refused.fault, "urn:uuid:2", refused.message_id))[0]
    first, second = header.findall(f"{{{SOAP}}}NotUnderstood")
    prefix, _, local = first.get("qname", "").partition(":")
    assert (first.nsmap[prefix], local) == ("urn:x", "Y")
    assert second.get("qname") == "Z"


def test_what_must_be_understood_counts_before_what_lacks() -> None:
    """SOAP 1.2, 2.6: that first."""
    assert refusal(envelope('<x:Y xmlns:x="urn:x" s:mustUnderstand="1"/>')).fault.code == "MustUnderstand"


# ------------------------------------------------------------------------------------------ written


@pytest.mark.parametrize(
    "fault",
    [
        action_not_supported("urn:x"),
        destination_unreachable(),
        invalid_args(),
        invalid_args(etree.fromstring(f'<Q xmlns="urn:q" a="b">{"x" * 300}<child/>tail</Q>')),
        invalid_args(etree.Element("bare")),
        matching_rule_not_supported("urn:one urn:two"),
        OutgoingFault("Receiver", ("urn:own", "Own"), "mine"),
        OutgoingFault("Sender", (names.WSDP, "FilterActionNotSupported"), "x", action=names.DEVICE_PROFILE_FAULT),
    ],
    ids=range(8),
)
def test_fault_is_read_by_a_client_as_it_was_meant(fault: OutgoingFault) -> None:
    for _ in range(2):  # a fault may be kept and sent again
        assert fault.detail is None or fault.detail.getparent() is None
        answer = parse_answer(render_fault(fault, "urn:uuid:2", "urn:uuid:1"), request_id="urn:uuid:1")
        assert (answer.action, answer.relates_to) == (fault.action, "urn:uuid:1")
        assert answer.fault is not None
        told = (answer.fault.code, (answer.fault.subcode_namespace, answer.fault.subcode), answer.fault.reason)
        assert told == (fault.code, fault.subcode, fault.reason)
        detail = etree.fromstring(render_fault(fault, "urn:uuid:2", "urn:uuid:1")).find(f".//{{{SOAP}}}Detail")
        assert detail is not None
        assert len(detail) == 1
        assert not detail.text
        assert len(detail[0].text or "") <= 200


def test_answer_without_a_message_id_to_relate_to() -> None:
    answer = render_answer("urn:action", "urn:uuid:2", "", None)
    assert b"RelatesTo" not in answer
    assert parse_answer(answer, request_id="urn:uuid:1").body is None


@pytest.mark.writes_anything("a body of no known kind")
def test_blocks_go_into_the_header_as_they_are() -> None:
    block = b'<a:b xmlns:a="urn:a" c="a:d">a&lt;b</a:b>'
    body = etree.Element("{urn:b}B", nsmap={"x": SOAP, "soap": "urn:b"})
    message = render_one_way("http://192.0.2.9/", "urn:action", "urn:uuid:2", body, [block, b"<c/>"])
    header = etree.fromstring(message).find(f"{{{SOAP}}}Header")
    assert header is not None
    assert [each.tag for each in header[-2:]] == ["{urn:a}b", "c"]
    assert block in message
    assert parse_request(message).body is not None
