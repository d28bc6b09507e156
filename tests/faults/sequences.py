"""Random sequences of faults, restarts and people over several jobs, which Hypothesis draws and shortens."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from dsm_sim.peers.scan_server import ANY, Fault
from dsm_sim.peers.scan_server.misbehaviour import EVENT_ACTIONS, REQUEST_ACTIONS
from dsm_sim.peers.scan_server.plan import END_EVENT, OPERATIONS, STATUS_EVENT
from tests.faults.verdict import Outcome, judge
from tests.faults.vocabulary import NEVER_ASKED, variants
from tests.faults.world import Ground, KnownJob, World, world

MAX_JOBS: Final = 4
MAX_PAGES: Final = 5
#: How long the device is left to itself at most, in a step of a sequence.
_LEFT_ALONE_S: Final = 0.4
_numbers = itertools.count(1)


def faults() -> st.SearchStrategy[Fault]:
    """Any fault of the plan at any step; about every fourth lasts until the plan is replaced."""
    nths = st.one_of(st.integers(1, 3), st.integers(1, 3), st.integers(4, 12), st.none())
    operations = st.sampled_from([*OPERATIONS, ANY, STATUS_EVENT, END_EVENT])
    return operations.filter(lambda name: name not in NEVER_ASKED).flatmap(
        lambda operation: st.builds(Fault, st.just(operation), nths, _actions(operation))
    )


def _actions(operation: str) -> st.SearchStrategy[object]:
    """A kind, then one of its variants: what has many is not met more often for it."""
    kinds = EVENT_ACTIONS if operation in (STATUS_EVENT, END_EVENT) else REQUEST_ACTIONS
    fitting = [k for k in kinds if operation == "SendImage" or not getattr(k, "is_for_packages", False)]
    return st.sampled_from(fitting).flatmap(lambda kind: st.sampled_from(variants(kind)))


class FaultSequence(RuleBasedStateMachine):
    """``ground`` and ``note`` are given by :func:`machine`."""

    ground: Ground
    note: Callable[[Outcome], None]

    def __init__(self) -> None:
        super().__init__()
        self._exits = ExitStack()
        self.world: World = self._exits.enter_context(world(self.ground, f"sequence-{next(_numbers)}"))
        self._is_server_up = True
        self._is_agent_up = False

    @initialize(pages=st.integers(1, MAX_PAGES), plan=st.lists(faults(), max_size=3))
    def begin(self, pages: int, plan: list[Fault]) -> None:
        self.world.replan(*plan)
        self.world.add_job(pages)
        self.agent_starts()

    @rule(plan=st.lists(faults(), min_size=1, max_size=3))
    def other_things_go_wrong(self, plan: list[Fault]) -> None:
        self.world.replan(*plan)

    @precondition(lambda self: len(self.world.jobs) < MAX_JOBS)
    @rule(pages=st.integers(1, MAX_PAGES))
    def a_job_comes(self, pages: int) -> None:
        self.world.add_job(pages)
        self.world.look_round()

    @rule(requests=st.integers(1, 12))
    def the_device_works(self, requests: int) -> None:
        """Until so many further requests have been answered or given up."""
        counts = self.world.traffic.requests
        enough = counts.total() + requests
        self.world.until(lambda: counts.total() >= enough, _LEFT_ALONE_S)

    @precondition(lambda self: self._is_server_up)
    @rule()
    def server_stops(self) -> None:
        self._is_server_up = False
        self.world.stop_server()

    @precondition(lambda self: not self._is_server_up)
    @rule()
    def server_starts(self) -> None:
        self._is_server_up = True
        self.world.start_server()

    @rule(remember=st.booleans(), orderly=st.booleans())
    def server_restarts(self, remember: bool, orderly: bool) -> None:
        self._is_server_up = True
        self.world.restart_server(remember=remember, orderly=orderly)

    @precondition(lambda self: not self._is_agent_up)
    @rule()
    def agent_starts(self) -> None:
        self._is_agent_up = True
        self.world.start_agent()

    @precondition(lambda self: self._is_agent_up)
    @rule()
    def agent_stops(self) -> None:
        self._is_agent_up = False
        self.world.stop_agent()

    @rule()
    def settings_are_read_again(self) -> None:
        self.world.look_round()

    @precondition(lambda self: self._is_agent_up)
    @rule(which=st.integers(0, MAX_JOBS - 1))
    def user_retries(self, which: int) -> None:
        self.world.retry(self._job(which))

    @precondition(lambda self: self._is_agent_up)
    @rule(which=st.integers(0, MAX_JOBS - 1))
    def user_cancels(self, which: int) -> None:
        self.world.cancel(self._job(which))

    def _job(self, which: int) -> KnownJob:
        return list(self.world.jobs.values())[which % len(self.world.jobs)]

    def teardown(self) -> None:
        with self._exits:
            if not self.world.jobs:
                return  # it has not begun
            self.world.finish()
            outcome = judge(self.world)
            assert not outcome.problems, "\n".join((*outcome.problems, *self.world.told))
            type(self).note(outcome)


def machine(ground: Ground, note: Callable[[Outcome], None]) -> type[FaultSequence]:
    """The sequences on this ground. ``note`` hears of each that was right."""
    return type("FaultSequence", (FaultSequence,), {"ground": ground, "note": staticmethod(note)})


def run_settings(examples: int) -> settings:
    """Nothing is kept between runs, and no step is too slow: servers take their time."""
    return settings(
        max_examples=examples,
        stateful_step_count=12,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
