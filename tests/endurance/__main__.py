"""``python -m tests.endurance``: a running agent over many jobs, pages, replugs and presses, and figures of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dsm_sim.scanner import Quirks
from tests.endurance.desk import Desk, open_desk
from tests.endurance.runs import Findings, many_jobs, many_pages, presses, replugs

_Run = Callable[[Desk], Findings]


def main() -> int:
    """1 if a limit was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="one after the other; 0: none")
    parser.add_argument("--pages", type=int, default=500, help="in one job; 0: none")
    parser.add_argument("--replugs", type=int, default=100, help="of each of two kinds of backend; 0: none")
    parser.add_argument("--presses", type=int, default=50, help="by the socket, and by the command; 0: none")
    chosen = parser.parse_args()
    runs: list[tuple[str, int, Callable[[Desk, int], Findings], Quirks]] = [
        ("jobs", chosen.jobs, many_jobs, Quirks()),
        ("pages in one job", chosen.pages, many_pages, Quirks()),
        ("replugs", chosen.replugs, replugs, Quirks()),
        ("replugs, backend lists once", chosen.replugs, replugs, Quirks(frozen_list=True)),
        ("presses", chosen.presses, presses, Quirks()),
    ]
    problems: list[str] = []
    for name, count, run, quirks in runs:
        if count:
            print(f"\n{count} {name}", flush=True)
            problems += _played(partial(run, count=count), quirks)
    return int(bool(problems))


def _played(run: _Run, quirks: Quirks) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory(prefix="dsm-endurance-") as folder, open_desk(Path(folder), quirks) as desk:
        findings = run(desk)
    print(findings.figures, *(f"PROBLEM: {each}" for each in findings.problems), sep="\n", flush=True)
    return findings.problems


if __name__ == "__main__":
    sys.exit(main())
