"""Some days of it; ``make test-week`` plays a million operations."""

from __future__ import annotations

from pathlib import Path

import pytest

from .week import Week


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_days_full_of_faults_lose_nothing(tmp_path: Path, seed: int) -> None:
    week = Week(tmp_path, seed, steps=4_000)
    week.play()
    assert week.problems == []
    assert week.counts["jobs done"] > 20
