"""A desk for each test: a simulated scan server over TLS, libsane's test scanner, and the installed command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dsm_sim.peers.scan_server import ScanServerOptions
from dsm_sim.peers.scan_server.running import RunningScanServer, running_scan_server
from dsm_sim.sane_test_config import write_sane_config
from dsm_sim.scan_process import ScanProcess

DEVICE = str(Path(sys.executable).parent / "dsm-device")


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines; fails where anything else stands there."""
        return [json.loads(line) for line in self.out.splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == name]

    @property
    def last_words(self) -> str:
        """The one line that says what failed."""
        return self.err.strip().splitlines()[-1]


@dataclass
class Desk:
    """Folders, configuration and environment of one device."""

    folder: Path
    server: RunningScanServer | None
    environment: Mapping[str, str]
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def processes(self) -> Path:
        return self.folder / "scan-processes"

    @property
    def spool(self) -> Path:
        return self.folder / "state" / "spool"

    @property
    def configuration(self) -> Path:
        return self.folder / "config.toml"

    def add_process(self, name: str, change: Callable[[str], str] = lambda text: text) -> None:
        """Put the demonstration's scan process there, changed; all but the first without its identifier."""
        repository = f"{self.server.fqdn}:{self.server.port}" if self.server else "localhost:9"
        self.processes.mkdir(exist_ok=True)
        text = ScanProcess(dpi=300).document(repository)
        if name != "Demo":
            text = re.sub(r"<\?psp-identifier .*?\?>", "", text)
        (self.processes / f"{name}.xml").write_text(change(text), "utf-8")

    def configure(self, **sections: dict[str, Any]) -> None:
        """Write the configuration; JSON scalars are TOML scalars."""
        for name, values in sections.items():
            self.sections.setdefault(name, {}).update(values)
        lines = []
        for name, values in sorted(
            self.sections.items(), key=lambda item: item[0].replace("_options", ".options")
        ):
            lines.append(f"[{name.replace('scanner_options', 'scanner.options')}]")
            lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in values.items()]
        self.configuration.write_text("\n".join(lines), "utf-8")

    @property
    def command(self) -> list[str]:
        """The device's program with this desk's configuration."""
        return [DEVICE, "--config", str(self.configuration)]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> Outcome:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=90)
        return Outcome(process.returncode, out, err)

    def scan(self, *arguments: str, process: str = "Demo") -> Outcome:
        return self.run("--json", "scan", "--process", process, *arguments)


MakeDesk = Callable[..., AbstractContextManager[Desk]]


@pytest.fixture
def make_desk(tmp_path: Path) -> MakeDesk:
    """A desk whose server has the given options; ``server=False`` leaves it out."""

    @contextmanager
    def make(*, server: bool = True, **options: Any) -> Iterator[Desk]:
        environment = write_sane_config(tmp_path / "sane", os.environ)
        if not server:
            desk = Desk(tmp_path, None, environment)
            _furnish(desk, None)
            yield desk
            return
        with running_scan_server(ScanServerOptions(out=tmp_path / "server", **options)) as running:
            desk = Desk(tmp_path, running, environment)
            _furnish(desk, running.ca_file)
            yield desk

    return make


def _furnish(desk: Desk, ca_file: Path | None) -> None:
    desk.add_process("Demo")
    desk.configure(
        device={"state_dir": str(desk.folder / "state")},
        directory={"source": "files", "path": str(desk.processes), "user": "amelie"},
        scan_server={"ca_file": str(ca_file or ""), "retry_first": 0.05, "retry_max": 0.2, "connect_timeout": 3},
    )


@pytest.fixture
def desk(make_desk: MakeDesk) -> Iterator[Desk]:
    with make_desk() as made:
        yield made
