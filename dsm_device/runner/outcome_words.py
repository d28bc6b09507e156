"""What became of a job at the scan server, in plain words.

Keywords are compared without case, since published spellings differ; one that nobody knows is shown as it is.
Sources: WS-DSP, values; MS-BDSRR 2.2.5 (JobState, JobStateReason, FilterState, FilterStateReason).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from dsm_device.job.states import JobEvent
from dsm_device.wire.names import EMLF, FSF, SPF
from dsm_device.wire.processing import ABORTED, CANCELED, COMPLETED, FilterStatus, JobStatus

_LIMIT: Final = 100


class Verdict(enum.Enum):
    """What a final status comes to. The value says it to people."""

    SUCCESS = "everything was delivered"
    WARNINGS = "delivered, with warnings"
    ERRORS = "not everything was delivered"
    CANCELED = "cancelled"
    FAILED = "the scan server could not process the job"
    UNKNOWN = "the scan server says the job has ended, but not how"


_STATES: Final = {
    "creating": "the scan server is receiving the images",
    "pending": "the job waits for its turn at the scan server",
    "pending-held": "the job is being held at the scan server",
    "started": "the scan server is about to process the job",
    "processing": "the scan server is processing the job",
    "terminating": "the scan server is cancelling the job",
    "aborted": "the scan server stopped the job before its end",
    "canceled": "the job was cancelled",
    "cancelled": "the job was cancelled",
    "completed": "the scan server has finished the job",
}

#: "" for what adds nothing.
_REASONS: Final = {
    "none": "",
    "postscanjobtimedout": "it heard nothing of the job for ten minutes, so scan again",
    "novalidpostscaninstructionsfound": "it understands none of the scan process's instructions, so its "
    "administrator has to correct them",
    "createpostscanjobfailed": "it could not create the job",
    "sendimagefailed": "it could not take an image, so send it again",
    # As some pages print it.
    "sendimangefailed": "it could not take an image, so send it again",
    "postscanjobcanceled": "the job was cancelled",
    "postscanjobcancelled": "the job was cancelled",
    "postscanjobprocessingfailed": "processing failed for good",
    "postscanjobcompletedsuccessfully": "everything was delivered",
    "postscanjobcompletedwitherrors": "not everything was delivered",
    "postscanjobcompletedwithwarnings": "delivered, with warnings",
}

_FILTER_STATES: Final = {
    "pending": "waiting",
    "processing": "at work",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "completedsuccessfully": "delivered",
    "completedwitherrors": "failed",
    "completedwithwarnings": "delivered, with warnings",
}

_FILTER_REASONS: Final = {
    "none": "",
    "invalidargs": "its instructions are not understood",
    "outofdiskspace": "the scan server's disk is full",
    "serveroutofmemory": "the scan server ran out of memory",
    "fileshareaccessdenied": "access to the file share was denied",
    "fileshareoutofdiskspace": "the file share is full",
    "sharepointaccessdenied": "access to the SharePoint site was denied",
    "sharepointoutofdiskspace": "the SharePoint site is full",
    "invalidsmtpserver": "the scan server cannot reach its mail server",
    "unabletosendemail": "the mail server refused the message",
    "unknownerror": "the scan server does not know why",
}

_TARGETS: Final = {EMLF.lower(): "e-mail", FSF.lower(): "file share", SPF.lower(): "SharePoint"}

_FAILURES: Final = frozenset(
    {
        "postscanjobtimedout",
        "novalidpostscaninstructionsfound",
        "createpostscanjobfailed",
        "sendimagefailed",
        "sendimangefailed",
        "postscanjobprocessingfailed",
    }
)


def state_words(state: str) -> str:
    """Of a JobState."""
    return _words(_STATES, state)


def reason_words(reason: str) -> str:
    """Of a JobStateReason; "" where it adds nothing."""
    return _words(_REASONS, reason)


def filter_state_words(state: str) -> str:
    return _words(_FILTER_STATES, state)


def filter_reason_words(reason: str) -> str:
    """Of a FilterStateReason; "" where it adds nothing."""
    return _words(_FILTER_REASONS, reason)


def target_words(dialect: str) -> str:
    """Where a filter delivers, by its dialect."""
    return _words(_TARGETS, dialect)


def filter_words(status: FilterStatus) -> str:
    """One line of a filter: ``e-mail: failed (the mail server refused the message)``."""
    reasons = ", ".join(filter(None, map(filter_reason_words, status.reasons)))
    line = f"{target_words(status.dialect) or 'a filter'}: {filter_state_words(status.state) or 'not said'}"
    return f"{line} ({reasons})" if reasons else line


def outcome_lines(status: JobStatus) -> tuple[str, ...]:
    """The whole of it: what the job is at and why, then a line for each filter."""
    reasons = ", ".join(dict.fromkeys(filter(None, map(reason_words, status.reasons))))
    state = state_words(status.state)
    return (f"{state}: {reasons}" if reasons else state, *map(filter_words, status.filters))


def verdict(status: JobStatus) -> Verdict:
    """Of a final status. A job whose filters all failed is Completed too: reasons and filters tell."""
    state = status.state.lower()
    reasons = {each.lower() for each in status.reasons}
    filters = {each.state.lower() for each in status.filters}
    if state in (CANCELED.lower(), "cancelled") or reasons & {"postscanjobcanceled", "postscanjobcancelled"}:
        return Verdict.CANCELED
    if state == ABORTED.lower() or reasons & _FAILURES:
        return Verdict.FAILED
    if "postscanjobcompletedwitherrors" in reasons or filters & {"completedwitherrors", "canceled", "cancelled"}:
        return Verdict.ERRORS
    if "postscanjobcompletedwithwarnings" in reasons or "completedwithwarnings" in filters:
        return Verdict.WARNINGS
    is_said = state == COMPLETED.lower() or "postscanjobcompletedsuccessfully" in reasons
    return Verdict.SUCCESS if is_said else Verdict.UNKNOWN


def _words(known: Mapping[str, str], keyword: str) -> str:
    words = known.get(keyword.strip().lower())
    return _printable(keyword) if words is None else words


def _printable(keyword: str) -> str:
    """It comes from the network and goes to a terminal."""
    line = " ".join("".join(each if each.isprintable() else " " for each in keyword).split())
    return line if len(line) <= _LIMIT else line[:_LIMIT] + " …"


def is_final(status: JobStatus | None) -> bool:
    return status is not None and status.is_final


def outcome_of(status: JobStatus | None) -> JobEvent:
    """What has become of a job that was ended; one of which nothing is known counts as done: the server has it.

    A server calls a job Completed also where every filter failed: then nobody has got anything (WS-DSP, JobState).
    """
    if status is None or not status.is_final:
        return JobEvent.SERVER_DONE
    if status.filters and all(each.state == "CompletedWithErrors" for each in status.filters):
        return JobEvent.SERVER_FAILED
    return _OUTCOMES.get(verdict(status), JobEvent.SERVER_DONE)


_OUTCOMES = {
    Verdict.CANCELED: JobEvent.SERVER_CANCELED,
    Verdict.FAILED: JobEvent.SERVER_FAILED,
    Verdict.ERRORS: JobEvent.SERVER_DONE_IN_PART,
}
