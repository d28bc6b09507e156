"""Opening a scanner that is busy, cold or asleep: how often, and for how long. By a clock that does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from dsm_device.acquisition.patience import AT_ONCE, OPENING, Patience
from dsm_device.acquisition.process import Acquisition
from dsm_device.errors import (
    ScannerAccessDenied,
    ScannerBusy,
    ScannerError,
    ScannerIoError,
    ScannerNotFound,
    ScannerWarmingUp,
)
from tests.virtual_time import in_virtual_time

USUAL = "source=Flatbed;mode=Gray;resolution=75;width=215;height=297"
QUICK = Patience((0, 0), (0, 0, 0), (0, 0))


class Moods:
    """What a scanner answers to one attempt after the other, each after so many seconds."""

    def __init__(self, answers: list[type[ScannerError]], takes_s: float = 0) -> None:
        self.answers = answers
        self.takes_s = takes_s
        self.attempts = 0

    async def __call__(self) -> str:
        await asyncio.sleep(self.takes_s)
        self.attempts += 1
        if self.attempts <= len(self.answers):
            raise self.answers[self.attempts - 1]
        return "open"


def waited(moods: Moods, patience: Patience = OPENING) -> float:
    """Seconds until it is open."""

    async def opened() -> float:
        began_s = asyncio.get_running_loop().time()
        assert await patience.with_scanner(moods) == "open"
        return asyncio.get_running_loop().time() - began_s

    return in_virtual_time(opened())


@pytest.mark.parametrize(
    ("answers", "seconds"),
    [
        ([], 0),
        ([ScannerBusy] * 5, 30),
        ([ScannerWarmingUp] * 60, 60),
        ([ScannerIoError] * 2, 5),
        ([ScannerIoError, ScannerBusy, ScannerWarmingUp, ScannerBusy], 1 + 1 + 1 + 2),
    ],
)
def test_a_job_waits(answers: list[type[ScannerError]], seconds: float) -> None:
    assert waited(Moods(answers)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (ScannerBusy, 6),
        (ScannerWarmingUp, 61),
        (ScannerIoError, 3),
        (ScannerNotFound, 1),
        (ScannerAccessDenied, 1),
    ],
)
def test_no_longer_than_it_may_help(error: type[ScannerError], attempts: int) -> None:
    moods = Moods([error] * 100)
    with pytest.raises(error):
        waited(moods)
    assert moods.attempts == attempts


def test_who_needs_half_a_minute_to_say_that_nobody_is_there_is_not_asked_again() -> None:
    moods = Moods([ScannerIoError] * 3, takes_s=30)
    with pytest.raises(ScannerIoError):
        waited(moods)
    assert moods.attempts == 1


@pytest.mark.parametrize("error", [ScannerBusy, ScannerWarmingUp, ScannerIoError])
def test_who_only_wants_to_know_does_not_wait(error: type[ScannerError]) -> None:
    moods = Moods([error])
    with pytest.raises(error):
        waited(moods, AT_ONCE)
    assert moods.attempts == 1


# ------------------------------------------------------------------------------------ behind libsane


@pytest.fixture
def opening(odd_backend: dict[str, str], tmp_path: Path) -> Callable[[str], None]:
    """Open the `odd` backend in these moods."""

    def run(moods: str) -> None:
        async def work() -> None:
            async with Acquisition(environment={**odd_backend, "ODD": f"{USUAL};{moods}"}) as acquisition:
                await acquisition.open("sane", "odd:0", {}, tmp_path, QUICK)

        asyncio.run(work())

    return run


@pytest.mark.parametrize("moods", ["busy-open=2", "refuse-open=9;refuse-opens=2"])
def test_a_device_that_is_busy_or_sleeps_is_opened_again(opening: Callable[[str], None], moods: str) -> None:
    opening(moods)


@pytest.mark.parametrize(
    ("moods", "error"),
    [
        ("busy-open=3", ScannerBusy),
        ("refuse-open=9;refuse-opens=3", ScannerIoError),
        ("refuse-open=11;refuse-opens=1", ScannerAccessDenied),
        ("refuse-open=4;refuse-opens=1", ScannerNotFound),
    ],
)
def test_a_device_that_stays_so_is_given_up(
    opening: Callable[[str], None], moods: str, error: type[ScannerError]
) -> None:
    with pytest.raises(error):
        opening(moods)
