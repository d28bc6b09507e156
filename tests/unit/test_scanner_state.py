"""The scanner's state as the console is told it: statuses by the table, and the laws of conditions and events."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device import errors
from dsm_device.hardware import InputSource, Sensors
from dsm_device.job.scanner_state import (
    HISTORY,
    Change,
    Changes,
    Component,
    ConditionCleared,
    ConditionReported,
    PastCondition,
    ScannerBoard,
    ScannerSnapshot,
    SummaryChanged,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WELL = Sensors(page_loaded=True, cover_open=False, double_feed=False)
ADF, PLATEN, FILM = InputSource.ADF, InputSource.PLATEN, InputSource.FILM


def new_board(first_id: int = 1) -> ScannerBoard:
    return ScannerBoard(itertools.count(first_id).__next__)


def told(snapshot: ScannerSnapshot) -> tuple[str, str, list[str]]:
    conditions = [f"{each.name}/{each.component}/{each.severity}" for each in snapshot.active]
    return str(snapshot.state), " ".join(snapshot.reasons), conditions


def of(changes: Changes, kind: type[Any]) -> list[Any]:
    return [each for each in changes if isinstance(each, kind)]


# ------------------------------------------------------------------------------------- the table


@pytest.mark.parametrize(
    ("error", "source", "expected"),
    [
        (errors.ScannerUnsupported, ADF, ("Idle", "None", [])),
        (errors.Cancelled, ADF, ("Idle", "None", [])),
        (errors.ScannerBusy, ADF, ("Idle", "None", [])),
        (errors.ScannerInvalid, ADF, ("Idle", "None", [])),
        (errors.ScannerJammed, ADF, ("Stopped", "MediaJam", ["MediaJam/ADF/Critical"])),
        (errors.MultipleFeed, ADF, ("Stopped", "MultipleFeedError", ["MultipleFeedError/ADF/Critical"])),
        (errors.ScannerNoDocuments, ADF, ("Idle", "AttentionRequired", ["InputTrayEmpty/ADF/Warning"])),
        (errors.ScannerCoverOpen, ADF, ("Stopped", "CoverOpen", ["CoverOpen/ADF/Critical"])),
        (errors.ScannerCoverOpen, PLATEN, ("Stopped", "CoverOpen", ["CoverOpen/Platen/Critical"])),
        (errors.ScannerCoverOpen, FILM, ("Stopped", "CoverOpen", ["CoverOpen/Platen/Critical"])),
        (errors.ScannerIoError, ADF, ("Stopped", "AttentionRequired", [])),
        (
            errors.ScannerNoMemory,
            ADF,
            ("Stopped", "InternalStorageFull", ["InternalStorageFull/MediaPath/Critical"]),
        ),
        (errors.ScannerAccessDenied, ADF, ("Stopped", "AttentionRequired", [])),
        (errors.ScannerLocked, ADF, ("Stopped", "AttentionRequired", ["InterlockOpen/Platen/Critical"])),
        (errors.ScannerNotFound, ADF, ("Stopped", "AttentionRequired", [])),
        (errors.ScannerCrashed, ADF, ("Stopped", "AttentionRequired", [])),
        (errors.ScannerHung, ADF, ("Stopped", "AttentionRequired", [])),
        (errors.TicketRefused, ADF, ("Idle", "None", [])),
    ],
)
def test_what_is_left_of_a_job_that_was_given_up(error: type[errors.DsmError], source: InputSource, expected: Any):
    board = new_board()
    board.job_began(source, NOW)
    board.job_failed(error(""), NOW)
    board.job_ended(NOW)
    assert told(board.snapshot()) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.ScannerJammed, ("Stopped", "MediaJam", ["MediaJam/ADF/Critical"])),
        (errors.ScannerNoDocuments, ("Stopped", "AttentionRequired", ["InputTrayEmpty/ADF/Critical"])),
        (errors.ScannerCoverOpen, ("Stopped", "CoverOpen", ["CoverOpen/ADF/Critical"])),
        (errors.ScannerWarmingUp, ("Processing", "LampWarming", ["LampWarming/Platen/Informational"])),
    ],
)
def test_a_job_that_waits_and_goes_on(error: type[errors.DsmError], expected: Any):
    board = new_board()
    board.job_began(ADF, NOW)
    board.job_waits(error(""), NOW)
    assert told(board.snapshot()) == expected
    cleared = board.page_acquired(NOW)
    assert len(of(cleared, ConditionCleared)) == 1
    assert told(board.snapshot()) == ("Processing", "None", [])
    board.job_ended(NOW)
    assert told(board.snapshot()) == ("Idle", "None", [])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.ScannerBusy, ("Processing", "None", [])),
        (errors.ScannerWarmingUp, ("Processing", "LampWarming", ["LampWarming/Platen/Informational"])),
        (errors.ScannerNotFound, ("Stopped", "AttentionRequired", [])),
        (errors.ScannerAccessDenied, ("Stopped", "AttentionRequired", [])),
        (errors.ScannerInvalid, ("Stopped", "AttentionRequired", [])),
        (errors.Cancelled, ("Idle", "None", [])),
    ],
)
def test_what_a_look_finds_is_over_with_the_next_that_succeeds(error: type[errors.DsmError], expected: Any):
    board = new_board()
    board.look_failed(error(""), NOW)
    assert told(board.snapshot()) == expected
    board.sensed(WELL, NOW)
    assert told(board.snapshot()) == ("Idle", "None", [])


def test_who_is_used_by_others_is_there():
    board = new_board()
    board.look_failed(errors.ScannerNotFound(), NOW)
    board.look_failed(errors.ScannerBusy(), NOW)
    assert told(board.snapshot()) == ("Processing", "None", [])


def test_nobody_knows_whether_others_still_use_it_when_nobody_looks():
    board = new_board()
    board.look_failed(errors.ScannerBusy(), NOW)
    assert told(board.snapshot())[0] == "Processing"
    board.looked_away(NOW)
    assert told(board.snapshot()) == ("Idle", "None", [])


# ---------------------------------------------------------------------------------------- sensors


def test_sensors_come_and_go_and_what_they_do_not_say_stays():
    board = new_board()
    board.sensed(Sensors(page_loaded=False, cover_open=True), NOW)
    assert told(board.snapshot())[2] == ["CoverOpen/ADF/Critical", "InputTrayEmpty/ADF/Warning"]
    assert told(board.snapshot())[1] == "CoverOpen AttentionRequired"
    assert board.sensed(Sensors(), NOW) == ()
    board.sensed(Sensors(cover_open=False), NOW)
    assert told(board.snapshot()) == ("Idle", "AttentionRequired", ["InputTrayEmpty/ADF/Warning"])
    board.sensed(Sensors(page_loaded=True), NOW)
    assert told(board.snapshot()) == ("Idle", "None", [])


def test_what_has_gone_is_told_before_what_has_come_and_the_summary_last():
    board = new_board()
    board.sensed(Sensors(page_loaded=True, cover_open=True), NOW)
    changes = board.sensed(Sensors(page_loaded=False, cover_open=False), NOW)
    assert [type(each) for each in changes] == [ConditionCleared, ConditionReported, SummaryChanged]


def test_where_the_cover_is_is_the_scanners_own():
    board = new_board()
    board.sensed(Sensors(cover_open=True), NOW, Component.PLATEN)
    assert told(board.snapshot())[2] == ["CoverOpen/Platen/Critical"]


@pytest.mark.parametrize("jam", [errors.ScannerJammed, errors.MultipleFeed])
def test_a_jam_is_over_when_somebody_has_opened_the_cover_and_closed_it(jam: type[errors.ScannerError]):
    board = new_board()
    board.job_failed(jam(), NOW)
    board.sensed(WELL, NOW)
    assert len(board.snapshot().active) == 1, "no sensor sees a jam"
    board.sensed(Sensors(cover_open=True), NOW)
    assert len(board.snapshot().active) == 2
    board.sensed(WELL, NOW)
    assert told(board.snapshot()) == ("Idle", "None", [])


def test_a_double_feed_is_over_when_its_sensor_says_so():
    board = new_board()
    board.job_failed(errors.MultipleFeed(), NOW)
    board.sensed(Sensors(double_feed=False), NOW)
    assert len(board.snapshot().active) == 1, "it was never seen by this sensor"
    board.sensed(Sensors(double_feed=True), NOW)
    board.job_failed(errors.ScannerJammed(), NOW)
    board.sensed(Sensors(double_feed=False), NOW)
    assert [each.name for each in board.snapshot().active] == ["MediaJam"]


def test_a_page_from_the_glass_says_nothing_of_the_feeder():
    board = new_board()
    board.job_failed(errors.ScannerJammed(), NOW)
    board.job_began(PLATEN, NOW)
    board.page_acquired(NOW)
    assert told(board.snapshot())[2] == ["MediaJam/ADF/Critical"]
    board.job_ended(NOW)
    board.job_began(InputSource.ADF_DUPLEX, NOW)
    board.page_acquired(NOW)
    assert told(board.snapshot()) == ("Processing", "None", [])


def test_what_somebody_has_put_right_is_gone_and_what_a_sensor_sees_stays():
    board = new_board()
    board.job_failed(errors.ScannerJammed(), NOW)
    board.sensed(Sensors(page_loaded=False, cover_open=True), NOW)
    board.job_failed(errors.ScannerIoError(), NOW)
    board.acknowledge(NOW)
    assert told(board.snapshot())[2] == ["CoverOpen/ADF/Critical", "InputTrayEmpty/ADF/Warning"]
    board.sensed(WELL, NOW)
    assert told(board.snapshot()) == ("Idle", "None", [])


def test_the_devices_own_reasons():
    board = new_board()
    board.storage(NOW, is_full=True)
    board.pause(NOW, is_paused=True)
    assert told(board.snapshot()) == (
        "Stopped",
        "InternalStorageFull Paused",
        ["InternalStorageFull/MediaPath/Critical"],
    )
    board.storage(NOW, is_full=False)
    assert told(board.snapshot()) == ("Stopped", "Paused", [])
    board.pause(NOW, is_paused=False)
    assert told(board.snapshot()) == ("Idle", "None", [])


def test_a_condition_that_becomes_worse_keeps_its_id_and_its_time():
    board = new_board()
    board.sensed(Sensors(page_loaded=False), NOW)
    board.job_began(ADF, NOW)
    (worse, summary) = board.job_waits(errors.ScannerNoDocuments(), NOW + timedelta(hours=1))
    assert isinstance(worse, ConditionReported)
    assert (worse.condition.id, worse.condition.time, worse.condition.severity) == (1, NOW, "Critical")
    assert isinstance(summary, SummaryChanged)
    (better, _) = board.job_ended(NOW)
    assert isinstance(better, ConditionReported)
    assert (better.condition.id, better.condition.severity) == (1, "Warning")


# ------------------------------------------------------------------------------------------- laws

Step = Callable[[ScannerBoard, datetime], Changes]
_maybe = st.sampled_from([None, False, True])
_errors = st.sampled_from([kind for kind in vars(errors).values() if isinstance(kind, type)]).filter(
    lambda kind: issubclass(kind, errors.ScannerError)
)
_sensors = st.builds(Sensors, page_loaded=_maybe, cover_open=_maybe, double_feed=_maybe)
_steps: st.SearchStrategy[Step] = st.one_of(
    _sensors.map(lambda sensors: lambda board, now: board.sensed(sensors, now)),
    _errors.map(lambda kind: lambda board, now: board.look_failed(kind(), now)),
    _errors.map(lambda kind: lambda board, now: board.job_waits(kind(), now)),
    _errors.map(lambda kind: lambda board, now: board.job_failed(kind(), now)),
    st.sampled_from(InputSource).map(lambda source: lambda board, now: board.job_began(source, now)),
    st.sampled_from(["page_acquired", "job_ended", "looked_away", "acknowledge"]).map(
        lambda name: lambda board, now: getattr(board, name)(now)
    ),
    st.booleans().map(lambda is_full: lambda board, now: board.storage(now, is_full=is_full)),
    st.booleans().map(lambda is_paused: lambda board, now: board.pause(now, is_paused=is_paused)),
)
_histories = st.lists(_steps, max_size=120)


def _place(change: Change) -> int:
    return (ConditionCleared, ConditionReported, SummaryChanged).index(type(change))


@given(_histories)
def test_who_only_hears_the_changes_knows_all(steps: list[Step]) -> None:
    board, heard = new_board(), ScannerSnapshot()
    active: dict[int, Any] = {}
    past: list[PastCondition] = []
    for seconds, step in enumerate(steps):
        now = NOW + timedelta(seconds=seconds)
        changes = step(board, now)
        assert [_place(each) for each in changes] == sorted(_place(each) for each in changes)
        for change in changes:
            match change:
                case ConditionReported(condition):
                    assert active.get(condition.id) != condition, "it is told although it is the same"
                    active[condition.id] = condition
                case ConditionCleared(condition, clear_time):
                    assert active.pop(condition.id) == condition, "what has gone was never reported"
                    assert clear_time == now >= condition.time
                    past.append(PastCondition(condition, clear_time))
                case SummaryChanged(state, reasons):
                    assert (state, reasons) != (heard.state, heard.reasons)
                    heard = ScannerSnapshot(state, reasons)
        found = board.snapshot()
        assert (found.state, found.reasons) == (heard.state, heard.reasons)
        assert {each.id: each for each in found.active} == active
        assert list(found.history) == past[-HISTORY:]


@given(_histories)
def test_none_stands_alone_and_critical_means_stopped(steps: list[Step]) -> None:
    board = new_board()
    for step in steps:
        step(board, NOW)
        found = board.snapshot()
        assert found.reasons == ("None",) or ("None" not in found.reasons and found.reasons)
        assert len(set(found.reasons)) == len(found.reasons)
        assert not found.active or found.reasons != ("None",)
        if any(each.severity == "Critical" for each in found.active):
            assert found.state == "Stopped"
        things = [(each.name, each.component) for each in found.active]
        assert len(set(things)) == len(things), "the same condition twice"


@given(st.lists(_histories, min_size=1, max_size=4))
def test_no_id_is_given_twice_over_restarts(lives: list[list[Step]]) -> None:
    next_id, last = itertools.count(1), 0
    for steps in lives:
        board = ScannerBoard(next_id.__next__)
        mine: set[int] = set()
        for step in steps:
            for change in of(step(board, NOW), ConditionReported):
                if change.condition.id not in mine:
                    assert change.condition.id > last
                    last = change.condition.id
                    mine.add(last)


@given(_histories)
def test_after_a_good_job_from_each_source_and_a_good_reading_all_is_well(steps: list[Step]) -> None:
    board = new_board()
    for step in steps:
        step(board, NOW)
    for source in InputSource:
        board.job_began(source, NOW)
        board.page_acquired(NOW)
        board.job_ended(NOW)
    board.sensed(WELL, NOW)
    board.pause(NOW, is_paused=False)
    for _ in steps:
        board.job_ended(NOW)
    assert told(board.snapshot()) == ("Idle", "None", [])
