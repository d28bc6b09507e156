"""A stack that gets stuck: the pages that were acquired stay, and the user says how the job goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from dsm_device.errors import MultipleFeed, ScannerCoverOpen, ScannerError, ScannerJammed
from dsm_device.hardware import Area, ColorProcessing, InputSource, ScanSettings
from dsm_device.imaging.formats import PageSpec
from dsm_device.job.model import Job
from dsm_device.runner.attendant import Choice, Nobody
from dsm_device.runner.events import Event, StateChanged, Warned
from dsm_device.runner.intake import Intake
from dsm_device.runner.scanner_keeper import ScannerChoice, ScannerKeeper
from dsm_device.spool import Spool
from dsm_sim.scanner import Fault, Quirks, ScannerModel, Sheet, SimulatedScanner, write_sane_config

FEEDER = ScanSettings(InputSource.ADF, ColorProcessing.GRAYSCALE_8, 75, 75, Area(0, 0, 2000, 2000))
DUPLEX = replace(FEEDER, source=InputSource.ADF_DUPLEX)
SIDE = PageSpec("png", ColorProcessing.GRAYSCALE_8, 75, 75, 75, 75, 75)
T = TypeVar("T")


class AtTheScanner(Nobody):
    """Does one thing after the other at the scanner and answers."""

    def __init__(self, *deeds: tuple[Callable[[], object], Choice]) -> None:
        self._deeds = iter(deeds)
        self.asked: list[tuple[type[ScannerError], int]] = []

    async def obstacle(self, error: ScannerError, pages: int) -> Choice:
        self.asked.append((type(error), pages))
        deed, choice = next(self._deeds)
        deed()
        return choice


class Stack:
    """A scanner with faults and the job that is scanned from it."""

    def __init__(self, folder: Path, *faults: Fault) -> None:
        self.folder = folder
        self.scanner = SimulatedScanner(folder / "scanner", ScannerModel(quirks=Quirks(faults=faults)))
        self.events: list[Event] = []
        self.now_s = 1000.0
        self.pages: list[int] = []
        self.images = 0

    def wait(self, seconds: float) -> None:
        """On the clock by which it is found out that nobody comes."""
        self.now_s += seconds

    def put_in(self, sheets: int) -> None:
        self.scanner.clear_jam()
        self.scanner.empty_feeder()
        self.scanner.load([Sheet()] * sheets)

    def scan(self, settings: ScanSettings, sheets: int, attendant: AtTheScanner, sides: int = 1) -> None:
        self.scanner.load([Sheet(draws_back=True)] * sheets)
        asyncio.run(asyncio.wait_for(self._scan(settings, attendant, (SIDE,) * sides), 60))

    async def _scan(self, settings: ScanSettings, attendant: AtTheScanner, sides: tuple[PageSpec, ...]) -> None:
        spool = Spool(self.folder / "state", 10**9)
        spool.open()
        folder = spool.create(_job())
        environment = write_sane_config(self.folder / "sane.d", [self.scanner])
        keeper = ScannerKeeper(ScannerChoice("sane", "", {}), self.folder / "state", environment=environment)
        try:
            async with keeper, keeper.lend() as lent:
                intake = Intake(
                    lent,
                    folder,
                    spool,
                    self.events.append,
                    on_page=_nothing,
                    attendant=attendant,
                    until_cancelled=_never_cancelled,
                    clock=lambda: self.now_s,
                )
                self.images = await intake.take(settings, sides)
        finally:
            self.pages = [page.n for page in folder.job.pages]

    def told(self) -> list[str]:
        return [event.state for event in self.events if isinstance(event, StateChanged)]


async def _nothing() -> None: ...


async def _never_cancelled(waiting: Coroutine[Any, Any, T]) -> T:
    return await waiting


def _job() -> Job:
    return Job(
        id="20261130-120000-abcdef",
        process_id="6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11",
        process_name="Invoices",
        repository="scan01.corp.example.com",
        user="amelie",
        user_sid="S-1-5-21-1-2-3-1107",
        instructions="<i/>",
        format="png",
        created=datetime(2026, 11, 30, tzinfo=UTC),
    )


def jam(image: int, load: int = 1) -> Fault:
    return Fault(what="jammed", image=image, load=load, byte=1000)


def nothing() -> None: ...


def test_after_a_jam_it_goes_on_with_the_next_sheet(tmp_path: Path) -> None:
    stack = Stack(tmp_path, jam(3))
    user = AtTheScanner((lambda: stack.put_in(2), Choice.GO_ON))
    stack.scan(FEEDER, 4, user)
    assert (stack.images, stack.pages) == (4, [1, 2, 3, 4])
    assert user.asked == [(ScannerJammed, 2)]
    assert stack.told() == ["waiting", "acquiring"]


def test_as_long_as_the_jam_stands_it_is_told_once(tmp_path: Path) -> None:
    stack = Stack(tmp_path, jam(2))
    user = AtTheScanner(*[(nothing, Choice.GO_ON)] * 3, (lambda: stack.put_in(1), Choice.GO_ON))
    stack.scan(FEEDER, 2, user)
    assert stack.pages == [1, 2]
    assert user.asked == [(ScannerJammed, 1)] * 4
    assert stack.told() == ["waiting", "acquiring"]


def test_after_ten_minutes_in_vain_it_fails_and_the_pages_stay(tmp_path: Path) -> None:
    stack = Stack(tmp_path, jam(2))
    user = AtTheScanner(*[(lambda: stack.wait(120), Choice.GO_ON)] * 6)
    with pytest.raises(ScannerJammed):
        stack.scan(FEEDER, 2, user)
    assert len(user.asked) == 6, "at 0 s, 120 s and so on up to 600 s"
    assert stack.pages == [1]
    assert stack.told() == ["waiting"]


def test_each_page_begins_the_ten_minutes_anew(tmp_path: Path) -> None:
    stack = Stack(tmp_path, jam(2), jam(2, load=2))

    def after_a_while(sheets: int) -> None:
        stack.wait(500)
        stack.put_in(sheets)

    in_vain = (lambda: stack.wait(120), Choice.GO_ON)
    user = AtTheScanner(
        (lambda: after_a_while(2), Choice.GO_ON), in_vain, (lambda: after_a_while(1), Choice.GO_ON)
    )
    stack.scan(FEEDER, 2, user)
    assert stack.pages == [1, 2, 3]


def test_nothing_put_in_again_is_the_end(tmp_path: Path) -> None:
    stack = Stack(tmp_path, jam(2))
    stack.scan(FEEDER, 2, AtTheScanner((lambda: stack.put_in(0), Choice.GO_ON)))
    assert (stack.images, stack.pages) == (1, [1])


def test_the_job_may_be_finished_with_what_is_there(tmp_path: Path) -> None:
    stack = Stack(tmp_path, jam(3))
    stack.scan(FEEDER, 5, AtTheScanner((nothing, Choice.FINISH)))
    assert (stack.images, stack.pages) == (2, [1, 2])


def test_given_up_it_fails_and_the_pages_stay(tmp_path: Path) -> None:
    stack = Stack(tmp_path, jam(3))
    with pytest.raises(ScannerJammed):
        stack.scan(FEEDER, 5, AtTheScanner((nothing, Choice.GIVE_UP)))
    assert stack.pages == [1, 2]


@pytest.mark.parametrize("choice", Choice)
@pytest.mark.parametrize("k", range(2, 8))
def test_whichever_page_fails_no_other_is_lost(tmp_path: Path, k: int, choice: Choice) -> None:
    """Row R24 of the users' complaints: the failing page is scanned again, left out, or the job given up."""
    stack = Stack(tmp_path, jam(k))
    deed = (lambda: stack.put_in(7 - k + 1)) if choice is Choice.GO_ON else nothing
    with pytest.raises(ScannerJammed) if choice is Choice.GIVE_UP else nullcontext():
        stack.scan(FEEDER, 7, AtTheScanner((deed, choice)))
    assert stack.pages == list(range(1, 8 if choice is Choice.GO_ON else k))


