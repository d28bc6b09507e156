"""A few seconds of the fuzzer in every test run; ``make fuzz`` takes its time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import fuzz_parsers
from tests.fuzz.fuzz_parsers import TARGETS, Target, make_input, try_input

RUNS = 2000
#: What is written of broken input need not be valid: nobody holds it against the schemas.
_UNWATCHED = {name: value for name, value in os.environ.items() if name != "DSM_TEST_MESSAGES"}


@pytest.mark.parametrize("name", TARGETS)
def test_broken_input_is_refused_in_order(name: str) -> None:
    """In a process of its own: what it may find is a crash of the interpreter."""
    command = [sys.executable, fuzz_parsers.__file__, "--runs", str(RUNS), "--target", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, env=_UNWATCHED)
    assert done.returncode == 0, (done.stdout + done.stderr)[-10_000:]


@pytest.mark.parametrize("name", TARGETS)
def test_valid_input_is_taken(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].parse(seed)


def test_inputs_are_the_same_again_and_differ_from_each_other() -> None:
    target = TARGETS["answer"]
    made = [make_input(target, "answer", 1, number) for number in range(200)]
    assert made == [make_input(target, "answer", 1, number) for number in range(200)]
    assert len(set(made)) > 190


def test_the_fuzzer_finds_what_it_looks_for() -> None:
    def fail(data: bytes) -> None:
        raise KeyError(data)

    def lines(data: bytes) -> None:
        raise ValueError("one\ntwo")

    def slow(data: bytes) -> None:
        sum(range(200_000_000))

    assert "KeyError" in try_input(Target(fail, (ValueError,), [b""]), b"x")
    assert "more than one line" in try_input(Target(lines, (ValueError,), [b""]), b"x")
    assert "took" in try_input(Target(slow, (), [b""]), b"x")
    assert try_input(Target(len, (), [b""]), b"x") == ""


def test_it_runs_as_a_program() -> None:
    program = Path(fuzz_parsers.__file__)
    done = subprocess.run(
        [sys.executable, program, "--runs", "5", "--seed", "7"],
        capture_output=True,
        text=True,
        check=False,
        env=_UNWATCHED,
    )
    assert done.returncode == 0
    assert done.stdout.count(" inputs in ") == len(TARGETS)
