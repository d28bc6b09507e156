"""The keeper of the scanner, with the simulated backend behind the real libsane: it is opened once for many jobs,
found again wherever it is plugged in, and a process of no more use is replaced."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from dsm_device.acquisition.messages import PageAcquired, PageStarted
from dsm_device.acquisition.process import Limits
from dsm_device.errors import Cancelled, ScannerCrashed, ScannerError, ScannerHung, ScannerIoError, ScannerNotFound
from dsm_device.hardware import Area, ColorProcessing, InputSource, ScannerInfo, ScanSettings
from dsm_device.imaging.formats import PageSpec
from dsm_device.runner.scanner_keeper import Lent, ScannerChoice, ScannerKeeper
from dsm_device.runner.scanner_memory import FILE, ScannerMemory
from dsm_device.spool import Spool
from dsm_sim.scanner import Fault, Quirks, ScannerModel, Sheet, SimulatedScanner, write_sane_config

FEEDER = ScanSettings(InputSource.ADF, ColorProcessing.GRAYSCALE_8, 75, 75, Area(0, 0, 2000, 2000))
SIDES = (PageSpec("png", ColorProcessing.GRAYSCALE_8, 75, 75, 75, 75, 75),)
SHORT = Limits(open_s=20.0, page_s=2.0, rows_s=2.0, cancel_s=2.0)
Work = Callable[[ScannerKeeper], Coroutine[Any, Any, None]]


class Desk:
    """A scanner, the SANE configuration in which it is found, and a state folder."""

    def __init__(self, folder: Path, model: ScannerModel) -> None:
        self.folder = folder
        self.scanner = SimulatedScanner(folder / "scanner", model)
        self.state = folder / "state"
        #: In which all scanners are listed, where a test says so.
        self.order: list[SimulatedScanner] = []
        Spool(self.state, 0).open()

    def environment(self, *others: SimulatedScanner) -> dict[str, str]:
        return write_sane_config(self.folder / "sane.d", self.order or [self.scanner, *others])

    def run(
        self, work: Work, *others: SimulatedScanner, device: str = "dsmsim:001:004", warm_s: float = 60
    ) -> None:
        async def kept() -> None:
            choice = ScannerChoice("sane", device, {})
            environment = self.environment(*others)
            async with ScannerKeeper(
                choice, self.state, warm_s=warm_s, limits=SHORT, environment=environment
            ) as keeper:
                await work(keeper)

        asyncio.run(asyncio.wait_for(kept(), 60))

    async def job(self, keeper: ScannerKeeper) -> str:
        """One sheet; the name under which the scanner was open."""
        self.scanner.load([Sheet()])
        async with keeper.lend() as lent:
            assert await self.pages(lent) == 1
            return lent.capabilities.scanner.device

    async def pages(self, lent: Lent) -> int:
        with TemporaryDirectory(dir=self.folder) as out:
            return sum([isinstance(report, PageAcquired) async for report in lent.scan(FEEDER, SIDES, Path(out))])

    def count(self, event: str) -> int:
        return sum(each.event == event for each in self.scanner.log())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, ScannerModel())


def test_many_jobs_open_the_scanner_once(desk: Desk) -> None:
    async def work(keeper: ScannerKeeper) -> None:
        for _ in range(20):
            await desk.job(keeper)

    desk.run(work)
    assert desk.count("open") == 1


def test_a_scanner_that_is_not_kept_warm_is_released_after_each_job(desk: Desk) -> None:
    async def work(keeper: ScannerKeeper) -> None:
        for _ in range(2):
            await desk.job(keeper)
            assert desk.count("close") == desk.count("open")

    desk.run(work, warm_s=0)
    assert desk.count("open") == 2


def test_a_warm_scanner_is_released_when_its_time_is_over(desk: Desk) -> None:
    async def work(keeper: ScannerKeeper) -> None:
        await desk.job(keeper)
        while desk.count("close") == 0:  # noqa: ASYNC110 - another process closes it
            await asyncio.sleep(0.01)
        await desk.job(keeper)

    desk.run(work, warm_s=0.2)
    assert desk.count("open") == 2


@pytest.mark.parametrize("quirks", [Quirks(), Quirks(frozen_list=True)], ids=["usual", "frozen-list"])
@pytest.mark.parametrize("warm_s", [60, 0])
def test_it_is_found_again_under_any_address(tmp_path: Path, quirks: Quirks, warm_s: float) -> None:
    desk = Desk(tmp_path, ScannerModel(quirks=quirks))

    async def work(keeper: ScannerKeeper) -> None:
        await desk.job(keeper)
        for number in range(5):
            desk.scanner.unplug()
            desk.scanner.plug(f"001:{number + 10:03}")
            assert await desk.job(keeper) == desk.scanner.device

    desk.run(work, warm_s=warm_s)


def test_it_is_remembered_over_processes(desk: Desk) -> None:
    async def work(keeper: ScannerKeeper) -> None:
        assert await desk.job(keeper) == desk.scanner.device

    desk.run(work)
    assert (desk.state / FILE).stat().st_mode & 0o777 == 0o600
    desk.scanner.plug("002:007")
    desk.run(work)


def test_of_two_alike_the_one_with_its_serial_number_is_taken(desk: Desk) -> None:
    twin = SimulatedScanner(desk.folder / "twin", ScannerModel(serial="SIM-000002"), "001:002")

    async def work(keeper: ScannerKeeper) -> None:
        assert await desk.job(keeper) == desk.scanner.device

    desk.run(work, twin)
    desk.scanner.plug("001:009")
    twin.plug("001:004")  # the very name that is configured
    desk.run(work, twin)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_same_one_whatever_the_list_and_the_addresses(desk: Desk, seed: int) -> None:
    """Row R06 of the users' complaints, in parts: fifty orders, and its twin may be at the address that it had."""
    chance = random.Random(seed)
    twin = SimulatedScanner(desk.folder / "twin", ScannerModel(serial="SIM-000002"), "001:002")
    other = SimulatedScanner(
        desk.folder / "other", ScannerModel(model="Sim Flatbed", serial="SIM-000003"), "001:003"
    )
    scanners = [desk.scanner, twin, other]

    async def work(keeper: ScannerKeeper) -> None:
        assert await desk.job(keeper) == desk.scanner.device

    desk.run(work, twin, other)
    for _ in range(10):
        addresses = [scanner.address for scanner in scanners]
        chance.shuffle(addresses)
        for scanner, address in zip(scanners, addresses, strict=True):
            scanner.plug(address)
        desk.order = chance.sample(scanners, 3)
        desk.run(work)
    assert [each.event for each in (*twin.log(), *other.log()) if each.event == "start"] == []


