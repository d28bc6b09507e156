"""Rows R12 and R29 of the users' complaints: whatever the driver does, and whenever it is cancelled, the next job
has the scanner again, in a time that can be told."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from msgspec.structs import replace

from dsm_device.acquisition.messages import PageAcquired
from dsm_device.acquisition.process import Limits
from dsm_device.errors import Cancelled, ScannerError
from dsm_device.hardware import Area, ColorProcessing, InputSource, ScanSettings
from dsm_device.imaging.formats import PageSpec
from dsm_device.runner.scanner_keeper import ScannerChoice, ScannerKeeper
from dsm_device.spool import Spool
from dsm_sim.scanner import Fault, Quirks, ScannerModel, Sheet, SimulatedScanner, write_sane_config

FEEDER = ScanSettings(InputSource.ADF, ColorProcessing.GRAYSCALE_8, 75, 75, Area(0, 0, 2000, 2000))
SIDES = (PageSpec("png", ColorProcessing.GRAYSCALE_8, 75, 75, 75, 75, 75),)
#: A hundredth of the real ones or so; a process has to start within ``open_s``.
LIMITS = Limits(open_s=5.0, page_s=1.0, rows_s=1.0, cancel_s=0.5)
#: All of them, one after the other, and as much again for a machine that has other things to do.
BOUND_S = 2 * (LIMITS.open_s + LIMITS.page_s + LIMITS.rows_s + LIMITS.cancel_s)
#: R29: a cancelled scanner is free within this; at the real limits 8 s of it are the driver's.
FREE_WITHIN_S = 10.0 - Limits().cancel_s + LIMITS.cancel_s
SHEETS = 3
CANCELS, PARTS = 50, 5


class Desk:
    """A scanner with faults and its keeper; each job scans a stack of sheets."""

    def __init__(self, folder: Path, faults: tuple[Fault, ...]) -> None:
        self._folder = folder
        self.scanner = SimulatedScanner(
            folder / "scanner", ScannerModel(images_per_minute=600, quirks=Quirks(faults=faults))
        )
        Spool(folder / "state", 0).open()

    @asynccontextmanager
    async def keeper(self) -> AsyncIterator[ScannerKeeper]:
        choice = ScannerChoice("sane", self.scanner.device, {})
        environment = write_sane_config(self._folder / "sane.d", [self.scanner])
        async with ScannerKeeper(choice, None, limits=LIMITS, environment=environment) as keeper:
            yield keeper

    async def job(self, keeper: ScannerKeeper, cancel_after_s: float | None = None) -> int:
        """How many pages came. The stack lies in the feeder before and nothing after it."""
        self.scanner.clear_jam()
        self.scanner.close_cover()
        self.scanner.empty_feeder()
        self.scanner.load([Sheet()] * SHEETS)
        async with keeper.lend() as lent:
            loop = asyncio.get_running_loop()
            cancelling = loop.call_later(60 if cancel_after_s is None else cancel_after_s, lent.cancel)
            try:
                with TemporaryDirectory(dir=self._folder) as out:
                    reports = lent.scan(FEEDER, SIDES, Path(out))
                    return sum([isinstance(report, PageAcquired) async for report in reports])
            finally:
                cancelling.cancel()


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_driver_does_no_state_outlasts_its_limit(tmp_path: Path, seed: int) -> None:
    """Five jobs in a row, each with a fault of any kind at any step, and at last one without."""
    chance = random.Random(seed)
    faults = tuple(_fault(chance, load) for load in range(1, 6))
    desk = Desk(tmp_path, faults)

    async def story() -> None:
        async with desk.keeper() as keeper:
            for _ in faults:
                await _within(BOUND_S, desk.job(keeper), faults)
            # Those of opening and closing come with the next opening: as many jobs may still meet one.
            for _ in faults:
                if await _within(BOUND_S, desk.job(keeper), faults) == SHEETS:
                    return
            pytest.fail(f"no job has the scanner any more after {faults}")

    asyncio.run(story())


def _fault(chance: random.Random, load: int) -> Fault:
    """Calls that return no status, and those of a scanner that is not open yet, hang or crash."""
    fatal = chance.choice([Fault(what="hang"), Fault(what="crash")])
    match chance.choice(["open", "close", "cancel", "start", "read", "read"]):
        case "open":
            return replace(fatal, at="open")
        case "close":
            return replace(fatal, at="close")
        case "cancel":
            return replace(fatal, at="cancel", load=load)
    mild = [Fault(what=each) for each in ("hang-until-cancel", "io-error", "jammed", "cover-open", "no-mem")]
    fault = replace(chance.choice([fatal, *mild]), load=load)
    return replace(fault, at="start") if chance.random() < 0.3 else replace(fault, byte=chance.randrange(40_000))


async def _within(limit_s: float, job: Coroutine[Any, Any, int], faults: tuple[Fault, ...]) -> int:
    """The job's pages, 0 where the scanner failed it. What lasts longer fails the test."""
    try:
        return await asyncio.wait_for(job, limit_s)
    except ScannerError:
        return 0
    except TimeoutError:
        pytest.fail(f"stuck for more than {limit_s} s with {faults}")


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("hangs", [False, True], ids=["usual", "sane_cancel hangs"])
def test_cancelled_at_any_moment_the_scanner_is_free_for_the_next(tmp_path: Path, hangs: bool, part: int) -> None:
    """R29, in parts: fifty moments between the order and the end of the job, with a driver that hears and one that
    does not."""
    chance = random.Random(part)
    loads = range(3, 3 + 2 * CANCELS // PARTS)  # before them two: the first starts a process, the second is timed
    hanging = tuple(Fault(what="hang", at="cancel", load=load) for load in loads if load % 2 == 1)
    desk = Desk(tmp_path, hanging if hangs else ())
    freed_s: list[float] = []
    cancelled: list[float] = []
    job_s = 0.0

    async def story() -> None:
        nonlocal job_s
        async with desk.keeper() as keeper:
            assert await desk.job(keeper) == SHEETS
            began_s = time.monotonic()
            assert await desk.job(keeper) == SHEETS
            job_s = time.monotonic() - began_s
            for _ in range(CANCELS // PARTS):
                after_s = chance.uniform(0, job_s)
                began_s = time.monotonic()
                try:
                    await desk.job(keeper, after_s)
                except Cancelled:
                    cancelled.append(after_s)
                freed_s.append(time.monotonic() - began_s - after_s)
                assert await desk.job(keeper) == SHEETS

    asyncio.run(story())
    assert max(freed_s) < FREE_WITHIN_S
    assert len(cancelled) > CANCELS // PARTS // 2, "most were over before they were cancelled"
    print(f"a job takes {job_s:.2f} s, cancelled ones {len(cancelled)} of {CANCELS // PARTS};", end=" ")
    print(f"free after {max(freed_s):.2f} s at the most, {sorted(freed_s)[len(freed_s) // 2]:.2f} s in the middle")
