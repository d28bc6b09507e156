"""An agent that runs for a long time, with a simulated scanner and a simulated scan server; orders to it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dsm_device.runner import control_socket
from dsm_device.runner.attendant import Nobody
from dsm_device.runner.control_client import RemoteService
from dsm_device.runner.events import Event
from dsm_device.runner.order import ScanOrder
from dsm_sim.peers.scan_server import Happening, RunningScanServer, ScanServerOptions, running_scan_server
from dsm_sim.scan_process import ScanProcess
from dsm_sim.scanner import Quirks, ScannerEvent, ScannerModel, Sheet, SimulatedScanner, write_sane_config
from dsm_sim.scenario.device import PROGRAM

PROCESS: Final = "Endurance"
#: Small and black and white, so that a job is over soon.
_WIDTH_MM, _HEIGHT_MM, _DPI = 105, 148, 75
#: Fewer than the jobs of the smallest run.
KEPT_HISTORY: Final = 15
_START_LIMIT_S: Final = 30.0
_STOP_LIMIT_S: Final = 10.0
_POLL_S: Final = 0.01
_Listener = Callable[[Event], None]


class EnduranceError(Exception):
    """The device did not do what it was asked for, so that there is nothing to measure."""


@dataclass(frozen=True)
class Desk:
    """``subscriptions``: those that live at the server, as it tells of them; ``agent`` is the running process."""

    folder: Path
    server: RunningScanServer
    scanner: SimulatedScanner
    environment: Mapping[str, str]
    subscriptions: set[str]
    agent: subprocess.Popen[bytes]

    @property
    def state(self) -> Path:
        return _state(self.folder)

    def load(self, sheets: int = 1) -> None:
        """Sheets into the feeder."""
        self.scanner.load([Sheet(width_mm=_WIDTH_MM, height_mm=_HEIGHT_MM)] * sheets)

    def scan(self, listener: _Listener = lambda _: None) -> None:
        """One push scan through the agent's socket, to its end. Raises ``DsmError``, :class:`EnduranceError`."""
        service = RemoteService.connect(self.state)
        if service is None:
            raise EnduranceError(f"the agent does not answer: {self.last_words}")
        asyncio.run(service.scan(ScanOrder(PROCESS), listener, Nobody()))

    def scan_by_command(self) -> None:
        """The same by ``dsm-device scan``. Raises :class:`EnduranceError`."""
        command = [*_command(self.folder), "scan", "--process", PROCESS]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EnduranceError(f"`scan` ended with {done.returncode}: {done.stderr.strip()}")

    def since(self, moment_s: float, event: str) -> list[ScannerEvent]:
        """The scanner's own account, in order; ``moment_s`` is of CLOCK_MONOTONIC."""
        return [each for each in self.scanner.log() if each.event == event and each.t >= moment_s]

    @property
    def last_words(self) -> str:
        return _log(self.folder).read_text("utf-8").strip().rpartition("\n")[2]


@contextmanager
def open_desk(folder: Path, quirks: Quirks | None = None) -> Iterator[Desk]:
    """Sets the desk in a folder of a short name (a socket's has 108 octets) and starts the agent.

    Raises OSError, ``BackendError``, :class:`EnduranceError`.
    """
    subscriptions: set[str] = set()

    def tell(happening: Happening) -> None:
        if happening["event"] == "subscription":
            change = subscriptions.discard if happening["ended"] else subscriptions.add
            change(str(happening["subscription"]))

    scanner = SimulatedScanner(folder / "scanner", ScannerModel(quirks=quirks or Quirks()))
    environment = write_sane_config(folder / "sane", [scanner])
    options = ScanServerOptions(out=folder / "server", job_history=20, tell=tell)
    with running_scan_server(options) as server:
        _furnish(folder, server, scanner.device)
        with _agent(folder, environment) as agent:
            yield Desk(folder, server, scanner, environment, subscriptions, agent)


def until(condition: Callable[[], bool], limit_s: float, what: str) -> None:
    """Look again and again, since what is waited for happens in another process. Raises EnduranceError."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise EnduranceError(f"{what} did not come within {limit_s:g} s")
        time.sleep(_POLL_S)


@contextmanager
def _agent(folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with _log(folder).open("wb") as log:
        process = subprocess.Popen(
            [*_command(folder), "run"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            until(lambda: _answers(_state(folder)) or process.poll() is not None, _START_LIMIT_S, "the agent")
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(state: Path) -> bool:
    """Its socket has a name a moment before it is listened at."""
    end = control_socket.connect(state)
    if end is None:
        return False
    end.close()
    return True


def _command(folder: Path) -> list[str]:
    return [*PROGRAM, "--config", str(folder / "config.toml")]


def _state(folder: Path) -> Path:
    return folder / "state"


def _log(folder: Path) -> Path:
    return folder / "agent.log"


def _furnish(folder: Path, server: RunningScanServer, device: str) -> None:
    """A scan process and the configuration."""
    process = ScanProcess(
        dpi=_DPI, color="BlackAndWhite1", format="tiff-single-g4", width_mm=_WIDTH_MM, height_mm=_HEIGHT_MM
    )
    process.write(folder / "processes", PROCESS, f"{server.fqdn}:{server.port}")
    sections: dict[str, dict[str, Any]] = {
        "device": {"state_dir": str(_state(folder))},
        "scanner": {"device": device},
        "directory": {"source": "files", "path": str(folder / "processes")},
        "scan_server": {"ca_file": str(server.ca_file)},
        "spool": {"keep_history": KEPT_HISTORY},
        "console": {"listen": "127.0.0.1", "http_port": 0, "discovery": False},
        "panel": {"port": 0},
        "metrics": {"port": 0},
    }
    lines = [
        line
        for name, values in sections.items()
        for line in (f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()))
    ]
    (folder / "config.toml").write_text("\n".join(lines) + "\n", "utf-8")
