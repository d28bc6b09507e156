"""A desk for many power cuts: one simulated scan server and one simulated scanner; a device a cut."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dsm_sim.held_port import HeldPort
from dsm_sim.page_images import eight_bit, opened_page
from dsm_sim.peers.scan_server import (
    Happening,
    JobReport,
    RunningScanServer,
    ScanServerOptions,
    running_scan_server,
)
from dsm_sim.scan_process import ScanProcess
from dsm_sim.scanner import ScannerModel, Sheet, SimulatedScanner, read_mark, write_sane_config

PROCESS: Final = "Cut"
PAGES: Final = 10
_SID: Final = "S-1-5-21-1085031214-1563985344-725345543-1107"
#: Small pages at a pace that leaves time between them.
_WIDTH_MM, _HEIGHT_MM, _IMAGES_PER_MINUTE = 105, 148, 1200


@dataclass(frozen=True)
class Desk:
    """What outlives every cut."""

    folder: Path
    server: RunningScanServer
    scanner: SimulatedScanner
    environment: Mapping[str, str]
    #: TCP ports for the device's console and panel.
    ports: tuple[int, int]
    #: What the server has told of its jobs: the newest state of each, by token.
    states: Mapping[str, str]

    def load(self) -> int:
        """Ten sheets into the feeder, which was emptied; the number that is in their marks."""
        self.scanner.empty_feeder()
        sheet = Sheet(width_mm=_WIDTH_MM, height_mm=_HEIGHT_MM)
        return self.scanner.load([sheet] * PAGES)

    def device(self, name: str) -> Device:
        """A device that has never run."""
        folder = self.folder / name
        state = folder / "state"
        state.mkdir(parents=True, mode=0o700)
        device = Device(folder, state)
        device.configuration.write_text(_toml(self._sections(state)), "utf-8")
        return device

    def _sections(self, state: Path) -> dict[str, dict[str, Any]]:
        return {
            "device": {"name": "Cut off", "state_dir": str(state)},
            "directory": {
                "source": "files",
                "path": str(self.folder / "scan-processes"),
                "user": "clerk",
                "sid": _SID,
            },
            "scan_server": {
                "ca_file": str(self.server.ca_file),
                "connect_timeout": 5,
                "retry_first": 0.05,
                "retry_max": 0.4,
            },
            "console": {"listen": "127.0.0.1", "http_port": self.ports[0], "discovery": False},
            "panel": {"port": self.ports[1]},
            "metrics": {"port": 0},
        }


@dataclass(frozen=True)
class Device:
    """A configuration and a ``state_dir`` of its own."""

    folder: Path
    state: Path

    @property
    def configuration(self) -> Path:
        return self.folder / "config.toml"

    def waiting_jobs(self) -> list[str]:
        """Job folders in the spool that still hold pages; hidden ones are rubbish that the next start removes."""
        folders = (self.state / "spool").glob("[!.]*")
        return sorted(folder.name for folder in folders if _pages_in(folder))


def _pages_in(folder: Path) -> bool:
    """False also for a folder that goes while it is looked at."""
    try:
        return any(path.name.startswith("page-") for path in folder.iterdir())
    except OSError:
        return False


def sheets_in(job: JobReport, load: int) -> list[int]:
    """The sheets of this load in a post-scan job, in the order of arrival; one that cannot be read is 0."""
    files = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in job.files}
    marks = [_mark(files.get(document.sha256)) for document in job.documents]
    return [sheet if of == load else 0 for of, sheet in marks]


def _mark(path: Path | None) -> tuple[int, int]:
    if path is None:
        return 0, 0
    with opened_page(path) as image:
        mark = read_mark(eight_bit(image))
    return (mark.load, mark.sheet) if mark else (0, 0)


@contextmanager
def open_desk(folder: Path) -> Iterator[Desk]:
    """Sets the desk in an empty folder. Raises OSError, ``BackendError``."""
    folder = folder.resolve()
    states: dict[str, str] = {}

    def tell(happening: Happening) -> None:
        if happening["event"] == "job":
            states[str(happening["job"])] = str(happening["state"])

    processes = folder / "scan-processes"
    options = ScanServerOptions(
        out=folder / "server",
        processes=processes,
        users={_SID: "clerk@sim.example"},
        job_history=100,
        tell=tell,
    )
    scanner = SimulatedScanner(folder / "scanner", ScannerModel(images_per_minute=_IMAGES_PER_MINUTE))
    environment = write_sane_config(folder / "sane", [scanner])
    with (
        running_scan_server(options) as server,
        closing(HeldPort("127.0.0.1", 0)) as console,
        closing(HeldPort("127.0.0.1", 0)) as panel,
    ):
        process = ScanProcess(dpi=75, color="Grayscale8", width_mm=_WIDTH_MM, height_mm=_HEIGHT_MM)
        process.write(processes, PROCESS, f"{server.fqdn}:{server.port}")
        yield Desk(folder, server, scanner, environment, (console.number, panel.number), states)


def _toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """JSON scalars are TOML scalars."""
    lines = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"
