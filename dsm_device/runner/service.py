"""What can be asked of the device, wherever it runs: in this process, or in an agent behind a socket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .attendant import Attendant
from .events import Listener
from .job_list import JobDescription, JobDetails
from .order import ScanOrder


class Service(Protocol):
    """Every coroutine raises :class:`~dsm_device.errors.DsmError` where it cannot do what it is asked for.

    Cancelling the task that awaits :meth:`scan` or :meth:`retry` cancels the job; ``Cancelled`` is raised when
    that has reached the scan server, as well as it can.
    """

    async def scan(self, order: ScanOrder, listener: Listener, attendant: Attendant) -> None:
        """One push scan; returns when the job has been delivered."""
        ...

    async def retry(self, job_id: str, listener: Listener) -> None:
        """Deliver what a job has in the spool."""
        ...

    async def cancel(self, job_id: str, listener: Listener) -> None:
        """Cancel a job wherever it is, and delete its pages."""
        ...

    async def restore(self, job_id: str, pages: Sequence[int]) -> None:
        """Let blank pages that were left out be part of the job again."""
        ...

    async def jobs(self) -> list[JobDescription]:
        """What lies in the spool, oldest first."""
        ...

    async def job(self, job_id: str) -> JobDetails: ...
