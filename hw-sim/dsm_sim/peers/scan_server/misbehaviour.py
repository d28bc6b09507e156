"""What a server may do wrong in an exchange, as data: each action is a struct that a scenario names in ``do``.

One seam: an action is given the means to carry the operation out and returns the answer, or hangs up. Two
attributes act earlier, while the request is still being read. Ranges are checked where an action comes from a
file, and so is what no annotation can say where it is made in a program.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from lxml import etree
from msgspec import Meta

from dsm_sim.peers.scan_server import envelope
from dsm_sim.peers.scan_server.answers import SOAP_TYPE, Answer, Hangup
from dsm_sim.peers.scan_server.refusals import CODES, SoapFault, fault

Octets = Annotated[int, Meta(ge=0, le=1 << 30)]
Rate = Annotated[int, Meta(ge=1, le=1 << 30)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
FaultCode = Literal["", "Sender", "Receiver", "MustUnderstand", "VersionMismatch"]
_SUBCODE: Final = re.compile(r"(dsp|former|wsa|wse|wsdp):[A-Za-z]+")


def tag_of(name: str) -> str:
    """``LoseAnswer`` is ``lose-answer`` in a file."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


class Action(msgspec.Struct, frozen=True, tag_field="do", tag=tag_of, forbid_unknown_fields=True, rename="kebab"):
    """The base does nothing unusual."""

    #: Whether the whole action happens while the body of a package is read, so that it fits SendImage alone.
    is_for_packages: ClassVar[bool] = False

    @property
    def resets_after(self) -> int | None:
        """The connection is reset when so many octets of the request's body have arrived."""
        return None

    @property
    def reads_at(self) -> int | None:
        """The body of the request is read at this many octets a second."""
        return None

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        """The answer to the request ``message_id``. Raises :class:`Hangup`."""
        del message_id
        return carry_out()


class AnswerFault(Action, frozen=True):
    """A SOAP fault instead of the operation; ``subcode`` as in ``dsp:OperationFailed``, "" for none.

    ``code`` "" takes the one that belongs to the subcode; a subcode that is not published needs one.
    The prefix ``former`` stands for the namespace that some published examples of WS-DSP still use.
    """

    subcode: str = ""
    code: FaultCode = ""
    detail: str = ""

    def __post_init__(self) -> None:
        if self.code or (self.subcode in CODES and self.subcode):
            if not self.subcode or _SUBCODE.fullmatch(self.subcode):
                return
            raise ValueError(f"subcode {self.subcode!r} is no prefix:Name of dsp, former, wsa, wse or wsdp")
        if not self.subcode:
            raise ValueError("a fault without subcode needs a code: Sender or Receiver")
        raise ValueError(
            f"unknown subcode {self.subcode!r}: write one of {', '.join(CODES)}, or give its code too"
        )

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del carry_out
        element = etree.Element("Detail") if self.detail else None
        if element is not None:
            element.text = self.detail
        problem = fault(self.subcode, "As planned.", element)
        if self.code:
            problem = SoapFault(self.code, self.subcode, "As planned.", element)
        return Answer(problem.status, envelope.write_fault(problem, message_id))


class AnswerStatus(Action, frozen=True):
    """An HTTP status without a usable body instead of the operation; ``location`` for redirects."""

    status: Annotated[int, Meta(ge=200, le=599)]
    location: str = ""

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del carry_out, message_id
        headers = [("Content-Type", "text/html")]
        if self.location:
            headers.append(("Location", self.location))
        return Answer(self.status, f"<html>{self.status}</html>".encode(), tuple(headers))


class AnswerBody(Action, frozen=True):
    """The operation is carried out, but what comes back is ``body`` (base64 in a file)."""

    body: bytes = b"\x00\xffgarbage<<<"
    content_type: str = SOAP_TYPE

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        return replace(carry_out(), body=self.body, headers=(("Content-Type", self.content_type),))


class AnswerOversized(Action, frozen=True):
    """The operation is carried out; the answer is padded with white space to ``octets``."""

    octets: Octets = 8 * 1024 * 1024

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        answer = carry_out()
        return replace(answer, body=answer.body.ljust(self.octets))


