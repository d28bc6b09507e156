"""The commands' orders to a running agent, in the words of :class:`~dsm_device.app.Device`."""

from __future__ import annotations

from collections.abc import Sequence

from dsm_device.runner.attendant import Attendant
from dsm_device.runner.control_client import RemoteService
from dsm_device.runner.events import Listener
from dsm_device.runner.interrupts import run_cancellable
from dsm_device.runner.job_list import JobDescription, JobDetails
from dsm_device.runner.order import ScanOrder


class AtAgent:
    """Every method raises :class:`~dsm_device.errors.DsmError`; Ctrl-C and SIGTERM abort what it waits for."""

    def __init__(self, agent: RemoteService) -> None:
        self._agent = agent

    def scan(self, order: ScanOrder, listener: Listener, attendant: Attendant) -> None:
        run_cancellable(self._agent.scan(order, listener, attendant))

    def jobs(self) -> list[JobDescription]:
        return run_cancellable(self._agent.jobs())

    def job(self, job_id: str) -> JobDetails:
        return run_cancellable(self._agent.job(job_id))

    def restore_pages(self, job_id: str, pages: Sequence[int]) -> None:
        run_cancellable(self._agent.restore(job_id, pages))

    def retry_job(self, job_id: str, listener: Listener) -> None:
        run_cancellable(self._agent.retry(job_id, listener))

    def cancel_job(self, job_id: str, listener: Listener) -> None:
        run_cancellable(self._agent.cancel(job_id, listener))
