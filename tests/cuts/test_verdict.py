"""The verdict finds what it is there for."""

from __future__ import annotations

import re

import pytest

from tests.cuts.verdict import page_problems


@pytest.mark.parametrize(
    ("jobs", "shown"),
    [([], []), ([[1, 2, 3]], [1, 2, 3]), ([[1, 2, 3]], [1, 2])],
    ids=["nothing", "all", "one that was not shown yet"],
)
def test_all_is_well(jobs: list[list[int]], shown: list[int]) -> None:
    assert list(page_problems(jobs, shown)) == []


@pytest.mark.parametrize(
    ("jobs", "shown", "problem"),
    [
        ([], [1], r"pages \[1\] were shown and are in no completed job"),
        ([[1]], [1, 2], r"pages \[2\] were shown"),
        ([[1, 3, 2]], [1, 2, 3], r"holds the sheets \[1, 3, 2\]"),
        ([[1, 2, 2]], [1, 2], r"holds the sheets \[1, 2, 2\]"),
        ([[1, 0]], [1, 2], r"holds the sheets \[1, 0\]"),
        ([[1, 2], [1, 2]], [1, 2], "2 completed post-scan jobs"),
        ([[1]], [1, 1], "shown twice"),
    ],
)
def test_what_is_wrong_is_found(jobs: list[list[int]], shown: list[int], problem: str) -> None:
    assert any(re.search(problem, each) for each in page_problems(jobs, shown))
