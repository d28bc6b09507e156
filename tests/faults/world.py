"""A scan server that misbehaves and an agent with a spool, both in this process, over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from unittest.mock import patch

from anyio.from_thread import BlockingPortal, start_blocking_portal
from lxml import etree
from PIL import Image

from dsm_device.client import ScanServer, ServerOptions, TimeLimits, TlsOptions, client_context, tls
from dsm_device.client.subscription import SubscriptionOptions
from dsm_device.errors import DsmError
from dsm_device.job.model import Job
from dsm_device.runner import delivery
from dsm_device.runner.agent import Agent
from dsm_device.runner.delivery import RetryPolicy
from dsm_device.runner.event_board import EventBoard, EventSource
from dsm_device.runner.scanner_keeper import ScannerChoice, ScannerKeeper
from dsm_device.runner.server_events import ServerEvents
from dsm_device.server import EventSink
from dsm_device.server import SinkOptions as OwnSinkOptions
from dsm_device.spool import JobFolder, Spool
from dsm_sim.certificates import Credentials, open_authority
from dsm_sim.peers.scan_server import (
    ANY,
    AnswerFault,
    Fault,
    Happening,
    RunningScanServer,
    ScanServerOptions,
    SinkOptions,
    running_scan_server,
)
from dsm_sim.scan_process import ScanProcess

#: The device's limits, beyond which a server is late. What it may take in a test is a tenth.
LIMITS: Final = TimeLimits(connect_s=5, write_s=0.5, silence_s=0.5, answer_s=0.6, probe_s=0.5, datagram_s=0.05)
#: One repetition less than usual, and no waiting to speak of.
RETRY: Final = RetryPolicy(0.002, 0.02)
_SUBSCRIPTION: Final = SubscriptionOptions(first_wait_s=0.02, max_wait_s=0.1, start_limit_s=0.7, close_limit_s=0.6)
#: Half of it later the device renews.
_GRANTED_S: Final = 0.6
_POLL_S: Final = 0.02
_SETTLE_LIMIT_S: Final = 20.0
_HASTE: Final = {"FIRST_QUESTION_S": 0.05, "LAST_QUESTION_S": 0.2, "CANCEL_LIMIT_S": 1.0, "STATUS_LIMIT_S": 0.7}
#: How long a new connection that broke off is looked at for a refused certificate.
_ALERT_WITHIN_S: Final = 0.1


@dataclass(frozen=True)
class Ground:
    """What any number of worlds share: it takes its time to be made."""

    folder: Path
    credentials: Credentials
    context: ssl.SSLContext
    portal: BlockingPortal
    instructions: str


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """``folder`` is empty."""
    credentials = open_authority(folder / "authority").server(["localhost"], ["127.0.0.1"])
    process = etree.fromstring(ScanProcess().document("localhost").encode())
    instructions = etree.tostring(process[-1], encoding="unicode", with_tail=False)
    with (
        start_blocking_portal() as portal,
        patch.multiple(delivery, **_HASTE),
        patch.object(tls, "_ALERT_WITHIN_S", _ALERT_WITHIN_S),
    ):
        context = client_context(TlsOptions(ca_file=str(credentials.ca)))
        yield Ground(folder, credentials, context, portal, instructions)


@dataclass
class KnownJob:
    """A job of the device, as the one who made it remembers it. ``pages``: the digest of each file, in order."""

    id: str
    pages: tuple[str, ...]
    #: A person has said that it is to be cancelled, or to be sent although it may have arrived.
    is_cancelled: bool = False
    is_at_own_risk: bool = False


@dataclass
class Traffic:
    """What the server tells, from its own thread."""

    requests: Counter[str] = field(default_factory=Counter)
    #: Post-scan jobs about which the device has said something: it knows their tokens.
    known_tokens: set[str] = field(default_factory=set)

    def tell(self, happening: Happening) -> None:
        if happening["event"] == "request":
            operation = str(happening["operation"])
            self.requests[operation] += 1
            if operation != "CreatePostScanJob":
                self.known_tokens.add(str(happening["job"]))


class World:
    """One scan server, one agent, and their jobs. For one thread, which is neither's."""

    def __init__(
        self, ground: Ground, folder: Path, server: RunningScanServer, traffic: Traffic, plan: tuple[Fault, ...]
    ) -> None:
        self.server = server
        #: Whether it may call a job gone that is not: then nobody can be blamed for not cancelling it.
        self.denies_jobs = _denies_jobs(plan)
        self.traffic = traffic
        self.jobs: dict[str, KnownJob] = {}
        self.told: list[str] = []
        self._ground = ground
        self._state = folder / "state"
        self.spool = Spool(self._state, 100_000_000)
        self.spool.open()
        self._agent: _RunningAgent | None = None
        self._is_up = True

    # ------------------------------------------------------------------------------------- the server

    def replan(self, *faults: Fault) -> tuple[int, ...]:
        self.told.append(f"plan {faults}")
        self.denies_jobs |= _denies_jobs(faults)
        return self.server.replan(*faults)

    def stop_server(self) -> None:
        self.told.append("the server stops")
        self._is_up = False
        self.server.stop()

    def start_server(self) -> None:
        self.told.append("the server starts")
        self._is_up = True
        self.server.start()

    def restart_server(self, *, remember: bool, orderly: bool) -> None:
        self.told.append(f"the server restarts, {remember=}, {orderly=}")
        self._is_up = True
        self.server.restart(remember=remember, orderly=orderly)

    # -------------------------------------------------------------------------------------- the device

    def was_refused_a_cancel(self, job_id: str) -> bool:
        """Whether the user was told that the server does not cancel a post-scan job of this one at all."""
        return any(line.startswith(job_id) and "does not cancel" in line for line in self.told)

    def add_job(self, pages: int) -> KnownJob:
        """A job with so many pages in the spool, for the agent to find."""
        number = len(self.jobs) + 1
        job_id = f"20261120-{number:06}-0a1b2c"
        folder = self.spool.create(self._record(job_id, number))
        digests = []
        for n in range(1, pages + 1):
            part = folder.path / "part"
            Image.new("L", (40 + n, 50 + number)).save(part, "JPEG")
            digests.append(hashlib.sha256(part.read_bytes()).hexdigest())
            folder.commit_page(n, part, ".jpg")
        folder.release()
        self.jobs[job_id] = KnownJob(job_id, tuple(digests))
        self.told.append(f"job {job_id} with {pages} pages")
        return self.jobs[job_id]

    def _record(self, job_id: str, number: int) -> Job:
        return Job(
            id=job_id,
            process_id="D3A0B1C2-5E4F-4A6B-8C7D-9E0F1A2B3C4D",
            process_name="Demo",
            repository=f"{self.server.fqdn}:{self.server.port}",
            user="amelie",
            user_sid="S-1-5-21-1-2-3-1107",
            instructions=self._ground.instructions,
            format="jfif",
            created=datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=number),
        )

    def start_agent(self) -> None:
        if self._agent is None:
            self.told.append("the agent starts")
            agent = _RunningAgent(self._ground, self.spool, self._state, self.told.append)
            self._ground.portal.call(agent.start)
            self._agent = agent

    def stop_agent(self) -> None:
        agent, self._agent = self._agent, None
        if agent is not None:
            self.told.append("the agent stops")
            self._ground.portal.call(agent.stop)

    def look_round(self) -> None:
        """As SIGHUP: jobs that came meanwhile are found, those that were refused are tried again."""
        if self._agent is not None:
            self.told.append("the settings are read again")
            self._ground.portal.call(self._agent.look_round)

    def retry(self, job: KnownJob) -> None:
        """As ``jobs retry`` with nobody waiting for its end."""
        if self._agent is not None:
            self.told.append(f"the user retries {job.id}")
            current = self.record(job.id)
            job.is_at_own_risk |= current is not None and current.state.needs_person
            self._ground.portal.call(self._agent.begin_retry, job.id)

    def cancel(self, job: KnownJob) -> None:
        """As ``jobs cancel``."""
        if self._agent is not None:
            self.told.append(f"the user cancels {job.id}")
            job.is_cancelled |= self._ground.portal.call(self._agent.cancel, job.id)

    def record(self, job_id: str) -> Job | None:
        """What the spool says of the job; None where it is not there any more."""
        return next((folder.job for folder in self.folders() if folder.job.id == job_id), None)

    def folders(self) -> list[JobFolder]:
        return list(self.spool.jobs())

    # ------------------------------------------------------------------------------------------- waiting

    def until(self, holds: Callable[[], bool], limit_s: float = _SETTLE_LIMIT_S) -> bool:
        """Whether it did within the limit."""
        deadline_s = time.monotonic() + limit_s
        while not holds():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(_POLL_S)
        return True

    def finish(self) -> None:
        """Nothing goes wrong any more, and everybody starts once again: each job is brought to its end."""
        self.stop_agent()
        self.replan()
        if not self._is_up:
            self.start_server()
        self.start_agent()
        self.until(lambda: all(folder.job.state.needs_person for folder in self.folders()))
        self.stop_agent()

    def close(self) -> None:
        self.stop_agent()


