"""WS-Eventing at the simulated scan server: what a subscriber may say, in every form, and how it is refused."""

from __future__ import annotations

import datetime
import re
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from dsm_sim.peers.scan_server import personality
from dsm_sim.peers.scan_server.durations import FAR_S, duration, read_expiry

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
SERVICE_ID = uuid.UUID("5f0a2f4e-6d0b-4b0e-9c55-0a4c9d1f7e21")
SAMPLE_HOST = {"Host": "scan01.corp.example.com:5362"}
WSE = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
NOW = datetime.datetime(2026, 3, 2, 9, 14, 7)  # noqa: DTZ001 - the server's local time has no zone
STRICT = personality("strict")


class SteppedClock:
    """Time that passes when a test says so."""

    def __init__(self):
        self.seconds = 0.0

    def monotonic(self):
        return self.seconds

    def now(self):
        return NOW + datetime.timedelta(seconds=self.seconds)


@pytest.fixture
def clock():
    return SteppedClock()


@pytest.fixture
def stepped(start_server, connect, clock):
    return connect(start_server(clock=clock))


def reference(answer):
    """Address and reference parameters of the subscription's manager, the latter as header blocks."""
    manager = answer.root.find(f".//{{{WSE}}}SubscriptionManager")
    blocks = manager.xpath("*[starts-with(local-name(), 'Reference')]/*")
    return manager.findtext("{*}Address"), "".join(etree.tostring(each).decode() for each in blocks)


def manage(device, eventing, subscribed, name, inner=""):
    address, header = reference(subscribed)
    path = "/" + address.split("/", 3)[3]
    return eventing(device, name, f"<wse:{name}>{inner}</wse:{name}>", path=path, header=header)


def test_sample_messages_subscribe_renew_and_unsubscribe_without_a_violation(start_server, connect):
    names = ("scan01.corp.example.com", "localhost")
    device = connect(start_server(names=names, processing_id=SERVICE_ID, announced_port=5362))
    path = f"/ScanServer/{SERVICE_ID}"
    answer = device.post(path, (SAMPLES / "wire-subscribe.xml").read_bytes(), SAMPLE_HOST)
    assert (answer.status, answer.text("Expires")) == (200, "PT1H")
    address, header = reference(answer)
    assert address == f"https://scan01.corp.example.com:5362{path}"
    identifier = re.search(r"urn:uuid:[0-9a-f-]+", header)[0]
    for name in ("renew", "unsubscribe"):
        body = (SAMPLES / f"wire-{name}.xml").read_bytes()
        body = body.replace(b"urn:uuid:9d5d5b7c-2d52-4d0c-93e5-d2a5d7a3c1f4", identifier.encode())
        answer = device.post(path, body, SAMPLE_HOST)
        sample = etree.parse(SAMPLES / f"wire-{name}-response.xml")
        assert answer.text("Action") == sample.findtext(".//{*}Action")
        assert [each.tag for each in answer.root[1].iter()] == [each.tag for each in sample.getroot()[1].iter()]
    (subscription,) = device.server.report().subscriptions
    assert subscription.ended == "Unsubscribed"
    assert subscription.notify_to.startswith("https://mfp-3f.corp.example.com:5358/dsm/events/")
    assert device.server.report().violations == ()


@pytest.mark.parametrize("form", ["identifier", "opaque", "property", "path"])
def test_subscription_is_managed_in_each_form_by_what_was_told(
    start_server, connect, sink, subscribe, eventing, form
):
    device = connect(start_server(personality=replace(STRICT, manager_form=form)))
    subscribed = subscribe(device, sink)
    address, header = reference(subscribed)
    assert ("/subscriptions/" in address, "Identifier" in header, bool(header)) == (
        form == "path",
        form in {"identifier", "property"},
        form != "path",
    )
    assert manage(device, eventing, subscribed, "GetStatus").text("Expires").startswith(("PT1H", "PT59M"))
    renewed = manage(device, eventing, subscribed, "Renew", "<wse:Expires>PT2H</wse:Expires>")
    assert renewed.text("Expires") == "PT2H"
    ended = manage(device, eventing, subscribed, "Unsubscribe")
    assert (ended.status, len(ended.root[1])) == (200, 0)
    refused = manage(device, eventing, subscribed, "Renew")
    assert (refused.status, refused.subcode) == (500, "UnableToRenew")
    assert device.server.report().violations == ()


