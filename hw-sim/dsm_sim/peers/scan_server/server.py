"""The simulated scan server as a whole: its jobs, subscribers and report, and when it listens."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
import uuid
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from dsm_sim.peers.scan_server import happenings
from dsm_sim.peers.scan_server.connection import Listener, Request
from dsm_sim.peers.scan_server.discovery import Identity
from dsm_sim.peers.scan_server.envelope import SeenIds
from dsm_sim.peers.scan_server.eventing import EventingService
from dsm_sim.peers.scan_server.events import EventSource
from dsm_sim.peers.scan_server.held_folder import HeldFolder
from dsm_sim.peers.scan_server.jobs import Clock, Document, Job, JobBook, JobState, ShiftedClock
from dsm_sim.peers.scan_server.listening import Listening
from dsm_sim.peers.scan_server.operations import ProcessingService
from dsm_sim.peers.scan_server.options import ScanServerOptions
from dsm_sim.peers.scan_server.plan import Fault, Plan
from dsm_sim.peers.scan_server.processing import TIMED_OUT, Processor
from dsm_sim.peers.scan_server.report import JobReport, Report, Traffic, job_report, subscription_report
from dsm_sim.peers.scan_server.rules import Notes, Violations
from dsm_sim.peers.scan_server.site import Site, site_settings
from dsm_sim.peers.scan_server.sockets import Port
from dsm_sim.peers.scan_server.subscriptions import Subscriptions
from dsm_sim.peers.scan_server.tls import own_credentials, tls_context
from dsm_sim.peers.scan_server.web import WebPage

_LOG: Final = logging.getLogger(__name__)
_TICK_S: Final = 1.0
#: The newest internal errors stand in the report.
_KEPT_ERRORS: Final = 100
#: What events may take before a report is made without them.
_EVENTS_S: Final = 1.0


class ScanServer:
    """``async with ScanServer(options) as server``; see :func:`running_scan_server` for other threads.

    Entering raises OSError where the address cannot be bound or another server uses the output folder.
    """

    def __init__(self, options: ScanServerOptions) -> None:
        self.options = options
        self.output: Path = options.out.absolute()
        self.port = 0
        self.fqdn = options.names[0]
        self._incoming = self.output / "incoming"
        self._clock: Clock = ShiftedClock(options.clock, options.clock_offset_s)
        self._violations = Violations()
        self._traffic = Traffic()
        self._internal_errors: deque[str] = deque(maxlen=_KEPT_ERRORS)
        self._book = JobBook(self._clock, options.job_timeout_s, options.job_history, options.job_history_s)
        self._seen = SeenIds()
        self._plan = Plan(options.plan)
        self._listening: Listening | None = None
        self._web = WebPage(self) if options.web_port is not None else None
        self._processing: set[asyncio.Task[None]] = set()
        self._events = self._make_events()
        self._processor = Processor(
            out=self.output,
            incoming=self._incoming,
            clock=self._clock,
            targets=options.targets,
            troubles=options.filter_troubles,
            keeps_images=options.web_port is not None,
            on_job=self._on_job,
        )

    # ------------------------------------------------------------------------------------ what it is

    @property
    def address(self) -> str:
        """The URL of the hosting device."""
        return self._identity.address

    @property
    def ca_file(self) -> Path:
        """What a client must trust (PEM)."""
        return self._credentials.ca

    @property
    def web_address(self) -> str:
        """The URL of the page for a browser, "" without one."""
        return self._web.address if self._web else ""

    @property
    def jobs(self) -> tuple[JobReport, ...]:
        """All jobs, oldest first, as they stand now."""
        return tuple(map(job_report, self._book))

    def report(self) -> Report:
        """Everything received so far."""
        subscriptions = tuple(map(subscription_report, self._events.subscriptions))
        return Report(
            address=self.address,
            output=self.output,
            connections=self._traffic.connections,
            incomplete_requests=self._traffic.incomplete,
            requests=dict(self._traffic.requests),
            jobs=self.jobs,
            subscriptions=subscriptions,
            events_sent=sum(each.sent for each in subscriptions),
            events_failed=sum(each.failed for each in subscriptions),
            violations_total=self._violations.total,
            violations=tuple(self._violations.kept),
            faults_met=self._plan.met,
            internal_errors=tuple(self._internal_errors),
        )

    def replan(self, faults: tuple[Fault, ...]) -> tuple[int, ...]:
        """Go by another plan from now on; see :meth:`Plan.replace`."""
        return self._plan.replace(faults)

    def document(self, token: str, document_id: int) -> Document | None:
        """A received image of any job, whether it is still remembered or not."""
        job = self._book.jobs.get(token)
        documents = job.documents if job else []
        return next((each for each in documents if each.document_id == document_id), None)

    async def settle(self) -> None:
        """Waits until every ended job has gone through its filters, and a little for events on their way."""
        while self._processing:
            await asyncio.wait(self._processing)
        await self._events.settle(_EVENTS_S)

    # ---------------------------------------------------------------------------------- start, stop

    async def __aenter__(self) -> Self:
        self._folder = HeldFolder(self.output)
        try:
            await self._begin()
        except BaseException:
            self._folder.release()
            raise
        self._ticker = asyncio.get_running_loop().create_task(self._tick())
        return self

    async def _begin(self) -> None:
        self._incoming.mkdir(exist_ok=True)
        self._credentials = own_credentials(self.options)
        options = self.options
        self._port = Port(options.host, options.port, has_udp=options.probe_by_udp)
        self.port = self._port.number
        self._identity = self._new_identity(options.processing_id, options.configuration_id)
        try:
            await self.start()
            if self._web:
                await self._web.start()
        except BaseException:
            await self.stop()
            self._port.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticker.cancel()
        await asyncio.gather(self._ticker, return_exceptions=True)
        if self._web:
            await self._web.stop()
        await self.stop()
        await self.settle()
        await self._events.shut_down("The scan server stops.")
        self._port.close()
        for job in self._book:
            self._processor.clear(job)
        with suppress(OSError):
            self._incoming.rmdir()  # stays where a job left images behind
        self._folder.release()

    async def start(self) -> None:
        """Listens, on the same port as before. Raises OSError where that is taken."""
        if self._listening is None:
            site = self._make_site()
            listener = self._make_listener(site)
            tls = tls_context(self.options, self._credentials)
            self._listening = await Listening.begin(self._port, site, tls, listener, self._traffic)

    async def stop(self) -> None:
        """Listens no more, and breaks off every connection. The port stays its own."""
        listening, self._listening = self._listening, None
        if listening:
            await listening.end()

    async def restart(self, *, remember: bool, orderly: bool = False) -> None:
        """Stops and starts again on the same port, with the same names and certificates.

        With memory everything goes on as if nothing had been. Without, there are no jobs and no subscriptions any
        more, and the services have other addresses; the filters of jobs that were ended still run. ``orderly``
        tells the subscribers first, whose subscriptions end with that.
        """
        await self.stop()
        if orderly:
            await self._events.shut_down("The scan server is being restarted.")
        if not remember:
            self._forget()
        await self.start()

    def _forget(self) -> None:
        unfinished = [job for job in self._book if job.state is JobState.CREATING]
        self._book.forget()
        for job in unfinished:
            shutil.rmtree(self._incoming / job.token, ignore_errors=True)
        self._events.forget()
        self._seen = SeenIds()
        self._identity = self._new_identity(None, None)

    # ------------------------------------------------------------------------------------- its parts

    def _new_identity(self, processing: uuid.UUID | None, configuration: uuid.UUID | None) -> Identity:
        return Identity(
            base=f"https://{self.fqdn}:{self.options.announced_port or self.port}",
            processing_id=processing or uuid.uuid4(),
            configuration_id=configuration or uuid.uuid4(),
        )

    def _make_events(self) -> EventSource:
        options = self.options
        return EventSource(
            subscriptions=Subscriptions(self._clock, options.subscription_limit),
            plan=self._plan,
            personality=options.personality,
            sinks=options.sinks,
            service_url=lambda: self._identity.processing_address,
            enter=self._enter,
            on_delivery=lambda subscription, delivery: options.tell(
                happenings.of_delivery(subscription, delivery)
            ),
            on_subscription=lambda subscription: options.tell(happenings.of_subscription(subscription)),
        )

    def _make_site(self) -> Site:
        options = self.options
        service = ProcessingService(
            book=self._book,
            personality=options.personality,
            incoming=self._incoming,
            processes=options.processes,
            users=options.users,
            on_job=self._on_job,
            on_page=self._on_page,
        )
        eventing = EventingService(
            book=self._events.subscriptions,
            personality=options.personality,
            service_url=self._identity.processing_address,
            longest_s=options.longest_subscription_s,
            on_change=self._events.changed,
        )
        return Site(
            settings=site_settings(options),
            identity=self._identity,
            service=service,
            eventing=eventing if options.has_events else None,
            events=self._events,
            plan=self._plan,
            traffic=self._traffic,
            incoming=self._incoming,
            enter=self._enter,
            over=self._request_over,
            failed=self._failed,
            seen=self._seen,
        )

    def _make_listener(self, site: Site) -> Listener:
        return Listener(
            respond=site.respond,
            respond_malformed=site.respond_malformed,
            incomplete=self._count_incomplete,
            failed=self._failed,
            monotonic=self._clock.monotonic,
            now=self._clock.now,
            read_rate=self.options.read_rate,
            idle_timeout_s=self.options.idle_timeout_s,
        )

    # ------------------------------------------------------------------------------------ what happens

    def _count_incomplete(self) -> None:
        self._traffic.incomplete += 1

    def _failed(self, operation: str, error: Exception) -> None:
        """An error of the server's own, or of the machine that it runs on."""
        happening = happenings.of_internal_error(operation, error)
        self._internal_errors.append(f"{operation or 'a request'}: {happening['detail']}")
        if not isinstance(error, OSError):
            _LOG.error("the simulated scan server failed in %s", operation or "a request", exc_info=error)
        self.options.tell(happening)

    def _request_over(self, request: Request) -> None:
        if request.operation:
            self.options.tell(happenings.of_request(request, time.monotonic()))

    def _enter(self, notes: Notes) -> None:
        for violation in notes.enter(self._violations, self._clock.now()):
            self.options.tell(happenings.of_violation(violation))

    def _on_job(self, job: Job) -> None:
        self.options.tell(happenings.of_job(job))
        if not job.is_forgotten:
            self._events.job_changed(job)
        if job.state is JobState.PENDING:
            self._start_processing(job)
        elif job.is_final and job.state is not JobState.COMPLETED:
            shutil.rmtree(self._incoming / job.token, ignore_errors=True)

    def _on_page(self, job: Job, document: Document) -> None:
        self.options.tell(happenings.of_page(job, document))
        self._events.job_changed(job)

    def _start_processing(self, job: Job) -> None:
        task = asyncio.get_running_loop().create_task(self._processor.process(job))
        self._processing.add(task)
        task.add_done_callback(self._processing.discard)

    async def _tick(self) -> None:
        while True:
            self.expire_jobs()
            await asyncio.sleep(_TICK_S)

    def expire_jobs(self) -> None:
        """Completes the jobs whose time is up; their images, if any, still go through the filters."""
        for job in self._book.overdue():
            state = JobState.PENDING if job.documents else JobState.COMPLETED
            job.become(state, self._clock.now(), TIMED_OUT)
            self._on_job(job)
