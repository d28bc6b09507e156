"""One scenario, played and judged."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path

from dsm_sim.scenario.judge import fed_sides, judge, pace
from dsm_sim.scenario.library import Entry
from dsm_sim.scenario.player import Performance, performance
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
    """``took_s`` is without ``set_up_s``; ``simulator_cores`` is CPU time of server and player over ``took_s``."""

    name: str
    outcome: Outcome
    problems: tuple[str, ...]
    set_up_s: float
    took_s: float
    images: int
    pace: float
    simulator_cores: float
    #: What a scenario waits for.
    waits_for: str = field(default="")

    @property
    def is_good(self) -> bool:
        return self.outcome in {Outcome.PASSED, Outcome.WAITING}


def run_scenario(entry: Entry, folder: Path | None = None, chart: Path | None = None) -> Verdict:
    """Plays and judges; ``folder`` keeps everything, ``chart`` receives an SVG. Raises OSError."""
    with performance(entry.scenario, entry.path.absolute().parent, folder) as played:
        problems = judge(played)
        if chart:
            chart.write_text(strip_chart(chart_of(played)), "utf-8")
        return _verdict(entry, played, problems)


def _verdict(entry: Entry, played: Performance, problems: list[str]) -> Verdict:
    waits_for = entry.scenario.waits_for
    if problems:
        outcome = Outcome.WAITING if waits_for else Outcome.FAILED
    else:
        outcome = Outcome.SURPRISE if waits_for else Outcome.PASSED
        if waits_for:
            problems = [f'it passes: take `waits-for = "{waits_for}"` out of {entry.path.name}']
    took_s = played.ended_s - played.began_s
    return Verdict(
        entry.name,
        outcome,
        tuple(problems),
        played.set_up_s,
        took_s,
        len(fed_sides(played)),
        pace(played),
        played.cpu_s / max(took_s, 1e-6),
        waits_for,
    )
