"""What can go wrong at which step, read from the simulated server's plan: a new kind is tested as well."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import NODEFAULT, FieldInfo

from dsm_sim.peers.scan_server import AnswerFault, AnswerStatus, Fault, LoseAnswer
from dsm_sim.peers.scan_server.misbehaviour import EVENT_ACTIONS, REQUEST_ACTIONS, AnyAction, Rate, Seconds, tag_of
from dsm_sim.peers.scan_server.plan import END_EVENT, OPERATIONS, STATUS_EVENT
from dsm_sim.peers.scan_server.refusals import CODES

#: Long enough to be late, short enough for a test; the client's limits are beyond it.
SHORT_S: Final = 0.05
#: One octet a second: no client's limit is as long as that takes.
SLOWEST: Final = 1
#: Statuses that a client has to tell apart, and one of each kind that nobody foresees.
STATUSES: Final = (200, 202, 301, 400, 401, 403, 404, 408, 410, 413, 418, 429, 500, 501, 502, 503, 504)
#: The device has no use for it.
NEVER_ASKED: Final = frozenset({"GetStatus"})


# ----------------------------------------------------------------------------------------------- kinds


def variants(kind: type[AnyAction]) -> tuple[AnyAction, ...]:
    """Every way in which this kind of fault differs for a client, by the types of its fields."""
    if kind is AnswerFault:
        return (*map(AnswerFault, CODES), *(AnswerFault("", code) for code in _codes()))
    if kind is AnswerStatus:
        return tuple(map(AnswerStatus, STATUSES))
    fields = msgspec.structs.fields(kind)
    choices = [[(field.name, value) for value in _values(kind, field)] for field in fields]
    return tuple(kind(**dict(chosen)) for chosen in product(*choices))


def _codes() -> tuple[str, ...]:
    """SOAP's own codes, without a subcode."""
    (field,) = (each for each in msgspec.structs.fields(AnswerFault) if each.name == "code")
    return tuple(code for code in typing.get_args(field.type) if code)


def _values(kind: type[AnyAction], field: FieldInfo) -> Iterator[Any]:
    annotation = typing.get_type_hints(kind, include_extras=True)[field.name]
    options = typing.get_args(annotation)
    if annotation is bool:
        yield from (False, True)
    elif typing.get_origin(annotation) is Literal:
        yield from options
    elif annotation == Seconds or Seconds in options:
        yield SHORT_S
        if field.default is None:
            yield None
    elif annotation == Rate:
        yield SLOWEST
    elif field.default is NODEFAULT:
        raise TypeError(f"{kind.__name__}.{field.name} has no default: say here which values matter")
    else:
        yield field.default


def name_of(action: AnyAction) -> str:
    """For the name of a test: the kind and what is not as usual about it."""
    fields = msgspec.structs.asdict(action)
    told = [str(value) for value in fields.values() if not isinstance(value, bytes) and value not in ("", None)]
    return "-".join([tag_of(type(action).__name__), *told])


# ----------------------------------------------------------------------------------------------- steps


@dataclass(frozen=True)
class Step:
    """The ``nth`` of an operation or event in a job of three pages, after what has to go wrong to come there.

    ``renews``: the subscription is to be renewed before the job is taken to be over.
    """

    name: str
    operation: str
    nth: int = 1
    before: tuple[Fault, ...] = ()
    renews: bool = False

    @property
    def kinds(self) -> tuple[type[AnyAction], ...]:
        """Those that can happen here."""
        is_event = self.operation in (STATUS_EVENT, END_EVENT)
        kinds = EVENT_ACTIONS if is_event else REQUEST_ACTIONS
        is_package = self.operation == "SendImage"
        return tuple(kind for kind in kinds if is_event or is_package or not kind.is_for_packages)

    @property
    def lasts(self) -> tuple[bool, ...]:
        """Whether a fault that lasts is worth a test here: from the second on it would be that of the first."""
        return (False, True) if self.nth == 1 else (False,)

    def plan(self, action: AnyAction, *, always: bool) -> tuple[Fault, ...]:
        """What goes before it is met once; then ``action`` once, or from the first of its operation on."""
        return (*self.before, Fault(self.operation, None if always else self.nth, action))


_FORGOTTEN: Final = Fault("SendImage", 2, AnswerFault("dsp:ClientErrorJobTokenNotFound"))
_REFUSED: Final = Fault("SendImage", 2, AnswerStatus(413))

STEPS: Final = (
    Step("probe", "Probe"),
    Step("metadata", "Get"),
    Step("subscribe", "Subscribe"),
    Step("create", "CreatePostScanJob"),
    Step("first-image", "SendImage", 1),
    Step("middle-image", "SendImage", 2),
    Step("last-image", "SendImage", 3),
    Step("image-again", "SendImage", 2, (Fault("SendImage", 1, LoseAnswer()),)),
    Step("end", "EndPostScanJob"),
    Step("end-again", "EndPostScanJob", 2, (Fault("EndPostScanJob", 1, AnswerStatus(503)),)),
    Step("outcome", "GetPostScanJobElements"),
    Step("image-in-doubt", "GetPostScanJobElements", 1, (Fault("SendImage", 2, LoseAnswer()),)),
    Step("end-in-doubt", "GetPostScanJobElements", 1, (Fault("EndPostScanJob", 1, LoseAnswer()),)),
    Step("cancel-of-a-lost-job", "CancelPostScanJob", 1, (_FORGOTTEN,)),
    Step("cancel-of-a-refused-job", "CancelPostScanJob", 1, (_REFUSED,)),
    Step("renew", "Renew", renews=True),
    Step("unsubscribe", "Unsubscribe"),
    Step("first-status", STATUS_EVENT),
    Step("status-of-an-image", STATUS_EVENT, 2),
    Step("last-status", STATUS_EVENT, 8),
    Step("end-event", END_EVENT),
)

#: What no step is about: none, or the plan has got a word that is not tested.
FORGOTTEN_OPERATIONS: Final = {*OPERATIONS, STATUS_EVENT, END_EVENT} - NEVER_ASKED - {s.operation for s in STEPS}


@dataclass(frozen=True)
class Pair:
    """A fault at a step: once, or whenever the operation comes."""

    step: Step
    action: AnyAction
    always: bool

    @property
    def plan(self) -> tuple[Fault, ...]:
        return self.step.plan(self.action, always=self.always)

    def __str__(self) -> str:
        return f"{self.step.name}-{name_of(self.action)}{'-always' if self.always else ''}"


def pairs() -> Iterator[Pair]:
    """All of them: every variant of every kind at every step, once and always."""
    for step in STEPS:
        for kind in step.kinds:
            for action in variants(kind):
                for always in step.lasts:
                    yield Pair(step, action, always)


def few_pairs() -> Iterator[Pair]:
    """Every kind at every step; its variants, and whether it lasts, by turns."""
    turns: dict[type[AnyAction], int] = {}
    for step in STEPS:
        for kind in step.kinds:
            choices: Mapping[int, Pair] = dict(
                enumerate(Pair(step, action, always) for action in variants(kind) for always in (False, True))
            )
            turn = turns.get(kind, 0)
            turns[kind] = turn + 3  # odd, and so both once and always
            yield choices[turn % len(choices)]
