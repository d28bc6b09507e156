"""Plays one power cut: a scan, the power gone at a moment, the power back, and what came of it."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from dsm_sim.scenario.device import Process, Run
from tests.cuts.desk import PROCESS, Desk
from tests.cuts.forgetting import Disk, layer_environment
from tests.cuts.moments import Alarm, Moment, draw, draw_of_recovery, phase
from tests.cuts.verdict import Outcome, judge

#: ``standalone``: `scan` is killed, then `jobs retry`. ``agent``: `run` and `scan` are killed, then `run` again.
Mode = Literal["standalone", "agent"]

_COMMAND_LIMIT_S: Final = 60.0
_AGENT_LIMIT_S: Final = 30.0
_DELIVERY_LIMIT_S: Final = 60.0
_STOP_LIMIT_S: Final = 10.0
_POLL_S: Final = 0.02
_SECOND_CUT: Final = 0.25
_TRIES: Final = 3
#: States of a job of which nothing is left to do.
_PAST: Final = ("done", "done with errors", "canceled")


@dataclass(frozen=True)
class Cut:
    """One cut, to be played again with the same seed. ``layer``: the forgetting one; None: all writes stay."""

    seed: str
    mode: Mode
    layer: Path | None = None


@dataclass(frozen=True)
class Played:
    """``phase``: how far the client had seen the scan come; ``kills``: 0 where the scan was over before."""

    cut: Cut
    moment: str
    phase: str
    kills: int
    outcome: Outcome
    troubles: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        return (*self.troubles, *self.outcome.problems)


def play(desk: Desk, cut: Cut) -> Played:
    """Raises OSError, :class:`~tests.cuts.forgetting.JournalError`."""
    player = _Player(desk, cut)
    player.play()
    return player.played()


class _Player:
    def __init__(self, desk: Desk, cut: Cut) -> None:
        self._desk = desk
        self._cut = cut
        # Of its own, so that a cut is the same whatever was drawn for others.
        self._chance = random.Random(cut.seed)
        self._moment = draw(self._chance)
        self._known = set(desk.states)
        self._device = desk.device(f"cut-{cut.seed}")
        self._load = desk.load()
        self._kills = 0
        self._troubles: list[str] = []
        self._scan = Run((), 0.0)

    def play(self) -> None:
        second = draw_of_recovery(self._chance) if self._chance.random() < _SECOND_CUT else None
        if self._cut.mode == "standalone":
            self._play_standalone(second)
        else:
            self._play_agent(second)

    def played(self) -> Played:
        shown = [int(each.fields["n"]) for each in self._scan.all("page")]
        outcome = judge(self._desk, self._device, self._load, shown, self._known)
        if not (self._troubles or outcome.problems):
            shutil.rmtree(self._device.folder)
        return Played(self._cut, str(self._moment), phase(self._scan), self._kills, outcome, tuple(self._troubles))

    # ------------------------------------------------------------------------------------- standalone

    def _play_standalone(self, second: Moment | None) -> None:
        with self._power() as environment, self._process(environment, *_SCAN) as process:
            self._scan = self._watch(process, self._moment)
        for job in self._jobs():
            if second:
                with self._power() as environment, self._process(environment, "jobs", "retry", job) as process:
                    self._watch(process, second)
        for job in self._jobs():
            self._finish(job)

    def _jobs(self) -> list[str]:
        """What the device says is unfinished."""
        run = self._command("jobs")
        return [str(line.fields["id"]) for line in run.events if line.fields.get("state") not in _PAST]

    def _finish(self, job: str) -> None:
        """A job is sent again; one without pages has nothing to send and is removed."""
        runs = []
        for _ in range(_TRIES):
            runs.append(self._command("jobs", "retry", job))
            if not runs[-1].code:
                return
        if self._scan.all("page") or self._command("jobs", "cancel", job).code:
            self._troubles.append(f"`jobs retry {job}` ended with {runs[-1].code}: {runs[-1].last_words}")

    def _command(self, *arguments: str) -> Run:
        with self._process(self._desk.environment, *arguments) as process:
            run = process.watch(_COMMAND_LIMIT_S, _nothing)
        if run.is_overdue:
            self._troubles.append(f"`{' '.join(arguments)}` had not ended after {_COMMAND_LIMIT_S:g} s")
        return run

    # ------------------------------------------------------------------------------------------ agent

    def _play_agent(self, second: Moment | None) -> None:
        with (
            self._power() as environment,
            self._agent(environment) as agent,
            self._process(self._desk.environment, *_SCAN) as client,
        ):
            self._scan = self._watch(client, self._moment, agent)  # a scan that is over leaves the agent at rest
            agent.kill()
        if second:
            with self._power() as environment, self._process(environment, "run") as agent:
                self._watch(agent, second)
        with self._agent(self._desk.environment) as agent:
            self._until(self._is_settled, _DELIVERY_LIMIT_S, "the pages' delivery")
            self._stop(agent)

    def _is_settled(self) -> bool:
        """All that was shown is delivered, or nothing was; and nothing waits in the spool."""
        states = [state for token, state in self._desk.states.items() if token not in self._known]
        is_due = bool(self._scan.all("page"))
        return ("Completed" in states or not is_due) and not self._device.waiting_jobs()

    @contextmanager
    def _agent(self, environment: Mapping[str, str] | None = None) -> Iterator[Process]:
        with self._process(environment or self._desk.environment, "run") as agent:
            self._until(
                lambda: not agent.is_running() or _answers(self._device.state / "agent.sock"),
                _AGENT_LIMIT_S,
                "the agent",
            )
            if not agent.is_running():
                run = agent.watch(0, _nothing)
                self._troubles.append(f"the agent ended with {run.code}: {run.last_words}")
            yield agent

    def _stop(self, agent: Process) -> None:
        agent.send(signal.SIGTERM)
        run = agent.watch(_STOP_LIMIT_S, _nothing)
        if run.code or run.is_overdue:
            self._troubles.append(f"the agent ended with {run.code} after SIGTERM: {run.last_words}")

    def _until(self, condition: Callable[[], bool], limit_s: float, what: str) -> None:
        deadline_s = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline_s:
                self._troubles.append(f"{what} did not come within {limit_s:g} s")
                return
            time.sleep(_POLL_S)

    # ------------------------------------------------------------------------------------------ power

    @contextmanager
    def _power(self) -> Iterator[dict[str, str]]:
        """Programs that run within have their writes forgotten at its end, where that is to be played."""
        environment = dict(self._desk.environment)
        if self._cut.layer is None:
            yield environment
            return
        journal = self._device.folder / "journal"
        journal.unlink(missing_ok=True)
        disk = Disk(self._device.state)
        yield environment | layer_environment(self._cut.layer, self._device.state, journal)
        disk.play(journal)
        shutil.rmtree(self._device.state)
        is_worst_case = self._chance.random() < 0.5
        disk.cut(self._device.state, None if is_worst_case else self._chance)

    def _watch(self, process: Process, moment: Moment, *others: Process) -> Run:
        """Until the process ends, or until the moment, when all of them are killed."""
        alarm = Alarm(moment)

        def look(run: Run) -> None:
            if alarm.is_due(run) and process.is_running():
                alarm.moment = _NEVER
                for each in (*others, process):  # an agent must not see its client go
                    each.kill()
                self._kills += 1

        run = process.watch(_COMMAND_LIMIT_S, look)
        if run.is_overdue:
            self._troubles.append(f"`{' '.join(run.arguments)}` had not ended after {_COMMAND_LIMIT_S:g} s")
        return run

    def _process(self, environment: Mapping[str, str], *arguments: str) -> Process:
        return Process(arguments, self._device.configuration, environment)


_SCAN: Final = ("scan", "--process", PROCESS)
_NEVER: Final = Moment("never", 1, 0)


def _nothing(_run: Run) -> None:
    """Nothing happens meanwhile."""


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
