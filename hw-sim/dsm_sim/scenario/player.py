"""Plays a scenario against the real device: step after step, with accidents at their moments."""

from __future__ import annotations

import functools
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from dsm_sim.paper import PrintedSheet
from dsm_sim.peers.scan_server import Happening, Report
from dsm_sim.scanner import ScannerEvent
from dsm_sim.scenario import deeds
from dsm_sim.scenario.desk import Desk, open_desk
from dsm_sim.scenario.device import Process, Run
from dsm_sim.scenario.format import Scenario

_POLL_S: Final = 0.02


@dataclass
class StepResult:
    """A command that was carried out, and what its author expected of it."""

    step: deeds.Command
    run: Run
    survivors: tuple[int, ...] = ()
    #: Accidents whose moment never came.
    missed: tuple[str, ...] = ()


@dataclass
class Performance:
    """All that was seen while a scenario was played."""

    scenario: Scenario
    folder: Path
    steps: list[StepResult] = field(default_factory=list)
    scanner_log: list[ScannerEvent] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    report: Report | None = None
    #: Trace files of the scans, in order.
    traces: list[Path] = field(default_factory=list)
    #: What an agent in the background could not do, as the steps came to it.
    troubles: list[str] = field(default_factory=list)
    #: What went through the network to the server, in octets.
    network_bytes: int = 0
    #: From the order to play until everything stood ready.
    set_up_s: float = 0.0
    began_s: float = 0.0
    ended_s: float = 0.0
    #: CPU time of this process meanwhile, which is that of the server, the network and the player.
    cpu_s: float = 0.0
    #: All paper that there was, by load and number in it.
    printed: dict[tuple[int, int], PrintedSheet] = field(default_factory=dict)


@contextmanager
def performance(scenario: Scenario, base: Path, folder: Path | None = None) -> Iterator[Performance]:
    """The scenario has been played when this is entered; what it left on disk is there until it is left.

    ``base`` is the folder of the scenario's file, ``folder`` an empty one to keep everything in, None for a
    temporary one.
    """
    ordered_s = time.monotonic()
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dsm-scenario-")))
        folder.mkdir(parents=True, exist_ok=True)
        desk = stack.enter_context(open_desk(scenario, folder, base))
        player = stack.enter_context(_Player(scenario, desk))
        player.performance.set_up_s = time.monotonic() - ordered_s
        player.play()
        yield player.performance