@pytest.mark.parametrize(
    ("name", "status", "subcode"),
    [
        ("Renew", 500, "UnableToRenew"),
        ("GetStatus", 400, "InvalidMessage"),
        ("Unsubscribe", 400, "InvalidMessage"),
    ],
)
def test_unknown_and_unnamed_subscriptions_are_refused(device, eventing, broken_rules, name, status, subcode):
    known = f"<wse:Identifier xmlns:wse='{WSE}'>urn:uuid:{uuid.uuid4()}</wse:Identifier>"
    answer = eventing(device, name, f"<wse:{name}/>", header=known)
    assert (answer.status, answer.subcode) == (status, subcode)
    assert broken_rules(device.server) == set(), "it may have been forgotten"
    answer = eventing(device, name, f"<wse:{name}/>")
    assert (answer.status, answer.subcode) == (status, subcode)
    assert broken_rules(device.server) == {"wse-manager"}
    answer = eventing(device, name, f"<wse:{name}/>", path=f"{device.service}/subscriptions/none")
    assert (answer.status, answer.subcode) == (status, subcode)


def test_manager_of_a_subscription_takes_no_other_operation(device, eventing):
    path = f"{device.service}/subscriptions/{uuid.uuid4()}"
    answer = eventing(device, "Subscribe", "<wse:Subscribe/>", path=path)
    assert answer.subcode == "ActionNotSupported"


def test_subscription_lasts_until_it_expires_and_longer_when_renewed(stepped, clock, sink, subscribe, eventing):
    subscribed = subscribe(stepped, sink, expires="PT100S")
    clock.seconds = 40
    assert manage(stepped, eventing, subscribed, "GetStatus").text("Expires") == "PT1M"
    assert manage(stepped, eventing, subscribed, "Renew", "<wse:Expires>PT90S</wse:Expires>").status == 200
    clock.seconds = 129
    assert manage(stepped, eventing, subscribed, "GetStatus").text("Expires") == "PT1S"
    clock.seconds = 130
    assert manage(stepped, eventing, subscribed, "Renew").subcode == "UnableToRenew"
    stepped.new_job()
    assert stepped.server.report().subscriptions[0].ended == "Expired"
    assert stepped.server.report().events_sent == 0


@pytest.mark.parametrize(
    ("asked", "granted", "rules"),
    [
        ("PT30M", "PT30M", set()),
        ("P1D", "PT24H", set()),
        ("P2D", "PT24H", set()),
        ("P99999999999999999Y", "PT24H", set()),
        (" PT0.25S ", "PT0.25S", set()),
        ("P0Y0M0DT1H1M1.5S", "PT1H1M1.5S", set()),
        ("2026-03-02T10:14:07", "2026-03-02T10:14:07.000", {"wse-duration"}),
        ("9999999-01-01T00:00:00Z", "2026-03-03T09:14:07.000", {"wse-duration"}),
    ],
)
def test_expiry_is_granted_in_the_form_that_was_asked_for(
    stepped, sink, subscribe, broken_rules, asked, granted, rules
):
    answer = subscribe(stepped, sink, expires=asked)
    assert (answer.status, answer.text("Expires")) == (200, granted)
    assert broken_rules(stepped.server) == rules


@pytest.mark.parametrize(
    ("asked", "subcode"),
    [
        ("PT0S", "InvalidExpirationTime"),
        ("-PT1H", "InvalidExpirationTime"),
        ("2026-03-02T09:14:07", "InvalidExpirationTime"),
        ("2001-01-01T00:00:00Z", "InvalidExpirationTime"),
        ("-0044-03-15T12:00:00", "InvalidExpirationTime"),
        ("", "InvalidMessage"),
        ("P", "InvalidMessage"),
        ("PT", "InvalidMessage"),
        ("P1H", "InvalidMessage"),
        ("PT1.H", "InvalidMessage"),
        ("1 hour", "InvalidMessage"),
        ("2026-02-30T00:00:00", "InvalidMessage"),
        ("2026-03-02T25:00:00", "InvalidMessage"),
        ("PT١S", "InvalidMessage"),
    ],
)
def test_expiry_that_is_none_or_over_is_refused(stepped, sink, subscribe, broken_rules, asked, subcode):
    answer = subscribe(stepped, sink, expires=asked)
    assert (answer.status, answer.subcode) == (400, subcode)
    assert "wse-expires" in broken_rules(stepped.server)
    assert stepped.server.report().subscriptions == ()


