"""Row R43 of the users' complaints: a job may last for hours; only silence has a limit, and it is the server's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree
from PIL import Image

from dsm_device.client.scan_server import ScanServer, ServerOptions
from dsm_device.client.tls import TlsOptions, client_context
from dsm_device.job.model import Job
from dsm_device.runner.delivery import Delivery, RetryPolicy
from dsm_device.runner.events import Event, PageSent, Warned
from dsm_device.spool import JobFolder, Spool
from dsm_sim.peers.scan_server import RunningScanServer, ScanServerOptions, running_scan_server
from dsm_sim.scan_process import ScanProcess

PAGES = 1000
PAUSE_S = 60.0
START = datetime(2026, 11, 30, 8)  # noqa: DTZ001 - a server's local time


@dataclass
class VirtualClock:
    """The server's and the device's time at once: it goes on when a page has been waited for."""

    now_s: float = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def now(self) -> datetime:
        return START + timedelta(seconds=self.now_s)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def server(tmp_path: Path, clock: VirtualClock) -> Iterator[RunningScanServer]:
    with running_scan_server(ScanServerOptions(out=tmp_path / "server", clock=clock)) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, server: RunningScanServer) -> JobFolder:
    repository = f"{server.fqdn}:{server.port}"
    process = etree.fromstring(ScanProcess().document(repository).encode())
    spool = Spool(tmp_path / "state", 10**9)
    spool.open()
    return spool.create(
        Job(
            id="20261130-080000-0a1b2c",
            process_id="D3A0B1C2-5E4F-4A6B-8C7D-9E0F1A2B3C4D",
            process_name="Demo",
            repository=repository,
            user="amelie",
            user_sid="S-1-5-21-1-2-3-1107",
            instructions=etree.tostring(process[-1], encoding="unicode", with_tail=False),
            format="jfif",
            created=datetime(2026, 11, 30, tzinfo=UTC),
        )
    )


class SlowStack:
    """A stack that is fed by hand: each page comes after a pause, when the one before has been delivered."""

    def __init__(self, folder: JobFolder, server: RunningScanServer, clock: VirtualClock) -> None:
        self._folder = folder
        self._server = server
        self._clock = clock
        self._sent = asyncio.Semaphore(0)
        self.warnings: list[str] = []

    def _listen(self, event: Event) -> None:
        if isinstance(event, PageSent):
            self._sent.release()
        elif isinstance(event, Warned):
            self.warnings.append(event.message)

    async def scan(self, pages: int, pause_s: float) -> None:
        options = ServerOptions(self._server.port)
        context = client_context(TlsOptions(ca_file=str(self._server.ca_file)))
        async with ScanServer(self._folder.job.repository, options, context) as server:
            policy = RetryPolicy(0.01, 0.02)
            delivery = Delivery(self._folder, server, policy, self._listen, self._clock.monotonic)
            delivering = asyncio.create_task(delivery.run())
            for n in range(1, pages + 1):
                self._clock.now_s += pause_s
                await asyncio.to_thread(self._server.expire_jobs)
                self._feed(n)
                await delivery.page_arrived()
                waiting = asyncio.create_task(self._sent.acquire())
                await asyncio.wait({waiting, delivering}, return_when=asyncio.FIRST_COMPLETED)
                if delivering.done():
                    break
            await delivery.all_arrived()
            await delivering

    def _feed(self, n: int) -> None:
        part = self._folder.path / "part"
        Image.new("L", (8, 8), n % 256).save(part, "JPEG")
        self._folder.commit_page(n, part, ".jpg")


def test_a_job_of_a_thousand_pages_and_sixteen_hours(
    folder: JobFolder, server: RunningScanServer, clock: VirtualClock
) -> None:
    began_s = clock.now_s
    stack = SlowStack(folder, server, clock)
    asyncio.run(stack.scan(PAGES, PAUSE_S))
    (job,) = server.jobs
    assert (job.state, len(job.documents)) == ("Completed", PAGES)
    assert stack.warnings == []
    assert clock.now_s - began_s > 16 * 3600
    print(f"{PAGES} pages in {(clock.now_s - began_s) / 3600:.1f} h of the server's and the device's time")


def test_only_silence_ends_a_job(folder: JobFolder, server: RunningScanServer, clock: VirtualClock) -> None:
    """With eleven minutes between two pages all of them go into a new job: it is this clock that counts."""
    stack = SlowStack(folder, server, clock)
    asyncio.run(stack.scan(2, 660))
    assert [len(job.documents) for job in server.jobs] == [1, 2]  # the first is closed by whoever comes first
    assert server.jobs[-1].state == "Completed"
    assert len(stack.warnings) == 1
