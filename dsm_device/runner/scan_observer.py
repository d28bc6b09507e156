"""Who watches the acquisition of jobs: nobody, or the console's desk."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec

from dsm_device.errors import ScannerError
from dsm_device.job.model import Job
from dsm_device.job.plan import Plan

_log = logging.getLogger(__name__)

P = ParamSpec("P")


def harmless(method: Callable[P, None]) -> Callable[P, None]:
    """``method``, of which no defect reaches the job that is watched: it is logged instead."""

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except Exception:
            _log.exception("a job cannot be watched (%s)", method.__name__)

    return guarded


class ScanObserver:
    """Hears of each job as it happens and must not hold it up. This one does nothing with it.

    A job that has :meth:`began` has :meth:`ended` as well: with None where its last image is in the spool, else
    with what broke it off. Delivery is another matter, and goes on beside it and afterwards.
    """

    def refused(self, error: ScannerError) -> None:
        """The scanner could not be had for a job."""

    def began(self, job: Job, plan: Plan) -> None:
        """The job has the scanner, and its folder."""

    def arriving(self) -> None:
        """Lines of an image have come."""

    def image(self, job_id: str) -> None:
        """A further image of the job is in the spool."""

    def waits(self, job_id: str, error: ScannerError) -> None:
        """A person has to do something before the job goes on."""

    def ended(self, job_id: str, error: BaseException | None) -> None:
        """The scanner has done its part."""
