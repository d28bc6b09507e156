"""The composition root: the parts of this device, made from its settings. Only here are concrete parts named."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dsm_device.acquisition.process import Acquisition
from dsm_device.directory.files import FilesDirectory
from dsm_device.directory.port import Directory, ProcessEntry, User
from dsm_device.errors import ConfigurationError, DsmError, ScannerError
from dsm_device.hardware import InputSource, ScannerInfo, SourceCapabilities
from dsm_device.job.habits import Habits
from dsm_device.job.model import Job
from dsm_device.runner import doctor as doctors
from dsm_device.runner.agent import Agent, JobListener
from dsm_device.runner.agent_lock import agent_lock
from dsm_device.runner.attendant import Attendant
from dsm_device.runner.control_server import ControlServer
from dsm_device.runner.delivery import Delivery, RetryPolicy
from dsm_device.runner.doctor import Check, Doctor
from dsm_device.runner.event_board import EventBoard, EventSource
from dsm_device.runner.events import Listener, Warned
from dsm_device.runner.interrupts import on_signals, run_cancellable
from dsm_device.runner.job_list import JobDescription, JobDetails, details, listed
from dsm_device.runner.redelivery import cancel_for_good, redeliver
from dsm_device.runner.scan import PushScan
from dsm_device.runner.scan_order import ScanOrder, fresh_instructions, prepare
from dsm_device.runner.scanner_keeper import WARM_S, ScannerChoice, ScannerKeeper
from dsm_device.runner.server_events import ServerEvents
from dsm_device.runner.server_memory import ServerMemory
from dsm_device.server.event_sink import EventSink, SinkOptions
from dsm_device.settings import Settings, load
from dsm_device.spool import Spool

if TYPE_CHECKING:
    from dsm_device.client.scan_server import ScanServer
    from dsm_device.console import Console
    from dsm_device.runner.console_desk import Label


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """One source as people and scripts see it; lengths in mm."""

    source: InputSource
    colors: tuple[str, ...]
    resolutions: tuple[int, ...]
    width_mm: float
    height_mm: float

    @classmethod
    def of(cls, source: SourceCapabilities) -> SourceDescription:
        return cls(
            source.source,
            tuple(source.colors),
            source.x_resolutions_dpi,
            round(source.maximum.width_mil * 0.0254, 1),
            round(source.maximum.height_mil * 0.0254, 1),
        )

    def __str__(self) -> str:
        resolutions = ", ".join(map(str, self.resolutions))
        size = f"{self.width_mm:g} x {self.height_mm:g} mm"
        return f"{self.source}: {', '.join(self.colors)}; {resolutions} dpi; up to {size}"


#: Sections of the settings that the agent stands on: SIGHUP does not change them.
SETTLED_SECTIONS = ("device", "scanner", "console", "panel", "spool", "metrics")
#: How long the scanner may take to be released when the agent is stopped.
KEEPER_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True)
class ScannerDescription:
    """A scanner that was found: its sources by name and in detail; ``error`` says why one could not be opened."""

    device: str
    vendor: str
    model: str
    sources: tuple[InputSource, ...] = ()
    capabilities: tuple[SourceDescription, ...] = ()
    error: str = ""


class Device:
    """What the commands do. Every method raises :class:`~dsm_device.errors.DsmError` where it cannot."""

    def __init__(self, settings: Settings, name: str) -> None:
        """``name`` is the configuration's, for messages."""
        self._settings = settings
        self._name = name

    # ------------------------------------------------------------------------------------------ parts

    def directory(self, user: str = "") -> Directory:
        """The scan processes, as ``user`` sees them ("" = the configured user)."""
        settings = self._settings.directory
        if settings.source != "files":
            raise ConfigurationError(
                f'directory.source = "{settings.source}" is not available in this version',
                'set directory.source = "files" and put the scan processes into directory.path',
            )
        return FilesDirectory(settings.path, User(user or settings.user, settings.sid, settings.email))

    def spool(self) -> Spool:
        spool = self._spool_to_read()
        spool.open()
        return spool

    def _spool_to_read(self) -> Spool:
        settings = self._settings.spool
        return Spool(self._settings.device.state_dir, settings.max_bytes, settings.keep_history)

    def scan_server(self, repository: str) -> ScanServer:
        # Loaded only now: meanwhile the acquisition process, on another core, has opened the scanner.
        from dsm_device.client.scan_server import ScanServer, ServerOptions  # noqa: PLC0415
        from dsm_device.client.tls import TlsOptions, client_context  # noqa: PLC0415
        from dsm_device.client.transport import TimeLimits  # noqa: PLC0415

        settings = self._settings.scan_server
        context = client_context(TlsOptions(settings.ca_file, settings.client_cert, settings.client_key))
        limits = TimeLimits(connect_s=settings.connect_timeout)
        options = ServerOptions(settings.port, settings.probe, limits)
        return ScanServer(repository, options, context, ServerMemory(self._settings.device.state_dir))

    def retry_policy(self) -> RetryPolicy:
        settings = self._settings.scan_server
        return RetryPolicy(settings.retry_first, settings.retry_max)

    def _fresh_instructions(self, job: Job) -> str:
        return fresh_instructions(job, self.directory(job.user))

    def habits(self) -> Habits:
        settings = self._settings.scanner
        return Habits(
            skip_blank_pages=settings.skip_blank_pages,
            deskew=settings.deskew,
            two_pass_duplex=settings.two_pass_duplex,
            rotate_back=settings.rotate_back,
        )

    def _scanner_choice(self) -> ScannerChoice:
        settings = self._settings.scanner
        return ScannerChoice(settings.driver, settings.device, settings.options)

    # --------------------------------------------------------------------------------------- commands

    def processes(self, user: str = "") -> list[ProcessEntry]:
        return self.directory(user).processes()

    def scan(self, order: ScanOrder, listener: Listener, attendant: Attendant) -> None:
        """One push scan; an interrupt or SIGTERM cancels it."""
        run_cancellable(self._scan(order, listener, attendant))

    async def _scan(self, order: ScanOrder, listener: Listener, attendant: Attendant) -> None:
        # The acquisition process comes first: it starts up while everything else is read.
        async with ScannerKeeper(self._scanner_choice(), self._settings.device.state_dir, warm_s=0) as keeper:
            await keeper.prepare()
            prepared = prepare(order, self.directory(order.user), self.habits())
            spool = self.spool()
            async with self.scan_server(str(prepared.process.repository)) as server, self._alone(server) as events:
                policy = self.retry_policy()
                scan = PushScan(
                    keeper,
                    spool,
                    server,
                    policy,
                    listener,
                    attendant=attendant,
                    events=events,
                    fresh_instructions=self._fresh_instructions,
                )
                on_signals(scan.cancel)
                await scan.run(prepared)

    def run(self, tell: JobListener) -> None:
        """The agent, until SIGTERM or Ctrl-C; SIGHUP has the settings read again. ``tell`` hears of all jobs."""
        asyncio.run(self._serve(tell))

    async def _serve(self, tell: JobListener) -> None:
        state_dir = self._settings.device.state_dir
        with agent_lock(state_dir):
            spool = self.spool()
            for job_id, error in spool.damaged():
                tell(job_id, Warned(str(error)))
            self.directory()  # what is wrong with it is better known now than at the first scan
            sink = EventSink(self._sink_options())
            async with AsyncExitStack() as exits:
                if self._settings.scan_server.event_port:
                    await exits.enter_async_context(sink)
                warm_s = 0.0 if self._settings.scanner.shared else WARM_S
                keeper = ScannerKeeper(self._scanner_choice(), state_dir, warm_s=warm_s)
                exits.push_async_callback(_within, KEEPER_LIMIT_S, keeper.aclose)
                console = await exits.enter_async_context(self._console(keeper, spool, sink))
                if console.notice:
                    tell("", Warned(console.notice))
                agent = Agent(_AgentParts(self, sink), spool, keeper, tell, console.desk)
                until = asyncio.Event()
                on_signals(until.set)
                asyncio.get_running_loop().add_signal_handler(
                    signal.SIGHUP, lambda: self._read_settings_again(agent, console, tell)
                )
                async with ControlServer(agent, state_dir):
                    await _all_until(until, agent.run, console.run)

    def _console(self, keeper: ScannerKeeper, spool: Spool, sink: EventSink) -> Console:
        from dsm_device.console import Console  # noqa: PLC0415 - only the agent has one, and it takes its time

        return Console(
            self._settings.console,
            self._label(),
            self._settings.device.state_dir,
            keeper=keeper,
            spool=spool,
            habits=self.habits,
            sink=sink,
            is_shared=self._settings.scanner.shared,
        )

    def _label(self) -> Label:
        from dsm_device.runner.console_desk import Label  # noqa: PLC0415 - as the console

        return Label(self._settings.device.name, self._settings.device.location)

    def _read_settings_again(self, agent: Agent, console: Console, tell: JobListener) -> None:
        """Whatever the next job asks for is taken over; what stands on the old settings keeps them."""
        old = self._settings
        try:
            new = load(Path(self._name))
        except ConfigurationError as error:
            tell("", Warned(f"the settings stay as they were: {error}"))
            return
        renamed = replace(old.device, name=new.device.name, location=new.device.location)
        old = replace(old, device=renamed)  # what it is called stands on nothing
        kept = [name for name in SETTLED_SECTIONS if getattr(new, name) != getattr(old, name)]
        self._settings = replace(new, **{name: getattr(old, name) for name in kept})
        later = f"; [{'], ['.join(kept)}] only with the next start" if kept else ""
        tell("", Warned(f"the settings have been read again{later}"))
        agent.settings_changed()
        console.desk.settings_changed(self._label())

    def _sink_options(self) -> SinkOptions:
        """Where events arrive without the console's port: on every address of this machine."""
        console = self._settings.console
        return SinkOptions("", self._settings.scan_server.event_port, console.certificate, console.key)

    @asynccontextmanager
    async def events(
        self, server: ScanServer, sink: EventSink, *, start_limit_s: float | None = None
    ) -> AsyncIterator[EventSource | None]:
        """What the server tells of jobs, as far as it may; ``start_limit_s`` as for the subscription."""
        settings = self._settings.scan_server
        if not settings.events:
            yield None
            return
        from dsm_device.client.subscription import SubscriptionOptions  # noqa: PLC0415 - loads httpx

        options = SubscriptionOptions()
        if start_limit_s is not None:
            options = replace(options, start_limit_s=start_limit_s)
        events = ServerEvents(server, sink, EventBoard(), address=settings.event_address, options=options)
        try:
            yield events
        finally:
            await events.aclose()

    @asynccontextmanager
    async def _alone(self, server: ScanServer) -> AsyncIterator[EventSource | None]:
        """The same without an agent: the sink is there as long as the command, and starts when it is needed.

        The first page does not wait until the sink is loaded and the server has subscribed: what is missed of
        the beginning is asked for in the end.
        """
        sink = EventSink(self._sink_options())
        try:
            async with self.events(server, sink, start_limit_s=0) as events:
                yield events
        finally:
            await sink.aclose()

    def jobs(self) -> list[JobDescription]:
        """What lies in the spool, oldest first."""
        return listed(self._spool_to_read())

    def job(self, job_id: str) -> JobDetails:
        return details(self._spool_to_read(), job_id)

    def restore_pages(self, job_id: str, pages: Sequence[int]) -> None:
        """Let blank pages that were left out be part of the job again, from its next delivery on."""
        folder = self.spool().find(job_id)
        folder.claim()
        folder.restore_pages(pages)

    def retry_job(self, job_id: str, listener: Listener) -> None:
        """Deliver what a job has in the spool, in a new post-scan job."""
        run_cancellable(self._retry_job(job_id, listener))

    async def _retry_job(self, job_id: str, listener: Listener) -> None:
        folder = self.spool().find(job_id)
        folder.claim()
        async with self.scan_server(folder.job.repository) as server:
            policy, fresh = self.retry_policy(), self._fresh_instructions
            await redeliver(folder, Delivery(folder, server, policy, listener, fresh_instructions=fresh))

    def cancel_job(self, job_id: str, listener: Listener) -> None:
        """Cancel a job at its server, as well as that can be done, and delete its pages."""
        run_cancellable(self._cancel_job(job_id, listener))

    async def _cancel_job(self, job_id: str, listener: Listener) -> None:
        folder = self.spool().find(job_id)
        folder.claim()
        async with self.scan_server(folder.job.repository) as server:
            delivery = Delivery(folder, server, self.retry_policy(), listener)
            await cancel_for_good(folder, delivery)

    def scanners(self) -> list[ScannerDescription]:
        return asyncio.run(self._scanners())

    async def _scanners(self) -> list[ScannerDescription]:
        async with Acquisition() as acquisition:
            found = await acquisition.scanners(self._settings.scanner.driver)
        return [await self._describe(scanner) for scanner in found]

    async def _describe(self, scanner: ScannerInfo) -> ScannerDescription:
        """Each scanner in a process of its own: one that crashes hides no other."""
        known = ScannerDescription(scanner.device, scanner.vendor, scanner.model)
        settings = self._settings.scanner
        try:
            async with Acquisition() as acquisition:
                with TemporaryDirectory() as scratch:
                    capabilities = await acquisition.open(
                        settings.driver, scanner.device, settings.options, Path(scratch)
                    )
        except ScannerError as error:
            return replace(known, error=str(error))
        return replace(
            known,
            sources=tuple(each.source for each in capabilities.sources),
            capabilities=tuple(map(SourceDescription.of, capabilities.sources)),
        )

    def doctor(self, show: Callable[[Check], None]) -> bool:
        """Check everything and show each result at once; whether all is well."""
        doctor = Doctor(
            configuration=self._name,
            spool=self.spool,
            directory=self.directory,
            scan_server=self.scan_server,
            scanner=self._scanner_choice(),
        )
        return asyncio.run(doctors.run(doctor, show))


@dataclass(frozen=True, slots=True)
class _AgentParts:
    """The parts of an agent, always by the settings as they are now."""

    device: Device
    sink: EventSink

    def directory(self, user: str = "") -> Directory:
        return self.device.directory(user)

    def habits(self) -> Habits:
        return self.device.habits()

    def retry_policy(self) -> RetryPolicy:
        return self.device.retry_policy()

    def scan_server(self, repository: str) -> ScanServer:
        return self.device.scan_server(repository)

    def events(self, server: ScanServer) -> AbstractAsyncContextManager[EventSource | None]:
        return self.device.events(server, self.sink)


async def _all_until(until: asyncio.Event, *running: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """All of them; each ends soon after the event. One that ends before it, by an error, ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in running:
                group.create_task(each(until))
    except* DsmError as errors:
        raise errors.exceptions[0] from None


async def _within(limit_s: float, leave: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Leave, with or without having finished."""
    with suppress(TimeoutError):
        await asyncio.wait_for(leave(), limit_s)
