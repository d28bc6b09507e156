"""What happens to an ended job: its filters run one after the other, then it is completed.

Source: WS-DSP EndPostScanJob; MS-BDSRR 2.2 (ContinueOnError), 3.1.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dsm_sim.peers.scan_server.filters import Batch, FilterError, run_filter
from dsm_sim.peers.scan_server.jobs import Clock, FilterRun, FilterState, Job, JobState

TIMED_OUT: Final = "PostScanJobTimedOut"


async def process(job: Job, out: Path, incoming: Path, clock: Clock, on_job: Callable[[Job], None]) -> None:
    """Takes a job from Pending to its end. ``incoming`` is the folder of received images.

    The images stay there only where a filter failed.
    """
    ending = job.reason
    job.become(JobState.PROCESSING, clock.now(), ending)
    on_job(job)
    batch = Batch(job.user, job.instructions.root_name, tuple(job.documents), out, clock.now())
    for run in job.filters:
        if job.is_final:  # cancelled meanwhile
            return
        if _has_failed(job) and not job.instructions.continue_on_error:
            run.state = FilterState.CANCELED
        else:
            await _run(job, run, batch, on_job)
    if not job.is_final:
        failed = _has_failed(job)
        success = "PostScanJobCompletedWithErrors" if failed else "PostScanJobCompletedSuccessfully"
        job.become(JobState.COMPLETED, clock.now(), TIMED_OUT if ending == TIMED_OUT else success)
        on_job(job)
        if not failed:
            shutil.rmtree(incoming / job.token, ignore_errors=True)


async def _run(job: Job, run: FilterRun, batch: Batch, on_job: Callable[[Job], None]) -> None:
    run.state = FilterState.PROCESSING
    on_job(job)
    try:
        run.targets = await asyncio.to_thread(run_filter, run.dialect, run.config, batch)
        outcome, reason = FilterState.COMPLETED, ""
    except FilterError as error:
        outcome, reason = FilterState.ERRORS, str(error)
    if run.state is FilterState.PROCESSING:  # else it was cancelled; what is delivered stays
        run.state, run.reason = outcome, reason


def _has_failed(job: Job) -> bool:
    return any(run.state is FilterState.ERRORS for run in job.filters)
