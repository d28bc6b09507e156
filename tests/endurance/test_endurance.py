"""A running agent over a few jobs, pages, replugs and presses; ``make test-endurance`` does many of each."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dsm_sim.scanner import Quirks
from tests.endurance.census import Census, Moment, growth
from tests.endurance.desk import Desk, open_desk
from tests.endurance.runs import PRESS_LIMIT_S, Findings, many_jobs, many_pages, percentile, presses, replugs

Run = Callable[[Desk, int], Findings]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of a short name, since a socket's has 108 octets."""
    with tempfile.TemporaryDirectory(prefix="endurance-") as name:
        yield Path(name)


@pytest.mark.parametrize(
    ("run", "count", "quirks"),
    [
        (many_jobs, 20, Quirks()),
        (many_pages, 60, Quirks()),
        (replugs, 10, Quirks()),
        (replugs, 10, Quirks(frozen_list=True)),
    ],
    ids=["jobs", "pages", "replugs", "replugs-frozen-list"],
)
def test_the_agent_stays_as_it_is(folder: Path, run: Run, count: int, quirks: Quirks):
    with open_desk(folder, quirks) as desk:
        findings = run(desk, count)
    print(findings.figures)
    assert not findings.problems, findings.figures


def test_a_press_starts_a_warm_scanner_soon(folder: Path):
    """The median, and 20 starts of Python where these take longer: other tests may be using the machine."""
    with open_desk(folder) as desk:
        findings = presses(desk, 15, percent=50, limit_s=max(PRESS_LIMIT_S, 20 * _start_of_python_s()))
    print(findings.figures)
    assert not findings.problems, findings.figures


def _start_of_python_s() -> float:
    began_s = time.perf_counter()
    for _ in range(5):
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - began_s) / 5


def _census(**values: float) -> Census:
    usual = dict.fromkeys(Census.__dataclass_fields__, 1.0) | {"rss": 80.0, "handles": 20.0}
    return Census(**usual | values)


@pytest.mark.parametrize("leaking", sorted(Census.__dataclass_fields__.keys() - {"pss"}))
def test_what_grows_with_each_job_is_found(leaking: str):
    usual = getattr(_census(), leaking)
    moments = [Moment(done, _census(**{leaking: usual + done * usual / 40})) for done in range(1, 101)]
    (problem,) = growth(moments)
    assert problem.startswith(leaking)


def test_what_comes_and_goes_is_no_growth():
    moments = [Moment(done, _census(handles=20 + done % 3, rss=80 + done % 2)) for done in range(1, 101)]
    assert list(growth(moments)) == []


def test_the_95th_percentile_is_one_of_the_values():
    assert percentile(range(1, 101), 95) == 95
    assert percentile([0.1] * 14 + [2.0], 95) == 2.0
    assert percentile([0.1] * 39 + [2.0], 95) == 0.1
