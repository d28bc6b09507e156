"""WS-Eventing: what goes back goes back as it came, times in any form, events of either service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from dsm_device.wire.envelope import MessageError, parse_answer
from dsm_device.wire.eventing import (
    END_EVENT,
    STATUS_EVENT,
    Granted,
    Manager,
    Renew,
    Subscribe,
    SubscriptionEnd,
    Unsubscribe,
    parse_notification,
)
from dsm_device.wire.expiry import duration, read_expires
from dsm_device.wire.names import DSC, DSP, SOAP, WSA, WSE
from dsm_device.wire.processing import FilterStatus, JobStatus
from dsm_device.wire.xml import XmlError

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=1)))
STATUS_SAMPLE = (SAMPLES / "dsp-post-scan-job-status-event.xml").read_bytes()
END_SAMPLE = (SAMPLES / "dsp-post-scan-job-end-state-event.xml").read_bytes()
FAREWELL = (SAMPLES / "wire-subscription-end.xml").read_bytes()
TOKEN = "b7b3c2d8-5c3c-4f7a-8f5a-2a6c1c9d7e10"
MAIL = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/email"


def granted(manager: str, expires: str = "<wse:Expires>PT1H</wse:Expires>", scope: str = "") -> Granted:
    data = (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:wsa="{WSA}" xmlns:wse="{WSE}" {scope}><s:Body><wse:SubscribeResponse>'
        f"{manager}{expires}</wse:SubscribeResponse></s:Body></s:Envelope>"
    )
    return Subscribe.parse_answer(parse_answer(data.encode(), request_id=""), NOW)


def manager_with(content: str, scope: str = "") -> Manager:
    reference = (
        f"<wse:SubscriptionManager><wsa:Address>https://a/</wsa:Address>{content}</wse:SubscriptionManager>"
    )
    return granted(reference, scope=scope).manager


# ----------------------------------------------------------------------------------- what is sent


def test_subscribe_is_as_published_apart_from_its_reference_parameters() -> None:
    sample = etree.parse(SAMPLES / "wire-subscribe.xml").getroot()
    for each in list(sample.iter(f"{{{WSA}}}ReferenceParameters")):
        each.getparent().remove(each)
    url = sample.findtext(f".//{{{WSE}}}NotifyTo/{{{WSA}}}Address")
    to, message_id = (sample.findtext(f".//{{{WSA}}}{name}") for name in ("To", "MessageID"))
    sent = etree.fromstring(Subscribe(url, 3600).render(to, message_id))
    sent.find(f".//{{{WSE}}}Expires").text = "PT1H"
    plain = etree.XMLParser(remove_blank_text=True, remove_comments=True)
    assert _tags(etree.fromstring(etree.tostring(sample), plain)) == _tags(sent)


def _tags(root: etree._Element) -> list[tuple[str, dict[str, str], str]]:
    return [(each.tag, dict(each.attrib), (each.text or "").strip()) for each in root.iter(etree.Element)]


def test_subscribe_leaves_out_what_is_not_wanted() -> None:
    sent = etree.fromstring(Subscribe("http://a/", None, ()).render("https://b/", "urn:uuid:1"))
    body = sent.find(f"{{{SOAP}}}Body")[0]
    assert [etree.QName(each).localname for each in body] == ["EndTo", "Delivery"]
    alone = etree.fromstring(Subscribe("http://a/", None, (END_EVENT,)).render("https://b/", "urn:uuid:1"))
    assert alone.findtext(f".//{{{WSE}}}Filter") == END_EVENT != STATUS_EVENT


_BLOCKS = [
    "<wse:Identifier>urn:uuid:1</wse:Identifier>",
    '<v:Ticket xmlns:v="urn:vendor" v:at="a:b">v:name <v:in/> a:b</v:Ticket>',
    "<plain>text</plain>",
    '<d xmlns="urn:default"><e>&lt;&amp;</e></d>',
    "<a:Odd wsa:x=''><![CDATA[a<b]]><!-- kept --></a:Odd>",
    '<soap:Strange xmlns:soap="urn:not-soap">soap:x</soap:Strange>',
]


@given(st.lists(st.sampled_from(_BLOCKS), max_size=6), st.lists(st.sampled_from(_BLOCKS), max_size=6))
def test_everything_that_names_a_subscription_goes_back_as_it_came(
    properties: list[str], parameters: list[str]
) -> None:
    content = "".join(
        f"<wsa:{name}>\n  {'  '.join(blocks)}</wsa:{name}>"
        for name, blocks in (("ReferenceProperties", properties), ("ReferenceParameters", parameters))
    )
    manager = manager_with(content, scope='xmlns:a="urn:a"')
    scope = f'xmlns:wsa="{WSA}" xmlns:wse="{WSE}" xmlns:a="urn:a"'
    came = [etree.fromstring(f"<r {scope}>{block}</r>")[0] for block in (*properties, *parameters)]
    for sent in (Renew(manager, 60).render("x", "urn:uuid:1"), Unsubscribe(manager).render("x", "urn:uuid:1")):
        header = etree.fromstring(sent)[0]
        back = header[4:]
        assert header.findtext(f"{{{WSA}}}To") == "https://a/"
        assert [_canonical(each) for each in back] == [_canonical(each) for each in came]
        for one, other in zip(back, came, strict=True):
            # QNames in content mean what they meant.
            assert {**other.nsmap, "s": 0}.items() <= {**one.nsmap, "s": 0}.items()
            assert one.prefix == other.prefix


def _canonical(element: etree._Element) -> bytes:
    copy = etree.fromstring(etree.tostring(element, with_tail=False))
    return etree.tostring(copy, method="c14n", exclusive=True)


def test_processing_instructions_do_not_go_back() -> None:
    manager = manager_with("<wsa:ReferenceParameters><a>x<?pi y?>z</a></wsa:ReferenceParameters>")
    sent = etree.fromstring(Unsubscribe(manager).render("x", "urn:uuid:1"))
    assert sent[0].findtext("a") == "xz"


def test_a_manager_is_the_same_however_it_is_written() -> None:
    one = manager_with("<wsa:ReferenceParameters><a:b xmlns:a='u'> 1 </a:b></wsa:ReferenceParameters>")
    same = manager_with('<wsa:ReferenceParameters>\n<b xmlns="u">1</b></wsa:ReferenceParameters>')
    other = manager_with('<wsa:ReferenceParameters>\n<b xmlns="u">2</b></wsa:ReferenceParameters>')
    assert one.is_same(same)
    assert not one.is_same(other)


def test_a_manager_that_is_missing_or_a_monster_is_refused() -> None:
    with pytest.raises(MessageError, match="no SubscriptionManager"):
        granted("")
    for content in ("<a/>" * 17, f"<a>{'x' * 9000}</a>"):
        with pytest.raises(MessageError, match="more reference parameters"):
            manager_with(f"<wsa:ReferenceParameters>{content}</wsa:ReferenceParameters>")


# ------------------------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1H", 3600),
        ("P1DT2H3M4.5S", 93784.5),
        ("PT0S", 0),
        ("P1Y", 31_536_000),
        ("P999999999Y", 315_360_000),
        ("2026-03-02T10:00:00", 3600),
        ("2026-03-02T10:00:00+01:00", 3600),
        ("2026-03-02T09:00:00.5Z", 3600.5),
        ("2026-03-02T07:00:00Z", -3600),
        ("2026-03-02T24:00:00", 54_000),
        ("9999-12-31T24:00:00-14:00", 315_360_000),
        ("1970-01-01T00:00:00Z", -315_360_000),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-02-30T00:00:00", None),
        ("2026-03-02T10:00:00+99:00", None),
        ("P", None),
        ("PT", None),
        ("1H", None),
        ("-PT1H", None),
        ("PT١H", None),
        ("", None),
    ],
)
def test_times_in_any_form(text: str, seconds: float | None) -> None:
    assert read_expires(text, NOW) == seconds


@given(st.integers(1, 10_000_000))
def test_what_is_asked_for_can_be_read(seconds: int) -> None:
    assert read_expires(duration(seconds), NOW) == seconds


@given(st.datetimes(timezones=st.timezones()) | st.text("PYMDTHS0123456789-:.+Z", max_size=30))
@example("0000-01-01T00:00:00")
def test_no_time_is_too_odd(given_time: datetime | str) -> None:
    text = given_time if isinstance(given_time, str) else given_time.isoformat()
    seconds = read_expires(text, NOW.astimezone(UTC))
    assert seconds is None or abs(seconds) < 4e8


def test_an_answer_that_names_no_time() -> None:
    reference = "<wse:SubscriptionManager/>"
    assert granted(reference, "").expires_s is None
    assert granted(reference, "<wse:Expires>soon</wse:Expires>").expires_s is None
    assert granted(reference, "<wse:Expires> PT5M </wse:Expires>").expires_s == 300


# ------------------------------------------------------------------------------------------ events


def as_configuration(data: bytes) -> bytes:
    return data.replace(DSP.encode(), DSC.encode())


def with_its_action(data: bytes) -> bytes:
    return data.replace(f"<wsa:Action>{DSP}".encode(), f"<wsa:Action>{DSC}".encode())


@pytest.mark.parametrize("spelt", [bytes, as_configuration, with_its_action])
def test_a_status_event_of_either_service(spelt) -> None:
    assert parse_notification(spelt(STATUS_SAMPLE)) == JobStatus(
        job_token=TOKEN,
        state="Processing",
        reasons=("None",),
        filters=(FilterStatus(MAIL, "Processing", ()),),
        images_received=1,
        created="2026-03-02T09:14:07.250",
        completed="",
    )


@pytest.mark.parametrize("spelt", [bytes, as_configuration, with_its_action])
def test_an_end_event_of_either_service(spelt) -> None:
    told = parse_notification(spelt(END_SAMPLE))
    assert told == JobStatus(
        job_token=TOKEN,
        state="Completed",
        reasons=("PostScanJobCompletedWithErrors",),
        filters=(FilterStatus(MAIL, "CompletedWithErrors", ("UnableToSendEmail",)),),
        images_received=1,
        created="",
        completed="2026-03-02T09:14:31.015",
        is_end=True,
    )
    odd = parse_notification(spelt(END_SAMPLE).replace(b">Completed<", b">acme:Done<"))
    assert isinstance(odd, JobStatus)
    assert (odd.state, odd.is_final) == ("acme:Done", True)


def test_the_end_of_a_subscription_says_which() -> None:
    end = parse_notification(FAREWELL)
    answer = parse_answer(
        (SAMPLES / "wire-subscribe-response.xml").read_bytes(),
        request_id="urn:uuid:00000000-0000-4000-8000-000000000015",
    )
    made = Subscribe.parse_answer(answer, NOW)
    assert isinstance(end, SubscriptionEnd)
    assert (end.status, end.reason) == ("SourceShuttingDown", "The service is being restarted.")
    assert end.manager is not None
    assert end.manager.is_same(made.manager)
    assert made.expires_s == 3600


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a/>",
        STATUS_SAMPLE[:700],
        STATUS_SAMPLE.replace(b"JobToken>", b"Token>"),
        STATUS_SAMPLE.replace(b"dsp:JobStatus>", b"dsp:Other>"),
        STATUS_SAMPLE.replace(b"PostScanJobStatusEvent>", b"Unknown>"),
        END_SAMPLE.replace(b"dsp:PostScanJobEndState>", b"dsp:JobStatus>"),
        STATUS_SAMPLE.replace(b"?>", b'?><!DOCTYPE a [<!ENTITY b "c">]>', 1),
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body/></s:Envelope>'.encode(),
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault/></s:Body></s:Envelope>'.encode(),
    ],
)
def test_what_is_no_event_is_refused(data: bytes) -> None:
    with pytest.raises(XmlError):
        parse_notification(data)


@given(st.sampled_from([STATUS_SAMPLE, END_SAMPLE, FAREWELL]), st.data())
def test_broken_events_are_read_or_refused(sample: bytes, data: st.DataObject) -> None:
    broken = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(broken)))
        length = data.draw(st.integers(0, 40))
        broken[start : start + length] = data.draw(
            st.binary(max_size=12) | st.sampled_from([b"<", b"</a>", b"<a>"])
        )
    try:
        told = parse_notification(bytes(broken))
    except XmlError:
        return
    assert isinstance(told, JobStatus | SubscriptionEnd)
