"""What the device says of itself by WS-Discovery, what it reads, and which questions are meant for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dsm_device.wire import xml
from dsm_device.wire.announcing import (
    RFC2396,
    STRCMP0,
    UUID,
    Announced,
    AppSequence,
    MatchingRuleNotSupported,
    Probe,
    Question,
    Resolve,
    answer_probe_over_http,
    app_sequence_block,
    is_asked,
    is_probed,
    read_question,
    render_bye,
    render_hello,
    render_matches,
)
from dsm_device.wire.hosting import DEVICE_TYPES
from dsm_device.wire.names import SOAP, WSA, WSCN, WSD, WSDP
from dsm_device.wire.service_request import RequestFault
from dsm_device.wire.xml import XmlError

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
UUID_TEXT = "6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7"
DEVICE = Announced(f"urn:uuid:{UUID_TEXT}", 7)
XADDR = f"http://192.0.2.40:5357/{UUID_TEXT}"
DEVICE_TYPE, SCANNER_TYPE = DEVICE_TYPES


def sample(name: str) -> bytes:
    return (SAMPLES / f"dsd-dpws-{name}.xml").read_bytes()


def as_published(data: bytes) -> bytes:
    """In canonical form, without what no two messages share."""
    root = etree.fromstring(data, etree.XMLParser(remove_blank_text=True, remove_comments=True))
    for local in ("MessageID", "RelatesTo"):
        for element in root.iter(f"{{{WSA}}}{local}"):
            element.text = "…"
    return etree.tostring(root, method="c14n")


def datagram(
    body: str, *, action: str = f"{WSD}/Probe", headers: str = "", message_id: str = "urn:uuid:1", ns: str = ""
) -> bytes:
    identifier = f"<a:MessageID>{message_id}</a:MessageID>" if message_id else ""
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}" xmlns:d="{WSD}" xmlns:p="{WSDP}" xmlns:w="{WSCN}"{ns}>'
        f"<s:Header><a:To>urn:x</a:To><a:Action>\n {action} </a:Action>{identifier}{headers}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def probed(body: str, device: Announced = DEVICE) -> bool:
    return is_asked(read_question(datagram(f"<d:Probe>{body}</d:Probe>")), device)


# ------------------------------------------------------------------------------------------- what it says


def test_hello_and_bye_are_as_published() -> None:
    hello = render_hello(DEVICE, XADDR, "urn:uuid:x", AppSequence(1772442000, 1))
    assert as_published(hello) == as_published(sample("hello"))
    bye = render_bye(DEVICE, "urn:uuid:x", AppSequence(1772442000, 2))
    assert as_published(bye) == as_published(sample("bye"))


@pytest.mark.parametrize(("asked", "number"), [("probe", 3), ("resolve", 5)])
def test_answers_are_as_published(asked: str, number: int) -> None:
    question = read_question(sample(asked))
    answer = render_matches(question, DEVICE, XADDR, "urn:uuid:x", AppSequence(1772442000, number))
    assert as_published(answer) == as_published(sample(f"{asked}-matches"))
    assert f"<wsa:RelatesTo>{question.message_id}</wsa:RelatesTo>".encode() in answer


def test_types_and_scopes_of_the_configuration_are_announced_in_order() -> None:
    device = Announced(DEVICE.endpoint, 1, (*DEVICE_TYPES, "{urn:maker}Big"), ("ldap:///ou=x", "http://a/b"))
    hello = xml.parse(render_hello(device, XADDR, "urn:uuid:x", AppSequence(1, 1)), limit=10_000)
    (element,) = hello.iter(f"{{{WSD}}}Hello")
    assert [etree.QName(child).localname for child in element] == [
        *("EndpointReference", "Types", "Scopes", "XAddrs", "MetadataVersion")
    ]
    types = element[1]
    names = [xml.resolve_qname(word, types) for word in xml.token(types).split()]
    assert names == [(WSDP, "Device"), (WSCN, "ScanDeviceType"), ("urn:maker", "Big")]
    assert xml.token(types).startswith("wsdp:Device wscn:ScanDeviceType ")
    assert xml.token(element[2]) == "ldap:///ou=x http://a/b"


def test_an_answer_fits_into_one_packet_whatever_was_asked() -> None:
    """Nobody can make it large: what it repeats of the question is limited."""
    question = read_question(datagram("<d:Probe/>", message_id="x" * 256))
    address = XADDR.replace("192.0.2.40", "[2001:db8:1111:2222:3333:4444:5555:6666]")
    assert (
        len(render_matches(question, DEVICE, address, f"urn:uuid:{UUID_TEXT}", AppSequence(2**32 - 1, 10**6)))
        < 1450
    )
    with pytest.raises(XmlError, match="no MessageID that can be repeated"):
        read_question(datagram("<d:Probe/>", message_id="x" * 257))


# ------------------------------------------------------------------------------------------- what it reads


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<d:Types/>",
        "<d:Types> \n </d:Types>",
        "<d:Types>p:Device</d:Types>",
        "<d:Types>\n w:ScanDeviceType\tp:Device </d:Types>",
        f'<d:Types xmlns:q="{WSCN}">q:ScanDeviceType</d:Types>',
        f'<d:Types xmlns="{WSDP}">Device</d:Types>',
        "<d:Types>p:Dev<!-- -->ice</d:Types>",
        "<d:Types><![CDATA[p:Device]]></d:Types>",
        '<x:New xmlns:x="urn:x">1</x:New><d:Types>p:Device</d:Types>',
        "<d:Scopes/>",
        f'<d:Scopes MatchBy="{STRCMP0}"> </d:Scopes>',
    ],
)
def test_these_probes_are_meant(body: str) -> None:
    assert probed(body)


@pytest.mark.parametrize(
    "body",
    [
        "<d:Types>w:PrintDeviceType</d:Types>",
        "<d:Types>p:Device w:PrintDeviceType</d:Types>",
        "<d:Types>d:Device</d:Types>",
        "<d:Types>Device</d:Types>",
        "<d:Types>unbound:Device</d:Types>",
        "<d:Types>p:device</d:Types>",
        "<d:Types>p:Device:x</d:Types>",
        "<d:Types>:Device</d:Types>",
        "<d:Scopes>http://example.com/</d:Scopes>",
    ],
)
def test_these_probes_are_for_others(body: str) -> None:
    assert not probed(body)


def test_a_resolve_is_for_the_device_with_that_address() -> None:
    def resolve(address: str) -> bool:
        body = (
            f"<d:Resolve><a:EndpointReference><a:Address>{address}</a:Address></a:EndpointReference></d:Resolve>"
        )
        return is_asked(read_question(datagram(body, action=f"{WSD}/Resolve")), DEVICE)

    assert resolve(DEVICE.endpoint)
    assert resolve(f"\n {DEVICE.endpoint.upper()} ")
    assert not resolve(DEVICE.endpoint[:-1])
    assert not resolve("")
    empty = read_question(datagram("<d:Resolve/>", action=f"{WSD}/Resolve"))
    assert empty == Resolve("urn:uuid:1", "")


UNANSWERED = {
    "nothing": b"",
    "noise": bytes(range(256)),
    "Hello": sample("hello"),
    "Bye": sample("bye"),
    "an answer": sample("probe-matches"),
    "SOAP 1.1": datagram("<d:Probe/>").replace(SOAP.encode(), b"http://schemas.xmlsoap.org/soap/envelope/"),
    "OASIS's WS-Discovery": datagram("<d:Probe/>").replace(
        WSD.encode(), b"http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01"
    ),
    "answer to somebody else": datagram(
        "<d:Probe/>", headers="<a:ReplyTo><a:Address>http://192.0.2.1/</a:Address></a:ReplyTo>"
    ),
    "an unknown header that must be understood": datagram(
        "<d:Probe/>", headers='<x:Safe xmlns:x="urn:x" s:mustUnderstand="1"/>'
    ),
    "no MessageID": datagram("<d:Probe/>", message_id=""),
    "no body": datagram(""),
    "action and body that differ": datagram("<d:Probe/>", action=f"{WSD}/Resolve"),
    "a DTD": b"<!DOCTYPE x>" + datagram("<d:Probe/>"),
    "too large": datagram("<d:Probe/>").replace(b"</s:Body>", b" " * 32_767 + b"</s:Body>"),
}


@pytest.mark.parametrize("name", UNANSWERED)
def test_this_is_no_question(name: str) -> None:
    with pytest.raises(XmlError):
        read_question(UNANSWERED[name])


def test_headers_of_known_clients_do_no_harm() -> None:
    headers = (
        "<a:ReplyTo><a:Address> http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>"
        '<d:AppSequence InstanceId="1" MessageNumber="2"/><x:Any xmlns:x="urn:x"/>'
    )
    assert read_question(datagram("<d:Probe/>", headers=headers)) == Probe("urn:uuid:1", (), (), RFC2396)


@given(st.binary(max_size=2_000) | st.text(max_size=500).map(datagram))
def test_whatever_comes_is_a_question_or_refused(data: bytes) -> None:
    try:
        question: Question = read_question(data)
    except XmlError as error:
        assert "\n" not in str(error)
    else:
        assert question.message_id


# ------------------------------------------------------------------------------------------- scopes


@pytest.mark.parametrize(
    ("asked", "ours", "is_match"),
    [
        ("http://example.com/abc", "http://example.com/abc/def", True),
        ("http://example.com/a", "http://example.com/abc", False),
        ("http://example.com/abc/", "http://example.com/abc/def", True),
        ("http://example.com", "http://example.com/abc", True),
        ("http://example.com/", "http://example.com", True),
        ("HTTP://Example.COM/abc", "http://example.com/abc", True),
        ("http://example.com/ABC", "http://example.com/abc", False),
        ("http://example.com/abc/def", "http://example.com/abc", False),
        ("http://example.com:80/abc", "http://example.com/abc", False),
        ("https://example.com/abc", "http://example.com/abc", False),
        ("http://example.com/abc?x#y", "http://example.com/abc/def?z", True),
        ("http://example.com/./abc", "http://example.com/./abc", False),
        ("http://example.com/abc/..", "http://example.com/abc/..", False),
        ("ldap:///ou=engineering,o=exampleorg,c=us", "ldap:///ou=engineering,o=exampleorg,c=us", True),
        ("urn:floor:2", "urn:floor:2", True),
        ("http://[::1/", "http://[::1/", False),
    ],
)
def test_scopes_by_segments(asked: str, ours: str, is_match: bool) -> None:
    device = Announced(DEVICE.endpoint, 1, scopes=("http://elsewhere/", ours))
    assert is_probed(Probe("1", (), (asked,), RFC2396), device) is is_match


def test_scopes_by_text_and_by_uuid() -> None:
    device = Announced(DEVICE.endpoint, 1, scopes=("Http://a/b", f"uuid:{UUID_TEXT}"))

    def matches(rule: str, *asked: str) -> bool:
        return is_probed(Probe("1", (), asked, rule), device)

    assert matches(STRCMP0, "Http://a/b")
    assert not matches(STRCMP0, "http://a/b")
    assert not matches(STRCMP0, "Http://a")
    assert matches(UUID, f"urn:uuid:{UUID_TEXT.upper()}", f"UUID:{UUID_TEXT}")
    assert not matches(UUID, UUID_TEXT)
    assert not matches(UUID, f"uuid:{UUID_TEXT[:-1]}8")
    assert not matches(UUID, "uuid:nonsense")
    assert matches(RFC2396, "http://a/b", f"uuid:{UUID_TEXT}")
    assert not matches(RFC2396, "http://a/b", "http://other/")


def test_an_unknown_rule_is_told_as_such() -> None:
    with pytest.raises(MatchingRuleNotSupported):
        probed('<d:Scopes MatchBy="urn:mine">urn:x</d:Scopes>')


SEGMENT = st.text("abcXYZ019-_%", min_size=1, max_size=5)


@given(st.lists(SEGMENT, max_size=4), st.lists(SEGMENT, max_size=4))
def test_a_path_is_within_another_exactly_if_its_segments_begin_it(asked: list[str], ours: list[str]) -> None:
    device = Announced(DEVICE.endpoint, 1, scopes=("/".join(["http://host", *ours]),))
    probe = Probe("1", (), ("/".join(["HTTP://HOST", *asked]),), RFC2396)
    assert is_probed(probe, device) is (ours[: len(asked)] == asked)


@given(st.sampled_from([RFC2396, STRCMP0, UUID]), st.text(max_size=60), st.text(max_size=60))
def test_no_scope_breaks_the_comparison(rule: str, asked: str, ours: str) -> None:
    device = Announced(DEVICE.endpoint, 1, scopes=(ours,))
    assert is_probed(Probe("1", (), (asked,), rule), device) in (True, False)


# ------------------------------------------------------------------------------------------- by HTTP


def body_of(data: bytes) -> etree._Element:
    return next(xml.parse(data, limit=40_000).iter(f"{{{WSD}}}Probe"))


def test_a_probe_by_http_is_answered_with_and_without_a_match() -> None:
    answer = answer_probe_over_http(body_of(sample("probe")), DEVICE, XADDR)
    assert [xml.token(each) for each in answer.iter(f"{{{WSD}}}XAddrs")] == [XADDR]
    none = answer_probe_over_http(body_of(datagram("<d:Probe><d:Types>p:Car</d:Types></d:Probe>")), DEVICE, XADDR)
    assert none.tag == f"{{{WSD}}}ProbeMatches"
    assert len(none) == 0


def test_an_unknown_rule_by_http_is_a_fault_that_names_those_known() -> None:
    body = body_of(datagram('<d:Probe><d:Scopes MatchBy="urn:mine">urn:x</d:Scopes></d:Probe>'))
    with pytest.raises(RequestFault) as refused:
        answer_probe_over_http(body, DEVICE, XADDR)
    fault = refused.value.fault
    assert (fault.code, fault.subcode, fault.action) == (
        "Sender",
        (WSD, "MatchingRuleNotSupported"),
        f"{WSD}/fault",
    )
    assert fault.detail is not None
    assert xml.token(fault.detail).split() == [RFC2396, STRCMP0, UUID]


def test_a_header_block_stands_alone() -> None:
    block = etree.fromstring(app_sequence_block(AppSequence(5, 6)))
    assert block.tag == f"{{{WSD}}}AppSequence"
    assert dict(block.attrib) == {"InstanceId": "5", "MessageNumber": "6"}


def test_no_message_has_a_line_end_or_a_byte_order_mark() -> None:
    hello = render_hello(DEVICE, XADDR, "urn:uuid:x", AppSequence(1, 1))
    assert hello.startswith(b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope ')
    assert not re.search(rb"[\r\n]", hello)
