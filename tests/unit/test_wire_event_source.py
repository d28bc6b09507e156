"""WS-Eventing as the device is asked for it: the published messages, every fault, and what is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dsm_device.wire import event_source as wire
from dsm_device.wire.event_source import ALL_ACTIONS, EVENT_NAMES, SubscriptionEnd, read_renew, read_subscribe
from dsm_device.wire.names import DSD, SOAP, WSA, WSCN, WSCN_DRAFT, WSDP, WSE
from dsm_device.wire.service_request import (
    Request,
    RequestFault,
    parse_request,
    render_answer,
    render_fault,
    render_one_way,
)
from tests.message_schema import validate

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SINK = "http://192.0.2.9:5357/7e0d1f7a-3c1b-4bd2-8a0a-1c52e1b9f6aa"
ID = "3d0b9b1e-8f6e-4b8e-9d51-3a0c6fb1a001"
MANAGER = f"http://192.0.2.40:5357/subscriptions/{ID}"
DELIVERY = "<wse:Delivery><wse:NotifyTo><wsa:Address>http://192.0.2.9/</wsa:Address></wse:NotifyTo></wse:Delivery>"


def sample(name: str) -> bytes:
    return (SAMPLES / f"dsd-{name}.xml").read_bytes()


def asking(operation: str, content: str, scope: str = "") -> Request:
    return parse_request(
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:wsa="{WSA}" xmlns:wse="{WSE}" {scope}><s:Header>'
        f"<wsa:To>http://192.0.2.40/dsd</wsa:To><wsa:Action>{WSE}/{operation}</wsa:Action>"
        f"<wsa:MessageID>urn:uuid:1</wsa:MessageID></s:Header>"
        f"<s:Body><wse:{operation}>{content}</wse:{operation}></s:Body></s:Envelope>".encode()
    )


def filtering(actions: str, dialect: str = f'Dialect="{WSDP}/Action"') -> Request:
    return asking("Subscribe", f"{DELIVERY}<wse:Filter {dialect}>{actions}</wse:Filter>")


def refusal(read: Callable[[], object]) -> tuple[str, str]:
    """Code and subcode of the fault, which is a valid message."""
    with pytest.raises(RequestFault) as caught:
        read()
    assert caught.value.message_id == "urn:uuid:1"
    fault = caught.value.fault
    assert fault.subcode is not None
    message = validate(render_fault(fault, "urn:uuid:2", "urn:uuid:1"))
    assert message.findtext(f".//{{{WSA}}}Action") == fault.action
    return fault.code, fault.subcode[1]


# ----------------------------------------------------------------------------------------- Subscribe


def test_the_published_subscribe_is_read() -> None:
    wanted = read_subscribe(parse_request(sample("wse-subscribe")), NOW)
    assert wanted.notify_to.address == SINK
    assert wanted.end_to is not None
    assert wanted.end_to.is_same(wanted.notify_to)
    assert len(wanted.notify_to.blocks) == 1
    assert wanted.expires_s == 3600
    assert wanted.actions == ALL_ACTIONS
    assert set(ALL_ACTIONS) == set(EVENT_NAMES)


def test_what_may_be_left_out_may_be_left_out() -> None:
    wanted = read_subscribe(asking("Subscribe", DELIVERY), NOW)
    assert (wanted.end_to, wanted.expires_s, wanted.actions) == (None, None, ALL_ACTIONS)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1H", 3600.0),
        ("P1M", 30 * 86_400.0),
        ("P1Y", 365 * 86_400.0),
        ("\n 2026-03-02T10:00:00Z ", 3600.0),
        ("2026-03-02T10:00:00+01:00", None),
        ("2026-03-02T08:59:59Z", None),
        ("PT0S", None),
        ("-PT5S", None),
        ("soon", None),
        ("", None),
    ],
)
def test_an_expiry_is_a_time_to_come(text: str, seconds: float | None) -> None:
    expires = f"<wse:Expires>{text}</wse:Expires>"
    subscribe, renew = asking("Subscribe", DELIVERY + expires), asking("Renew", expires)
    for read in (lambda: read_subscribe(subscribe, NOW).expires_s, lambda: read_renew(renew, NOW)):
        if seconds is None:
            assert refusal(read) == ("Sender", "InvalidExpirationTime")
        else:
            assert read() == seconds


@pytest.mark.parametrize("namespace", [WSCN, WSCN_DRAFT, DSD, "urn:whatever"])
@pytest.mark.parametrize("end", ["", "/"])
def test_an_event_is_sent_with_the_action_that_the_filter_gives_it(namespace: str, end: str) -> None:
    actions = {name: f"{namespace}/{name}{end}" for name in EVENT_NAMES}
    assert read_subscribe(filtering("\n\t".join(actions.values())), NOW).actions == actions


def test_a_filter_may_name_what_there_is_not_and_what_there_is_twice() -> None:
    names = ("ScanAvailableEvent", "JobStatusEvent", "ScannerElementsChangedEvent")
    actions = [f"{DSD}/JobStatusEvent", *(f"{WSCN}/{name}" for name in names)]
    wanted = read_subscribe(filtering(" ".join(actions)), NOW)
    assert wanted.actions == {
        "JobStatusEvent": f"{DSD}/JobStatusEvent",
        "ScannerElementsChangeEvent": f"{WSCN}/ScannerElementsChangedEvent",
    }


def notifying(blocks: str, holder: str = "ReferenceParameters") -> str:
    return DELIVERY.replace("</wsa:Address>", f"</wsa:Address><wsa:{holder}>{blocks}</wsa:{holder}>")


def with_filter(text: str, dialect: str) -> str:
    return f'{DELIVERY}<wse:Filter Dialect="{dialect}">{text}</wse:Filter>'


XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
INVALID = ("Sender", "InvalidMessage")
UNABLE = ("Receiver", "EventSourceUnableToProcess")
NO_MODE = ("Sender", "DeliveryModeRequestedUnavailable")
NO_DIALECT = ("Sender", "FilteringRequestedUnavailable")
NO_ACTION = ("Sender", "FilterActionNotSupported")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", INVALID),
        ("<wse:Delivery/>", UNABLE),
        (f"{DELIVERY}{DELIVERY}", INVALID),
        (DELIVERY.replace("Delivery>", f'Delivery Mode="{WSE}/DeliveryModes/Pull">', 1), NO_MODE),
        (notifying("<x/>" * 17), UNABLE),
        (notifying(f"<x>{'x' * 9000}</x>", "ReferenceProperties"), UNABLE),
        (notifying("<wsa:Action>urn:x</wsa:Action>"), INVALID),
        (f"{DELIVERY}<wse:Filter>{WSCN}/JobStatusEvent</wse:Filter>", NO_DIALECT),
        (with_filter("/*", XPATH), NO_DIALECT),
        (with_filter(f"{WSCN}/ScanAvailableEvent", f"{WSDP}/Action"), NO_ACTION),
        (with_filter("", f"{WSDP}/Action"), NO_ACTION),
    ],
)
def test_what_cannot_be_subscribed_to_is_refused(content: str, fault: tuple[str, str]) -> None:
    assert refusal(lambda: read_subscribe(asking("Subscribe", content), NOW)) == fault


@pytest.mark.parametrize(
    ("read", "operation"),
    [
        (lambda request: read_subscribe(request, NOW), "Subscribe"),
        (lambda request: read_renew(request, NOW), "Renew"),
        (wire.check_get_status, "GetStatus"),
        (wire.check_unsubscribe, "Unsubscribe"),
    ],
)
def test_another_body_is_an_invalid_message(read: Callable[[Request], object], operation: str) -> None:
    assert refusal(lambda: read(asking("Pull", ""))) == ("Sender", "InvalidMessage")
    assert refusal(lambda: read(Request(f"{WSE}/{operation}", "", "urn:uuid:1"))) == ("Sender", "InvalidMessage")


@pytest.mark.parametrize(
    ("name", "subcode"),
    [
        ("fault-wse-delivery-mode", "DeliveryModeRequestedUnavailable"),
        ("fault-wse-filter-action-not-supported", "FilterActionNotSupported"),
        ("fault-wse-unable-to-renew", "UnableToRenew"),
    ],
)
def test_faults_are_as_published(name: str, subcode: str) -> None:
    causes = {
        "DeliveryModeRequestedUnavailable": asking("Subscribe", '<wse:Delivery Mode="urn:pull"/>'),
        "FilterActionNotSupported": filtering("urn:x"),
    }
    if subcode == "UnableToRenew":
        fault = wire.unable_to_renew()
    else:
        with pytest.raises(RequestFault) as caught:
            read_subscribe(causes[subcode], NOW)
        fault = caught.value.fault
    ours = etree.fromstring(render_fault(fault, "urn:uuid:2", "urn:uuid:1"))
    theirs = etree.fromstring(sample(name))
    for path in (f".//{{{WSA}}}Action", f".//{{{SOAP}}}Code", f".//{{{SOAP}}}Subcode", f".//{{{SOAP}}}Text"):
        assert _words(ours.find(path)) == _words(theirs.find(path))


def _words(element: etree._Element | None) -> list[str]:
    assert element is not None
    return [word for text in element.itertext() for word in text.split()]


# --------------------------------------------------------------------------------- which subscription


@pytest.mark.parametrize("name", ["wse-renew", "wse-get-status", "wse-unsubscribe"])
def test_a_subscription_is_meant_by_url_and_by_header(name: str) -> None:
    assert wire.subscription_ids(parse_request(sample(name))) == (ID, ID)


@pytest.mark.parametrize(
    ("to", "identifier", "ids"),
    [
        ("http://192.0.2.40:5357/dsd", f"urn:uuid:{ID}", (ID,)),
        ("http://192.0.2.40:5357/dsd", f"uuid:{ID.upper()}", (ID,)),
        ("http://192.0.2.40:5357/scan", ID, (ID,)),
        (f"http://192.0.2.40:5357/subscriptions/{ID}", "", (ID,)),
        (f"http://192.0.2.40:5357/subscriptions/{ID}", "other", (ID, "other")),
        ("http://192.0.2.40:5357/dsd", "", ()),
    ],
)
def test_the_url_goes_before_the_header(to: str, identifier: str, ids: tuple[str, ...]) -> None:
    assert wire.subscription_ids(Request("a", to, identifier=identifier)) == ids


# ------------------------------------------------------------------------------------------ what is sent


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("wse-subscribe-response", wire.subscribe_response(MANAGER, ID, 3600)),
        ("wse-renew-response", wire.renew_response(1800)),
        ("wse-get-status-response", wire.get_status_response(1752)),
        ("wse-unsubscribe-response", None),
    ],
)
def test_answers_are_as_published(name: str, body: etree._Element | None) -> None:
    published = etree.fromstring(sample(name))
    action, relates_to = (published.findtext(f".//{{{WSA}}}{local}") for local in ("Action", "RelatesTo"))
    assert action is not None
    assert relates_to is not None
    message_id = published.findtext(f".//{{{WSA}}}MessageID") or ""
    ours = validate(render_answer(action, message_id, relates_to, body))
    assert _elements(ours) == _elements(published)


def test_the_end_is_as_published() -> None:
    published = etree.fromstring(sample("wse-subscription-end"))
    reference = read_subscribe(parse_request(sample("wse-subscribe")), NOW).end_to
    assert reference is not None
    message_id = published.findtext(f".//{{{WSA}}}MessageID") or ""
    body = SubscriptionEnd(wire.SOURCE_SHUTTING_DOWN, "The device is shutting down.").render(MANAGER, ID)
    ours = validate(render_one_way(reference.address, wire.SUBSCRIPTION_END, message_id, body, reference.blocks))
    assert _elements(ours) == _elements(published)


def _elements(root: etree._Element) -> list[tuple[object, ...]]:
    """Names, attributes and texts; durations as what they mean."""
    seconds = {"PT1H": "PT3600S", "PT30M": "PT1800S", "PT29M12S": "PT1752S"}
    texts = ((each, (each.text or "").strip()) for each in root.iter(etree.Element))
    return [(each.tag, dict(each.attrib), seconds.get(text, text)) for each, text in texts]


# -------------------------------------------------------------------------------------- whatever comes

_PARTS = st.sampled_from(
    [
        DELIVERY,
        '<wse:Delivery Mode="urn:pull"/>',
        "<wse:EndTo/>",
        "<wse:EndTo><wsa:Address>urn:x</wsa:Address></wse:EndTo>",
        "<wse:Expires>P9999999Y</wse:Expires>",
        "<wse:Expires>9999-12-31T24:00:00-14:00</wse:Expires>",
        "<wse:Expires>0000-00-00T00:00:00Z</wse:Expires>",
        f'<wse:Filter Dialect="{WSDP}/Action">///// {WSCN}/JobStatusEvent///</wse:Filter>',
        f'<wse:Filter Dialect=" {WSDP}/Action/ "><x/>JobEndStateEvent</wse:Filter>',
        "<!-- -->",
        "text",
    ]
)


@given(st.lists(_PARTS, max_size=6))
def test_whatever_is_asked_is_read_or_has_a_fault(parts: list[str]) -> None:
    try:
        wanted = read_subscribe(asking("Subscribe", "".join(parts)), NOW)
    except RequestFault as refused:
        validate(render_fault(refused.fault, "urn:uuid:2", refused.message_id))
        return
    assert wanted.expires_s is None or wanted.expires_s > 0
    assert set(wanted.actions) <= set(EVENT_NAMES)
    assert wanted.actions