def test_points_in_time_and_forms_of_answers_depend_on_the_server(start_server, connect, clock, sink, subscribe):
    dates = connect(start_server(clock=clock, personality=replace(STRICT, expires_form="date-time")))
    assert subscribe(dates, sink).text("Expires") == "2026-03-02T10:14:07.000"
    spans = connect(start_server(clock=clock, personality=replace(STRICT, expires_form="duration")))
    assert subscribe(spans, sink, expires="2026-03-02T10:14:07").text("Expires") == "PT1H"
    none = connect(start_server(clock=clock, personality=replace(STRICT, takes_points_in_time=False)))
    assert subscribe(none, sink, expires="2026-03-02T10:14:07").subcode == "UnsupportedExpirationType"
    wrong = connect(start_server(clock=clock, clock_offset_s=-7200.0))
    assert subscribe(wrong, sink, expires="2026-03-02T08:14:07").text("Expires") == "2026-03-02T08:14:07.000"
    assert subscribe(wrong, sink, expires="2026-03-02T07:14:07").subcode == "InvalidExpirationTime"


def test_expiry_can_be_kept_short(start_server, connect, sink, subscribe):
    device = connect(start_server(longest_subscription_s=2))
    assert subscribe(device, sink).text("Expires") == "PT2S"


def test_there_are_only_so_many_subscriptions(start_server, connect, sink, subscribe, eventing):
    device = connect(start_server(subscription_limit=2))
    first = subscribe(device, sink)
    assert subscribe(device, sink).status == 200
    refused = subscribe(device, sink)
    assert (refused.status, refused.subcode) == (500, "EventSourceUnableToProcess")
    manage(device, eventing, first, "Unsubscribe")
    assert subscribe(device, sink).status == 200


DELIVERY = (
    "<wse:Delivery><wse:NotifyTo><wsa:Address>http://localhost:1/x</wsa:Address></wse:NotifyTo></wse:Delivery>"
)


def notify_to(address):
    return DELIVERY.replace("http://localhost:1/x", address)


@pytest.mark.parametrize(
    ("content", "status", "subcode", "rule"),
    [
        ("", 400, "InvalidMessage", "wse-outline"),
        ("<wse:Expires>PT1H</wse:Expires>" + DELIVERY, 400, "InvalidMessage", "wse-outline"),
        (DELIVERY + DELIVERY, 400, "InvalidMessage", "wse-outline"),
        ("<wse:Delivery/>", 400, "InvalidMessage", "wse-outline"),
        (
            DELIVERY.replace("<wse:Delivery>", "<wse:Delivery Mode='urn:pull'>"),
            400,
            "DeliveryModeRequestedUnavailable",
            "wse-delivery",
        ),
        (notify_to(""), 500, "EventSourceUnableToProcess", "wse-endpoints"),
        (notify_to("ftp://localhost/"), 500, "EventSourceUnableToProcess", "wse-endpoints"),
        (notify_to("file:///etc/passwd"), 500, "EventSourceUnableToProcess", "wse-endpoints"),
        (notify_to("http://"), 500, "EventSourceUnableToProcess", "wse-endpoints"),
        (notify_to("http://[::1"), 500, "EventSourceUnableToProcess", "wse-endpoints"),
        (notify_to("http://localhost:99999/"), 500, "EventSourceUnableToProcess", "wse-endpoints"),
        (notify_to("http://local host/"), 500, "EventSourceUnableToProcess", "wse-endpoints"),
        (notify_to("http://localhost/" + "x" * 2100), 500, "EventSourceUnableToProcess", "wse-endpoints"),
        (
            "<wse:EndTo><wsa:Address>urn:x</wsa:Address></wse:EndTo>" + DELIVERY,
            500,
            "EventSourceUnableToProcess",
            "wse-endpoints",
        ),
        (
            DELIVERY + "<wse:Filter Dialect='http://www.w3.org/TR/1999/REC-xpath-19991116'>1</wse:Filter>",
            400,
            "FilteringRequestedUnavailable",
            "wse-filter",
        ),
        (DELIVERY + "<wse:Filter>x</wse:Filter>", 400, "FilteringRequestedUnavailable", "wse-filter"),
        (
            DELIVERY
            + "<wse:Filter Dialect='http://schemas.xmlsoap.org/ws/2006/02/devprof/Action'>urn:x</wse:Filter>",
            400,
            "FilterActionNotSupported",
            "wse-filter",
        ),
    ],
)
def test_subscription_that_cannot_be_is_refused(device, eventing, broken_rules, content, status, subcode, rule):
    answer = eventing(device, "Subscribe", f"<wse:Subscribe>{content}</wse:Subscribe>")
    assert (answer.status, answer.subcode) == (status, subcode)
    (value,) = answer.root.xpath("//*[local-name()='Subcode']/*[local-name()='Value']")
    assert value.nsmap[value.text.partition(":")[0]].startswith("http://schemas.xmlsoap.org/ws/")
    kind = "ws/2006/02/devprof/fault" if subcode == "FilterActionNotSupported" else "ws/2004/08/addressing/fault"
    assert answer.text("Action") == f"http://schemas.xmlsoap.org/{kind}"
    assert broken_rules(device.server) == {rule}
    assert device.server.report().subscriptions == ()


