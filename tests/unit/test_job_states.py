"""The job's state machine: the table itself, each of its pairs, and long random lives."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from dsm_device.errors import Recovery
from dsm_device.job.states import (
    COMMANDS,
    TRANSITIONS,
    WS_SCAN,
    Command,
    ForbiddenTransition,
    JobEvent,
    JobState,
    Repetition,
    after,
    commands,
    diagram,
)
from dsm_device.wire.faults import Operation

SERVER_EVENTS = {event for event in JobEvent if event.name.startswith("SERVER_")}
PAST = {JobState.DONE, JobState.DONE_WITH_ERRORS, JobState.CANCELED}


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("event", JobEvent)
def test_every_pair_leads_on_or_is_forbidden(state: JobState, event: JobEvent):
    if event in TRANSITIONS[state]:
        assert after(state, event) is TRANSITIONS[state][event]
    else:
        with pytest.raises(ForbiddenTransition, match=f'"{event}" cannot happen to a job that is "{state}"'):
            after(state, event)


def test_everything_but_the_past_has_a_command():
    assert set(COMMANDS) == set(JobState) - PAST
    assert {state for state in JobState if state.command is None} == PAST


def test_what_must_not_come_twice_is_asked_for_first():
    """WS-DSP, repeating safely: the protocol's own mark of each operation says the same."""
    marks = dict(COMMANDS.values())
    for command in (Command.CREATE, Command.SEND, Command.END, Command.CANCEL):
        is_repeated = marks[command] is Repetition.REPEAT
        assert Operation(command.value).is_repeatable is is_repeated
        assert Operation(command.value).after_lost_answer is (
            Recovery.RETRY_LATER if is_repeated else Recovery.ASK_FIRST
        )


def test_what_is_never_repeated_waits_for_a_person():
    never = {state for state, (_, repetition) in COMMANDS.items() if repetition is Repetition.NEVER}
    assert never == {state for state in JobState if state.needs_person} | {JobState.ACQUIRING}


def test_what_is_past_stays_past():
    assert {state for state in JobState if state.is_past} == PAST


def test_only_an_ended_job_is_decided_by_the_server():
    deciding = SERVER_EVENTS - {JobEvent.SERVER_CANCELED}
    allowed = {state for state in JobState if deciding & set(TRANSITIONS[state])}
    assert allowed == {state for state in JobState if state.is_ended}


def test_a_job_that_is_cancelled_at_the_server_while_it_is_sent_waits_for_a_person():
    """Its administrator may have done so; the pages are the user's."""
    assert after(JobState.SENDING, JobEvent.SERVER_CANCELED) is JobState.FAILED


def test_a_cancel_of_the_user_is_never_taken_back():
    assert set(TRANSITIONS[JobState.CANCELING].values()) == {JobState.CANCELING, JobState.CANCELED}


def test_nothing_is_sent_again_by_itself_once_the_end_may_have_arrived():
    """From ENDING there is no way back to sending but a failure that says that it has not arrived."""
    assert JobEvent.ACCEPTED not in TRANSITIONS[JobState.ENDING]
    for state in (JobState.ENDED, JobState.PROCESSING):
        assert JobEvent.POSTPONED not in TRANSITIONS[state]
        assert JobEvent.CREATED not in TRANSITIONS[state]


@pytest.mark.parametrize("state", [state for state in JobState if state not in PAST])
def test_the_user_can_cancel_whatever_is_not_past(state: JobState):
    assert after(state, JobEvent.CANCELED) is JobState.CANCELED


def test_from_every_state_the_history_can_be_reached():
    reached = set(PAST)
    while more := {state for state in JobState if set(TRANSITIONS[state].values()) & reached} - reached:
        reached |= more
    assert reached == set(JobState)


def test_a_console_is_told_of_every_state_in_its_own_words():
    assert set(WS_SCAN) == set(JobState)
    assert {WS_SCAN[state][0] for state in PAST} == {"Completed", "Canceled"}


def test_a_hundred_thousand_random_events_keep_to_the_promises():
    """Pages are only let go of where the server has ended the job, or the user wanted it so."""
    chance = random.Random(20261130)
    state, was_ended, cancelled = JobState.ACQUIRING, False, False
    for _ in range(100_000):
        event = chance.choice(list(TRANSITIONS[state]))
        state = after(state, event)
        was_ended = state is not JobState.CREATED and (was_ended or event is JobEvent.ENDED)
        cancelled = cancelled or event in (JobEvent.CANCELED, JobEvent.SERVER_CANCELED)
        if state.is_past:
            assert was_ended or cancelled
            state, was_ended, cancelled = JobState.ACQUIRING, False, False


def test_diagram_and_table_in_the_architecture_are_those_of_the_program():
    text = (Path(__file__).parents[2] / "dsm_device" / "ARCHITECTURE.md").read_text("utf-8")
    drawn = re.search(r"```mermaid\n(stateDiagram.*?)```", text, re.S)
    assert drawn and drawn[1].splitlines() == list(diagram())
    assert "\n".join(commands()) in text
