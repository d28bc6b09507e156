"""A service as simple as can be behind the agent's socket, and an agent's process around it.

As a program: ``control_service.py STATE_DIR`` serves until SIGTERM; it says "ready" when it does. What an order's
process is named decides what becomes of it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from dsm_device.errors import Cancelled, Recovery, ScannerJammed, ServerFault, SpoolError
from dsm_device.job.outcome import Outcome
from dsm_device.job.page_times import PageTimes
from dsm_device.runner.agent_lock import agent_lock
from dsm_device.runner.attendant import Attendant
from dsm_device.runner.control_server import ControlServer
from dsm_device.runner.events import (
    JobCreated,
    JobDone,
    Listener,
    PageArriving,
    PageSent,
    PageSpooled,
    StateChanged,
    Warned,
)
from dsm_device.runner.job_list import JobDescription, JobDetails
from dsm_device.runner.order import ScanOrder

OUTCOMES = (Outcome("Format", "png", "jfif", "no PNG here"),)
DETAILS = JobDetails("j", "Größe", "eva", "spooled", 2, 1, "2026-01-02T03:04:05+00:00", "", "jfif", (3,), OUTCOMES)


class Simple:
    """Implements ``Service``; ``told`` is what it was asked and how that ended, in order."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.go_on = asyncio.Event()
        self.began = asyncio.Event()
        self.ended = asyncio.Event()

    async def scan(self, order: ScanOrder, listener: Listener, attendant: Attendant) -> None:
        self.told.append(order)
        try:
            await self._scan(order, listener, attendant)
        except asyncio.CancelledError:
            if order.process == "hang":
                await self.go_on.wait()
            self.told.append("cancelled")
            raise Cancelled("the scan was cancelled") from None
        finally:
            self.ended.set()
        self.told.append("done")

    async def _scan(self, order: ScanOrder, listener: Listener, attendant: Attendant) -> None:
        listener(JobCreated(f"job-{order.user}", order.process, OUTCOMES))
        listener(StateChanged("device", "acquiring"))
        match order.process:
            case "wait" | "hang":
                self.began.set()
                await self.go_on.wait()
            case "ask":
                self.began.set()
                self.told.append(sorted(await attendant.keep_blank((2, 5, 7))))
                self.told.append(await attendant.obstacle(ScannerJammed("sheet 3"), 4))
                await attendant.turn_stack(9)
            case "fault":
                raise ServerFault("no", "ask", code="Sender", subcode="X", recovery=Recovery.GIVE_UP)
            case "bug":
                raise KeyError("a secret")
            case "much":
                for rows in range(20_000):
                    listener(PageArriving(1, rows, 20_000))
        listener(PageSpooled(1, 1000, "jfif", PageTimes(1, 2, 3)))
        listener(PageSent(1))
        listener(Warned("ä" * 10))
        listener(JobDone("token", 1))

    async def retry(self, job_id: str, listener: Listener) -> None:
        self.told.append(("retry", job_id))
        listener(JobDone("again", 2))

    async def cancel(self, job_id: str, listener: Listener) -> None:
        self.told.append(("cancel", job_id))
        listener(StateChanged("server", "canceled"))

    async def restore(self, job_id: str, pages: Sequence[int]) -> None:
        self.told.append(("restore", job_id, tuple(pages)))

    async def jobs(self) -> list[JobDescription]:
        return [JobDescription(f"j{n}", "P", "eva", "spooled", n, 0, "", "") for n in range(3)]

    async def job(self, job_id: str) -> JobDetails:
        if job_id != DETAILS.id:
            raise SpoolError(f"there is no job {job_id!r} in the spool", "`dsm-device jobs` lists them")
        return DETAILS


async def _serve(state_dir: Path) -> None:
    until = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, until.set)
    async with ControlServer(Simple(), state_dir):
        print("ready", flush=True)
        await until.wait()


if __name__ == "__main__":
    with agent_lock(Path(sys.argv[1])):
        asyncio.run(_serve(Path(sys.argv[1])))
