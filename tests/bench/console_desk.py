"""A running agent with its console's endpoint open, and what it works with in processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dsm_device.runner.attendant import Nobody
from dsm_device.runner.control_client import RemoteService
from dsm_device.runner.order import ScanOrder
from dsm_sim.held_port import HeldPort
from dsm_sim.scan_process import ScanProcess
from dsm_sim.scanner import ScannerModel, Sheet, SimulatedScanner, write_sane_config
from tests.process_tree import family, handles_of, memory_of, threads_of

from .probes import cpu_s, free_udp_port

PROGRAM: Final = [sys.executable, "-m", "dsm_device"]
PROCESS: Final = "Console bench"
HOST: Final = "127.0.0.1"
IMAGES_PER_MINUTE: Final = 140
_START_LIMIT_S: Final = 30.0
_STOP_LIMIT_S: Final = 10.0


@dataclass(frozen=True)
class ConsoleDesk:
    """``agent_pid`` is the agent's own process, in which the endpoint is."""

    state: Path
    scanner: SimulatedScanner
    agent_pid: int
    http_port: int
    discovery_port: int

    @property
    def agent_cpu_s(self) -> float:
        """Without the processes that it has started."""
        return cpu_s(self.agent_pid)

    def held(self) -> Held:
        memory = memory_of(self.agent_pid)
        assert memory is not None, "the agent is gone"
        return Held(memory.rss / 2**20, len(handles_of(self.agent_pid)), threads_of(self.agent_pid))

    @contextmanager
    def job(self, sheets: int) -> Iterator[None]:
        """A duplex job that runs meanwhile; at the end of the context it is waited for.

        Raises ``DsmError`` where it fails.
        """
        self.scanner.load([Sheet(draws_back=True)] * sheets)
        problems: list[Exception] = []

        def scan() -> None:
            try:
                service = RemoteService.connect(self.state)
                assert service is not None, "the agent does not answer"
                asyncio.run(service.scan(ScanOrder(PROCESS), lambda _: None, Nobody()))
            except Exception as error:
                problems.append(error)

        began_s = time.monotonic()
        thread = threading.Thread(target=scan)
        thread.start()
        while thread.is_alive() and not self.images_since(began_s):
            time.sleep(0.02)
        yield
        thread.join()
        if problems:
            raise problems[0]

    def images_since(self, moment_s: float) -> list[float]:
        """When each image's last byte was read from the scanner, by its own log; seconds of CLOCK_MONOTONIC."""
        return [each.t for each in self.scanner.log() if each.event == "image-end" and each.t >= moment_s]

    def starts_since(self, moment_s: float) -> list[float]:
        return [each.t for each in self.scanner.log() if each.event == "image-begin" and each.t >= moment_s]


@dataclass(frozen=True)
class Held:
    """By the agent's own process: MiB, open file descriptors, threads."""

    rss_mib: float
    handles: int
    threads: int

    def __str__(self) -> str:
        return f"{self.rss_mib:.1f} MiB, {self.handles} handles, {self.threads} threads"


@contextmanager
def console_desk(cores: str = "") -> Iterator[ConsoleDesk]:
    """``cores``: those that the agent and all its processes have, as for taskset. Raises OSError, RuntimeError."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dsm-bench-")))
        scanner = SimulatedScanner(folder / "scanner", ScannerModel(images_per_minute=IMAGES_PER_MINUTE))
        environment = write_sane_config(folder / "sane", [scanner])
        server = stack.enter_context(_server(folder / "server"))
        port = stack.enter_context(closing(HeldPort(HOST, 0))).number
        udp_port = free_udp_port()
        process = ScanProcess(source="ADFDuplex", dpi=300)
        process.write(folder / "processes", PROCESS, f"{server['name']}:{server['port']}")
        _configure(folder, scanner.device, server["ca_file"], port, udp_port)
        agent = stack.enter_context(_agent(folder, environment, cores))
        yield ConsoleDesk(folder / "state", scanner, agent.pid, port, udp_port)


def load_average() -> str:
    return f"load average {os.getloadavg()[0]:.1f}"


@contextmanager
def _server(out: Path) -> Iterator[Mapping[str, Any]]:
    command = [*PROGRAM, "sim", "server", "--json", "--host", HOST, "--port", "0", "--out", str(out), "--no-web"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        drain = threading.Thread(target=server.stdout.read, daemon=True)
        drain.start()
        try:
            yield ready
        finally:
            server.terminate()


def _configure(folder: Path, device: str, ca_file: str, http_port: int, udp_port: int) -> None:
    sections: dict[str, dict[str, Any]] = {
        "device": {"state_dir": str(folder / "state")},
        "scanner": {"device": device},
        "directory": {"source": "files", "path": str(folder / "processes")},
        "scan_server": {"ca_file": ca_file},
        "console": {
            "listen": HOST,
            "http_port": http_port,
            "discovery_port": udp_port,
            "interfaces": ["lo"],
        },
        "panel": {"port": 0},
        "metrics": {"port": 0},
    }
    lines = [
        line
        for name, values in sections.items()
        for line in (f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()))
    ]
    (folder / "config.toml").write_text("\n".join(lines) + "\n", "utf-8")


@contextmanager
def _agent(folder: Path, environment: Mapping[str, str], cores: str) -> Iterator[subprocess.Popen[bytes]]:
    bound = ["taskset", "-c", cores] if cores else []
    command = [*bound, *PROGRAM, "--config", str(folder / "config.toml"), "run"]
    with (folder / "agent.log").open("wb") as log:
        agent = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _await_start(agent, folder)
            yield agent
        finally:
            agent.terminate()
            try:
                agent.wait(_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                for pid in family(agent.pid):
                    subprocess.run(["kill", "-9", str(pid)], check=False)
                agent.wait()


def _await_start(agent: subprocess.Popen[bytes], folder: Path) -> None:
    deadline_s = time.monotonic() + _START_LIMIT_S
    while RemoteService.connect(folder / "state") is None:
        if agent.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError(f"the agent did not start: {(folder / 'agent.log').read_text()[-500:]}")
        time.sleep(0.05)
