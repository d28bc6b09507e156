"""Every scenario against the real device; those that take real minutes are left to `make scenarios`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsm_sim.scenario.library import Entry, scenarios
from dsm_sim.scenario.verdict import run_scenario


@pytest.mark.parametrize(
    "entry", [each for each in scenarios() if not each.scenario.slow], ids=lambda each: each.name
)
def test_scenario(entry: Entry, tmp_path: Path) -> None:
    verdict = run_scenario(entry, tmp_path / "played")
    assert verdict.is_good, "\n".join(verdict.problems)
