"""Misbehaviour by plan: in which exchange the server does what no server should.

One seam: an :class:`Action` is given the means to carry the operation out and returns the answer, or hangs up.
Two attributes act earlier, while the request is still being read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from lxml import etree

from dsm_sim.peers.scan_server import envelope
from dsm_sim.peers.scan_server.refusals import SoapFault, fault

#: Stands for every operation in a plan.
ANY: Final = "*"
_SOAP_TYPE: Final = "application/soap+xml; charset=utf-8"


class Hangup(Exception):
    """The connection ends here, without an answer; by a reset where ``is_reset``."""

    def __init__(self, *, is_reset: bool = False) -> None:
        super().__init__()
        self.is_reset = is_reset


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, and how it is put on the wire.

    ``rate`` is in octets a second, ``cut_after`` in octets of the whole answer, ``hold_s`` the wait before it
    (None: for ever, until the server stops or the client goes away).
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", _SOAP_TYPE),)
    rate: int | None = None
    cut_after: int | None = None
    hold_s: float | None = 0.0


class Action:
    """The base does nothing unusual."""

    #: The connection is reset when so many octets of the request's body have arrived.
    reset_after: int | None = None
    #: The body of the request is read at this many octets a second.
    read_rate: int | None = None

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        """The answer to the request ``message_id``. Raises :class:`Hangup`."""
        del message_id
        return carry_out()


@dataclass(frozen=True)
class AnswerFault(Action):
    """A SOAP fault instead of the operation; ``subcode`` as in ``dsp:OperationFailed``, "" for none.

    ``code`` is ``Sender`` or ``Receiver``; "" takes the one that belongs to the subcode.
    """

    subcode: str
    code: str = ""
    detail: str = ""

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del carry_out
        element = etree.Element("Detail") if self.detail else None
        if element is not None:
            element.text = self.detail
        problem = fault(self.subcode, "As planned.", element)
        if self.code:
            problem = SoapFault(self.code, self.subcode, "As planned.", element)
        return Answer(problem.status, envelope.write_fault(problem, message_id))


@dataclass(frozen=True)
class AnswerStatus(Action):
    """An HTTP status without a usable body instead of the operation; ``location`` for redirects."""

    status: int
    location: str = ""

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del carry_out, message_id
        headers = [("Content-Type", "text/html")]
        if self.location:
            headers.append(("Location", self.location))
        return Answer(self.status, f"<html>{self.status}</html>".encode(), tuple(headers))


@dataclass(frozen=True)
class AnswerBody(Action):
    """The operation is carried out, but what comes back is ``body``."""

    body: bytes = b"\x00\xffgarbage<<<"
    content_type: str = _SOAP_TYPE

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        return replace(carry_out(), body=self.body, headers=(("Content-Type", self.content_type),))


@dataclass(frozen=True)
class AnswerOversized(Action):
    """The operation is carried out; the answer is padded with white space to ``octets``."""

    octets: int = 8 * 1024 * 1024

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        answer = carry_out()
        return replace(answer, body=answer.body.ljust(self.octets))


@dataclass(frozen=True)
class AnswerSlowly(Action):
    """The operation is carried out; the answer drips at ``rate`` octets a second."""

    rate: int = 10

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        return replace(carry_out(), rate=self.rate)


@dataclass(frozen=True)
class LoseAnswer(Action):
    """The operation is carried out, then the connection is closed without an answer."""

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        carry_out()
        raise Hangup


@dataclass(frozen=True)
class CloseBefore(Action):
    """The connection is closed when the request has arrived; the operation is not carried out."""

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del carry_out, message_id
        raise Hangup


@dataclass(frozen=True)
class CutAnswer(Action):
    """The operation is carried out; the connection is closed after ``octets`` of the answer, head included."""

    octets: int = 200

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        return replace(carry_out(), cut_after=self.octets)


@dataclass(frozen=True)
class WrongRelatesTo(Action):
    """The operation is carried out; the answer relates to another message."""

    relates_to: str = "urn:uuid:00000000-0000-4000-8000-00000badbad0"

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        answer = carry_out()
        body = answer.body.replace(f"RelatesTo>{message_id}<".encode(), f"RelatesTo>{self.relates_to}<".encode())
        return replace(answer, body=body)


@dataclass(frozen=True)
class Stall(Action):
    """The operation is carried out; the answer comes after ``seconds``, None: never."""

    seconds: float | None = None

    def play(self, carry_out: Callable[[], Answer], message_id: str) -> Answer:
        del message_id
        return replace(carry_out(), hold_s=self.seconds)


@dataclass(frozen=True)
class ResetInBody(Action):
    """The connection is reset after so many octets of the request's body (SendImage only)."""

    reset_after: int = 1000


@dataclass(frozen=True)
class ReadSlowly(Action):
    """The request's body is read at ``read_rate`` octets a second (SendImage only)."""

    read_rate: int = 100_000


@dataclass(frozen=True)
class Fault:
    """One entry of a plan: the ``nth`` request (from 1; None: each) of an operation meets ``action``.

    ``operation`` is the last segment of the action (``SendImage``, ``Probe``, ``Get`` …) or :data:`ANY`, which
    counts all requests together.
    """

    operation: str
    nth: int | None
    action: Action


@dataclass
class Plan:
    """A plan in progress."""

    faults: Sequence[Fault]
    _seen: Counter[str] = field(default_factory=Counter)

    NORMAL: ClassVar[Action] = Action()

    def take(self, operation: str) -> Action:
        """What this request of ``operation`` meets; counts it."""
        self._seen.update((operation, ANY))
        for entry in self.faults:
            if entry.operation in {operation, ANY} and entry.nth in {None, self._seen[entry.operation]}:
                return entry.action
        return self.NORMAL