@contextmanager
def world(ground: Ground, name: str, *plan: Fault) -> Iterator[World]:
    """A world of its own below the ground's folder."""
    folder = ground.folder / name
    traffic = Traffic()
    options = ScanServerOptions(
        out=folder / "server",
        credentials=ground.credentials,
        plan=plan,
        longest_subscription_s=_GRANTED_S,
        job_history=1_000,
        sinks=SinkOptions(timeout_s=1, waits_s=()),
        tell=traffic.tell,
    )
    with running_scan_server(options) as server:
        made = World(ground, folder, server, traffic, plan)
        try:
            yield made
        finally:
            made.close()


def _denies_jobs(plan: tuple[Fault, ...]) -> bool:
    """Whether a CancelPostScanJob is answered as if there were nothing to cancel."""
    gone = (AnswerFault("dsp:ClientErrorJobTokenNotFound"), AnswerFault("dsp:ServerErrorPostScanJobCanceled"))
    return any(fault.operation in ("CancelPostScanJob", ANY) and fault.action in gone for fault in plan)


class _RunningAgent:
    """An agent in the ground's loop."""

    def __init__(self, ground: Ground, spool: Spool, state: Path, tell: Callable[[str], None]) -> None:
        self._ground = ground
        self._tell = tell
        self._until = asyncio.Event()
        self._exits = AsyncExitStack()
        self._retries: set[asyncio.Task[None]] = set()
        self._sink = EventSink(OwnSinkOptions("127.0.0.1"))
        keeper = ScannerKeeper(ScannerChoice("pattern", "", {}), state)
        self._agent = Agent(_Parts(ground, self._sink), spool, keeper, lambda job, event: tell(f"{job}: {event}"))
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._agent.run(self._until))

    async def stop(self) -> None:
        assert self._task is not None
        self._until.set()
        await self._task
        for task in self._retries:
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)
        await self._sink.aclose()

    async def look_round(self) -> None:
        self._agent.settings_changed()

    async def begin_retry(self, job_id: str) -> None:
        task = asyncio.create_task(self._retry(job_id))
        self._retries.add(task)
        task.add_done_callback(self._retries.discard)

    async def _retry(self, job_id: str) -> None:
        with self._told_errors():
            await self._agent.retry(job_id, lambda _: None)

    async def cancel(self, job_id: str) -> bool:
        """Whether it was done."""
        with self._told_errors():
            await self._agent.cancel(job_id, lambda _: None)
            return True
        return False

    @contextlib.contextmanager
    def _told_errors(self) -> Iterator[None]:
        try:
            yield
        except DsmError as error:
            self._tell(f"refused: {error}")


@dataclass(frozen=True)
class _Parts:
    """Implements :class:`dsm_device.runner.agent.Parts` without a directory: nothing is scanned here."""

    ground: Ground
    sink: EventSink

    def retry_policy(self) -> RetryPolicy:
        return RETRY

    def scan_server(self, repository: str) -> ScanServer:
        return ScanServer(repository, ServerOptions(probe=("https",), limits=LIMITS), self.ground.context)

    @asynccontextmanager
    async def events(self, server: ScanServer) -> AsyncIterator[EventSource]:
        # "localhost" may be ::1 first, where the sink does not listen.
        events = ServerEvents(server, self.sink, EventBoard(), address="127.0.0.1", options=_SUBSCRIPTION)
        try:
            yield events
        finally:
            await events.aclose()