class _Player:
    def __init__(self, scenario: Scenario, desk: Desk) -> None:
        self._desk = desk
        self._steps = scenario.step
        self._agent: Process | None = None
        self.performance = Performance(scenario, desk.folder, happenings=desk.happenings, printed=desk.printed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_agent()

    def play(self) -> None:
        cpu_s = time.process_time()
        self.performance.began_s = time.monotonic()
        for step in self._steps:
            if not self._do(step):
                break
        self.performance.ended_s = time.monotonic()
        self.performance.report = self._desk.server.report()
        if self._desk.network:
            self.performance.network_bytes = self._desk.network.counts.to_server_bytes
        self.performance.cpu_s = time.process_time() - cpu_s
        self.performance.scanner_log = self._desk.scanner.log()

    def _do(self, step: deeds.Step) -> bool:
        """Whether it makes sense to go on."""
        match step:
            case deeds.Scan():
                return self._command(step.as_command())
            case deeds.Command():
                return self._command(step)
            case deeds.StartAgent():
                return self._start_agent(step.limit_s)
            case deeds.StopAgent():
                return self._stop_agent(step.limit_s)
            case deeds.Await():
                return self._until(lambda: self._completed_jobs() >= step.completed_jobs, step.limit_s, "jobs")
            case deeds.Wait():
                time.sleep(step.seconds)
            case _:
                self._happen(None, step)
        return True

    # --------------------------------------------------------------------------------------- commands

    def _command(self, step: deeds.Command) -> bool:
        for _ in range(step.times):
            with Process(self._arguments(step), self._desk.configuration, self._desk.environment) as process:
                meanwhile = _Meanwhile(step.meanwhile, self._desk, functools.partial(self._happen, process))
                run = process.watch(step.limit_s, meanwhile.look)
                result = StepResult(step, run, process.survivors(), meanwhile.missed)
            self.performance.steps.append(result)
            if run.is_overdue:
                return False
        return True

    def _arguments(self, step: deeds.Command) -> tuple[str, ...]:
        arguments = tuple(
            each.replace("{job}", self._last_job()).replace("{console}", self._desk.console)
            for each in step.arguments
        )
        if arguments[0] == "scan" and self._agent is None:
            trace = self._desk.folder / f"trace-{len(self.performance.traces) + 1}.jsonl"
            self.performance.traces.append(trace)
            arguments += ("--trace", str(trace))
        return arguments

    def _last_job(self) -> str:
        jobs = [each.run.job for each in self.performance.steps if each.run.job]
        return jobs[-1] if jobs else "none"

    # ------------------------------------------------------------------------------------------ agent

    def _start_agent(self, limit_s: float) -> bool:
        self._end_agent()
        self._agent = Process(("run",), self._desk.configuration, self._desk.environment)
        ready = self._until(lambda: not self._agent_runs() or self._desk.is_console_there(), limit_s, "the agent")
        if not self._agent_runs():
            run = self._agent.watch(0, lambda _: None)
            self.performance.troubles.append(f"the agent ended with {run.code}: {run.last_words}")
            return False
        return ready

    def _stop_agent(self, limit_s: float) -> bool:
        if self._agent is None:
            return True
        self._agent.send(signal.SIGTERM)
        run = self._agent.watch(limit_s, lambda _: None)
        if run.code or run.is_overdue:
            self.performance.troubles.append(f"the agent ended with {run.code} after SIGTERM: {run.last_words}")
        if survivors := self._agent.survivors():
            self.performance.troubles.append(f"the agent left processes behind: {', '.join(map(str, survivors))}")
        self._end_agent()
        return True

    def _end_agent(self) -> None:
        if self._agent:
            self._agent.__exit__()
            self._agent = None

    def _agent_runs(self) -> bool:
        return self._agent is not None and self._agent.is_running()

    def _completed_jobs(self) -> int:
        return sum(job.state == "Completed" for job in self._desk.server.jobs)

    def _until(self, condition: Callable[[], bool], limit_s: float, what: str) -> bool:
        deadline_s = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline_s:
                self.performance.troubles.append(f"{what} did not come within {limit_s:g} s")
                return False
            time.sleep(_POLL_S)
        return True

    # -------------------------------------------------------------------------------------- accidents

    def _happen(self, command: Process | None, deed: deeds.Beside) -> None:
        if isinstance(deed, deeds.Signal):
            process = command if deed.to == "command" or not self._agent_runs() else self._agent
            if process:
                _send(process, deed)
        else:
            deed.happen(self._desk)


def _send(process: Process, deed: deeds.Signal) -> None:
    if deed.signal == "KILL" and not deed.alone:
        process.kill()
    else:
        process.send(signal.Signals[f"SIG{deed.signal}"])


class _Meanwhile:
    """Accidents that wait for their moments while a command runs."""

    def __init__(
        self, waiting: tuple[deeds.Beside, ...], desk: Desk, happen: Callable[[deeds.Beside], None]
    ) -> None:
        self._waiting = list(waiting)
        self._desk = desk
        self._happen = happen

    @property
    def missed(self) -> tuple[str, ...]:
        return tuple(deed.when for deed in self._waiting)

    def look(self, run: Run) -> None:
        """Whatever is due happens now, in the order of the file."""
        for deed in [each for each in self._waiting if self._is_due(each.moment, run)]:
            self._waiting.remove(deed)
            self._happen(deed)

    def _is_due(self, moment: deeds.Moment, run: Run) -> bool:
        match moment.event:
            case "after":
                return time.monotonic() - run.began_s >= moment.number
            case "image":
                return _count(self._desk, "image-begin") >= moment.number
            case "jammed":
                return _count(self._desk, "jammed") >= moment.number
            case "created":
                return bool(run.all("created"))
            case "spooled":
                return any(each.fields.get("state") == "spooled" for each in run.all("state"))
            case _:
                return any(each.fields["n"] >= moment.number for each in run.all(moment.event))


def _count(desk: Desk, event: str) -> int:
    return sum(each.event == event and each.plane == 0 for each in desk.scanner.log())
