"""Row R03 of the users' complaints: agent, scanner and network come up in any order, and nobody helps."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dsm_sim.scan_process import ScanProcess
from dsm_sim.scanner import Sheet, SimulatedScanner, write_sane_config

from .conftest import Desk, MakeDesk
from .test_agent import agent, desk_of, until

#: R03: from the last of the three to "ready".
READY_WITHIN_S = 30


class Boot:
    """A device that is off, its scanner unplugged and its network down; each comes up when it is told to."""

    def __init__(self, desk: Desk, scanner: SimulatedScanner, exits: ExitStack) -> None:
        self.desk = desk
        self._scanner = scanner
        self._exits = exits
        self._up: set[str] = set()
        assert desk.server is not None
        self.server = desk.server
        self.server.stop()
        scanner.unplug()
        self.steps: dict[str, Callable[[], object]] = {
            "agent": lambda: exits.enter_context(agent(desk)),
            "scanner": lambda: scanner.plug("001:007"),
            "network": self.server.start,
        }

    def bring_up(self, what: str) -> None:
        self.steps[what]()
        self._up.add(what)

    def scan(self) -> int | None:
        """The exit code of a scan, which goes to the agent; None before there is one."""
        if "agent" not in self._up:
            return None
        self._scanner.empty_feeder()
        self._scanner.load([Sheet()])
        return self.desk.scan().code

    @property
    def expected(self) -> int | None:
        if "agent" not in self._up:
            return None
        if "scanner" not in self._up:
            return 3
        return 0 if "network" in self._up else 5


@pytest.fixture
def boot(make_desk: MakeDesk, tmp_path: Path) -> Iterator[Boot]:
    scanner = SimulatedScanner(tmp_path / "hardware")
    environment = write_sane_config(tmp_path / "sane.d", [scanner])
    with desk_of(make_desk()) as desk, ExitStack() as exits:
        assert desk.server is not None
        ScanProcess(dpi=75, must_honor=()).write(desk.processes, "Demo", f"{desk.server.fqdn}:{desk.server.port}")
        desk.environment = environment
        yield Boot(desk, scanner, exits)


@pytest.mark.parametrize("order", list(itertools.permutations(["agent", "scanner", "network"])), ids=" ".join)
def test_whatever_comes_last_the_device_is_ready(boot: Boot, order: tuple[str, ...]) -> None:
    """A scan in between fails for what is not there; what it kept is delivered once the network is up."""
    codes = []
    for what in order:
        boot.bring_up(what)
        came_up_s = time.monotonic()
        codes.append(boot.scan())
        assert codes[-1] == boot.expected, (what, codes)
    assert codes[-1] == 0
    assert time.monotonic() - came_up_s < READY_WITHIN_S
    jobs = codes.count(0) + codes.count(5)
    until(lambda: [job.state for job in boot.server.jobs] == ["Completed"] * jobs)
