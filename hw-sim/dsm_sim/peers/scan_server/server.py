"""The simulated scan server as a whole: sockets, TLS, clock, jobs, report."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from dsm_sim.certificates import Credentials, open_authority
from dsm_sim.peers.scan_server.connection import READ_OCTETS, Connection, Listener
from dsm_sim.peers.scan_server.discovery import Identity
from dsm_sim.peers.scan_server.envelope import SeenIds
from dsm_sim.peers.scan_server.jobs import Document, Job, JobBook, JobState
from dsm_sim.peers.scan_server.misbehaviour import Plan
from dsm_sim.peers.scan_server.operations import ProcessingService
from dsm_sim.peers.scan_server.options import ScanServerOptions
from dsm_sim.peers.scan_server.processing import TIMED_OUT, process
from dsm_sim.peers.scan_server.report import JobReport, Report, Traffic, job_report
from dsm_sim.peers.scan_server.rules import Notes, Violations
from dsm_sim.peers.scan_server.site import Site, SiteSettings
from dsm_sim.peers.scan_server.sockets import (
    LOOPBACK_ADDRESSES,
    SLOW_BUFFER,
    Datagrams,
    bind_sockets,
    own_addresses,
)

_LOOPBACK: Final = frozenset({"localhost", *LOOPBACK_ADDRESSES})
_TICK_S: Final = 1.0


class ScanServer:
    """``async with ScanServer(options) as server``; see :func:`running_scan_server` for other threads.

    Entering raises OSError where the address cannot be bound.
    """

    def __init__(self, options: ScanServerOptions) -> None:
        self.options = options
        self.output: Path = options.out.absolute()
        self.port = 0
        self.fqdn = options.names[0]
        self._incoming = self.output / "incoming"
        self._violations = Violations()
        self._traffic = Traffic()
        self._book = JobBook(options.clock, options.job_timeout_s)
        self._tasks: set[asyncio.Task[None]] = set()
        self._processing: set[asyncio.Task[None]] = set()
        self._tls_folder = (options.tls or self.output / "tls").absolute()

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
    def jobs(self) -> tuple[JobReport, ...]:
        """All jobs, oldest first, as they stand now."""
        return tuple(map(job_report, self._book))

    def report(self) -> Report:
        """Everything received so far."""
        return Report(
            address=self.address,
            output=self.output,
            connections=self._traffic.connections,
            incomplete_requests=self._traffic.incomplete,
            requests=dict(self._traffic.requests),
            jobs=self.jobs,
            violations_total=self._violations.total,
            violations=tuple(self._violations.kept),
        )

    async def settle(self) -> None:
        """Waits until every ended job has gone through its filters."""
        while self._processing:
            await asyncio.wait(self._processing)

    # ---------------------------------------------------------------------------------- start, stop

    async def __aenter__(self) -> Self:
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._credentials = self._own_credentials()
        tcp, udp = bind_sockets(self.options)
        self.port = tcp.getsockname()[1]
        self._identity = Identity(
            base=f"https://{self.fqdn}:{self.port}",
            processing_id=self.options.processing_id or uuid.uuid4(),
            configuration_id=self.options.configuration_id or uuid.uuid4(),
        )
        self._site = self._make_site()
        self._listener = self._make_listener()
        loop = asyncio.get_running_loop()
        limit = SLOW_BUFFER if self.options.read_rate else READ_OCTETS
        self._server = await asyncio.start_server(self._connected, sock=tcp, ssl=self._tls_context(), limit=limit)
        self._datagrams = None
        if udp:
            self._datagrams, _ = await loop.create_datagram_endpoint(
                lambda: Datagrams(self._site.datagram), sock=udp
            )
        self._ticker = loop.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        if self._datagrams:
            self._datagrams.close()
        self._ticker.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._ticker, return_exceptions=True)
        await self.settle()
        with suppress(OSError):
            self._incoming.rmdir()  # stays where a job left images behind

    def _own_credentials(self) -> Credentials:
        if self.options.credentials:
            return self.options.credentials
        return open_authority(self._tls_folder).server(self.options.names, own_addresses(self.options.host))

    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._credentials.certificate, self._credentials.key)
        if self.options.require_client_cert:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self._credentials.ca)
        return context

    def _make_site(self) -> Site:
        options = self.options
        service = ProcessingService(
            book=self._book,
            incoming=self._incoming,
            processes=options.processes,
            users=options.users,
            on_job=self._on_job,
            on_page=self._on_page,
        )
        settings = SiteSettings(
            names=frozenset(name.lower() for name in options.names) | _LOOPBACK | {options.host},
            envelope_limit=options.envelope_limit,
            probe_at_scan_server=options.probe_at_scan_server,
            probe_at_wsdapi_path=options.probe_at_wsdapi_path,
        )
        return Site(
            settings=settings,
            identity=self._identity,
            service=service,
            plan=Plan(options.plan),
            traffic=self._traffic,
            incoming=self._incoming,
            enter=self._enter,
            seen=SeenIds(),
        )

    def _make_listener(self) -> Listener:
        return Listener(
            respond=self._site.respond,
            respond_malformed=self._site.respond_malformed,
            incomplete=self._count_incomplete,
            monotonic=self.options.clock.monotonic,
            read_rate=self.options.read_rate,
            idle_timeout_s=self.options.idle_timeout_s,
        )

    # ------------------------------------------------------------------------------------ what happens

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._traffic.connections += 1
        with suppress(asyncio.CancelledError):  # the server stops
            await Connection(reader, writer, self._listener).serve()

    def _count_incomplete(self) -> None:
        self._traffic.incomplete += 1

    def _enter(self, notes: Notes) -> None:
        for violation in notes.enter(self._violations, self.options.clock.now()):
            self.options.tell(
                {
                    "event": "violation",
                    "rule": violation.rule,
                    "level": violation.level,
                    "operation": violation.operation,
                    "text": violation.text,
                    "detail": violation.detail,
                    "source": violation.source,
                }
            )

    def _on_job(self, job: Job) -> None:
        self.options.tell(
            {
                "event": "job",
                "job": job.token,
                "state": job.state.value,
                "reason": job.reason,
                "user": job.user,
                "process": job.psp_name or job.psp_identifier,
                "images": len(job.documents),
                "octets": job.octets,
            }
        )
        if job.state is JobState.PENDING:
            self._start_processing(job)
        elif job.is_final and job.state is not JobState.COMPLETED:
            shutil.rmtree(self._incoming / job.token, ignore_errors=True)

    def _on_page(self, job: Job, document: Document) -> None:
        self.options.tell(
            {
                "event": "page",
                "job": job.token,
                "page": document.document_id,
                "format": document.format,
                "octets": document.octets,
                "width_px": document.facts.width_px,
                "height_px": document.facts.height_px,
            }
        )

    def _start_processing(self, job: Job) -> None:
        task = asyncio.get_running_loop().create_task(
            process(job, self.output, self._incoming, self.options.clock, self._on_job)
        )
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
            job.become(state, self.options.clock.now(), TIMED_OUT)
            self._on_job(job)
