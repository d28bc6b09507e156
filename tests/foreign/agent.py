"""The real agent with a simulated scanner, on loopback or in a network of its own, for strangers."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dsm_sim.held_port import HeldPort
from dsm_sim.scanner import SimulatedScanner, write_sane_config
from dsm_sim.scenario.device import PROGRAM
from tests.integration.discovery.lab import ENVIRONMENT

NAME: Final = "Front desk"
_LIMIT_S: Final = 30.0
_POLL_S: Final = 0.02


@dataclass(frozen=True)
class Agent:
    """``host`` and ``port``: where clients find it by HTTP."""

    host: str
    port: int
    scanner: SimulatedScanner
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        self.process.terminate()
        return self.process.wait(_LIMIT_S)


@contextmanager
def agent_on_loopback(folder: Path, *, device: str = "", **console: Any) -> Iterator[Agent]:
    """``device``: the scanner's name in the configuration, "" for the only one that there is."""
    held = HeldPort("127.0.0.1", 0)
    try:
        console = {"listen": "127.0.0.1", "http_port": held.number, "discovery": False, **console}
        with _agent(folder, (), console, "127.0.0.1", held.number, device) as agent:
            yield agent
    finally:
        held.close()


@contextmanager
def agent_in(folder: Path, namespace: str, host: str = "localhost", **console: Any) -> Iterator[Agent]:
    """With DPWS's own ports, and discovery, in a network namespace in which it has the address ``host``."""
    with _agent(folder, ("ip", "netns", "exec", namespace), console, host, 5357) as agent:
        yield agent


@contextmanager
def _agent(
    folder: Path, before: Sequence[str], console: Mapping[str, Any], host: str, port: int, device: str = ""
) -> Iterator[Agent]:
    scanner = SimulatedScanner(folder / "scanner")
    environment = write_sane_config(folder / "sane", [scanner], environment=ENVIRONMENT)
    _configure(folder, device, {"https_port": 0, **console})
    log = folder / "agent.log"
    with log.open("wb") as stream:
        command = [*before, *PROGRAM, "--config", str(folder / "config.toml"), "run"]
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=folder
        )
        try:
            until(lambda: (folder / "state" / "agent.sock").exists() or process.poll() is not None, log)
            assert process.poll() is None, log.read_text()
            yield Agent(host, port, scanner, log, process)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(_LIMIT_S)


def until(condition: Callable[[], bool], log: Path) -> None:
    """Look again and again, since what is waited for happens in another process."""
    end_s = time.monotonic() + _LIMIT_S
    while not condition():
        assert time.monotonic() < end_s, log.read_text()
        time.sleep(_POLL_S)


def _configure(folder: Path, device: str, console: Mapping[str, Any]) -> None:
    (folder / "processes").mkdir(exist_ok=True)
    sections: dict[str, Mapping[str, Any]] = {
        "device": {"name": NAME, "state_dir": str(folder / "state")},
        "scanner": {"device": device},
        "directory": {"source": "files", "path": str(folder / "processes"), "user": "amelie"},
        "console": console,
        "panel": {"port": 0},
        "metrics": {"port": 0},
    }
    lines = [
        line
        for name, values in sections.items()
        for line in (f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()))
    ]
    (folder / "config.toml").write_text("\n".join(lines) + "\n", "utf-8")


def environment_of_client(folder: Path, **files: str) -> dict[str, str]:
    """SANE for a client that knows the backend airscan alone, with this ``airscan.conf``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dll.conf").write_text("airscan\n")
    for name, text in files.items():
        (folder / f"{name}.conf").write_text(text)
    return {**os.environ, "SANE_CONFIG_DIR": str(folder)}
