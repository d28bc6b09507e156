"""A scenario: scanner, paper, server, network, what is done, and what must be true at the end.

These classes are the file format: TOML tables and keys are their fields, in kebab-case.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from dsm_sim.network import NetworkBehaviour
from dsm_sim.paper import Paper
from dsm_sim.scan_process import ScanProcess
from dsm_sim.scanner import ScannerModel
from dsm_sim.scenario.deeds import Network, Scan, Step
from dsm_sim.scenario.server import ServerSetup


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What must be true at the end, beside what always must.

    Always: every image that the device calls delivered is in the job that it names, whole, in the order of
    feeding, and upright; the server has no open job; the device has left no process behind.
    """

    #: Images delivered in completed jobs: all that the scanner fed whole, or so many.
    delivered: Literal["all"] | int = "all"
    #: Images that wait in the device's spool.
    kept: int = 0
    #: Images that the scanner began to move; None: any number.
    fed: int | None = None
    #: Jobs in the device's spool, whatever they hold.
    jobs_kept: int | None = None
    #: Sides that a job holds more than once, as the scanner delivered them more than once.
    repeated: int = 0
    #: Post-scan jobs that the server completed, beside those that the device counts as delivered.
    unclaimed: int = 0
    #: Post-scan jobs left open at the server.
    open: int = 0
    #: Rules of the server that may be broken here, by name.
    violations: tuple[str, ...] = ()
    #: The size of every delivered image, in pixels.
    size_px: tuple[int, int] | None = None
    #: The format of every delivered image, as SendImage names it.
    format: str = ""
    #: Quarter turns that the marks of back sides show; 0: all images are upright.
    back_rotation: Literal[0, 90, 180, 270] = 0
    #: States and reasons of the filters of completed jobs, in the order of the process.
    filters: tuple[str, ...] = ()
    #: Distinct files that the filters wrote.
    files: int | None = None
    #: The share of the scanner's rated speed that was reached at least, 0 to 1.
    pace: float = 0
    #: At least so many events were sent to subscribers.
    events: int = 0
    #: How often the scanner was opened.
    opens: int | None = None
    #: From the start of the last command to its first moving sheet, in seconds.
    start_within_s: float | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """One file. ``complaints`` are rows of ``scenarios/README.md``."""

    title: str
    #: What is to be seen in it, for people.
    about: str = ""
    complaints: tuple[str, ...] = ()
    #: What the device still lacks for it, by subject; "" where nothing is missing.
    waits_for: str = ""
    #: Takes long because real time passes; left out of the quick run.
    slow: bool = False

    scanner: ScannerModel = ScannerModel()
    #: Further scanners on the same machine.
    other_scanners: tuple[ScannerModel, ...] = ()
    paper: tuple[Paper, ...] = (Paper(kind="text", count=3),)
    glass: Paper | None = None
    process: ScanProcess = ScanProcess()
    server: ServerSetup = ServerSetup()
    #: None: the device reaches the server directly.
    network: NetworkBehaviour | None = None
    #: Sections of the device's configuration, over those that the player writes.
    device: dict[str, dict[str, Any]] = {}
    step: tuple[Step, ...] = (Scan(),)
    expect: Expectation = Expectation()

    def __post_init__(self) -> None:
        for number, step in enumerate(self.step, start=1):
            if step.when:
                raise ValueError(f"step[{number}] has a `when`: only what happens `meanwhile` has one")
            beside = getattr(step, "meanwhile", ())
            if self.network is None and any(isinstance(deed, Network) for deed in (step, *beside)):
                raise ValueError(f"step[{number}] changes the network, but there is no table [network]")
