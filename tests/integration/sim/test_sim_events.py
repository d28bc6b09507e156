"""The events of jobs on their way to real sinks: whole, in order, to everybody, and wrong as planned."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from dsm_sim.certificates import create_authority
from dsm_sim.peers.scan_server import (
    DelayEvent,
    DropEvent,
    DuplicateEvent,
    EndSubscription,
    Fault,
    FollowAnswer,
    LoseAnswer,
    MalformEvent,
    OvertakeAnswer,
    ScanServerOptions,
    SinkOptions,
    SwapEvent,
    UnknownJob,
    WrongNamespace,
    personality,
    running_scan_server,
)
from dsm_sim.peers.scan_server.filters import FilterTrouble
from dsm_sim.peers.scan_server.schemas import message_error

STATUS, END = "PostScanJobStatusEvent", "PostScanJobEndStateEvent"
DSP = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/processing"
WSE = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
HASTY = SinkOptions(timeout_s=0.5, waits_s=(0.02, 0.02))


def assert_valid(event):
    assert message_error(event.root[1][0]) == ("", None), event.body
    assert event.text("Action") == f"{DSP}/{event.name}"
    assert event.text("MessageID").startswith("urn:uuid:")
    assert "RelatesTo" not in event.body.decode()


def run_job(device, images=1):
    token = device.new_job()
    for number in range(1, images + 1):
        assert device.send(token, number).status == 200
    assert device.end(token).status == 200
    return token


def told(events):
    """What a subscriber hears of the job: state, filters, images."""
    return [
        (each.state, each.text("FilterState"), int(each.text("ImagesReceived")))
        for each in events
        if each.name == STATUS
    ]


WHOLE_STORY = [
    ("Creating", "Pending", 0),
    ("Creating", "Pending", 1),
    ("Pending", "Pending", 1),
    ("Started", "Pending", 1),
    ("Processing", "Pending", 1),
    ("Processing", "Processing", 1),
    ("Processing", "CompletedSuccessfully", 1),
    ("Completed", "CompletedSuccessfully", 1),
]


def test_every_change_is_told_in_order_and_the_end_once(device, sink, subscribe):
    subscribe(device, sink)
    token = run_job(device)
    events = sink.until(END)
    for event in events:
        assert_valid(event)
        assert event.text("JobToken") == token
        assert event.text("To") == sink.url
    assert told(events) == WHOLE_STORY
    assert (events[-1].state, events[-1].text("JobStateReason")) == (
        "Completed",
        "PostScanJobCompletedSuccessfully",
    )
    assert events[-1].text("JobCompletedTime") == events[-2].text("JobCompletedTime")
    assert len({event.text("MessageID") for event in events}) == len(events)
    assert (sink.is_quiet(), sink.connections) == (True, 1)
    report = device.server.report()
    assert (report.events_sent, report.events_failed, report.violations) == (9, 0, ())
    (subscription,) = report.subscriptions
    assert (subscription.sent, subscription.notify_to, subscription.ended) == (9, sink.url, "")


def test_cancelled_and_aborted_jobs_have_their_end_too(device, sink, subscribe, instructions):
    subscribe(device, sink)
    token = device.new_job()
    device.cancel(token)
    events = sink.until(END)
    assert told(events) == [("Creating", "Pending", 0), ("Canceled", "Canceled", 0)]
    assert events[-1].text("JobStateReason") == "PostScanJobCanceled"
    fileshare = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/fileshare"
    device.new_job(instructions().replace(fileshare, "urn:unknown"))
    events = sink.until(END)
    assert [each.state for each in events] == ["Creating", "Aborted", "Aborted"]
    for event in events:
        assert_valid(event)


def test_everybody_hears_of_every_job_what_was_asked_for(device, connect, open_sink, subscribe):
    sinks = [open_sink() for _ in range(3)]
    for each in sinks[:2]:
        subscribe(device, each)
    subscribe(device, sinks[2], names=(END,))
    tokens = {run_job(device), run_job(connect(device.server))}
    for each in sinks[:2]:
        assert {event.text("JobToken") for event in each.until(END) + each.until(END)} == tokens
    assert [sinks[2].next().name for _ in range(2)] == [END, END]
    device.server.report()
    assert all(each.is_quiet() for each in sinks)


def test_reference_parameters_come_back_as_header_blocks(device, sink, subscribe):
    parameters = (
        "<wse:Identifier>urn:uuid:3b1b6f0e</wse:Identifier>"
        '<x:Deep xmlns:x="urn:x" x:a="1">  <x:Inner>text</x:Inner></x:Deep>'
    )
    subscribe(device, sink, parameters=parameters)
    device.new_job()
    header = sink.next().root[0]
    assert header.findtext("{*}Identifier") == "urn:uuid:3b1b6f0e"
    (deep,) = header.findall("{urn:x}Deep")
    assert (deep.get("{urn:x}a"), deep.text, deep[0].text) == ("1", "  ", "text")


def test_events_end_when_nobody_wants_them(device, sink, subscribe, eventing):
    answer = subscribe(device, sink)
    token = device.new_job()
    assert sink.next().state == "Creating"
    identifier = f"<wse:Identifier xmlns:wse='{WSE}'>{answer.text('Identifier')}</wse:Identifier>"
    assert eventing(device, "Unsubscribe", "<wse:Unsubscribe/>", header=identifier).status == 200
    device.cancel(token)
    device.server.report()
    assert sink.is_quiet()


def test_words_are_those_of_the_personality(start_server, connect, sink, subscribe):
    troubles = {"fileshare": FilterTrouble(reason="SharePointAccessDenied")}
    for name, word in (("strict", "SharePointAccessDenied"), ("ws2008r2", "SharepointAccessDenied")):
        device = connect(start_server(personality=personality(name), filter_troubles=troubles))
        subscribe(device, sink)
        run_job(device)
        end = sink.until(END)[-1]
        assert_valid(end)
        assert end.text("FilterStateReason") == word


# ---------------------------------------------------------------------------------------------- TLS


def test_https_sink_is_not_checked_unless_told_to(start_server, connect, open_sink, subscribe, tmp_path):
    authority, stranger = create_authority(tmp_path / "a"), create_authority(tmp_path / "b")
    good, strange = open_sink(authority.server(["localhost"])), open_sink(stranger.server(["localhost"]))
    wrong = open_sink(authority.issue("wrong", names=["other.example"]))
    lax = connect(start_server(sinks=HASTY))
    for each in (good, strange, wrong):
        subscribe(lax, each)
    lax.new_job()
    assert [each.next().state for each in (good, strange, wrong)] == ["Creating"] * 3
    careful = connect(start_server(sinks=SinkOptions(ca_file=authority.ca_file, timeout_s=5, waits_s=())))
    for each in (good, strange, wrong):
        subscribe(careful, each)
    careful.new_job()
    assert good.next().state == "Creating"
    assert strange.is_quiet()
    assert wrong.is_quiet()


# -------------------------------------------------------------------------------------- sinks that fail


def test_sink_that_fails_twice_is_sent_the_event_a_third_time(start_server, connect, sink, subscribe):
    device = connect(start_server(sinks=HASTY))
    statuses = iter([500, 503])

    def refuse_twice(handler):
        status = next(statuses, 202)
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    sink.answer = refuse_twice
    subscribe(device, sink)
    token = device.new_job()
    assert len({sink.next().text("MessageID") for _ in range(3)}) == 1
    device.cancel(token)
    assert sink.until(END)[0].state == "Canceled"
    (subscription,) = device.server.report().subscriptions
    assert (subscription.sent, subscription.failed, subscription.ended) == (3, 0, "")


@pytest.mark.parametrize("status", [404, 410])
def test_sink_that_is_gone_is_not_asked_again_and_told_the_end_elsewhere(
    start_server, connect, open_sink, subscribe, status, until
):
    device, sink, elsewhere = connect(start_server(sinks=HASTY)), open_sink(), open_sink()
    sink.answer = lambda handler: (
        handler.send_response(status),
        handler.send_header("Content-Length", "0"),
        handler.end_headers(),
    )
    subscribe(device, sink, end_to=elsewhere.url)
    device.new_job()
    assert sink.next().name == STATUS
    end = elsewhere.next()
    assert (end.name, end.text("Status")) == ("SubscriptionEnd", f"{WSE}/DeliveryFailure")
    until(lambda: device.server.report().subscriptions[0].ended == "DeliveryFailure")
    assert sink.is_quiet()
    assert device.server.report().events_failed == 1


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def drip(handler):
    """An answer that never comes to its end."""
    handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000000\r\n\r\n")
    try:
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.02)
    except OSError:
        handler.close_connection = True


def flood(handler):
    try:
        handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            handler.wfile.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
    except OSError:
        handler.close_connection = True


def hang(handler):
    handler.connection.settimeout(20)
    with contextlib.suppress(OSError):
        handler.rfile.read(1)
    handler.close_connection = True


def garble(handler):
    handler.wfile.write(b"\x00\xff this is no HTTP\r\n\r\n")
    handler.close_connection = True


def head_flood(handler):
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 202 Accepted\r\n" + b"X: y\r\n" * 200_000)
    handler.close_connection = True


def close(handler):
    handler.close_connection = True


def redirect(handler):
    handler.send_response(307)
    handler.send_header("Location", "http://localhost:1/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.mark.parametrize("trouble", [drip, hang, garble, head_flood, close, redirect])
def test_hostile_sink_is_given_up_and_delays_neither_jobs_nor_others(
    start_server, connect, open_sink, subscribe, until, trouble
):
    device, hostile, good = connect(start_server(sinks=HASTY)), open_sink(), open_sink()
    hostile.answer = trouble
    subscribe(device, hostile, end_to="")
    subscribe(device, good)
    began = time.monotonic()
    run_job(device)
    assert told(good.until(END)) == WHOLE_STORY
    assert time.monotonic() - began < 5
    until(lambda: device.server.report().subscriptions[0].ended == "DeliveryFailure")
    first, second = device.server.report().subscriptions
    assert (first.sent, second.sent, second.failed) == (0, 9, 0)
    assert 1 <= first.failed <= 9, "those that came up before it was given up"


def test_endless_answer_is_not_read_to_its_end(start_server, connect, sink, subscribe, broken_rules, until):
    device = connect(start_server(sinks=HASTY))
    sink.answer = flood
    subscribe(device, sink)
    device.new_job()
    until(lambda: device.server.report().events_sent == 1)
    assert broken_rules(device.server) == {"event-answer"}


def test_dead_sink_costs_the_server_nothing(start_server, connect, open_sink, subscribe, until):
    device, good = connect(start_server(sinks=HASTY)), open_sink()
    dead = open_sink()
    dead.url = f"http://localhost:{free_port()}/"
    subscribe(device, dead)
    subscribe(device, good)
    run_job(device)
    good.until(END)
    until(lambda: device.server.report().subscriptions[0].ended == "DeliveryFailure")


def test_answer_other_than_202_without_a_body_is_a_violation(device, sink, subscribe, broken_rules, until):
    subscribe(device, sink)

    def chat(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    sink.answer = chat
    device.new_job()
    sink.next()
    until(lambda: broken_rules(device.server) == {"event-answer"})
    (violation,) = device.server.report().violations
    assert (violation.operation, violation.level) == (STATUS, "should")


def test_slow_sink_hears_everything_that_matters_from_a_bounded_queue(start_server, connect, sink, subscribe):
    device = connect(start_server())
    release = threading.Event()

    def wait(handler):
        release.wait(20)
        handler.send_response(202)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    sink.answer = wait
    subscribe(device, sink)
    tokens = [device.new_job() for _ in range(150)]
    for token in tokens:
        device.cancel(token)
    release.set()
    ended = [sink.until(END)[-1].text("JobToken") for _ in tokens]
    assert ended == tokens, "no end is ever left out"
    assert device.server.report().events_failed > 0


# ------------------------------------------------------------------------------------- ends and restarts


def test_end_of_the_server_is_told_to_those_who_want_it(start_server, connect, open_sink, subscribe, tmp_path):
    sink, silent = open_sink(), open_sink()
    with running_scan_server(ScanServerOptions(out=tmp_path / "out")) as server:
        device = connect(server)
        subscribed = subscribe(device, sink, parameters="<wse:Identifier>mine</wse:Identifier>")
        subscribe(device, silent, end_to="")
    end = sink.next()
    assert (end.name, end.text("Status")) == ("SubscriptionEnd", f"{WSE}/SourceShuttingDown")
    assert end.root[0].findtext("{*}Identifier") == "mine"
    manager = end.root.find(f".//{{{WSE}}}SubscriptionManager")
    assert manager.findtext(".//{*}Identifier") == subscribed.text("Identifier")
    assert manager.findtext("{*}Address") == subscribed.text("Address")
    assert silent.is_quiet()


def test_dead_sinks_hold_up_the_end_of_the_server_for_two_seconds_at_most(open_sink, connect, subscribe, tmp_path):
    sinks = [open_sink() for _ in range(5)]
    with running_scan_server(ScanServerOptions(out=tmp_path / "out")) as server:
        for sink in sinks:
            sink.answer = hang
            subscribe(connect(server), sink)
        began = time.monotonic()
    assert time.monotonic() - began < 6


def test_restart_without_memory_forgets_subscribers_in_silence(device, sink, subscribe):
    subscribe(device, sink)
    device.server.restart(remember=False)
    assert device.server.report().subscriptions[0].ended == "Forgotten"
    device.wire()
    device.forget_service()
    device.new_job()
    device.server.report()
    assert sink.is_quiet()


def test_restart_with_memory_keeps_subscribers_and_an_orderly_one_tells_them(device, sink, subscribe):
    subscribe(device, sink)
    device.server.restart(remember=True)
    device.wire()
    token = device.new_job()
    assert sink.next().text("JobToken") == token
    device.server.restart(remember=True, orderly=True)
    end = sink.next()
    assert (end.name, end.text("Status")) == ("SubscriptionEnd", f"{WSE}/SourceShuttingDown")


# ------------------------------------------------------------------------------------------ by plan


@pytest.fixture
def planned(start_server, connect, sink, subscribe):
    """A device before a server in which something is planned; the sink subscribes."""

    def make(*plan):
        device = connect(start_server(plan=plan))
        subscribe(device, sink)
        return device

    return make


def test_dropped_event_never_comes(planned, sink):
    device = planned(Fault(STATUS, 2, DropEvent()), Fault(END, 1, DropEvent()))
    first = run_job(device)
    device.server.report()
    second = run_job(device)
    events = sink.until(END)
    assert told(event for event in events if event.text("JobToken") == first) == [
        *WHOLE_STORY[:1],
        *WHOLE_STORY[2:],
    ]
    assert events[-1].text("JobToken") == second, "the first job's end was dropped"


def test_duplicated_event_comes_several_times(planned, sink):
    device = planned(Fault(END, 1, DuplicateEvent(3)))
    run_job(device)
    first = sink.until(END)[-1]
    again = [sink.next() for _ in range(2)]
    assert [each.text("JobToken") for each in again] == [first.text("JobToken")] * 2
    assert len({each.text("MessageID") for each in (first, *again)}) == 3


def test_swapped_event_comes_after_its_successor(planned, sink):
    device = planned(Fault(STATUS, 1, SwapEvent()))
    run_job(device)
    assert told(sink.until(END)) == [WHOLE_STORY[1], WHOLE_STORY[0], *WHOLE_STORY[2:]]


def test_swapped_event_without_a_successor_comes_alone(planned, sink):
    device = planned(Fault(END, 1, SwapEvent(0.1)))
    run_job(device)
    assert told(sink.until(END)) == WHOLE_STORY


def test_delayed_event_is_overtaken(planned, sink):
    device = planned(Fault(STATUS, 1, DelayEvent(0.2)))
    began = time.monotonic()
    device.new_job()
    assert time.monotonic() - began < 0.2 or sink.is_quiet()
    assert sink.next().state == "Creating"
    assert time.monotonic() - began >= 0.2


def test_event_overtakes_the_answer_that_reveals_its_job(planned, sink):
    device = planned(Fault(STATUS, 1, OvertakeAnswer()))
    arrived = []
    release = threading.Event()

    def hold(handler):
        arrived.append(time.monotonic())
        release.wait(10)
        handler.send_response(202)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    sink.answer = hold
    threading.Timer(0.3, release.set).start()
    device.new_job()
    answered = time.monotonic()
    assert answered - arrived[0] >= 0.25, "the answer waited for the event's delivery"


def test_overtaking_event_holds_up_the_answer_only_so_long(planned, sink):
    sink.answer = hang
    device = planned(Fault(STATUS, 1, OvertakeAnswer(0.2)))
    began = time.monotonic()
    device.new_job()
    assert 0.2 <= time.monotonic() - began < 5


def test_event_follows_the_answer(start_server, connect, sink, subscribe):
    happenings = []
    plan = (Fault(STATUS, 1, FollowAnswer()),)
    device = connect(start_server(plan=plan, tell=happenings.append))
    subscribe(device, sink)
    token = device.new_job()
    assert sink.next().text("JobToken") == token
    device.server.report()
    created = next(each for each in happenings if each.get("operation") == "CreatePostScanJob")
    delivered = next(each for each in happenings if each["event"] == "notification")
    assert created["status"] == 200
    assert happenings.index(created) < happenings.index(delivered)


def test_event_that_follows_a_lost_answer_comes_all_the_same(planned, sink):
    device = planned(Fault(STATUS, 1, FollowAnswer()), Fault("CreatePostScanJob", 1, LoseAnswer()))
    with pytest.raises(OSError):
        device.create()
    assert sink.next().state == "Creating"


def test_malformed_event_breaks_off(planned, sink):
    device = planned(Fault(STATUS, 1, MalformEvent()))
    run_job(device)
    broken = sink.next()
    assert broken.body.startswith(b"<?xml")
    assert not broken.body.endswith(b"Envelope>")
    assert told(sink.until(END)) == WHOLE_STORY[1:]


def test_event_of_nobodys_job_comes_first(planned, sink):
    device = planned(Fault(END, 1, UnknownJob()))
    token = run_job(device)
    stranger, own = sink.until(END)[-1], sink.next()
    assert stranger.text("JobToken") != token == own.text("JobToken")
    assert_valid(stranger)


def test_event_in_the_wrong_namespace_has_the_right_body(planned, sink):
    device = planned(Fault(STATUS, 1, WrongNamespace()))
    device.new_job()
    event = sink.next()
    assert event.text("Action").endswith("/distributedscan/configuration/PostScanJobStatusEvent")
    assert message_error(event.root[1][0]) == ("", None)


def test_subscription_ends_early(planned, sink):
    device = planned(Fault(STATUS, 2, EndSubscription()))
    run_job(device)
    events = sink.until("SubscriptionEnd")
    assert [each.state for each in events[:-1]] == ["Creating", "Creating"]
    assert events[-1].text("Status") == f"{WSE}/SourceCanceling"
    device.server.report()
    assert sink.is_quiet()