def test_what_is_supported_is_said_in_the_detail(device, eventing):
    pull = DELIVERY.replace("<wse:Delivery>", "<wse:Delivery Mode='urn:pull'>")
    body = f"<wse:Subscribe>{pull}</wse:Subscribe>"
    assert eventing(device, "Subscribe", body).text("SupportedDeliveryMode").endswith("/DeliveryModes/Push")
    body = f"<wse:Subscribe>{DELIVERY}<wse:Filter Dialect='urn:x'>1</wse:Filter></wse:Subscribe>"
    assert eventing(device, "Subscribe", body).text("SupportedDialect").endswith("/devprof/Action")


@pytest.mark.parametrize("name", ["Subscribe", "Renew", "GetStatus", "Unsubscribe"])
def test_body_of_another_operation_is_refused(device, eventing, broken_rules, name):
    answer = eventing(device, name, "<wse:Other/>")
    assert (answer.status, answer.subcode) == (400, "InvalidMessage")
    assert broken_rules(device.server) == {"action-body"}


def test_subscribe_without_expires_and_filter_gets_all_events_for_the_longest_time(device, eventing):
    answer = eventing(device, "Subscribe", f"<wse:Subscribe>{DELIVERY}</wse:Subscribe>")
    assert answer.text("Expires") == "PT24H"
    (subscription,) = device.server.report().subscriptions
    assert subscription.actions == ("PostScanJobEndStateEvent", "PostScanJobStatusEvent")


# ------------------------------------------------------------------------------------------- any input


@example("P99999999999Y")
@example("-P9Y99999999999M")
@given(
    st.text(max_size=60)
    | st.from_regex(r"-?P[0-9YMDTHS.]{0,40}")
    | st.from_regex(r"-?[0-9]{1,30}-[0-9T:.Z+-]{0,40}")
)
def test_any_expiry_is_a_number_of_seconds_or_a_value_error(text):
    try:
        expiry = read_expiry(text, NOW)
    except ValueError:
        return
    assert -FAR_S <= expiry.seconds <= FAR_S


@given(st.integers(0, int(FAR_S) * 1000))
def test_any_span_is_read_as_it_was_written(milliseconds):
    assert read_expiry(duration(milliseconds / 1000), NOW).seconds * 1000 == pytest.approx(milliseconds, abs=0.5)


XML_TEXT = st.text(st.characters(exclude_categories=["C"], exclude_characters="<&\ufffe\uffff"), max_size=40)
NAMES = st.sampled_from(
    [
        "Delivery",
        "NotifyTo",
        "EndTo",
        "Expires",
        "Filter",
        "Identifier",
        "Subscribe",
        "Renew",
        "GetStatus",
        "Address",
    ]
)


@st.composite
def element(draw, depth=3):
    """Some element of the vocabulary, in any nesting."""
    name = draw(NAMES)
    prefix = "wsa" if name == "Address" else "wse"
    mode = draw(st.sampled_from(["", ' Mode=""', ' Mode="urn:x"', ' Dialect="urn:x"']))
    inner = draw(st.lists(element(depth - 1), max_size=3)) if depth else []
    text = draw(XML_TEXT | st.sampled_from(["http://localhost:1/", "PT1H", "https://[", "-PT1S", "P9999999999Y"]))
    return f"<{prefix}:{name}{mode}>{text}{''.join(inner)}</{prefix}:{name}>"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["Subscribe", "Renew", "GetStatus", "Unsubscribe"]), parts=st.lists(element(), max_size=4)
)
def test_any_eventing_body_is_answered_or_refused_in_order(device, eventing, caplog, name, parts):
    answer = eventing(device, name, f"<wse:{name}>{''.join(parts)}</wse:{name}>")
    assert answer.status in {200, 400, 500}
    assert answer.subcode or answer.text("Action").endswith("Response")
    assert not caplog.records, "nothing fails unexpectedly"
