"""What the simulated scan server does wrong by plan, seen from the client's end of a real connection."""

from __future__ import annotations

import http.client
import time

import pytest

from dsm_sim.peers.scan_server import (
    ANY,
    AnswerBody,
    AnswerFault,
    AnswerOversized,
    AnswerSlowly,
    AnswerStatus,
    CloseBefore,
    CutAnswer,
    Fault,
    LoseAnswer,
    ReadSlowly,
    ResetInBody,
    Stall,
    WrongRelatesTo,
)

HANGUP = (ConnectionError, OSError)


@pytest.fixture
def planned(start_server, connect):
    """A device before a server in which one action is planned for one operation."""

    def make(operation, nth, action):
        return connect(start_server(plan=(Fault(operation, nth, action),)))

    return make


@pytest.mark.parametrize(
    ("subcode", "status"),
    [
        ("dsp:InvalidArgs", 400),
        ("dsp:OperationFailed", 500),
        ("dsp:ServerErrorTemporaryError", 500),
        ("dsp:ServerErrorInternalError", 500),
        ("dsp:ClientErrorJobTokenNotFound", 400),
        ("dsp:ServerErrorPostScanJobCanceled", 500),
        ("dsp:ClientErrorCurrentUserNotScanAdmin", 400),
        ("wsa:ActionNotSupported", 400),
        ("wsa:EndpointUnavailable", 500),
        ("wsa:DestinationUnreachable", 400),
        ("wsa:InvalidMessageInformationHeader", 400),
        ("wsa:MessageInformationHeaderRequired", 400),
    ],
)
def test_planned_fault_comes_with_its_status_instead_of_the_operation(planned, subcode, status):
    device = planned("CreatePostScanJob", 1, AnswerFault(subcode))
    answer = device.create()
    assert (answer.status, answer.subcode) == (status, subcode.partition(":")[2])
    prefix = subcode.partition(":")[0]
    (value,) = answer.root.xpath("//*[local-name()='Subcode']/*[local-name()='Value']")
    assert value.nsmap[prefix].startswith("http://schemas.")
    assert device.server.jobs == ()
    assert device.create().status == 200, "only the first one is planned"


def test_planned_fault_without_subcode_and_with_detail(planned):
    device = planned("CreatePostScanJob", None, AnswerFault("", code="Sender", detail="why"))
    for _ in range(3):
        answer = device.create()
        assert (answer.status, answer.subcode, answer.text("Detail")) == (400, "Sender", "why")


def test_plan_counts_each_operation_by_itself(planned):
    device = planned("EndPostScanJob", 2, AnswerStatus(503))
    first, second = device.new_job(), device.new_job()
    for token in (first, second):
        assert device.send(token).status == 200
    assert [device.end(first).status, device.end(second).status, device.end(second).status] == [200, 503, 200]


def test_plan_for_any_operation_counts_all(planned):
    device = planned(ANY, 3, AnswerStatus(500))
    statuses = [device.get().status, device.create().status, device.get().status]
    assert statuses == [200, 500, 200], "creating asks for the metadata first"


@pytest.mark.parametrize("status", [302, 401, 403, 404, 413, 500, 503])
def test_planned_status_leaves_the_operation_undone(planned, status):
    device = planned("SendImage", 1, AnswerStatus(status, location="https://elsewhere.example/"))
    token = device.new_job()
    answer = device.send(token, image=b"x" * 300_000, image_format="acme:any")
    assert (answer.status, answer.headers["location"]) == (status, "https://elsewhere.example/")
    assert device.query(token).text("ImagesReceived") == "0"
    assert not list((device.server.output / "incoming").glob("*.part"))


def test_lost_answer_means_that_the_operation_was_carried_out(planned):
    device = planned("SendImage", 1, LoseAnswer())
    token = device.new_job()
    with pytest.raises(HANGUP):
        device.send(token)
    device.wire()
    assert device.query(token).text("ImagesReceived") == "1"


def test_close_before_means_that_it_was_not(planned):
    device = planned("SendImage", 1, CloseBefore())
    token = device.new_job()
    with pytest.raises(HANGUP):
        device.send(token)
    device.wire()
    assert device.query(token).text("ImagesReceived") == "0"
    assert device.send(token).status == 200


def test_reset_in_the_body_reaches_the_sender(planned):
    device = planned("SendImage", 1, ResetInBody(5000))
    token = device.new_job()
    with pytest.raises(HANGUP):
        device.send(token, 1, b"x" * 30_000_000, "acme:any")
    device.wire()
    assert device.query(token).text("ImagesReceived") == "0"
    assert not list((device.server.output / "incoming").glob("*.part"))


def test_answer_is_cut_after_so_many_octets(planned):
    device = planned("CreatePostScanJob", 1, CutAnswer(150))
    with pytest.raises(http.client.IncompleteRead):
        device.create()
    assert len(device.server.jobs) == 1


def test_garbage_and_oversized_answers(start_server, connect):
    plan = (Fault("Get", 1, AnswerBody()), Fault("Get", 2, AnswerOversized(3_000_000)))
    device = connect(start_server(plan=plan))
    assert device.get().body == b"\x00\xffgarbage<<<"
    answer = device.get()
    assert len(answer.body) == 3_000_000
    assert answer.text("Action").endswith("GetResponse")


def test_wrong_relates_to_is_otherwise_a_proper_answer(planned):
    device = planned("CreatePostScanJob", 1, WrongRelatesTo())
    answer = device.create()
    assert answer.text("RelatesTo") == "urn:uuid:00000000-0000-4000-8000-00000badbad0"
    assert answer.text("JobToken") == device.server.jobs[0].token


def test_dripping_answer_takes_its_time(planned):
    device = planned("Get", 1, AnswerSlowly(5000))
    began = time.monotonic()
    answer = device.get()
    assert answer.status == 200
    assert time.monotonic() - began >= len(answer.body) / 5000 * 0.9


def test_stalled_answer_comes_late_or_never(start_server, connect):
    device = connect(start_server(plan=(Fault("Get", 1, Stall(0.3)), Fault("Get", 2, Stall()))))
    began = time.monotonic()
    assert device.get().status == 200
    assert time.monotonic() - began >= 0.3
    device.current.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        device.get()
    device.wire()
    assert device.get().status == 200, "others are served meanwhile"


def test_request_that_is_read_slowly(planned):
    device = planned("SendImage", 1, ReadSlowly(200_000))
    token = device.new_job()
    began = time.monotonic()
    assert device.send(token, 1, b"x" * 80_000, "acme:any").status == 200
    assert time.monotonic() - began >= 0.35
