"""How far a job can come, what leads from one state to the next, and what is to be done in each: two tables,
without I/O and without a clock.

``python -m dsm_device.job.states`` draws them (the diagram and the table in ARCHITECTURE.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class JobState(StrEnum):
    """In the order of a job that goes well; then what else may become of it."""

    ACQUIRING = "acquiring"
    SPOOLED = "spooled"
    LOCATED = "located"
    CREATED = "created"
    SENDING = "sending"
    #: All images are there and EndPostScanJob goes out: from now on it is asked first whether it has arrived.
    ENDING = "ending"
    ENDED = "ended"
    PROCESSING = "processing"
    DONE = "done"
    DONE_WITH_ERRORS = "done with errors"
    #: The user wants no more of it, and the server has not been told yet: its pages are gone.
    CANCELING = "canceling"
    CANCELED = "canceled"
    #: Its pages wait for a person.
    FAILED = "failed"
    #: So do these: nobody knows whether they have arrived.
    UNKNOWN = "unknown outcome"

    @property
    def is_past(self) -> bool:
        """Whether nothing will be done about the job any more."""
        return not TRANSITIONS[self]

    @property
    def needs_person(self) -> bool:
        """Whether the job is only sent when somebody says so."""
        return self in (JobState.FAILED, JobState.UNKNOWN)

    @property
    def command(self) -> Command | None:
        """What brings the job on; None where nothing does."""
        return COMMANDS[self][0] if self in COMMANDS else None

    @property
    def is_ended(self) -> bool:
        """Whether the server has all of it and was told so."""
        return self in (JobState.ENDED, JobState.PROCESSING)


class JobEvent(StrEnum):
    """What happens to a job."""

    ALL_PAGES_IN = "all pages are in"
    SCANNER_FAILED = "the scanner failed"
    LOCATED = "the server is found"
    CREATED = "a post-scan job is created"
    ACCEPTED = "an image is confirmed"
    END_BEGUN = "the end is being sent"
    ENDED = "the end is confirmed"
    POSTPONED = "it cannot be delivered now"
    IN_DOUBT = "nobody knows whether the end arrived"
    UNDELIVERABLE = "its pages cannot be read"
    SERVER_WORKS = "the server works on it"
    SERVER_DONE = "the server is done"
    SERVER_DONE_IN_PART = "the server is done, with errors"
    SERVER_FAILED = "the server could do nothing with it"
    SERVER_CANCELED = "it was cancelled at the server"
    CANCEL_WANTED = "the user cancels, and the server is to be told"
    CANCELED = "the user cancels"


class Command(StrEnum):
    """What the device does to bring a job on."""

    SCAN = "scan"
    LOCATE = "find the server"
    CREATE = "CreatePostScanJob"
    SEND = "SendImage"
    END = "EndPostScanJob"
    HEAR = "hear what becomes of it"
    CANCEL = "CancelPostScanJob"


class Repetition(StrEnum):
    """Whether a command may be given again by itself when nobody knows whether it was carried out: after an answer
    that was lost, or by a process that takes up the job of one that was killed."""

    REPEAT = "repeat"
    ASK_FIRST = "ask first"
    NEVER = "never"


class ForbiddenTransition(Exception):
    """An event that cannot happen in this state: a defect of the caller."""

    def __init__(self, state: JobState, event: JobEvent) -> None:
        super().__init__(f'"{event}" cannot happen to a job that is "{state}"')


_S, _E = JobState, JobEvent
#: A job that goes back to its beginning at the server: after a failure, or by the word of a person.
_AGAIN: Final = {
    _E.LOCATED: _S.LOCATED,
    _E.POSTPONED: _S.SPOOLED,
    _E.UNDELIVERABLE: _S.FAILED,
    _E.CANCEL_WANTED: _S.CANCELING,
    _E.CANCELED: _S.CANCELED,
}
#: What may happen while pages go out and perhaps still come in.
_UNDER_WAY: Final = {
    _E.SCANNER_FAILED: _S.FAILED,
    _E.CREATED: _S.CREATED,  # also in the place of one that the server has lost
    _E.SERVER_CANCELED: _S.FAILED,  # its administrator may have done so: the pages are not theirs to drop
    **_AGAIN,
}
_DECIDED: Final = {
    _E.SERVER_WORKS: _S.PROCESSING,
    _E.SERVER_DONE: _S.DONE,
    _E.SERVER_DONE_IN_PART: _S.DONE_WITH_ERRORS,
    _E.SERVER_FAILED: _S.FAILED,
    _E.SERVER_CANCELED: _S.CANCELED,
    _E.CANCEL_WANTED: _S.CANCELING,
    _E.CANCELED: _S.CANCELED,
}
_PAST: Final[Mapping[JobEvent, JobState]] = MappingProxyType({})

TRANSITIONS: Final[Mapping[JobState, Mapping[JobEvent, JobState]]] = MappingProxyType(
    {
        _S.ACQUIRING: {_E.ALL_PAGES_IN: _S.SPOOLED, **_UNDER_WAY},
        _S.SPOOLED: {_E.ALL_PAGES_IN: _S.SPOOLED, **_UNDER_WAY},
        _S.LOCATED: {_E.ALL_PAGES_IN: _S.LOCATED, **_UNDER_WAY},
        _S.CREATED: {_E.ALL_PAGES_IN: _S.CREATED, _E.ACCEPTED: _S.SENDING, **_UNDER_WAY},
        _S.SENDING: {
            _E.ALL_PAGES_IN: _S.SENDING,
            _E.ACCEPTED: _S.SENDING,
            _E.END_BEGUN: _S.ENDING,
            **_UNDER_WAY,
        },
        _S.ENDING: {
            _E.END_BEGUN: _S.ENDING,
            _E.ENDED: _S.ENDED,
            _E.IN_DOUBT: _S.UNKNOWN,
            _E.CREATED: _S.CREATED,
            **_AGAIN,
            _E.LOCATED: _S.ENDING,
        },
        _S.ENDED: _DECIDED,
        _S.PROCESSING: _DECIDED,
        _S.DONE: _PAST,
        _S.DONE_WITH_ERRORS: _PAST,
        _S.CANCELING: {_E.CANCEL_WANTED: _S.CANCELING, _E.CANCELED: _S.CANCELED},
        _S.CANCELED: _PAST,
        _S.FAILED: _AGAIN,
        _S.UNKNOWN: _AGAIN,
    }
)

#: What brings a job on from each state, and whether that may be repeated. A sheet is not fed twice by itself. A
#: post-scan job without images ends by itself, so that one too many does no harm; an image or an end must not come
#: twice. A job that failed or whose end is in doubt might reach somebody twice, so a person decides.
COMMANDS: Final[Mapping[JobState, tuple[Command, Repetition]]] = MappingProxyType(
    {
        _S.ACQUIRING: (Command.SCAN, Repetition.NEVER),
        _S.SPOOLED: (Command.LOCATE, Repetition.REPEAT),
        _S.LOCATED: (Command.CREATE, Repetition.REPEAT),
        _S.CREATED: (Command.SEND, Repetition.ASK_FIRST),
        _S.SENDING: (Command.SEND, Repetition.ASK_FIRST),
        _S.ENDING: (Command.END, Repetition.ASK_FIRST),
        _S.ENDED: (Command.HEAR, Repetition.REPEAT),
        _S.PROCESSING: (Command.HEAR, Repetition.REPEAT),
        _S.CANCELING: (Command.CANCEL, Repetition.REPEAT),
        _S.FAILED: (Command.LOCATE, Repetition.NEVER),
        _S.UNKNOWN: (Command.LOCATE, Repetition.NEVER),
    }
)

#: The same to a console: JobState and JobStateReason (WS-Scan, JobStatus).
WS_SCAN: Final[Mapping[JobState, tuple[str, str]]] = MappingProxyType(
    {
        _S.ACQUIRING: ("Processing", "JobScanning"),
        _S.SPOOLED: ("Pending", "None"),
        _S.LOCATED: ("Pending", "None"),
        _S.CREATED: ("Processing", "JobTransferring"),
        _S.SENDING: ("Processing", "JobTransferring"),
        _S.ENDING: ("Processing", "JobTransferring"),
        _S.ENDED: ("Processing", "JobTransferring"),
        _S.PROCESSING: ("Processing", "JobTransferring"),
        _S.DONE: ("Completed", "None"),
        _S.DONE_WITH_ERRORS: ("Completed", "JobCompletedWithErrors"),
        _S.CANCELING: ("Terminating", "JobCanceledAtDevice"),
        _S.CANCELED: ("Canceled", "JobCanceledAtDevice"),
        _S.FAILED: ("Held", "ImageTransferError"),
        _S.UNKNOWN: ("Held", "JobTimedOut"),
    }
)


def after(state: JobState, event: JobEvent) -> JobState:
    """The state that follows. Raises :class:`ForbiddenTransition`."""
    follows = TRANSITIONS[state].get(event)
    if follows is None:
        raise ForbiddenTransition(state, event)
    return follows


def diagram() -> Iterator[str]:
    """The table as a Mermaid state diagram, line by line; what leads to the same state shares an arrow."""
    yield "stateDiagram-v2"
    yield "    [*] --> acquiring"
    for state, events in TRANSITIONS.items():
        for target in dict.fromkeys(events.values()):
            labels = [event.value for event, follows in events.items() if follows is target]
            if target is not state:
                yield f"    {_node(state)} --> {_node(target)}: {' / '.join(labels)}"
        if not events:
            yield f"    {_node(state)} --> [*]"


def commands() -> Iterator[str]:
    """What is done in each state as a Markdown table, line by line."""
    yield "| state | command | again by itself |"
    yield "|---|---|---|"
    for state, (command, repetition) in COMMANDS.items():
        yield f"| {state} | {command} | {repetition} |"


def _node(state: JobState) -> str:
    return state.value.replace(" ", "_")


if __name__ == "__main__":
    import sys

    sys.stdout.write("\n".join((*diagram(), "", *commands())) + "\n")
