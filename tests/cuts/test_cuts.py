"""Fifty power cuts in a ten-page scan: what the user was shown arrives, once and in order.

``make test-cuts`` does a thousand and prints figures; ``python -m tests.cuts --help`` tells how to repeat one.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from dsm_sim.scenario.device import PROGRAM
from tests.cuts.counts import table
from tests.cuts.desk import open_desk
from tests.cuts.forgetting import build_layer
from tests.cuts.player import Cut, Mode, play

_SEED = 20
#: So that no test takes long.
_PARTS = (range(5), range(5, 10), range(10, 15))

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    compiler = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None:
        pytest.skip("there is no C compiler to build the forgetting layer with")
    return build_layer(tmp_path, compiler)


@pytest.fixture
def agent() -> None:
    """Only where the device has one."""
    help_of_run = subprocess.run([*PROGRAM, "run", "--help"], capture_output=True, check=False)
    if help_of_run.returncode:
        pytest.skip("this device has no agent yet: `dsm-device run` is missing")


def _play(mode: Mode, numbers: range, layer: Path | None = None) -> None:
    # In a folder of a short name, as that of a socket has room for a hundred characters only.
    with tempfile.TemporaryDirectory(prefix="cuts-") as folder, open_desk(Path(folder)) as desk:
        played = [play(desk, Cut(f"{_SEED}-{number}", mode, layer)) for number in numbers]
    print(table(played))
    assert not [problem for each in played for problem in each.problems], table(played)


def test_a_scan_that_is_cut_off_can_be_sent() -> None:
    _play("standalone", range(10))


def test_a_scan_that_is_cut_off_can_be_sent_from_what_was_synced(layer: Path) -> None:
    _play("standalone", range(10), layer)


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("numbers", _PARTS, ids=str)
def test_the_agent_delivers_what_was_cut_off(numbers: range) -> None:
    _play("agent", numbers)


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("numbers", _PARTS, ids=str)
def test_the_agent_delivers_what_was_cut_off_from_what_was_synced(numbers: range, layer: Path) -> None:
    _play("agent", numbers, layer)
