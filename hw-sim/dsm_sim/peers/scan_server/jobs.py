"""Post-scan jobs: what they hold, the states they go through, and their ten-minute clock.

Source: WS-DSP JobState, JobStateReason, FilterState; MS-BDSRR 2.2 (values), 3.1 (timer).
"""

from __future__ import annotations

import datetime
import enum
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from lxml import etree

from dsm_sim.image_files import ImageFacts
from dsm_sim.peers.scan_server.processes import Instructions


class JobState(enum.Enum):
    CREATING = "Creating"
    PENDING = "Pending"
    #: Processing is about to begin; seen in events only.
    STARTED = "Started"
    PROCESSING = "Processing"
    ABORTED = "Aborted"
    CANCELED = "Canceled"
    COMPLETED = "Completed"


#: Which state may follow which; the final ones have no successor.
TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = {
    JobState.CREATING: frozenset({JobState.PENDING, JobState.ABORTED, JobState.CANCELED, JobState.COMPLETED}),
    JobState.PENDING: frozenset({JobState.STARTED, JobState.CANCELED}),
    JobState.STARTED: frozenset({JobState.PROCESSING}),
    JobState.PROCESSING: frozenset({JobState.CANCELED, JobState.COMPLETED, JobState.ABORTED}),
    JobState.ABORTED: frozenset(),
    JobState.CANCELED: frozenset(),
    JobState.COMPLETED: frozenset(),
}


class FilterState(enum.Enum):
    PENDING = "Pending"
    PROCESSING = "Processing"
    CANCELED = "Canceled"
    COMPLETED = "CompletedSuccessfully"
    ERRORS = "CompletedWithErrors"


class Clock(Protocol):
    """The server's time: seconds that only grow, and the local time without zone that goes into answers."""

    def monotonic(self) -> float: ...

    def now(self) -> datetime.datetime: ...


class SystemClock:
    """The machine's own time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime.datetime:
        return datetime.datetime.now()  # noqa: DTZ005 - the protocol wants local time without zone


@dataclass(frozen=True)
class ShiftedClock:
    """A clock that is ``offset_s`` fast (negative: slow). Only its dates are wrong, not its seconds."""

    clock: Clock
    offset_s: float

    def monotonic(self) -> float:
        return self.clock.monotonic()

    def now(self) -> datetime.datetime:
        return self.clock.now() + datetime.timedelta(seconds=self.offset_s)


@dataclass(frozen=True)
class Document:
    """An image file as it was received."""

    document_id: int
    format: str
    path: Path
    octets: int
    sha256: str
    facts: ImageFacts
    received: datetime.datetime


@dataclass
class FilterRun:
    """One filter of a job: its dialect, its instructions (None if missing), and how far it is."""

    dialect: str
    config: etree._Element | None
    state: FilterState = FilterState.PENDING
    reason: str = ""
    #: What went wrong, for people.
    detail: str = ""
    #: What was delivered where: files, and URLs of what is elsewhere.
    targets: list[Path | str] = field(default_factory=list)

    @property
    def is_at_work(self) -> bool:
        return self.state is FilterState.PROCESSING


@dataclass
class Job:
    """One post-scan job. ``identity`` is the digest of the creator's client certificate, "" without one."""

    token: str
    user_sid: str
    user: str
    psp_identifier: str
    psp_name: str
    instructions: Instructions
    identity: str
    created: datetime.datetime
    heard_at: float
    filters: list[FilterRun]
    state: JobState = JobState.CREATING
    reason: str = "None"
    completed: datetime.datetime | None = None
    is_forgotten: bool = False
    #: Monotonic, of a cancelled job.
    cancelled_at: float = 0.0
    documents: list[Document] = field(default_factory=list)

    @property
    def is_final(self) -> bool:
        return not TRANSITIONS[self.state]

    @property
    def octets(self) -> int:
        return sum(document.octets for document in self.documents)

    def has_document(self, document_id: int) -> bool:
        return any(document.document_id == document_id for document in self.documents)

    def become(self, state: JobState, at: datetime.datetime, reason: str = "None") -> None:
        """Moves on. ``reason`` is a JobStateReason. Raises ValueError for a step that the table does not have."""
        if state not in TRANSITIONS[self.state]:
            raise ValueError(f"a job that is {self.state.value} cannot become {state.value}")
        self.state, self.reason = state, reason
        if self.is_final:
            self.completed = at
            self._stop_filters()

    def _stop_filters(self) -> None:
        for run in self.filters:
            if run.state in {FilterState.PENDING, FilterState.PROCESSING}:
                run.state = FilterState.CANCELED


@dataclass
class JobBook:
    """All jobs of a server. ``timeout_s`` runs from the last message of a job that is still being created.

    Finished jobs stay known: the newest ``history``, for ``history_s`` (None: without end). How many a server
    keeps is its own affair (MS-BDSRR 3.2.4.5). A forgotten one is still in the report, but no client finds it.
    """

    clock: Clock
    timeout_s: float
    history: int = 100
    history_s: float | None = None
    jobs: dict[str, Job] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs.values())

    def find(self, token: str) -> Job | None:
        self._trim()
        job = self.jobs.get(token)
        return None if job is None or job.is_forgotten else job

    def forget(self) -> None:
        """All of them, as by a server that lost its memory."""
        for job in self:
            job.is_forgotten = True

    def _trim(self) -> None:
        finished = [job for job in self if job.completed and not job.is_forgotten]
        finished.sort(key=lambda job: job.completed or job.created, reverse=True)
        oldest = datetime.timedelta.max if self.history_s is None else datetime.timedelta(seconds=self.history_s)
        now = self.clock.now()
        for place, job in enumerate(finished):
            is_old = job.completed is not None and now - job.completed > oldest
            job.is_forgotten = is_old or place >= self.history

    def open(
        self, *, user_sid: str, user: str, psp: tuple[str, str], instructions: Instructions, identity: str
    ) -> Job:
        """A new job; ``psp`` is the process's identifier and display name."""
        job = Job(
            token=str(uuid.uuid4()),
            user_sid=user_sid,
            user=user,
            psp_identifier=psp[0],
            psp_name=psp[1],
            instructions=instructions,
            identity=identity,
            created=self.clock.now(),
            heard_at=self.clock.monotonic(),
            filters=[FilterRun(dialect, config) for dialect, config in instructions.filters],
        )
        self.jobs[job.token] = job
        return job

    def heard_from(self, job: Job) -> None:
        """A message for the job arrived: its ten minutes begin anew."""
        job.heard_at = self.clock.monotonic()

    def overdue(self) -> list[Job]:
        """The jobs whose time is up."""
        limit = self.clock.monotonic() - self.timeout_s
        waiting = (job for job in self if job.state is JobState.CREATING and not job.is_forgotten)
        return [job for job in waiting if job.heard_at <= limit]
