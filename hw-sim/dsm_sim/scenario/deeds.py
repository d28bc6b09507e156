"""What a scenario can do, one step after the other or while the device is at work.

Each is a table whose ``do`` names it. Besides the device's own commands they are what people and accidents do
to hardware, server and network.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import msgspec

from dsm_sim.network import NetworkBehaviour
from dsm_sim.paper import Paper
from dsm_sim.scanner import Button

if TYPE_CHECKING:
    from dsm_sim.scenario.desk import Desk

_MOMENT: Final = re.compile(r"(image|page|sent) ([1-9]\d*)|(after) (\d+(?:\.\d+)?)|(created|spooled)")


class Moment(msgspec.Struct, frozen=True):
    """When something happens beside a running command.

    ``image n``: the scanner begins its n-th image of the scenario · ``page n``: the device has image n on disk ·
    ``sent n``: the server has confirmed it · ``created``: the job exists · ``spooled``: all images are in ·
    ``after s``: that many seconds after the command's start.
    """

    event: str
    number: float = 0

    @classmethod
    def read(cls, text: str) -> Moment:
        match = _MOMENT.fullmatch(text)
        if not match:
            raise ValueError(
                f'"{text}" is no moment: write "image 3", "page 3", "sent 3", "created", "spooled" or "after 1.5"'
            )
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


class Load(Deed, frozen=True, tag="load"):
    """Paper is put into the feeder."""

    paper: tuple[Paper, ...]

    def happen(self, desk: Desk) -> None:
        desk.load(self.paper)


class Place(Deed, frozen=True, tag="place"):
    """A sheet is laid on the glass."""

    paper: Paper

    def happen(self, desk: Desk) -> None:
        desk.place(self.paper)


class Press(Deed, frozen=True, tag="press"):
    """A button of the scanner is pressed."""

    button: Button

    def happen(self, desk: Desk) -> None:
        desk.scanner.press(self.button)


class OpenCover(Deed, frozen=True, tag="open-cover"):
    def happen(self, desk: Desk) -> None:
        desk.scanner.open_cover()


class CloseCover(Deed, frozen=True, tag="close-cover"):
    def happen(self, desk: Desk) -> None:
        desk.scanner.close_cover()


class ClearJam(Deed, frozen=True, tag="clear-jam"):
    """Somebody takes the jammed sheet out."""

    def happen(self, desk: Desk) -> None:
        desk.scanner.clear_jam()


class Unplug(Deed, frozen=True, tag="unplug"):
    def happen(self, desk: Desk) -> None:
        desk.scanner.unplug()


class Plug(Deed, frozen=True, tag="plug"):
    """The scanner comes back, as USB devices do: under another address."""

    address: str = "001:009"

    def happen(self, desk: Desk) -> None:
        desk.scanner.plug(self.address)


class FallAsleep(Deed, frozen=True, tag="fall-asleep"):
    def happen(self, desk: Desk) -> None:
        desk.scanner.fall_asleep()


class StopServer(Deed, frozen=True, tag="stop-server"):
    def happen(self, desk: Desk) -> None:
        desk.server.stop()


class StartServer(Deed, frozen=True, tag="start-server"):
    def happen(self, desk: Desk) -> None:
        desk.server.start()


class RestartServer(Deed, frozen=True, tag="restart-server"):
    """The server's process ends and is started again; ``remember``: with its jobs."""

    remember: bool

    def happen(self, desk: Desk) -> None:
        desk.server.restart(remember=self.remember)


class Network(Deed, frozen=True, tag="network"):
    """From now on the network behaves like this."""

    behaviour: NetworkBehaviour

    def happen(self, desk: Desk) -> None:
        desk.behave(self.behaviour)


class Signal(Deed, frozen=True, tag="signal"):
    """The device's process is sent a signal; KILL is sent to all of its processes, as a power cut would."""

    signal: Literal["INT", "TERM", "HUP", "KILL"]


class Wait(Deed, frozen=True, tag="wait"):
    """Nothing happens for a while: an idle device, a lunch break in small."""

    seconds: float


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


class Command(Deed, frozen=True, tag="command"):
    """A command of the device, with what it must end in.

    ``exit``: the exit code, or those that may be · ``says``: a regular expression that its messages must match ·
    ``times``: so often, one after the other · ``meanwhile``: what happens while it runs. In ``arguments``
    ``{job}`` stands for the job of the last scan, ``{console}`` for the address of the device's own service.
    """

    arguments: tuple[str, ...]
    exit: int | tuple[int, ...] = 0
    says: str = ""
    times: int = 1
    limit_s: float = 60
    meanwhile: tuple[Beside, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_command(self)


class Scan(Deed, frozen=True, tag="scan"):
    """A push scan by the scenario's process, as :class:`Command`; ``set`` changes elements of the ticket."""

    arguments: tuple[str, ...] = ()
    set: tuple[str, ...] = ()
    exit: int | tuple[int, ...] = 0
    says: str = ""
    times: int = 1
    limit_s: float = 60
    meanwhile: tuple[Beside, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_command(self)

    #: What the process is called on the device.
    PROCESS: ClassVar[str] = "Scenario"

    def as_command(self) -> Command:
        changes = [part for each in self.set for part in ("--set", each)]
        return Command(
            arguments=("scan", "--process", self.PROCESS, *changes, *self.arguments),
            exit=self.exit,
            says=self.says,
            times=self.times,
            limit_s=self.limit_s,
            meanwhile=self.meanwhile,
        )


class StartAgent(Deed, frozen=True, tag="start-agent"):
    """``dsm-device run`` in the background, until the scenario's end or ``stop-agent``."""

    limit_s: float = 10


class StopAgent(Deed, frozen=True, tag="stop-agent"):
    """SIGTERM to the agent, which then ends in time with 0."""

    limit_s: float = 5


class Await(Deed, frozen=True, tag="await"):
    """Wait until the server has so many jobs that are completed."""

    completed_jobs: int
    limit_s: float = 30


Step = Accident | Signal | Wait | Command | Scan | StartAgent | StopAgent | Await


def _check_command(command: Command | Scan) -> None:
    try:
        re.compile(command.says)
    except re.error as error:
        raise ValueError(f"says is no regular expression: {error}") from error
    for number, deed in enumerate(command.meanwhile, start=1):
        if not deed.when:
            raise ValueError(f'meanwhile[{number}] has no `when`: say at which moment, as in when = "image 3"')
    if command.times < 1:
        raise ValueError("times is less than 1")