def test_where_two_could_be_meant_both_are_named(desk: Desk) -> None:
    twin = SimulatedScanner(desk.folder / "twin", ScannerModel(), "001:002")
    ScannerMemory(desk.state).remember(
        ["dsmsim:001:004"], ScannerInfo("dsmsim:001:004", desk.scanner.model.vendor, desk.scanner.model.model)
    )
    desk.scanner.plug("001:009")

    async def work(keeper: ScannerKeeper) -> None:
        with pytest.raises(ScannerNotFound, match=r"(?s)(?=.*001:009)(?=.*001:002)"):
            await desk.job(keeper)

    desk.run(work, twin)


def test_a_memory_that_is_damaged_is_told_and_ignored(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    (desk.state / FILE).write_text('{"dsmsim:001:004": [')

    async def work(keeper: ScannerKeeper) -> None:
        await desk.job(keeper)

    desk.run(work)
    assert FILE in caplog.text
    assert ScannerMemory(desk.state).recall("dsmsim:001:004") is not None


def test_a_scanner_that_is_gone_is_not_found_and_usable_again_at_once(desk: Desk) -> None:
    async def work(keeper: ScannerKeeper) -> None:
        await desk.job(keeper)
        desk.scanner.unplug()
        with pytest.raises(ScannerNotFound):
            await desk.job(keeper)
        desk.scanner.empty_feeder()
        desk.scanner.plug("001:020")
        await desk.job(keeper)

    desk.run(work)


@pytest.mark.parametrize(
    ("what", "error"), [("crash", ScannerCrashed), ("hang", ScannerHung), ("io-error", ScannerIoError)]
)
def test_after_a_failure_the_next_job_gets_a_process_of_its_own(
    tmp_path: Path, what: Any, error: type[ScannerError]
) -> None:
    desk = Desk(tmp_path, ScannerModel(quirks=Quirks(faults=(Fault(what=what, image=1, byte=1000, times=1),))))

    async def work(keeper: ScannerKeeper) -> None:
        with pytest.raises(error):
            await desk.job(keeper)
        desk.scanner.empty_feeder()
        await desk.job(keeper)

    desk.run(work)


def test_a_cancel_does_not_outlast_its_job(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScannerModel(images_per_minute=600))

    async def work(keeper: ScannerKeeper) -> None:
        desk.scanner.load([Sheet()] * 3)
        async with keeper.lend() as lent:
            with pytest.raises(Cancelled):
                async for report in lent.scan(FEEDER, SIDES, tmp_path):
                    if isinstance(report, PageStarted):
                        lent.cancel()
        async with keeper.lend() as lent:
            lent.cancel()  # before it scans
            with pytest.raises(Cancelled):
                await desk.pages(lent)
        desk.scanner.empty_feeder()
        await desk.job(keeper)

    desk.run(work)
    assert desk.count("open") == 1


def test_a_scan_that_was_left_alone_is_ended_before_the_next(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ScannerModel(images_per_minute=600))

    async def work(keeper: ScannerKeeper) -> None:
        desk.scanner.load([Sheet()] * 3)
        async with keeper.lend() as lent:
            async for _ in lent.scan(FEEDER, SIDES, tmp_path):
                break
        desk.scanner.empty_feeder()
        await desk.job(keeper)

    desk.run(work)
    assert desk.count("open") == 1


def test_jobs_take_turns(desk: Desk) -> None:
    order: list[int] = []

    async def one(keeper: ScannerKeeper, name: int, inside: itertools.count[int]) -> None:
        async with keeper.lend():
            assert next(inside) == len(order) * 2
            await asyncio.sleep(0)
            order.append(name)
            assert next(inside) == len(order) * 2 - 1

    async def work(keeper: ScannerKeeper) -> None:
        inside = itertools.count()
        await asyncio.gather(*(one(keeper, name, inside) for name in range(3)))

    desk.run(work)
    assert order == [0, 1, 2]
    assert desk.count("open") == 1
