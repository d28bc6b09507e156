"""The agent: one scanner, many jobs, and every page of them delivered sooner or later.

A scan runs as the task of whoever asked for it. What it could not deliver, and what an earlier agent left in the
spool, is taken over by a *courier*, a task for each job, which tries again and again with growing waits. Couriers
of one scan server share its connections and a few places, so that a server that is slow or dead holds up neither
the scanner nor the jobs of another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from dsm_device.directory.port import Directory
from dsm_device.errors import Cancelled, DsmError, ServerError, SpoolError
from dsm_device.job.habits import Habits
from dsm_device.job.model import Job
from dsm_device.job.states import JobEvent
from dsm_device.spool import JobFolder, Spool

from .attendant import Attendant
from .delivery import Delivery, RetryPolicy
from .event_board import EventSource
from .events import Event, JobCreated, Listener, Warned
from .job_list import JobDescription, JobDetails, details, listed
from .redelivery import cancel_for_good, redeliver
from .scan import PushScan
from .scan_observer import ScanObserver
from .scan_order import ScanOrder, fresh_instructions, prepare
from .scanner_keeper import ScannerKeeper

if TYPE_CHECKING:
    from dsm_device.client.scan_server import ScanServer  # httpx takes as long to load as a scanner to open

#: Jobs that are sent to one server side by side.
PLACES_AT_A_SERVER = 3
#: How often the spool is looked through for jobs of commands that have ended without delivering them.
LOOK_ROUND_S = 60.0

#: How long what is at work may take to end when the agent is stopped; the whole of it has 5 s.
STOP_LIMIT_S = 2.0
LEAVE_LIMIT_S = 1.0

#: What happens to a job, by its identifier ("" = to none yet).
JobListener = Callable[[str, Event], None]


class Parts(Protocol):
    """What an agent is made of; the composition root makes it."""

    def directory(self, user: str = "") -> Directory: ...

    def habits(self) -> Habits: ...

    def retry_policy(self) -> RetryPolicy: ...

    def scan_server(self, repository: str) -> ScanServer: ...

    def events(self, server: ScanServer) -> AbstractAsyncContextManager[EventSource | None]: ...


@dataclass(slots=True)
class _ServerDesk:
    """A scan server with its connections, its subscription, and the places for jobs on their way to it."""

    server: ScanServer
    events: EventSource | None
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PLACES_AT_A_SERVER))


class Agent:
    """Implements :class:`~.service.Service` for as long as :meth:`run` runs."""

    def __init__(
        self,
        parts: Parts,
        spool: Spool,
        keeper: ScannerKeeper,
        tell: JobListener,
        observer: ScanObserver | None = None,
    ) -> None:
        """``tell`` hears of everything, also of what nobody waits for."""
        self._observer = observer
        self._parts = parts
        self._spool = spool
        self._keeper = keeper
        self._tell = tell
        self._retry_policy = parts.retry_policy()
        self._desks: dict[str, _ServerDesk] = {}
        self._opening = asyncio.Lock()
        self._scans: dict[str, PushScan] = {}
        self._couriers: dict[str, asyncio.Task[None]] = {}
        self._orders: dict[asyncio.Task[None], str] = {}
        self._refused: set[str] = set()
        self._exits = AsyncExitStack()
        self._stopping = False

    async def run(self, until: asyncio.Event) -> None:
        """Deliver what lies in the spool, and whatever comes, until the event. Unfinished jobs stay."""
        try:
            while not until.is_set():
                await self._look_round()
                with suppress(TimeoutError):
                    await asyncio.wait_for(until.wait(), LOOK_ROUND_S)
        finally:
            await self._stop()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._exits.aclose(), LEAVE_LIMIT_S)

    def settings_changed(self) -> None:
        """Jobs from now on go by the new ones; what was refused by the old ones is tried again."""
        self._retry_policy = self._parts.retry_policy()
        self._desks.clear()  # their connections are closed with the agent: jobs may be on their way
        self._refused.clear()
        task = asyncio.create_task(self._look_round())
        self._orders[task] = ""
        task.add_done_callback(self._orders.pop)

    async def _stop(self) -> None:
        """Every page stays; what is at work is asked to end soon, and what is not there yet does not begin."""
        self._stopping = True
        for scan in self._scans.values():
            scan.interrupt()
        waiting = [task for task, job_id in self._orders.items() if not job_id]
        for task in (*waiting, *self._couriers.values()):
            task.cancel()
        tasks = {*self._orders, *self._couriers.values()}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_LIMIT_S)
            for task in late:
                task.cancel()

    # ----------------------------------------------------------------------------------------- orders

    async def scan(self, order: ScanOrder, listener: Listener, attendant: Attendant) -> None:
        """One push scan, when the scanner is free. What cannot be delivered now is tried again later."""
        task = asyncio.create_task(self._scan(order, listener, attendant))
        self._orders[task] = ""
        task.add_done_callback(self._orders.pop)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                return task.result()  # it came too late, or failed by itself
            if self._stopping:
                raise _stopping() from None
            raise Cancelled("the scan was cancelled") from None

    async def _scan(self, order: ScanOrder, listener: Listener, attendant: Attendant) -> None:
        job_id = ""
        this = asyncio.current_task()
        assert this is not None  # noqa: S101 - scan() made it

        def tell(event: Event) -> None:
            nonlocal job_id
            if isinstance(event, JobCreated):
                job_id = event.job
                self._scans[job_id] = scan
                self._orders[this] = job_id
            listener(event)
            self._tell(job_id, event)

        prepared = prepare(order, self._parts.directory(order.user), self._parts.habits())
        desk = await self._desk(str(prepared.process.repository))
        scan = PushScan(
            self._keeper,
            self._spool,
            desk.server,
            self._retry_policy,
            tell,
            attendant=attendant,
            events=desk.events,
            patient=True,
            fresh_instructions=self._fresh_instructions,
            observer=self._observer,
        )
        try:
            await scan.run(prepared)
        except Cancelled:
            if self._stopping:
                raise _stopping(job_id) from None
            raise
        except ServerError as error:
            self._note_refusal(job_id, error)
            raise
        finally:
            self._scans.pop(job_id, None)
            if job_id:
                self._leave_to_courier(job_id, failures=1)

    async def retry(self, job_id: str, listener: Listener) -> None:
        """Deliver a job now, also one that waits for a person."""
        folder = await self._take(job_id)
        self._refused.discard(job_id)
        try:
            await self._deliver(folder, self._teller(job_id, listener))
        except ServerError as error:
            self._note_refusal(job_id, error)
            raise
        finally:
            folder.release()
            self._leave_to_courier(job_id, failures=1)

    async def cancel(self, job_id: str, listener: Listener) -> None:
        """Cancel a job wherever it is: at the scanner, on its way, or waiting."""
        if scan := self._scans.get(job_id):
            scan.cancel()
            return
        folder = await self._take(job_id)
        desk = await self._desk(folder.job.repository)
        delivery = Delivery(folder, desk.server, self._retry_policy, self._teller(job_id, listener))
        try:
            await cancel_for_good(folder, delivery)
        finally:
            folder.release()
            self._leave_to_courier(job_id, failures=1)

    async def restore(self, job_id: str, pages: Sequence[int]) -> None:
        """Let blank pages that were left out be part of the job again, from its next delivery on."""
        folder = await self._take(job_id)
        try:
            await asyncio.to_thread(folder.restore_pages, pages)
        finally:
            folder.release()

    async def jobs(self) -> list[JobDescription]:
        return await asyncio.to_thread(listed, self._spool)

    async def job(self, job_id: str) -> JobDetails:
        return await asyncio.to_thread(details, self._spool, job_id)

    # ---------------------------------------------------------------------------------------- couriers

    async def _look_round(self) -> None:
        """Give each job that waits in the spool, and that nobody works on, a courier."""
        for folder in await asyncio.to_thread(lambda: list(self._spool.jobs())):
            self._leave_to_courier(folder.job.id, failures=0)

    def _leave_to_courier(self, job_id: str, *, failures: int) -> None:
        """``failures`` that the job has just met decide how long the courier waits at first."""
        if self._stopping or job_id in self._couriers or job_id in self._scans or job_id in self._refused:
            return
        task = asyncio.create_task(self._carry(job_id, failures))
        self._couriers[job_id] = task
        task.add_done_callback(lambda _: self._forget(job_id, task))

    def _forget(self, job_id: str, task: asyncio.Task[None]) -> None:
        if self._couriers.get(job_id) is task:
            del self._couriers[job_id]

    def _note_refusal(self, job_id: str, error: ServerError) -> None:
        """What will not work by itself is not tried again before somebody asks for it, or the next start."""
        if not error.temporary:
            self._refused.add(job_id)

    async def _carry(self, job_id: str, failures: int) -> None:
        """Deliver a job, however often it takes; not one that waits for a person."""
        try:
            folder = self._spool.find(job_id)
            folder.claim()
        except SpoolError:
            return  # it is done, or another process is at it
        try:
            if not folder.job.pages:  # its acquisition ended before there was anything
                await asyncio.to_thread(folder.remove, JobEvent.CANCELED)
            while folder.job.kept and not folder.job.state.needs_person:
                if failures and not folder.job.state.is_ended:
                    await asyncio.sleep(self._retry_policy.wait_s(failures))
                failures += 1
                if await self._is_settled(folder):
                    return
        finally:
            folder.release()

    async def _is_settled(self, folder: JobFolder) -> bool:
        """Whether there is nothing more to try without a person."""
        try:
            await self._deliver(folder, self._teller(folder.job.id))
        except ServerError as error:
            self._tell(folder.job.id, Warned(str(error)))
            self._note_refusal(folder.job.id, error)
            return not error.temporary
        except DsmError as error:
            self._tell(folder.job.id, Warned(str(error)))
        return True

    async def _deliver(self, folder: JobFolder, listener: Listener) -> None:
        desk = await self._desk(folder.job.repository)
        delivery = Delivery(
            folder,
            desk.server,
            self._retry_policy,
            listener,
            events=desk.events,
            patient=True,
            fresh_instructions=self._fresh_instructions,
        )
        async with desk.places:
            is_settled = await redeliver(folder, delivery)
        if not is_settled:
            await delivery.follow_up()

    def _fresh_instructions(self, job: Job) -> str:
        return fresh_instructions(job, self._parts.directory(job.user))

    async def _take(self, job_id: str) -> JobFolder:
        """The job for whoever asks, taken from its courier."""
        if courier := self._couriers.pop(job_id, None):
            courier.cancel()
            await asyncio.gather(courier, return_exceptions=True)
        folder = self._spool.find(job_id)
        folder.claim()
        return folder

    def _teller(self, job_id: str, listener: Listener | None = None) -> Listener:
        def tell(event: Event) -> None:
            if listener is not None:
                listener(event)
            self._tell(job_id, event)

        return tell

    # ----------------------------------------------------------------------------------------- servers

    async def _desk(self, repository: str) -> _ServerDesk:
        """The one for this scan server, opened at its first job."""
        async with self._opening:
            if repository not in self._desks:
                server = self._parts.scan_server(repository)
                await self._exits.enter_async_context(server)
                events = await self._exits.enter_async_context(self._parts.events(server))
                self._desks[repository] = _ServerDesk(server, events)
            return self._desks[repository]


def _stopping(job_id: str = "") -> ServerError:
    what = f"; job {job_id} stays in the spool and goes on when it runs again" if job_id else ""
    return ServerError(f"the agent is being stopped{what}", "start it again, see `dsm-device jobs`")
