"""Everything that stands around the device in a scenario, in one folder and on ports of its own."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dsm_sim.held_port import HeldPort
from dsm_sim.network import NetworkBehaviour, RunningNetwork, running_network
from dsm_sim.paper import Paper, PrintedSheet, print_sheets
from dsm_sim.peers.scan_server import Happening, RunningScanServer, running_scan_server
from dsm_sim.scanner import Sheet, SimulatedScanner, write_sane_config
from dsm_sim.scenario.deeds import Scan
from dsm_sim.scenario.format import Scenario, papers_of

USER_SID: Final = "S-1-5-21-1085031214-1563985344-725345543-1107"
USER: Final = "clerk@sim.example"


@dataclass(frozen=True)
class Desk:
    """Where everything is; ``network`` is None where the device reaches the server directly."""

    folder: Path
    base: Path
    scanner: SimulatedScanner
    server: RunningScanServer
    network: RunningNetwork | None
    happenings: list[Happening]
    environment: Mapping[str, str]
    #: TCP ports for the device's own services: the console's, the panel's.
    ports: tuple[int, int]
    #: What the feeder sees beside the paper, 0 black to 255 white.
    background: int = 255
    #: All paper that there was, by load and number in it.
    printed: dict[tuple[int, int], PrintedSheet] = field(default_factory=dict)

    @property
    def configuration(self) -> Path:
        return self.folder / "config.toml"

    @property
    def console(self) -> str:
        """The address of the device's own service, once it runs."""
        return f"http://127.0.0.1:{self.ports[0]}/"

    def is_console_there(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports[0])) == 0

    def load(self, papers: tuple[Paper, ...]) -> None:
        """Paper into the feeder."""
        sheets = self._print(papers)
        load = self.scanner.load(map(_as_fed, sheets))
        self.printed.update({(load, number): sheet for number, sheet in enumerate(sheets, start=1)})

    def place(self, paper: Paper) -> None:
        """The first sheet of it onto the glass."""
        sheet = self._print((paper,))[0]
        self.printed[self.scanner.place_on_glass(_as_fed(sheet)), 1] = sheet

    def behave(self, behaviour: NetworkBehaviour) -> None:
        """The network from now on."""
        if self.network:
            self.network.behave(behaviour)

    def _print(self, papers: tuple[Paper, ...]) -> list[PrintedSheet]:
        return _printed(papers, self.folder, self.base, self.background)


def _as_fed(sheet: PrintedSheet) -> Sheet:
    return Sheet(
        front=sheet.front,
        back=sheet.back,
        width_mm=sheet.width_mm,
        height_mm=sheet.height_mm,
        is_marked=sheet.is_marked,
    )


class PaperError(Exception):
    """Paper that cannot be made, in one line."""


def _printed(papers: Sequence[Paper], folder: Path, base: Path, background: int) -> list[PrintedSheet]:
    """A drawing that is there already is not drawn again."""
    try:
        return print_sheets(papers, folder / "paper", base, background)
    except ValueError as error:
        raise PaperError(str(error)) from error


@contextmanager
def open_desk(scenario: Scenario, folder: Path, base: Path) -> Iterator[Desk]:
    """Sets the desk; ``base`` is the folder to which files named in the scenario are relative.

    Raises :class:`PaperError`, OSError.
    """
    # Before anything moves: what cannot be made is known at once, and nothing is drawn while time counts.
    background = scenario.scanner.feeder_background
    _printed(papers_of(scenario), folder, base, background)
    with ExitStack() as stack:
        happenings: list[Happening] = []
        processes = folder / "scan-processes"
        network: RunningNetwork | None = None
        if scenario.network is not None:
            network = stack.enter_context(running_network(scenario.network))
        options = scenario.server.options(
            out=folder / "server",
            processes=processes,
            users={USER_SID: USER},
            announced_port=network.port if network else None,
            tell=lambda happening: happenings.append({**happening, "at_s": time.monotonic()}),
        )
        server = stack.enter_context(running_scan_server(options))
        if network:
            network.lead_to(server.port)
        scanner = SimulatedScanner(folder / "scanner", scenario.scanner)
        others = [
            SimulatedScanner(folder / f"scanner-{number}", model, f"001:{number + 20:03}")
            for number, model in enumerate(scenario.other_scanners, start=2)
        ]
        environment = write_sane_config(folder / "sane", [*others, scanner])
        console, panel = (stack.enter_context(closing(HeldPort("127.0.0.1", 0))).number for _ in range(2))
        desk = Desk(folder, base, scanner, server, network, happenings, environment, (console, panel), background)
        port = network.port if network and scenario.repository == "network" else server.port
        scenario.process.write(processes, Scan.PROCESS, f"{server.fqdn}:{port}")
        desk.configuration.write_text(_toml(_sections(scenario, desk)), "utf-8")
        desk.load(scenario.paper)
        if scenario.glass:
            desk.place(scenario.glass)
        yield desk


def _sections(scenario: Scenario, desk: Desk) -> dict[str, dict[str, Any]]:
    """The device's configuration: short waits, so that trouble passes quickly; the scenario has the last word."""
    sections: dict[str, dict[str, Any]] = {
        "device": {"name": "Simulated device", "state_dir": str(desk.folder / "state")},
        "scanner": {"device": desk.scanner.device if scenario.other_scanners else ""},
        "directory": {
            "source": "files",
            "path": str(desk.folder / "scan-processes"),
            "user": "clerk",
            "sid": USER_SID,
        },
        "scan_server": {
            "ca_file": str(desk.server.ca_file),
            "connect_timeout": 2,
            "retry_first": 0.05,
            "retry_max": 0.4,
        },
        "console": {"listen": "127.0.0.1", "http_port": desk.ports[0], "discovery": False},
        "panel": {"port": desk.ports[1]},
        "metrics": {"port": 0},
    }
    for name, values in scenario.device.items():
        sections.setdefault(name, {}).update(values)
    return sections


def _toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Tables of scalars, lists and tables of scalars; what JSON writes of those is TOML."""
    lines: list[str] = []
    for name, values in sections.items():
        inner = {key: value for key, value in values.items() if isinstance(value, dict)}
        lines.append(f"[{name}]")
        lines += [f"{_json(key)} = {_json(value)}" for key, value in values.items() if key not in inner]
        for key, table in inner.items():
            lines.append(f"[{name}.{key}]")
            lines += [f"{_json(option)} = {_json(value)}" for option, value in table.items()]
    return "\n".join(lines) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
