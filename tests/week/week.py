"""The device's agent for as long as it takes: jobs come, servers fail, people press keys, power is switched.

What it is judged by stands in :meth:`Week.judge`; the servers' own books say what happened.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from PIL import Image

from dsm_device.errors import DirectoryError, DsmError
from dsm_device.job.habits import Habits
from dsm_device.job.model import Job
from dsm_device.job.states import JobState
from dsm_device.runner.agent import Agent
from dsm_device.runner.delivery import RetryPolicy
from dsm_device.runner.events import Event
from dsm_device.runner.scanner_keeper import ScannerChoice, ScannerKeeper
from dsm_device.spool import Spool
from tests.virtual_time import in_virtual_time

from .faulty_server import FaultyServer

SERVERS: Final = ("scan01.example", "scan02.example", "scan03.example")
#: Seconds from one job to the next, on the average; and between deeds of people, and power switches.
JOB_EVERY_S, DEED_EVERY_S, SWITCH_EVERY_S = 400.0, 1_500.0, 20_000.0
#: Every so often the servers are well until all is delivered, and the books are read.
JUDGED_EVERY_S: Final = 12 * 3600.0
QUIET_LIMIT_S: Final = 6 * 3600.0


def _tiny_jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG")
    return file.getvalue()


@dataclass
class _Parts:
    """What the agent is made of here."""

    servers: dict[str, FaultyServer]

    def directory(self, user: str = "") -> Any:
        raise DirectoryError("the directory cannot be read")

    def habits(self) -> Habits:
        return Habits()

    def retry_policy(self) -> RetryPolicy:
        return RetryPolicy(1.0, 300.0)

    def scan_server(self, repository: str) -> Any:
        return self.servers[repository]

    @asynccontextmanager
    async def events(self, server: Any) -> AsyncIterator[None]:
        yield None


@dataclass
class Week:
    """``steps`` is the number of operations that the servers are to see before it ends."""

    root: Path
    seed: int
    steps: int
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        random.seed(self.seed)  # the retry policy's jitter
        self.servers = {name: FaultyServer(random.Random(self.seed + n)) for n, name in enumerate(SERVERS)}
        self.spool = Spool(self.root / "state", 1_000_000_000, keep_history=1_000_000)
        self.spool.open()
        self.pages: dict[str, int] = {}
        self.retried: Counter[str] = Counter()
        self.cancelled: set[str] = set()
        self.judged: set[str] = set()
        self.image = _tiny_jpeg()
        self.agent: Agent | None = None

    @property
    def done_steps(self) -> int:
        return sum(server.steps for server in self.servers.values())

    def play(self) -> None:
        in_virtual_time(self._play())

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        await self._start()
        deeds = [(self._new_job, JOB_EVERY_S), (self._deed, DEED_EVERY_S), (self._switch, SWITCH_EVERY_S)]
        next_s = [loop.time() + self.chance.expovariate(1 / every_s) for _, every_s in deeds]
        while self.done_steps < self.steps:
            which = next_s.index(min(next_s))
            await asyncio.sleep(max(0.0, next_s[which] - loop.time()))
            deed, every_s = deeds[which]
            await deed()
            next_s[which] += self.chance.expovariate(1 / every_s)
            if loop.time() - begin_s > JUDGED_EVERY_S:
                await self._quiet_down()
                begin_s = loop.time()
                next_s = [begin_s + self.chance.expovariate(1 / every_s) for _, every_s in deeds]
        await self._quiet_down()
        await self._stop()
        self.counts["virtual hours"] = int(loop.time() / 3600)

    # ------------------------------------------------------------------------------------------ deeds

    async def _start(self) -> None:
        keeper = ScannerKeeper(ScannerChoice("none", "", {}), None)
        self.agent = Agent(_Parts(self.servers), self.spool, keeper, self._tell)
        self._until = asyncio.Event()
        self._running = asyncio.create_task(self.agent.run(self._until))

    async def _stop(self) -> None:
        self._until.set()
        await self._running

    def _tell(self, job_id: str, event: Event) -> None:
        self.counts[type(event).__name__] += 1

    async def _switch(self) -> None:
        await self._stop()
        self.counts["restarts"] += 1
        await asyncio.sleep(self.chance.uniform(0, 1200))
        await self._start()

    async def _new_job(self) -> None:
        number = len(self.pages) + 1
        job_id = f"job-{number:07d}"
        folder = self.spool.create(
            Job(
                id=job_id,
                process_id=job_id,  # by which the server's books name it
                process_name="Week",
                repository=self.chance.choice(SERVERS),
                user="amelie",
                user_sid="S-1-5-21-1-2-3-1107",
                instructions="<i/>",
                format="jfif",
                created=datetime(1970, 1, 1, tzinfo=UTC),
            )
        )
        self.pages[job_id] = self.chance.randint(1, 6)
        for n in range(1, self.pages[job_id] + 1):
            part = folder.path / "part"
            part.write_bytes(self.image)
            folder.commit_page(n, part, ".jpg")
        folder.release()

    async def _deed(self) -> None:
        """Somebody looks at the list of jobs and does what people do."""
        assert self.agent is not None
        if self.chance.random() < 0.1:
            self.chance.choice(list(self.servers.values())).cancel_one()
        jobs = [folder.job for folder in self.spool.jobs()]
        if not jobs:
            return
        job = self.chance.choice(jobs)
        if self.chance.random() < 0.1:
            self.cancelled.add(job.id)
            await self._try(self.agent.cancel(job.id, lambda _: None))
        elif job.state.needs_person or self.chance.random() < 0.3:
            await self._retry(job.id)
        elif self.chance.random() < 0.3:
            self.agent.settings_changed()

    async def _retry(self, job_id: str) -> None:
        assert self.agent is not None
        self.retried[job_id] += 1
        await self._try(self.agent.retry(job_id, lambda _: None))

    async def _try(self, deed: Any) -> None:
        """As a person who goes away after a while."""
        with suppress(DsmError, TimeoutError):
            async with asyncio.timeout(self.chance.uniform(1, 3600)):
                await deed

    # ------------------------------------------------------------------------------------------ judging

    async def _quiet_down(self) -> None:
        """No more faults: everything is delivered by itself or, where a person is needed, when one says so."""
        loop = asyncio.get_running_loop()
        for server in self.servers.values():
            server.trouble, server.down_until_s = 0.0, 0.0
        assert self.agent is not None
        limit_s = loop.time() + QUIET_LIMIT_S
        while jobs := [folder.job for folder in self.spool.jobs()]:
            if loop.time() > limit_s:
                self.problems += [f"{job.id} is still {job.state}: {job.error}" for job in jobs]
                break
            self.agent.settings_changed()  # as `systemctl reload`: what was refused is tried again
            await asyncio.sleep(900)
            for job in jobs:
                if job.state.needs_person:
                    self.counts[f"left to a person: {job.state}"] += 1
                    await self._retry(job.id)
        self.judge()
        for server in self.servers.values():
            server.trouble = 0.2

    def judge(self) -> None:
        """Every job that is done has come to its server whole and in order, once or as often as a person said.

        Nothing else was ever sent there but first parts of it, each ended by a cancel, by the server's own clock
        or by its restart.
        """
        past = {job.id: job for job in self.spool.history()}
        sent: dict[str, list[Any]] = {}
        for server in self.servers.values():
            self.problems += server.breaches
            server.breaches.clear()
            for each in server.books():
                sent.setdefault(each.job_id, []).append(each)
        for job_id, pages in self.pages.items():
            if job_id not in self.judged and job_id in past:
                self.judged.add(job_id)
                self.problems += self._judged(past[job_id], pages, sent.get(job_id, []))

    def _judged(self, job: Job, pages: int, sent: Sequence[Any]) -> list[str]:
        whole = list(range(1, pages + 1))
        ended = [each for each in sent if each.ended_by == "End"]
        problems = [
            f"{job.id}: {each.images} of {whole}" for each in sent if each.images != whole[: len(each.images)]
        ]
        problems += [f"{job.id} was ended with {each.images} of {whole}" for each in ended if each.images != whole]
        # One that lost the end alone is completed by the server's clock, and has everything.
        arrived = [*ended, *(each for each in sent if each.ended_by == "silence" and each.images == whole)]
        if job.state in (JobState.DONE, JobState.DONE_WITH_ERRORS) and not arrived:
            problems.append(f"{job.id} is {job.state} and was never ended")
        if len(ended) > 1 + self.retried[job.id]:
            problems.append(
                f"{job.id} was ended {len(ended)} times, with {self.retried[job.id]} retries by a person"
            )
        if (
            job.state is JobState.CANCELED
            and job.id not in self.cancelled
            and not any(each.ended_by == "Cancel" for each in sent)
        ):
            problems.append(f"{job.id} was cancelled by nobody")
        problems += [f"{job.id} left {each.token} open" for each in sent if not each.ended_by]
        self.counts[f"jobs {job.state}"] += 1
        self.counts["post-scan jobs"] += len(sent)
        self.counts["half documents by the server's clock"] += sum(each.ended_by == "silence" for each in sent)
        self.counts["jobs ended more than once, after a retry"] += len(ended) > 1
        return problems
