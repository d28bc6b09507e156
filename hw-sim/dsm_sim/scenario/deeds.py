"""What a scenario can do, one step after the other or while the device is at work.

Each is a table whose ``do`` names it. Besides the device's own commands they are what people and accidents do
to hardware, server and network.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from dsm_sim.network import NetworkBehaviour
from dsm_sim.paper import Paper
from dsm_sim.scanner import Button

if TYPE_CHECKING:
    from dsm_sim.scenario.desk import Desk

_MOMENT: Final = re.compile(r"(image|jammed|page|sent) ([1-9]\d*)|(after) (\d+(?:\.\d+)?)|(created|spooled)")


Seconds = Annotated[float, Meta(ge=0, le=3600)]


class Moment(msgspec.Struct, frozen=True):
    """When something happens beside a running command.

    ``image n``: the scanner begins its n-th image of the scenario · ``jammed n``: it jams for the n-th time ·
    ``page n``: the device has image n on disk · ``sent n``: the server has confirmed it · ``created``: the job
    exists · ``spooled``: all images are in · ``after s``: that many seconds after the command's start.
    """

    event: str
    number: float = 0

    @classmethod
    def read(cls, text: str) -> Moment:
        match = _MOMENT.fullmatch(text)
        if not match:
            examples = ("image 3", "jammed 1", "page 3", "sent 3", "created", "spooled", "after 1.5")
            raise ValueError(f'"{text}" is no moment: write {", ".join(examples[:-1])} or {examples[-1]}')
        event = match[1] or match[3] or match[5]
        return cls(event, float(match[2] or match[4] or 0))


class Deed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab", tag_field="do"):
    """Something done; ``when`` only beside a running command, where it must be given."""

    when: str = ""

    def __post_init__(self) -> None:
        if self.when:
            Moment.read(self.when)

    @property
    def moment(self) -> Moment:
        return Moment.read(self.when)


class Load(Deed, frozen=True, kw_only=True, tag="load"):
    """Paper is put into the feeder."""

    paper: Annotated[tuple[Paper, ...], Meta(min_length=1)]

    def happen(self, desk: Desk) -> None:
        desk.load(self.paper)


class Place(Deed, frozen=True, kw_only=True, tag="place"):
    """A sheet is laid on the glass."""

    paper: Paper

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.paper.count > 1:
            raise ValueError("one sheet lies on the glass, not several: leave out count")

    def happen(self, desk: Desk) -> None:
        desk.place(self.paper)


class Press(Deed, frozen=True, kw_only=True, tag="press"):
    """A button of the scanner is pressed."""

    button: Button

    def happen(self, desk: Desk) -> None:
        desk.scanner.press(self.button)


class OpenCover(Deed, frozen=True, kw_only=True, tag="open-cover"):
    def happen(self, desk: Desk) -> None:
        desk.scanner.open_cover()


class CloseCover(Deed, frozen=True, kw_only=True, tag="close-cover"):
    def happen(self, desk: Desk) -> None:
        desk.scanner.close_cover()


class ClearJam(Deed, frozen=True, kw_only=True, tag="clear-jam"):
    """Somebody takes the jammed sheet out."""

    def happen(self, desk: Desk) -> None:
        desk.scanner.clear_jam()


class Unplug(Deed, frozen=True, kw_only=True, tag="unplug"):
    def happen(self, desk: Desk) -> None:
        desk.scanner.unplug()


class Plug(Deed, frozen=True, kw_only=True, tag="plug"):
    """The scanner comes back, as USB devices do: under another address."""

    address: Annotated[str, Meta(pattern=r"^\d{3}:\d{3}$")] = "001:009"

    def happen(self, desk: Desk) -> None:
        desk.scanner.plug(self.address)


class FallAsleep(Deed, frozen=True, kw_only=True, tag="fall-asleep"):
    def happen(self, desk: Desk) -> None:
        desk.scanner.fall_asleep()


class StopServer(Deed, frozen=True, kw_only=True, tag="stop-server"):
    def happen(self, desk: Desk) -> None:
        desk.server.stop()


class StartServer(Deed, frozen=True, kw_only=True, tag="start-server"):
    def happen(self, desk: Desk) -> None:
        desk.server.start()


class RestartServer(Deed, frozen=True, kw_only=True, tag="restart-server"):
    """The server's process ends and is started again; ``remember``: with its jobs."""

    remember: bool

    def happen(self, desk: Desk) -> None:
        desk.server.restart(remember=self.remember)


