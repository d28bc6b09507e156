"""Misbehaviour by plan: which action meets which exchange and which event, read from data and counted down.

In a file an entry is flat: ``{on = "SendImage", nth = 2, do = "lose-answer"}``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from dsm_sim.peers.scan_server.misbehaviour import (
    EVENT_ACTIONS,
    REQUEST_ACTIONS,
    Action,
    AnyAction,
    EventAction,
    Rate,
    Seconds,
    tag_of,
)

#: Stands for every request in a plan.
ANY: Final = "*"
OPERATIONS: Final = (
    "Probe",
    "Get",
    "CreatePostScanJob",
    "SendImage",
    "EndPostScanJob",
    "CancelPostScanJob",
    "GetPostScanJobElements",
    "Subscribe",
    "Renew",
    "GetStatus",
    "Unsubscribe",
)
STATUS_EVENT: Final = "PostScanJobStatusEvent"
END_EVENT: Final = "PostScanJobEndStateEvent"
_FITTING: Final = {
    **dict.fromkeys((*OPERATIONS, ANY), REQUEST_ACTIONS),
    **dict.fromkeys((STATUS_EVENT, END_EVENT), EVENT_ACTIONS),
}


@dataclass(frozen=True)
class Fault:
    """One entry of a plan: the ``nth`` (from 1; None: each) of what is named meets ``action``.

    ``operation`` is the last segment of a request's action (``SendImage``, ``Probe``, ``Get`` …), the name of an
    event, or :data:`ANY`, which counts all requests together. Raises ValueError for an action that
    cannot happen there.
    """

    operation: str
    nth: int | None
    action: AnyAction

    def __post_init__(self) -> None:
        if self.operation not in _FITTING:
            raise ValueError(f"on = {self.operation!r} is none of {', '.join(_FITTING)}")
        if self.nth is not None and self.nth < 1:
            raise ValueError(f"nth = {self.nth} is less than 1")
        name = tag_of(type(self.action).__name__)
        if type(self.action) not in _FITTING[self.operation]:
            possible = ", ".join(tag_of(each.__name__) for each in _FITTING[self.operation])
            raise ValueError(f"do = {name!r} cannot happen to {self.operation}: choose one of {possible}")
        if isinstance(self.action, Action) and self.action.is_for_packages and self.operation != "SendImage":
            raise ValueError(f"do = {name!r} happens to SendImage alone, not to {self.operation}")


class PlannedFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """A :class:`Fault` as it stands in a file: flat, with the fields of its action beside ``on`` and ``nth``."""

    on: str
    do: str
    nth: Annotated[int, Meta(ge=1)] | None = None
    subcode: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    status: int | str | UnsetType = UNSET
    location: str | UnsetType = UNSET
    body: str | UnsetType = UNSET
    content_type: str | UnsetType = UNSET
    octets: int | UnsetType = UNSET
    rate: Rate | UnsetType = UNSET
    by_reset: bool | UnsetType = UNSET
    relates_to: str | UnsetType = UNSET
    seconds: Seconds | UnsetType = UNSET
    reset_after: int | UnsetType = UNSET
    read_rate: Rate | UnsetType = UNSET
    times: int | UnsetType = UNSET

    def __post_init__(self) -> None:
        self.fault()

    def fault(self) -> Fault:
        """Raises ValueError with one line that says what is wrong; so does the making of this."""
        fields = {key: value for key, value in msgspec.to_builtins(self).items() if key not in {"on", "nth"}}
        return Fault(self.on, self.nth, _action(fields))


def _action(fields: dict[str, Any], *, is_strict: bool = True) -> AnyAction:
    known = {tag_of(each.__name__): each for each in (*REQUEST_ACTIONS, *EVENT_ACTIONS)}
    name = fields["do"]
    if name not in known:
        raise ValueError(f"do = {name!r} is none of {', '.join(known)}")
    try:
        return cast("AnyAction", msgspec.convert(fields, known[name], strict=is_strict))
    except msgspec.ValidationError as error:
        raise ValueError(f"do = {name!r}: {error}") from error


def read_fault(text: str) -> Fault:
    """``OPERATION:NTH:ACTION[:KEY=VALUE,…]``, NTH a number or ``*`` for each. Raises ValueError."""
    operation, nth, action, pairs = [*text.split(":", 3), "", "", ""][:4]
    if not action:
        raise ValueError(f"{text!r} is no OPERATION:NTH:ACTION")
    fields: dict[str, Any] = {"do": action}
    for pair in filter(None, pairs.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"{pair!r} is no KEY=VALUE")
        fields[key.strip()] = value.strip()
    if nth != ANY and not nth.isdecimal():
        raise ValueError(f"{nth!r} in {text!r} is neither a number nor *")
    # Numbers come as text here.
    return Fault(operation, None if nth == ANY else int(nth), _action(fields, is_strict=False))


@dataclass
class Plan:
    """A plan in progress."""

    faults: Sequence[Fault]
    _seen: Counter[str] = field(default_factory=Counter)
    _met: Counter[int] = field(default_factory=Counter)

    NORMAL: ClassVar[Action] = Action()

    def replace(self, faults: Sequence[Fault]) -> tuple[int, ...]:
        """From now on ``faults`` happen, counted from here; how often each of those before them did."""
        met = self.met
        self.faults = faults
        self._seen.clear()
        self._met.clear()
        return met

    def take(self, operation: str) -> Action:
        """What this request of ``operation`` meets; counts it."""
        self._seen[ANY] += 1
        found = self._take(operation, {operation, ANY})
        return found if isinstance(found, Action) else self.NORMAL

    def take_event(self, name: str) -> EventAction | None:
        """What this event meets; counts it."""
        found = self._take(name, {name})
        return found if isinstance(found, EventAction) else None

    @property
    def met(self) -> tuple[int, ...]:
        """How often each entry has happened, in their order."""
        return tuple(self._met[number] for number in range(len(self.faults)))

    def _take(self, name: str, keys: set[str]) -> AnyAction | None:
        self._seen[name] += 1
        for number, entry in enumerate(self.faults):
            if entry.operation in keys and entry.nth in {None, self._seen[entry.operation]}:
                self._met[number] += 1
                return entry.action
        return None
