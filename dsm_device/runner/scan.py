"""One push scan from the first row to EndPostScanJob.

Two tasks run side by side: :meth:`PushScan._acquire` borrows the scanner and commits pages to the spool as it
delivers them, :class:`~.delivery.Delivery` takes them to the server. Neither waits for the other: a slow server
does not slow the feeder, and the first page goes out while the second is being scanned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from dsm_device.errors import Cancelled, ScannerError, ServerError, SpoolError
from dsm_device.job.plan import Plan
from dsm_device.job.states import JobEvent, JobState
from dsm_device.spool import JobFolder, Spool

from .attendant import Attendant, Choice
from .delivery import CANCEL_LIMIT_S, Delivery, FreshInstructions, RetryPolicy
from .event_board import EventSource
from .events import (
    Event,
    JobCreated,
    Listener,
    PageArriving,
    PageLeftOut,
    PageSpooled,
    StateChanged,
    Warned,
)
from .intake import Intake
from .redelivery import cancel_for_good, note_failure
from .scan_observer import ScanObserver
from .scan_order import PreparedScan
from .scanner_keeper import Lent, ScannerKeeper
from .two_passes import TwoPasses

if TYPE_CHECKING:
    from dsm_device.client.scan_server import ScanServer  # httpx takes as long to load as a scanner to open

T = TypeVar("T")

#: How long a device that is being stopped waits for the server, twice at most.
INTERRUPTED_LIMIT_S = 0.9


class PushScan:
    """Scans one job and delivers it. :meth:`cancel` may be called at any moment while :meth:`run` runs."""

    def __init__(
        self,
        keeper: ScannerKeeper,
        spool: Spool,
        server: ScanServer,
        retry: RetryPolicy,
        listener: Listener,
        *,
        attendant: Attendant,
        events: EventSource | None = None,
        patient: bool = False,
        fresh_instructions: FreshInstructions | None = None,
        observer: ScanObserver | None = None,
    ) -> None:
        """``events``, ``patient`` and ``fresh_instructions`` as for :class:`~.delivery.Delivery`."""
        self._observer = observer or ScanObserver()
        self._fresh_instructions = fresh_instructions
        self._events = events
        self._patient = patient
        self._interrupted = False
        self._keeper = keeper
        self._lent: Lent | None = None
        self._releasing: asyncio.Task[None] | None = None
        self._spool = spool
        self._server = server
        self._retry = retry
        self._listener = listener
        self._attendant = attendant
        self._cancelled = asyncio.Event()

    def cancel(self) -> None:
        """The user does not want this job any more."""
        self._cancelled.set()
        self._stop_scanner()

    def interrupt(self) -> None:
        """The device is stopped: scan no further, and keep what there is for the next start."""
        self._interrupted = True
        self.cancel()

    async def run(self, prepared: PreparedScan) -> None:
        """Raises ``ScannerError``, ``SpoolError``, ``ServerError`` or ``Cancelled``.

        Pages stay in the spool after all but ``Cancelled``.
        """
        await asyncio.to_thread(self._spool.check_room)
        async with AsyncExitStack() as scanner:
            lent = self._lent = await self._borrowed(scanner)
            plan = prepared.plan(lent.capabilities)
            folder = await asyncio.to_thread(self._spool.create, prepared.job(plan))
            self._listener(JobCreated(folder.job.id, folder.job.process_name, folder.job.parameters))
            try:
                await self._scan(plan, folder, lent, scanner)
            finally:
                folder.release()
                if self._releasing is not None:
                    await self._releasing

    async def _scan(self, plan: Plan, folder: JobFolder, lent: Lent, scanner: AsyncExitStack) -> None:
        """``scanner`` is what gives ``lent`` back: done as soon as its part is over, delivery may take hours."""
        # What may still be put in between waits; a post-scan job that was begun would be closed meanwhile.
        in_order = not plan.two_pass and not any(side.treatment.judge_blank for side in plan.sides)
        delivery = Delivery(
            folder,
            self._server,
            self._retry,
            self._listener,
            in_order=in_order,
            events=self._events,
            patient=self._patient,
            fresh_instructions=self._fresh_instructions,
        )
        delivering = asyncio.create_task(delivery.run())
        try:
            await self._acquire_watched(plan, folder, delivery, lent)
            self._lent = None
            # Beside the delivery: a driver may take its time.
            self._releasing = asyncio.create_task(scanner.aclose())
            await self._complete(folder, delivery)
            token = await self._delivered(delivering)
        except ServerError as error:
            await asyncio.to_thread(note_failure, folder, error)
            self._listener(Warned(_whereabouts(folder)))
            raise
        except BaseException as error:
            self._stop_scanner()  # first of all: no sheet is to move that nobody wants
            limit_s = INTERRUPTED_LIMIT_S if self._interrupted else CANCEL_LIMIT_S
            await delivery.stop(delivering, limit_s)
            await self._abandon(folder, delivery, error, limit_s)
            raise
        await self._finish(delivery, token)

    # ------------------------------------------------------------------------------------ acquisition

    async def _borrowed(self, scanner: AsyncExitStack) -> Lent:
        try:
            return await self._until_cancelled(scanner.enter_async_context(self._keeper.lend()))
        except ScannerError as error:
            self._observer.refused(error)
            raise

    def _stop_scanner(self) -> None:
        if self._lent is not None:
            self._lent.cancel()

    async def _acquire_watched(self, plan: Plan, folder: JobFolder, delivery: Delivery, lent: Lent) -> None:
        self._observer.began(folder.job, plan)
        try:
            await self._acquire(plan, folder, delivery, lent)
        except BaseException as error:
            self._observer.ended(folder.job.id, error)
            raise
        self._observer.ended(folder.job.id, None)

    async def _acquire(self, plan: Plan, folder: JobFolder, delivery: Delivery, lent: Lent) -> None:
        watched = _Watched(self._observer, folder.job.id, self._listener, self._attendant)
        watched.tell(StateChanged("device", JobState.ACQUIRING))
        intake = Intake(
            lent,
            folder,
            self._spool,
            watched.tell,
            on_page=delivery.page_arrived,
            attendant=watched,
            until_cancelled=self._until_cancelled,
        )
        if plan.two_pass:
            await TwoPasses(intake, watched, self._listener, self._until_cancelled).run(plan)
        else:
            await intake.take(plan.settings, plan.sides)
        if not folder.job.pages:
            raise ScannerError("the scanner ended without delivering a page")

    async def _complete(self, folder: JobFolder, delivery: Delivery) -> None:
        """All pages are there: what is delivered of them is settled."""
        await self._review(folder)
        await asyncio.to_thread(folder.all_pages_in)
        self._listener(StateChanged("device", JobState.SPOOLED))
        await delivery.all_arrived()

    async def _review(self, folder: JobFolder) -> None:
        """Let the user look at the blank pages before the job goes without them."""
        blank = [page.n for page in folder.job.pages if page.left_out]
        if blank:
            wanted = await self._until_cancelled(self._attendant.keep_blank(blank))
            if wanted:
                await asyncio.to_thread(folder.restore_pages, wanted)
        if not folder.job.kept:
            raise ScannerError(
                "every page is blank, so there is nothing to deliver",
                f"`dsm-device jobs restore {folder.job.id} {blank[0]}` and `jobs retry` deliver one all the same",
            )

    async def _until_cancelled(self, waiting: Coroutine[Any, Any, T]) -> T:
        """What ``waiting`` gives. Raises ``Cancelled`` if the user cancels first."""
        task = asyncio.create_task(waiting)
        cancelled = asyncio.create_task(self._cancelled.wait())
        try:
            await asyncio.wait({task, cancelled}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Cancelled("the scan was cancelled")
            return await task
        finally:
            cancelled.cancel()
            task.cancel()
            await asyncio.wait({task})  # what it holds is released

    # ---------------------------------------------------------------------------------------- the end

    async def _delivered(self, delivering: asyncio.Task[str]) -> str:
        """Wait for the delivery, unless the user cancels first."""
        return await self._until_cancelled(_result(delivering))

    async def _finish(self, delivery: Delivery, token: str) -> None:
        """Hear what the server makes of it. A cancel that comes now still goes there, and the server decides."""
        finishing = asyncio.create_task(delivery.finish(token))
        try:
            await self._until_cancelled(_result(finishing))
        except (Cancelled, asyncio.CancelledError):
            if self._interrupted:
                finishing.cancel()
                raise
            await delivery.cancel_ended(token)
            await finishing

    async def _abandon(self, folder: JobFolder, delivery: Delivery, error: BaseException, limit_s: float) -> None:
        """Nothing of a job that failed at the scanner is mailed: cancel it at the server, keep its pages here."""
        is_cancelled = isinstance(error, Cancelled | asyncio.CancelledError)
        if is_cancelled and not (self._interrupted and folder.job.kept):
            return await cancel_for_good(folder, delivery, limit_s)
        await delivery.cancel(limit_s)
        if is_cancelled:
            if folder.job.state is JobState.ENDING:
                return None  # whether the end has arrived is asked for at the next start
            with suppress(SpoolError):
                await asyncio.to_thread(folder.apply, JobEvent.POSTPONED, "the device was stopped meanwhile")
        elif not folder.job.pages:
            await delivery.remove(JobEvent.CANCELED)
        else:
            with suppress(SpoolError):
                await asyncio.to_thread(folder.apply, JobEvent.SCANNER_FAILED, str(error))
            if folder.job.kept:  # of nothing but blank pages the error itself says what to do
                self._listener(Warned(_whereabouts(folder)))
        return None


class _Watched:
    """A listener and an attendant of whom the observer hears what matters to it."""

    def __init__(self, observer: ScanObserver, job_id: str, listener: Listener, attendant: Attendant) -> None:
        self._observer = observer
        self._job_id = job_id
        self._listener = listener
        self._attendant = attendant

    def tell(self, event: Event) -> None:
        match event:
            case PageArriving():
                self._observer.arriving()
            case PageSpooled() | PageLeftOut():
                self._observer.image(self._job_id)
            case _:
                pass
        self._listener(event)

    async def obstacle(self, error: ScannerError, pages: int) -> Choice:
        self._observer.waits(self._job_id, error)
        return await self._attendant.obstacle(error, pages)

    async def turn_stack(self, sheets: int) -> None:
        await self._attendant.turn_stack(sheets)

    async def keep_blank(self, pages: Sequence[int]) -> Collection[int]:
        return await self._attendant.keep_blank(pages)


async def _result(delivering: asyncio.Task[T]) -> T:
    """The result of a task that goes on if nobody waits for it any more."""
    return await asyncio.shield(delivering)


def _whereabouts(folder: JobFolder) -> str:
    pages = len(folder.job.kept)
    return f"{pages} scanned pages are kept in {folder.path}; `dsm-device jobs retry {folder.job.id}` sends them"
