"""Misbehaviour as data: what a file may say, and the one line that refuses what it may not."""

from __future__ import annotations

import msgspec
import pytest

from dsm_sim.peers.scan_server import misbehaviour as sim
from dsm_sim.peers.scan_server.plan import ANY, END_EVENT, STATUS_EVENT, Fault, Plan, PlannedFault, read_fault
from dsm_sim.peers.scan_server.refusals import CODES

ACTIONS = (*sim.REQUEST_ACTIONS, *sim.EVENT_ACTIONS)


class File(msgspec.Struct):
    faults: tuple[PlannedFault, ...] = ()


def read(entry):
    (planned,) = msgspec.toml.decode(f"faults = [{{{entry}}}]", type=File).faults
    return planned.fault()


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_can_be_named_in_a_file(action):
    name = sim.tag_of(action.__name__)
    needed = {"answer-fault": ', subcode = "dsp:OperationFailed"', "answer-status": ", status = 503"}.get(name, "")
    on = "SendImage" if action in sim.REQUEST_ACTIONS else END_EVENT
    fault = read(f'on = "{on}", nth = 2, do = "{name}"{needed}')
    assert (fault.operation, fault.nth, type(fault.action)) == (on, 2, action)


def test_every_field_of_every_action_can_be_given_in_a_file():
    fields = {field.encode_name for action in ACTIONS for field in msgspec.structs.fields(action)}
    offered = {field.encode_name for field in msgspec.structs.fields(PlannedFault)}
    assert offered == fields | {"on", "nth", "do"}


@pytest.mark.parametrize("subcode", CODES)
def test_every_published_fault_can_be_planned(subcode):
    assert read(f'on = "Get", do = "answer-fault", subcode = "{subcode}"').action == sim.AnswerFault(subcode)


@pytest.mark.parametrize(
    ("entry", "action"),
    [
        ('on = "Get", do = "stall", seconds = 3', sim.Stall(3)),
        ('on = "Get", do = "stall"', sim.Stall()),
        ('on = "SendImage", do = "reset-in-body", reset-after = 20000', sim.ResetInBody(20_000)),
        (
            'on = "Get", do = "answer-body", body = "aGk=", content-type = "text/html"',
            sim.AnswerBody(b"hi", "text/html"),
        ),
        ('on = "Get", do = "answer-fault", code = "MustUnderstand"', sim.AnswerFault("", "MustUnderstand")),
        (
            'on = "Get", do = "answer-fault", subcode = "dsp:New", code = "Sender"',
            sim.AnswerFault("dsp:New", "Sender"),
        ),
        (f'on = "{STATUS_EVENT}", do = "duplicate-event", times = 3', sim.DuplicateEvent(3)),
    ],
)
def test_fields_arrive_at_the_action(entry, action):
    assert read(entry).action == action


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('on = "Send", do = "lose-answer"', ["'Send'", "SendImage"]),
        ('on = "SendImage", do = "loose"', ["'loose'", "lose-answer"]),
        ('on = "SendImage", nth = 0, do = "lose-answer"', ["nth", ">= 1"]),
        ('on = "SendImage", do = "stall", octets = 3', ["stall", "octets"]),
        ('on = "SendImage", do = "stall", second = 3', ["second"]),
        ('on = "SendImage", do = "stall", seconds = -1', ["seconds", ">= 0"]),
        ('on = "SendImage", do = "stall", seconds = "long"', ["seconds", "float"]),
        ('on = "SendImage", do = "read-slowly", read-rate = 0', ["read-rate", ">= 1"]),
        ('on = "SendImage", do = "cut-answer", octets = -5', ["octets", ">= 0"]),
        ('on = "SendImage", do = "answer-status", status = 99', ["status", ">= 200"]),
        ('on = "SendImage", do = "answer-status"', ["status", "missing"]),
        ('on = "SendImage", do = "answer-fault", subcode = "dsp:Foo"', ["'dsp:Foo'", "dsp:OperationFailed"]),
        ('on = "SendImage", do = "answer-fault", subcode = "Foo", code = "Sender"', ["'Foo'", "prefix"]),
        ('on = "SendImage", do = "answer-fault"', ["code"]),
        ('on = "SendImage", do = "answer-fault", code = "Client"', ["Client"]),
        ('on = "SendImage", do = "answer-body", body = "%"', ["base64"]),
        ('on = "Get", do = "reset-in-body"', ["SendImage alone"]),
        ('on = "*", do = "read-slowly"', ["SendImage alone"]),
        ('on = "Get", do = "drop-event"', ["cannot happen to Get"]),
        (f'on = "{END_EVENT}", do = "stall"', [f"cannot happen to {END_EVENT}", "drop-event"]),
        (f'on = "{END_EVENT}", do = "duplicate-event", times = 1', ["times", ">= 2"]),
        (f'on = "{END_EVENT}", do = "end-subscription", status = "Bye"', ["Bye"]),
        ('do = "stall"', ["on"]),
    ],
)
def test_nonsense_is_refused_in_one_line_that_says_where(entry, words):
    with pytest.raises(ValueError, match=r"\$\.?(faults)?") as caught:
        read(entry)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("SendImage:2:lose-answer", Fault("SendImage", 2, sim.LoseAnswer())),
        ("*:*:close-before:by-reset=true", Fault(ANY, None, sim.CloseBefore(by_reset=True))),
        ("Get:1:stall:seconds=1.5", Fault("Get", 1, sim.Stall(1.5))),
        (
            "Get:1:answer-fault:subcode=dsp:InvalidArgs,detail=why",
            Fault("Get", 1, sim.AnswerFault("dsp:InvalidArgs", detail="why")),
        ),
    ],
)
def test_fault_is_read_from_one_word(text, fault):
    assert read_fault(text) == fault


@pytest.mark.parametrize(
    "text",
    ["", "SendImage", "SendImage:2", "SendImage:x:stall", "SendImage:-1:stall", "Get:1:stall:now", "Get:1:x"],
)
def test_other_words_are_refused(text):
    with pytest.raises(ValueError, match=r"\S"):
        read_fault(text)


def test_plan_counts_operations_and_all_requests_each_by_themselves():
    plan = Plan(
        [Fault("Get", 2, sim.Stall()), Fault(ANY, 4, sim.LoseAnswer()), Fault(END_EVENT, 1, sim.DropEvent())]
    )
    taken = [type(plan.take(each)) for each in ("Get", "Probe", "Get", "Probe", "Get")]
    assert taken == [sim.Action, sim.Action, sim.Stall, sim.LoseAnswer, sim.Action]
    assert plan.take_event(STATUS_EVENT) is None
    assert [plan.take_event(END_EVENT) for _ in range(2)] == [sim.DropEvent(), None]


def test_a_plan_that_is_replaced_counts_from_there():
    plan = Plan([Fault("Get", 2, sim.Stall())])
    assert plan.take("Get") == Plan.NORMAL
    assert plan.replace([Fault("Get", 2, sim.LoseAnswer())]) == (0,)
    assert plan.take("Get") == Plan.NORMAL
    assert plan.take("Get") == sim.LoseAnswer()
    assert plan.replace([]) == (1,)
    assert plan.met == ()
