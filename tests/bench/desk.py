"""What the measurements have in common: a server, a scanner, a configured device, and runs of its command."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dsm_sim.peers.scan_server import ScanServerOptions
from dsm_sim.peers.scan_server.running import RunningScanServer, running_scan_server
from dsm_sim.sane_test_config import TEST_DEVICE, write_sane_config
from dsm_sim.scan_process import ScanProcess

PROCESS_NAME = "Bench"
DEVICE = [str(Path(sys.executable).parent / "dsm-device")]
MIB = 1 << 20
A4 = ["-x", "210", "-y", "297"]
FEEDER = "Automatic Document Feeder"


@dataclass(frozen=True)
class Desk:
    folder: Path
    server: RunningScanServer
    environment: Mapping[str, str]

    def command(self, *settings: str) -> list[str]:
        overrides = [part for setting in settings for part in ("--set", setting)]
        configuration = str(self.folder / "config.toml")
        return [*DEVICE, "--config", configuration, "--json", "scan", "--process", PROCESS_NAME, *overrides]


@contextmanager
def desk(
    read_rate: int | None = None,
    scanner: tuple[str, Mapping[str, str]] | None = None,
    process: ScanProcess | None = None,
) -> Iterator[Desk]:
    """``scanner``: SANE name and environment of another one than libsane's ``test`` backend."""
    with tempfile.TemporaryDirectory(prefix="dsm-bench-") as name:
        folder = Path(name)
        device, environment = scanner or (TEST_DEVICE, write_sane_config(folder / "sane"))
        with running_scan_server(ScanServerOptions(out=folder / "out", read_rate=read_rate)) as server:
            process = process or ScanProcess(dpi=300, must_honor=())
            process.write(folder / "processes", PROCESS_NAME, f"{server.fqdn}:{server.port}")
            (folder / "config.toml").write_text(
                f'[device]\nstate_dir = "{folder}/state"\n[scanner]\ndevice = "{device}"\n'
                f'[directory]\nsource = "files"\npath = "{folder}/processes"\n'
                f'[scan_server]\nca_file = "{server.ca_file}"\n'
            )
            yield Desk(folder, server, environment)


@dataclass(frozen=True)
class Run:
    """Seconds: the whole command, and from acquisition's start to the last SendImageResponse."""

    whole_s: float
    job_s: float
    acquired_s: float
    pages: int
    bytes: int


def scan(command: Sequence[str], environment: Mapping[str, str]) -> Run:
    began = time.perf_counter()
    moments: list[tuple[float, str]] = []
    octets = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as device:
        assert device.stdout is not None
        for line in device.stdout:
            event = json.loads(line)
            name = event.get("state", "") if event["event"] == "state" else event["event"]
            octets += event["bytes"] if name == "page" else 0
            moments.append((time.perf_counter(), name))
        words = device.stderr.read() if device.stderr else ""
    whole_s = time.perf_counter() - began
    if device.returncode:
        raise SystemExit(f"the device ended with {device.returncode}: {words}")
    start = next(moment for moment, name in moments if name == "acquiring")
    return Run(
        whole_s,
        max(moment for moment, name in moments if name == "sent") - start,
        max(moment for moment, name in moments if name == "page") - start,
        sum(name == "page" for _, name in moments),
        octets,
    )


def seconds(command: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """How long a command takes; its exit status and its words do not matter."""
    began = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began


def pairs(runs: int, ours: Callable[[], Run], theirs: Callable[[], float]) -> tuple[list[Run], list[float]]:
    """Both in turn; the first pair warms the caches and does not count."""
    mine: list[Run] = []
    others: list[float] = []
    for turn in range(runs + 1):
        other_s, run = theirs(), ours()
        if turn:
            mine.append(run)
            others.append(other_s)
    return mine, others


def ratio(mine: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios pair by pair."""
    return statistics.median(one / other for one, other in zip(mine, others, strict=True))