class Network(Deed, frozen=True, kw_only=True, tag="network"):
    """From now on the network behaves like this."""

    behaviour: NetworkBehaviour

    def happen(self, desk: Desk) -> None:
        desk.behave(self.behaviour)


class Signal(Deed, frozen=True, kw_only=True, tag="signal"):
    """The device's process is sent a signal; KILL is sent to all of its processes, as a power cut would."""

    signal: Literal["INT", "TERM", "HUP", "KILL"]
    #: KILL for the program alone, as the kernel does it to whoever takes too much memory.
    alone: bool = False
    #: Who is meant while an agent runs in the background.
    to: Literal["agent", "command"] = "agent"


class Wait(Deed, frozen=True, kw_only=True, tag="wait"):
    """Nothing happens for a while: an idle device, a lunch break in small."""

    seconds: Seconds


#: What needs nothing but the desk.
Accident = (
    Load
    | Place
    | Press
    | OpenCover
    | CloseCover
    | ClearJam
    | Unplug
    | Plug
    | FallAsleep
    | StopServer
    | StartServer
    | RestartServer
    | Network
)
#: What can happen beside a running command.
Beside = Accident | Signal


class _Run(Deed, frozen=True, kw_only=True):
    """A command of the device, with what it must end in.

    ``exit``: the exit code, or those that may be · ``says``: a regular expression that its messages must match ·
    ``times``: so often, one after the other · ``meanwhile``: what happens while it runs.
    """

    exit: int | tuple[int, ...] = 0
    says: str = ""
    times: Annotated[int, Meta(ge=1, le=10_000)] = 1
    limit_s: Seconds = 60
    meanwhile: tuple[Beside, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            re.compile(self.says)
        except re.error as error:
            raise ValueError(f"says is no regular expression: {error}") from error
        for number, deed in enumerate(self.meanwhile, start=1):
            if not deed.when:
                raise ValueError(f'meanwhile[{number}] has no `when`: say at which moment, as in when = "image 3"')


class Command(_Run, frozen=True, kw_only=True, tag="command"):
    """Any command. In ``arguments`` ``{job}`` stands for the job of the last scan, ``{console}`` for the address
    of the device's own service.
    """

    arguments: Annotated[tuple[str, ...], Meta(min_length=1)]


class Scan(_Run, frozen=True, kw_only=True, tag="scan"):
    """A push scan by the scenario's process; ``set`` changes elements of the ticket."""

    arguments: tuple[str, ...] = ()
    set: tuple[str, ...] = ()

    #: What the process is called on the device.
    PROCESS: ClassVar[str] = "Scenario"

    def as_command(self) -> Command:
        changes = [part for each in self.set for part in ("--set", each)]
        fields = {name: getattr(self, name) for name in _Run.__struct_fields__}
        return Command(arguments=("scan", "--process", self.PROCESS, *changes, *self.arguments), **fields)


class StartAgent(Deed, frozen=True, kw_only=True, tag="start-agent"):
    """``dsm-device run`` in the background, until the scenario's end or ``stop-agent``."""

    limit_s: Seconds = 10


class StopAgent(Deed, frozen=True, kw_only=True, tag="stop-agent"):
    """SIGTERM to the agent, which then ends in time with 0."""

    limit_s: Seconds = 5


class Await(Deed, frozen=True, kw_only=True, tag="await"):
    """Wait until the server has so many jobs that are completed."""

    completed_jobs: Annotated[int, Meta(ge=1)]
    limit_s: Seconds = 30


Step = Accident | Signal | Wait | Command | Scan | StartAgent | StopAgent | Await
