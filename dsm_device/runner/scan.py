"""One push scan from the first row to EndPostScanJob.

Two tasks run side by side: :meth:`PushScan._acquire` commits pages to the spool as the scanner delivers them,
:class:`~.delivery.Delivery` takes them to the server. Neither waits for the other: a slow server does not slow
the feeder, and the first page goes out while the second is being scanned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dsm_device.acquisition.messages import PageAcquired, PageStarted, Progress
from dsm_device.acquisition.process import Acquisition
from dsm_device.errors import Cancelled, ScannerError, ServerError, SpoolError
from dsm_device.hardware import OptionValue
from dsm_device.imaging.formats import FORMATS
from dsm_device.job.model import JobState
from dsm_device.job.plan import Plan
from dsm_device.spool import JobFolder, Spool

from .delivery import Delivery, RetryPolicy
from .events import JobCreated, Listener, PageArriving, PageSpooled, StateChanged, Warned
from .scan_order import PreparedScan

if TYPE_CHECKING:
    from dsm_device.client.scan_server import ScanServer  # httpx takes as long to load as a scanner to open


@dataclass(frozen=True, slots=True)
class ScannerChoice:
    """Which scanner to use, as in the section ``scanner`` of the configuration."""

    driver: str
    device: str
    options: Mapping[str, OptionValue]


class PushScan:
    """Scans one job and delivers it. :meth:`cancel` may be called at any moment while :meth:`run` runs."""

    def __init__(
        self, acquisition: Acquisition, spool: Spool, server: ScanServer, retry: RetryPolicy, listener: Listener
    ) -> None:
        self._acquisition = acquisition
        self._spool = spool
        self._server = server
        self._retry = retry
        self._listener = listener
        self._cancelled = asyncio.Event()

    def cancel(self) -> None:
        """The user does not want this job any more."""
        self._cancelled.set()
        self._acquisition.cancel()

    async def run(self, prepared: PreparedScan, scanner: ScannerChoice) -> None:
        """Raises ``ScannerError``, ``SpoolError``, ``ServerError`` or ``Cancelled``.

        Pages stay in the spool after all but ``Cancelled``.
        """
        await asyncio.to_thread(self._spool.check_room)
        with self._spool.scratch() as scratch:
            capabilities = await self._acquisition.open(
                scanner.driver, scanner.device, scanner.options, Path(scratch)
            )
            plan = prepared.plan(capabilities)
            folder = await asyncio.to_thread(self._spool.create, prepared.job(plan))
            self._listener(JobCreated(folder.job.id, folder.job.process_name, plan.notes))
            await self._scan(plan, folder)

    async def _scan(self, plan: Plan, folder: JobFolder) -> None:
        delivery = Delivery(folder, self._server, self._retry, self._listener)
        delivering = asyncio.create_task(delivery.run())
        try:
            await self._acquire(plan, folder, delivery)
            token = await self._delivered(delivering)
        except ServerError as error:
            await asyncio.to_thread(folder.set_state, JobState.SPOOLED, str(error))
            self._listener(Warned(_whereabouts(folder)))
            raise
        except BaseException as error:
            self._acquisition.cancel()  # first of all: no sheet is to move that nobody wants
            await delivery.stop(delivering)
            await self._abandon(folder, delivery, error)
            raise
        await delivery.finish(token)

    # ------------------------------------------------------------------------------------ acquisition

    async def _acquire(self, plan: Plan, folder: JobFolder, delivery: Delivery) -> None:
        self._listener(StateChanged("device", JobState.ACQUIRING))
        heights: dict[int, int | None] = {}
        async for report in self._acquisition.scan(plan.settings, plan.sides[0], folder.path):
            match report:
                case PageStarted():
                    heights[report.n] = report.frame.height_px
                case Progress():
                    self._listener(PageArriving(report.n, report.rows, heights[report.n]))
                case PageAcquired():
                    await self._commit(report, folder)
                    await delivery.page_arrived()
        if not folder.job.pages:
            raise ScannerError("the scanner ended without delivering a page")
        await asyncio.to_thread(folder.set_state, JobState.SPOOLED)
        self._listener(StateChanged("device", JobState.SPOOLED))
        await delivery.all_arrived()

    async def _commit(self, report: PageAcquired, folder: JobFolder) -> None:
        format_name = folder.job.format
        page = await asyncio.to_thread(folder.commit_page, report.n, report.path, FORMATS[format_name].suffix)
        self._listener(PageSpooled(page.n, page.bytes, format_name, report.times))
        if report.missing_rows:
            self._listener(
                Warned(f"page {page.n} came short: its last {report.missing_rows} lines are left white")
            )
        await asyncio.to_thread(self._spool.check_room)

    # ---------------------------------------------------------------------------------------- the end

    async def _delivered(self, delivering: asyncio.Task[str]) -> str:
        """Wait for the delivery, unless the user cancels first."""
        cancelled = asyncio.create_task(self._cancelled.wait())
        await asyncio.wait({delivering, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        if not delivering.done():
            raise Cancelled("the scan was cancelled")
        cancelled.cancel()
        return await delivering

    async def _abandon(self, folder: JobFolder, delivery: Delivery, error: BaseException) -> None:
        """Nothing of a job that failed at the scanner is mailed: cancel it at the server, keep its pages here."""
        await delivery.cancel()
        if isinstance(error, Cancelled) or not folder.job.pages:
            await delivery.remove()
        else:
            with suppress(SpoolError):
                await asyncio.to_thread(folder.set_state, JobState.FAILED, str(error))
            self._listener(Warned(_whereabouts(folder)))


def _whereabouts(folder: JobFolder) -> str:
    pages = len(folder.job.pages)
    return f"{pages} scanned pages are kept in {folder.path}; `dsm-device jobs retry {folder.job.id}` sends them"
