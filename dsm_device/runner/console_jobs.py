"""The jobs as a console sees them: for WS-DSD a job ends with its last image (WS-DSD, states).

What becomes of it at the scan server is that server's to tell.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from dsm_device.errors import (
    Cancelled,
    MultipleFeed,
    ScannerBusy,
    ScannerError,
    ScannerInvalid,
    ScannerNoDocuments,
    ScannerNoMemory,
    ScannerUnsupported,
    SpoolError,
    TicketRefused,
)
from dsm_device.job.model import MAX_INSTRUCTIONS_OCTETS, Job
from dsm_device.job.states import JobState as Progress
from dsm_device.wire import ticket_reader, xml
from dsm_device.wire.device.events import DeviceEvent, JobEndStateEvent, JobStatusEvent
from dsm_device.wire.device.model import JobState, JobStateReason, JobStatus, JobSummary, JobView
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.xml import XmlError

#: More than any answer has room for.
KEPT: Final = 200

#: What broke a job off, in WS-Scan's words (the mapping from SANE, status). The first that fits counts.
_REASONS: Final[tuple[tuple[tuple[type[BaseException], ...], JobStateReason], ...]] = (
    ((ScannerInvalid, ScannerUnsupported, TicketRefused), "InvalidScanTicket"),
    ((MultipleFeed, ScannerBusy), "ScannerStopped"),
    ((ScannerNoDocuments, ScannerNoMemory, SpoolError), "JobCompletedWithErrors"),
    ((ScannerError,), "ScannerStopped"),
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A job with its status. ``job`` is its record, as far as it does not change any more."""

    job: Job
    status: JobStatus

    @property
    def summary(self) -> JobSummary:
        status = self.status
        return JobSummary(
            status.id, self.job.process_name, self.job.user, status.state, status.reasons, status.scans_completed
        )


class ConsoleJobs:
    """Tells ``publish`` of each change. ``clock`` is the time of day, with its zone."""

    def __init__(self, publish: Callable[[DeviceEvent], None], clock: Callable[[], datetime]) -> None:
        self._publish = publish
        self._clock = clock
        self._active: OrderedDict[str, _Seen] = OrderedDict()
        self._past: OrderedDict[str, _Seen] = OrderedDict()

    def remember(self, jobs: Iterable[Job]) -> None:
        """Those of earlier times, oldest first."""
        for job in jobs:
            if job.number and job.id not in self._active:
                self._past[job.id] = _Seen(job, _past_status(job))
        self._forget_oldest()

    def active(self) -> list[JobSummary]:
        """Oldest first, as the other lists."""
        return [seen.summary for seen in self._active.values()]

    def history(self) -> list[JobSummary]:
        return [seen.summary for seen in self._past.values()]

    def find(self, number: int) -> JobView | None:
        for seen in (*self._active.values(), *self._past.values()):
            if seen.status.id == number:
                names = tuple(f"Image {n}" for n in range(1, seen.status.scans_completed + 1))
                return JobView(seen.summary, seen.status, _ticket(seen.job), seen.job.parameters, names)
        return None

    # --------------------------------------------------------------------------------- what happens

    def began(self, job: Job) -> None:
        self._active[job.id] = _Seen(job, JobStatus(job.number, "Started", (), 0, job.created))
        self._publish(JobStatusEvent(self._active[job.id].status))
        self._change(job.id, state="Processing", reasons=("JobScanning",))

    def image(self, job_id: str) -> None:
        if seen := self._active.get(job_id):
            self._change(job_id, reasons=("JobScanning",), scans_completed=seen.status.scans_completed + 1)

    def waits(self, job_id: str) -> None:
        self._change(job_id, reasons=("ScannerStopped",))

    def ended(self, job_id: str, error: BaseException | None) -> None:
        seen = self._active.get(job_id)
        if seen is None:
            return
        now = self._clock()
        state, reason = _end(seen.job, error)
        self._change(job_id, state=state, reasons=(reason,), completed=now)
        self._past[job_id] = self._active.pop(job_id)
        self._forget_oldest()
        self._publish(JobEndStateEvent(self._past[job_id].summary, now))

    def _change(self, job_id: str, **changes: object) -> None:
        """One event for each change of a status, and none for none."""
        seen = self._active.get(job_id)
        if seen is None:
            return
        status = replace(seen.status, **changes)  # type: ignore[arg-type]
        if status != seen.status:
            self._active[job_id] = replace(seen, status=status)
            self._publish(JobStatusEvent(status))

    def _forget_oldest(self) -> None:
        while len(self._past) > KEPT:
            self._past.popitem(last=False)


def _end(job: Job, error: BaseException | None) -> tuple[JobState, JobStateReason]:
    """How a job ended and why."""
    if error is None:
        is_altered = any(outcome.override for outcome in job.parameters)
        return "Completed", "JobCompletedWithWarnings" if is_altered else "None"
    for kinds, reason in _REASONS:
        if isinstance(error, kinds):
            return "Aborted", reason
    return ("Canceled", "JobCanceledAtDevice") if _is_cancel(error) else ("Aborted", "ScannerStopped")


def _is_cancel(error: BaseException) -> bool:
    return isinstance(error, Cancelled) or not isinstance(error, Exception)


def _past_status(job: Job) -> JobStatus:
    """Of a job that was scanned before the device was started. One that was broken off then has what it has."""
    if job.state is Progress.CANCELED and job.acquired is None:
        state, reason = _end(job, Cancelled(""))
    elif job.acquired is None and job.state is Progress.FAILED:
        state, reason = _end(job, ScannerError(""))
    else:
        state, reason = _end(job, None)
    completed = job.acquired or job.finished or job.created
    return JobStatus(job.number, state, (reason,), len(job.pages), job.created, completed)


def _ticket(job: Job) -> ScanTicket:
    """As it was asked for; of jobs from before it was kept, only whose they are."""
    try:
        return ticket_reader.parse_any(xml.parse(job.ticket.encode(), limit=MAX_INSTRUCTIONS_OCTETS))
    except XmlError:
        return ScanTicket(job.process_name, job.user)
