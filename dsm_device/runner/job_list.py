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
    """One job with all that is known of it: ``bytes`` of all pages, ``left_out`` its blank ones,
    ``final_parameters`` what became of each element of the ticket (WS-Scan, DocumentFinalParameters)."""

    format: str = ""
    left_out: tuple[int, ...] = ()
    final_parameters: tuple[Outcome, ...] = ()
    bytes: int = 0
    retries: int = 0
    finished: str = ""

    @classmethod
    def of(cls, job: Job) -> JobDetails:
        short = asdict(JobDescription.of(job))
        left_out = tuple(page.n for page in job.pages if page.left_out)
        finished = job.finished.astimezone().isoformat(timespec="seconds") if job.finished else ""
        return cls(
            **short,
            format=job.format,
            bytes=job.bytes,
            retries=job.retries,
            finished=finished,
            left_out=left_out,
            final_parameters=job.parameters,
        )


def listed(spool: Spool) -> list[JobDescription]:
    """The history and what lies in the spool, oldest first. Raises ``SpoolError``."""
    found = [JobDescription.of(job) for job in spool.all_jobs()]
    return [*found, *(_damaged(job_id, str(error)) for job_id, error in spool.damaged())]


def details(spool: Spool, job_id: str) -> JobDetails:
    """One job. Raises ``SpoolError`` where there is none of that identifier."""
    past = next((job for job in spool.history() if job.id == job_id), None)
    return JobDetails.of(past or spool.find(job_id).job)


def _damaged(job_id: str, error: str) -> JobDescription:
    """A folder whose record tells nothing any more."""
    return JobDescription(job_id, "", "", "damaged", 0, 0, "", error)