class AnswerSlowly(Action, frozen=True):
    """The operation is carried out; the answer drips at ``rate`` octets a second."""

    rate: Rate = 10

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        return replace(carry_out(), rate=self.rate)


class LoseAnswer(Action, frozen=True):
    """The operation is carried out, then the connection is closed without an answer; reset where ``by_reset``."""

    by_reset: bool = False

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        carry_out()
        raise Hangup(is_reset=self.by_reset)


class CloseBefore(Action, frozen=True):
    """The connection is closed when the request has arrived; the operation is not carried out."""

    by_reset: bool = False

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del carry_out, message_id
        raise Hangup(is_reset=self.by_reset)


class CutAnswer(Action, frozen=True):
    """The operation is carried out; the connection is closed after ``octets`` of the answer, head included."""

    octets: Octets = 200

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        return replace(carry_out(), cut_after=self.octets)


class WrongRelatesTo(Action, frozen=True):
    """The operation is carried out; the answer relates to another message."""

    relates_to: str = "urn:uuid:00000000-0000-4000-8000-00000badbad0"

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        answer = carry_out()
        body = answer.body.replace(f"RelatesTo>{message_id}<".encode(), f"RelatesTo>{self.relates_to}<".encode())
        return replace(answer, body=body)


class Stall(Action, frozen=True):
    """The operation is carried out; the answer comes after ``seconds``, None: never."""

    seconds: Seconds | None = None

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        return replace(carry_out(), hold_s=self.seconds)


class ResetInBody(Action, frozen=True):
    """The connection is reset after so many octets of the request's body (SendImage only)."""

    is_for_packages = True
    reset_after: Octets = 1000

    @property
    def resets_after(self) -> int | None:
        return self.reset_after


class ReadSlowly(Action, frozen=True):
    """The request's body is read at ``read_rate`` octets a second (SendImage only)."""

    is_for_packages = True
    read_rate: Rate = 100_000

    @property
    def reads_at(self) -> int | None:
        return self.read_rate


# ---------------------------------------------------------------------------------------------- events


class EventAction(
    msgspec.Struct, frozen=True, tag_field="do", tag=tag_of, forbid_unknown_fields=True, rename="kebab"
):
    """Something that goes wrong with an event, at all of its subscribers."""


class DropEvent(EventAction, frozen=True):
    """It is never sent."""


class DuplicateEvent(EventAction, frozen=True):
    """It is sent ``times`` times, each time as a message of its own."""

    times: Annotated[int, Meta(ge=2, le=100)] = 2


class SwapEvent(EventAction, frozen=True):
    """It is sent after its successor, or after ``seconds`` where there is none."""

    seconds: Seconds = 5.0


class DelayEvent(EventAction, frozen=True):
    """It is sent ``seconds`` late; what comes after it does not wait."""

    seconds: Seconds = 1.0


class OvertakeAnswer(EventAction, frozen=True):
    """The request that causes it is answered when it has been delivered, at the latest after ``seconds``."""

    seconds: Seconds = 5.0


class FollowAnswer(EventAction, frozen=True):
    """It is sent when the request that causes it has been answered."""


class MalformEvent(EventAction, frozen=True):
    """Its envelope breaks off in the middle."""


class UnknownJob(EventAction, frozen=True):
    """The same event comes first for a job that nobody has."""


class WrongNamespace(EventAction, frozen=True):
    """Its action is in the namespace of the configuration service; its body is as it should be."""


class EndSubscription(EventAction, frozen=True):
    """After it, every subscription is ended."""

    status: Literal["DeliveryFailure", "SourceShuttingDown", "SourceCanceling"] = "SourceCanceling"


def _concrete(base: type[Any]) -> tuple[type[Any], ...]:
    return tuple(base.__subclasses__())


REQUEST_ACTIONS: Final = _concrete(Action)
EVENT_ACTIONS: Final = _concrete(EventAction)
AnyAction = Action | EventAction