def test_before_the_first_page_nobody_is_asked(tmp_path: Path) -> None:
    stack, user = Stack(tmp_path, jam(1)), AtTheScanner()
    with pytest.raises(ScannerJammed):
        stack.scan(FEEDER, 2, user)
    assert user.asked == []


def test_the_cover_is_closed_and_it_goes_on(tmp_path: Path) -> None:
    stack = Stack(tmp_path, Fault(what="cover-open", at="start", image=2, load=1))
    user = AtTheScanner((stack.scanner.close_cover, Choice.GO_ON))
    stack.scan(FEEDER, 3, user)
    assert stack.pages == [1, 2, 3]
    assert user.asked == [(ScannerCoverOpen, 1)]


def test_two_sheets_at_once_are_fed_again(tmp_path: Path) -> None:
    stack = Stack(tmp_path, Fault(what="double-feed", image=2, load=1))
    user = AtTheScanner((lambda: stack.put_in(2), Choice.GO_ON))
    stack.scan(FEEDER, 3, user)
    assert stack.pages == list(range(1, stack.images + 1))
    assert len(user.asked) == 1
    assert issubclass(user.asked[0][0], ScannerJammed | MultipleFeed)


def test_a_limit_counts_over_the_jam(tmp_path: Path) -> None:
    stack = Stack(tmp_path, jam(2))
    stack.scan(replace(FEEDER, images=3), 4, AtTheScanner((lambda: stack.put_in(9), Choice.GO_ON)))
    assert stack.pages == [1, 2, 3]
    assert stack.scanner.sheets_left >= 6


def test_no_image_is_dropped_where_a_sheet_jams_at_its_back(tmp_path: Path) -> None:
    stack = Stack(tmp_path, jam(4))
    stack.scan(DUPLEX, 3, AtTheScanner((lambda: stack.put_in(2), Choice.GO_ON)), sides=2)
    assert (stack.images, stack.pages) == (7, [1, 2, 3, 4, 5, 6, 7])
    assert [event for event in stack.events if isinstance(event, Warned) and "page 3 is a front" in event.message]
