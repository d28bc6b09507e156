"""One scenario, played and judged."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from pathlib import Path

from dsm_sim.scenario.delivery import fed_sides
from dsm_sim.scenario.desk import PaperError
from dsm_sim.scenario.judge import judge, pace
from dsm_sim.scenario.library import Entry
from dsm_sim.scenario.player import Performance, performance
from dsm_sim.scenario.reading import ScenarioError
from dsm_sim.scenario.timeline import chart_of
from dsm_sim.strip_chart import strip_chart


class Outcome(enum.StrEnum):
    """``SURPRISE``: it is said to wait for something, and has nothing to wait for."""

    PASSED = "passed"
    FAILED = "failed"
    WAITING = "waiting"
    SURPRISE = "surprise"


@dataclass(frozen=True)
class Verdict:
    """``took_s`` is without ``set_up_s``; ``simulator_cores`` is the simulator's CPU time over ``took_s``."""

    name: str
    outcome: Outcome
    problems: tuple[str, ...]
    set_up_s: float
    took_s: float
    images: int
    pace: float
    simulator_cores: float
    #: What a scenario waits for.
    waits_for: str

    @property
    def is_good(self) -> bool:
        return self.outcome in {Outcome.PASSED, Outcome.WAITING}


def run_scenario(entry: Entry, folder: Path | None = None, chart: Path | None = None) -> Verdict:
    """Plays and judges; ``folder`` keeps everything, ``chart`` receives an SVG.

    Raises :class:`ScenarioError`, OSError.
    """
    try:
        return _run(entry, folder, chart)
    except PaperError as error:
        raise ScenarioError(f"{entry.path}: {error}") from error


def _run(entry: Entry, folder: Path | None, chart: Path | None) -> Verdict:
    with performance(entry.scenario, entry.path.absolute().parent, folder) as played:
        problems = judge(played)
        if chart:
            chart.write_text(strip_chart(chart_of(played)), "utf-8")
        return _verdict(entry, played, problems)


def _verdict(entry: Entry, played: Performance, problems: list[str]) -> Verdict:
    scenario = entry.scenario
    if not problems:
        outcome = Outcome.SURPRISE if scenario.waits_for else Outcome.PASSED
    elif scenario.waits_for and re.search(scenario.fails_with, "\n".join(problems)):
        outcome = Outcome.WAITING
    else:
        outcome = Outcome.FAILED
    if outcome is Outcome.SURPRISE:
        problems = [f"it passes: take waits-for and fails-with out of {entry.path.name}"]
    elif outcome is Outcome.FAILED and scenario.waits_for:
        problems = [*problems, f'none of these is "{scenario.fails_with}", with which it was to fail']
    took_s = played.ended_s - played.began_s
    scanner_cpu_s = sum(event.cpu_s for event in played.scanner_log)  # in the device's own process
    return Verdict(
        entry.name,
        outcome,
        tuple(problems),
        played.set_up_s,
        took_s,
        len(fed_sides(played)),
        pace(played),
        (played.cpu_s + scanner_cpu_s) / max(took_s, 1e-6),
        scenario.waits_for,
    )
