"""A scenario: scanner, paper, server, network, what is done, and what must be true at the end.

These classes are the file format: TOML tables and keys are their fields, in kebab-case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from dsm_sim.network import NetworkBehaviour
from dsm_sim.paper import Paper
from dsm_sim.peers.scan_server import RULES
from dsm_sim.scan_process import ScanProcess
from dsm_sim.scanner import ScannerModel
from dsm_sim.scenario.deeds import Load, Network, Place, Scan, Seconds, Step
from dsm_sim.scenario.server import ServerSetup

#: What TOML and JSON write alike.
_Value = str | int | float | bool | list[str]
_Count = Annotated[int, Meta(ge=0)]
_Number = Annotated[int, Meta(ge=1)]


class MisplacedError(ValueError):
    """Something that does not go where it stands; ``place``: keys, and positions in arrays from 0."""

    def __init__(self, problem: str, place: tuple[str | int, ...]) -> None:
        super().__init__(problem)
        self.place = place


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What must be true at the end, beside what always must.

    Always: every image that the device calls delivered is in the job that it names, whole, in the order of
    feeding, upright, and shows what was on the paper; the server has no open job; every fault that is planned has
    happened; the device has left no process behind.
    """

    #: Images delivered in completed jobs: all that the scanner fed whole, or so many; or just those in that order,
    #: by their numbers in the order of feeding, from 1.
    delivered: Literal["all"] | _Count | tuple[_Number, ...] = "all"
    #: Images that wait in the device's spool.
    kept: _Count = 0
    #: Images that the scanner began to move; None: any number.
    fed: _Count | None = None
    #: Jobs in the device's spool, whatever they hold.
    jobs_kept: _Count | None = None
    #: Sides that a job holds more than once, as the scanner delivered them more than once.
    repeated: _Count = 0
    #: Post-scan jobs that the server completed, beside those that the device counts as delivered.
    unclaimed: _Count = 0
    #: Post-scan jobs left open at the server.
    open: _Count = 0
    #: Rules of the server that may be broken here, by name.
    violations: tuple[str, ...] = ()
    #: The size of every delivered image, in pixels, and that of back sides where it is another.
    size_px: tuple[_Number, _Number] | None = None
    back_size_px: tuple[_Number, _Number] | None = None
    #: Files that were sent; documents hold several images.
    documents: _Count | None = None
    #: The format of every delivered image, as SendImage names it.
    format: str = ""
    #: By how much the marks of back sides are turned, besides what the process asks for.
    back_rotation: Literal[0, 90, 180, 270] = 0
    #: States and reasons of the filters of completed jobs, in the order of the process.
    filters: tuple[str, ...] = ()
    #: Distinct files that the filters wrote.
    files: _Count | None = None
    #: The share of the scanner's rated speed that was reached at least, 0 to 1.
    pace: Annotated[float, Meta(ge=0, le=1)] = 0
    #: At least so many events were sent to subscribers.
    events: _Count = 0
    #: At least so long after the last sheet had moved was the last image delivered, in seconds.
    delivered_after_scanning_s: Seconds = 0
    #: At least so many calls the scanner refused as busy.
    refusals: _Count = 0
    #: At least so many octets went through the network to the server.
    through_network_bytes: _Count = 0
    #: How often the scanner was opened.
    opens: _Count | None = None
    #: From the start of the last command to its first moving sheet, in seconds.
    start_within_s: Seconds | None = None
    #: Faults of scanner and server that are planned need not happen.
    idle_faults: bool = False


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """One file. ``complaints`` are rows of ``scenarios/README.md``."""

    title: Annotated[str, Meta(min_length=1)]
    #: What is to be seen in it, for people.
    about: str = ""
    complaints: tuple[Annotated[str, Meta(pattern=r"^R\d{2}$")], ...] = ()
    #: What the device still lacks for it, by subject; "" where nothing is missing.
    waits_for: str = ""
    #: How it fails for want of that: a regular expression that one of the problems matches.
    fails_with: str = ""
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
    #: Whose port ScanRepository names where there is a network; what the server announces is the network's.
    repository: Literal["network", "server"] = "network"
    #: Sections of the device's configuration, over those that the player writes.
    device: dict[Annotated[str, Meta(pattern=r"^\w+$")], dict[str, _Value | dict[str, _Value]]] = {}
    step: Annotated[tuple[Step, ...], Meta(min_length=1)] = (Scan(),)
    expect: Expectation = Expectation()

    def __post_init__(self) -> None:
        if unknown := set(self.expect.violations) - set(RULES):
            raise MisplacedError(f"the server has no rule {unknown.pop()}", ("expect", "violations"))
        if self.glass and self.glass.count > 1:
            raise MisplacedError("one sheet lies on the glass, not several", ("glass", "count"))
        if bool(self.waits_for) != bool(self.fails_with):
            raise ValueError("waits-for and fails-with go together: what is missing, and how that shows")
        for number, step in enumerate(self.step):
            if step.when:
                raise MisplacedError("only what happens `meanwhile` has a moment", ("step", number, "when"))
            if self.network is None:
                _refuse_network(step, ("step", number))


def papers_of(scenario: Scenario) -> list[Paper]:
    """All paper that comes up anywhere in a scenario."""
    deeds = [deed for step in scenario.step for deed in (step, *getattr(step, "meanwhile", ()))]
    later = [paper for deed in deeds if isinstance(deed, Load) for paper in deed.paper]
    return [*scenario.paper, *filter(None, [scenario.glass]), *later, *_placed(deeds)]


def _placed(deeds: Sequence[object]) -> list[Paper]:
    return [deed.paper for deed in deeds if isinstance(deed, Place)]


def _refuse_network(step: Step, place: tuple[str | int, ...]) -> None:
    if isinstance(step, Network):
        raise MisplacedError("changes the network, but there is no table [network]", place)
    for number, deed in enumerate(getattr(step, "meanwhile", ())):
        _refuse_network(deed, (*place, "meanwhile", number))
