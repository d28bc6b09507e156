"""What happens to an ended job: its filters run one after the other, then it is completed.

Source: WS-DSP EndPostScanJob; MS-BDSRR 2.2 (ContinueOnError), 3.1.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dsm_sim.peers.scan_server.filters import (
    FILTER_DIALECTS,
    Batch,
    FilterError,
    FilterTrouble,
    FilterTroubles,
    Targets,
    run_filter,
)
from dsm_sim.peers.scan_server.jobs import Clock, FilterRun, FilterState, Job, JobState

TIMED_OUT: Final = "PostScanJobTimedOut"


@dataclass(frozen=True, kw_only=True)
class Processor:
    """``incoming`` is the folder of received images, ``out`` takes what has no target of its own.

    ``keeps_images`` leaves the images of a delivered job where they are until :meth:`clear`.
    """

    out: Path
    incoming: Path
    clock: Clock
    targets: Targets
    troubles: FilterTroubles
    keeps_images: bool
    on_job: Callable[[Job], None]

    async def process(self, job: Job) -> None:
        """Takes a job from Pending to its end. The images of a job with a failed filter are kept."""
        ending = job.reason
        for state in (JobState.STARTED, JobState.PROCESSING):
            job.become(state, self.clock.now(), ending)
            self.on_job(job)
        await self._run_all(job)
        if job.is_final:  # cancelled meanwhile
            return
        failed = _has_failed(job)
        success = "PostScanJobCompletedWithErrors" if failed else "PostScanJobCompletedSuccessfully"
        job.become(JobState.COMPLETED, self.clock.now(), TIMED_OUT if ending == TIMED_OUT else success)
        self.on_job(job)
        if not self.keeps_images:
            self.clear(job)

    def clear(self, job: Job) -> None:
        """Removes the images of a job that was delivered as a whole."""
        if job.state is JobState.COMPLETED and not _has_failed(job):
            shutil.rmtree(self.incoming / job.token, ignore_errors=True)

    async def _run_all(self, job: Job) -> None:
        now = self.clock.now()
        batch = Batch(job.user, job.instructions.root_name, tuple(job.documents), self.out, now, self.targets)
        for run in job.filters:
            if job.is_final:
                return
            if _has_failed(job) and not job.instructions.continue_on_error:
                run.state = FilterState.CANCELED
            else:
                await self._run(job, run, batch)

    async def _run(self, job: Job, run: FilterRun, batch: Batch) -> None:
        run.state = FilterState.PROCESSING
        self.on_job(job)
        try:
            await self._trouble(run)
            await asyncio.to_thread(_deliver, run, batch)
            outcome, reason = FilterState.COMPLETED, ""
        except FilterError as error:
            outcome, reason, run.detail = FilterState.ERRORS, str(error), error.detail
        if run.is_at_work:  # else it was cancelled; what is delivered stays
            run.state, run.reason = outcome, reason
            self.on_job(job)

    async def _trouble(self, run: FilterRun) -> None:
        """What was planned for the filter."""
        planned = {FILTER_DIALECTS[name]: trouble for name, trouble in self.troubles.items()}
        trouble = planned.get(run.dialect, FilterTrouble())
        await asyncio.sleep(trouble.delay_s)
        if trouble.reason:
            raise FilterError(trouble.reason, "as planned")


def _deliver(run: FilterRun, batch: Batch) -> None:
    """On a thread of its own. Stops between two documents when the job is cancelled."""
    places = run_filter(run.dialect, run.config, batch)
    while run.is_at_work and (place := next(places, None)):
        run.targets.append(place)


def _has_failed(job: Job) -> bool:
    return any(run.state is FilterState.ERRORS for run in job.filters)
