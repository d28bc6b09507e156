"""When the scanner is looked at, by a clock that does not wait: hours of watching in no time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.errors import ScannerBusy, ScannerCrashed, ScannerError, ScannerHung, ScannerNotFound
from dsm_device.runner.watch_pace import WatchPace, WatchPolicy

POLICY = WatchPolicy()


@dataclass
class World:
    """A scanner and people who ask how it is: carries out what the pace decides, as the watch does."""

    pace: WatchPace = field(default_factory=lambda: WatchPace(POLICY))
    now: float = 1000.0
    looks: list[float] = field(default_factory=list)
    new_processes: list[float] = field(default_factory=list)
    #: What a look finds, and how long it takes.
    finds: Callable[[float], ScannerError | None] = lambda _: None
    takes_s: float = 0.001
    is_blind: bool = False
    is_open: bool = False

    def ask(self) -> None:
        self.pace.note_interest(self.now)

    def run(self, seconds: float, devices: Callable[[float], str] = lambda _: "") -> list[float]:
        """The looks of the next ``seconds``."""
        end, before, turns = self.now + seconds, len(self.looks), 0
        while self.now < end:
            turns += 1
            assert turns < 20 * seconds + 100, "it keeps the processor busy"
            wanted = self.pace.is_wanted(self.now)
            if wanted and self.pace.wants_usb:
                self.pace.note_usb(devices(self.now), self.now)
            if (wanted or self.is_open) and self.pace.is_due(self.now):
                self._look()
                continue
            wait_s = self.pace.wait_s(self.now, may_open=self.pace.is_wanted(self.now), is_open=self.is_open)
            self.now = min(end, self.now + (math.inf if wait_s is None else wait_s))
        return self.looks[before:]

    def _look(self) -> None:
        began = self.now
        self.looks.append(began)
        if self.pace.is_failing and self.pace.takes_new_process(began):
            self.new_processes.append(began)
        self.now += self.takes_s
        error = self.finds(began)
        if error is None:
            self.pace.saw(self.now, is_blind=self.is_blind)
        else:
            self.pace.failed(error, began, self.now)


def test_nobody_asks_and_nobody_looks():
    assert World().run(86_400) == []


def test_one_question_is_a_minute_of_looks_once_a_second():
    world = World()
    world.ask()
    looks = world.run(3600)
    assert looks[0] == 1000.0
    assert len(looks) == pytest.approx(60, abs=1)


def test_somebody_who_keeps_asking_is_kept_informed():
    world = World()
    for _ in range(60):
        world.ask()
        looks = world.run(30)
        assert max(b - a for a, b in pairwise(looks)) < 1.1
    assert len(world.looks) == pytest.approx(1800, abs=10)


def test_a_scanner_that_is_still_open_is_looked_at_though_nobody_asks():
    world = World(is_open=True)
    assert len(world.run(60)) == pytest.approx(60, abs=1)


@pytest.mark.parametrize("error", [ScannerNotFound(), ScannerBusy()])
def test_what_costs_nothing_is_tried_every_second(error: ScannerError):
    world = World(finds=lambda _: error, takes_s=0.005)
    world.ask()
    assert len(world.run(60)) == pytest.approx(60, abs=2)
    assert len(world.new_processes) == 2, "and twice a minute with a new process"


def test_what_takes_long_takes_a_twentieth_of_the_time():
    world = World(finds=lambda _: ScannerNotFound(), takes_s=1.0)
    for _ in range(60):
        world.ask()
        world.run(60)
    quick = len(world.new_processes)  # after these the next try comes soon
    assert len(world.looks) - 2 * quick <= 3600 / 20


@pytest.mark.parametrize("error", [ScannerCrashed(), ScannerHung()])
def test_a_driver_that_crashes_has_a_minutes_peace(error: ScannerError):
    world = World(finds=lambda _: error)
    for _ in range(10):
        world.ask()
        world.run(60)
    assert len(world.looks) <= 11


def test_what_is_plugged_in_is_seen_at_once():
    """Though the last tries took long, and the next would come only in half a minute."""
    plugged_at = 1200.0
    world = World(finds=lambda now: None if now >= plugged_at else ScannerNotFound(), takes_s=10.0)
    world.ask()
    while world.now < plugged_at + 60:
        world.pace.note_interest(world.now)
        world.run(1, devices=lambda now: "a scanner" if now >= plugged_at else "")
        if not world.pace.is_failing:
            break
    assert world.looks[-1] - plugged_at < 10 + 1.1
    assert world.looks[-1] == world.new_processes[-1]


def test_a_scanner_without_sensors_is_opened_once_and_when_something_was_plugged():
    world = World(is_blind=True)
    for _ in range(20):
        world.ask()
        world.run(30)
    assert len(world.looks) == 1
    world.run(30, devices=lambda now: "another" if now > 1610 else "")
    assert len(world.looks) == 2
    world.run(3600)
    world.ask()
    world.run(30)
    assert len(world.looks) == 3, "the first question after a while wakes it"


def test_after_a_job_it_is_looked_at_at_once():
    world = World()
    world.ask()
    world.run(0.5)
    world.pace.note_free(world.now)
    assert world.run(0.1) == [1000.5]


def test_while_a_job_has_it_the_next_try_comes_soon():
    pace = WatchPace(POLICY)
    pace.note_interest(0.0)
    pace.was_in_use(0.0)
    assert not pace.is_due(0.2)
    assert pace.is_due(0.25)


_finds = st.sampled_from([None, ScannerNotFound, ScannerBusy, ScannerCrashed])


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), _finds, st.floats(0, 20), st.floats(0.1, 90)), max_size=30),
)
def test_never_more_than_a_look_a_second_and_never_busy(
    story: list[tuple[bool, bool, type[ScannerError] | None, float, float]],
) -> None:
    world = World()
    for asks, is_blind, kind, takes_s, seconds in story:
        world.is_blind, world.takes_s = is_blind, takes_s
        world.finds = lambda _, kind=kind: kind() if kind else None
        if asks:
            world.ask()
        looks = world.run(seconds)
        assert len(looks) <= seconds / POLICY.poll_s + 2
