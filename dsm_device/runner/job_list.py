"""Jobs as people and scripts see them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dsm_device.job.outcome import Outcome

if TYPE_CHECKING:  # a client of the agent shows jobs without a spool
    from dsm_device.job.model import Job
    from dsm_device.spool import Spool


@dataclass(frozen=True, slots=True)
class JobDescription:
    """A job in the spool; ``created`` is ISO 8601."""

    id: str
    process: str
    user: str
    state: str
    pages: int
    sent: int
    created: str
    error: str

    @classmethod
    def of(cls, job: Job) -> JobDescription:
        created = job.created.astimezone().isoformat(timespec="seconds")
        return cls(job.id, job.process_name, job.user, job.state, len(job.kept), job.sent, created, job.error)


@dataclass(frozen=True, slots=True)
class JobDetails(JobDescription):
    """One job with all that is known of it: ``left_out`` are its blank pages, ``final_parameters`` what became of
    each element of the ticket (WS-Scan, DocumentFinalParameters)."""

    format: str = ""
    left_out: tuple[int, ...] = ()
    final_parameters: tuple[Outcome, ...] = ()

    @classmethod
    def of(cls, job: Job) -> JobDetails:
        short = asdict(JobDescription.of(job))
        left_out = tuple(page.n for page in job.pages if page.left_out)
        return cls(**short, format=job.format, left_out=left_out, final_parameters=job.parameters)


def listed(spool: Spool) -> list[JobDescription]:
    """What lies in the spool, oldest first. Raises ``SpoolError``."""
    jobs = sorted((folder.job for folder in spool.jobs()), key=lambda job: job.created)
    return [JobDescription.of(job) for job in jobs]


def details(spool: Spool, job_id: str) -> JobDetails:
    """One job. Raises ``SpoolError`` where there is none of that identifier."""
    return JobDetails.of(spool.find(job_id).job)
