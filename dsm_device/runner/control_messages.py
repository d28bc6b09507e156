"""What the agent and its clients tell each other: one JSON object a line, over a socket of the machine.

A connection carries one order. The client sends it first and may then send answers and one Abort; the agent sends
events and questions and, last, Done or Failed. JSON, typed by msgspec: anything else is refused, never executed.
"""

from __future__ import annotations

import msgspec

from dsm_device import errors

from .events import Event
from .job_list import JobDescription, JobDetails
from .order import ScanOrder

#: The longest line that either side takes, in octets.
MAX_LINE_OCTETS = 1 << 20

# ------------------------------------------------------------------------------------ to the agent


class Scan(msgspec.Struct, frozen=True, tag=True):
    """One push scan. ``attended``: a person is there who answers questions."""

    order: ScanOrder
    attended: bool = False


class Retry(msgspec.Struct, frozen=True, tag=True):
    job: str


class Cancel(msgspec.Struct, frozen=True, tag=True):
    job: str


class Restore(msgspec.Struct, frozen=True, tag=True):
    job: str
    pages: tuple[int, ...]


class Jobs(msgspec.Struct, frozen=True, tag=True):
    """Answered by a :class:`Listed` for each job, then Done."""


class JobShow(msgspec.Struct, frozen=True, tag=True):
    """Answered by :class:`Detailed`, then Done."""

    job: str


class Answer(msgspec.Struct, frozen=True, tag=True):
    """To question ``number``: ``pages`` about blank pages, ``choice`` (a name of ``Choice``) about an obstacle."""

    number: int
    pages: tuple[int, ...] = ()
    choice: str = ""


class Abort(msgspec.Struct, frozen=True, tag=True):
    """The user's Ctrl-C: cancel what this connection has ordered."""


# ---------------------------------------------------------------------------------- from the agent


class TurnStack(msgspec.Struct, frozen=True, tag=True):
    """``Attendant.turn_stack``."""

    number: int
    sheets: int


class KeepBlank(msgspec.Struct, frozen=True, tag=True):
    """``Attendant.keep_blank``."""

    number: int
    pages: tuple[int, ...]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """An exception of :mod:`dsm_device.errors`, by the name of its class."""

    error: str
    message: str
    remedy: str


class Obstacle(msgspec.Struct, frozen=True, tag=True):
    """``Attendant.obstacle``: ``error`` after ``pages`` pages."""

    number: int
    error: Failed
    pages: int


class Withdrawn(msgspec.Struct, frozen=True, tag=True):
    """Question ``number`` needs no answer any more."""

    number: int


class Listed(msgspec.Struct, frozen=True, tag=True):
    job: JobDescription


class Detailed(msgspec.Struct, frozen=True, tag=True):
    job: JobDetails


class Done(msgspec.Struct, frozen=True, tag=True):
    """What was ordered has been done."""


Order = Scan | Retry | Cancel | Restore | Jobs | JobShow
ClientMessage = Order | Answer | Abort
Question = TurnStack | KeepBlank | Obstacle
AgentMessage = Event | Question | Withdrawn | Failed | Listed | Detailed | Done


class NotUnderstood(Exception):
    """A line that is no message; ``str()`` says in one line why."""


_encoder = msgspec.json.Encoder()
_client: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_agent: msgspec.json.Decoder[AgentMessage] = msgspec.json.Decoder(AgentMessage)


def encode(message: ClientMessage | AgentMessage) -> bytes:
    return _encoder.encode(message) + b"\n"


def decode_from_client(line: bytes) -> ClientMessage:
    """Raises :class:`NotUnderstood`."""
    try:
        return _client.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _not_understood(error) from error


def decode_from_agent(line: bytes) -> AgentMessage:
    """Raises :class:`NotUnderstood`."""
    try:
        return _agent.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _not_understood(error) from error


def _not_understood(error: Exception) -> NotUnderstood:
    return NotUnderstood(" ".join(str(error).split())[:200])


def failed(error: errors.DsmError) -> Failed:
    return Failed(errors.name_of(error), error.message, error.remedy)


def raised(report: Failed) -> errors.DsmError:
    """The exception that the agent reported, of the same class and so with the same exit code."""
    return errors.rebuilt(report.error, report.message, report.remedy, errors.ServerError, (errors.DsmError,))
