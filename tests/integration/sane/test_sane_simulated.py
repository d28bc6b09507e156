"""The driver on the simulated scanner: what it sets shows in the pixels."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from PIL import Image

from dsm_sim.scanner import Fault, Quirks, ScannerModel, Sheet, SimulatedScanner, write_sane_config

ScanSim = Callable[..., Any]
LEVELS = range(0, 256, 5)


@pytest.fixture
def gray_ramp(tmp_path: Path) -> Path:
    """An original of 51 stripes from black to white."""
    path = tmp_path / "ramp.pnm"
    Image.frombytes("L", (len(LEVELS), 1), bytes(LEVELS)).resize((len(LEVELS) * 10, 300), 0).save(
        path, format="PPM"
    )
    return path


@pytest.fixture
def scan_sim(scan_with: Callable[..., Any], gray_ramp: Path, tmp_path: Path) -> ScanSim:
    """Scan the ramp on the glass, or ``sheets`` of it in the feeder: ``scan_sim({quirk: …}, job…)``."""
    numbers = itertools.count()

    def run(quirks: dict[str, Any], options: dict[str, Any] | None = None, *, sheets: int = 0, **job: Any) -> Any:
        scanner = SimulatedScanner(
            tmp_path / f"scanner-{next(numbers)}", ScannerModel(quirks=Quirks(**quirks)), "001:004"
        )
        ramp = Sheet(front=gray_ramp, width_mm=51, height_mm=30, is_marked=False)
        scanner.load([ramp] * sheets) if sheets else scanner.place_on_glass(ramp)
        environment = write_sane_config(tmp_path / "sane.d", [scanner])
        return scan_with(environment, scanner.device, options, area=(0, 0, 2007, 1181), dpi=100, **job)

    return run


def levels_of(scanned: Any) -> list[int]:
    """The middle row of a gray page."""
    frame, page = scanned.frames[0], scanned.pages[0]
    middle = frame["height_px"] // 2 * frame["bytes_per_line"]
    return list(page[middle : middle + frame["width_px"]])


def _rises(levels: list[int]) -> int:
    return sum(abs(one - other) for one, other in itertools.pairwise(levels))


def blackness(scanned: Any) -> float:
    """The share of black in a bilevel page."""
    frame = scanned.frames[0]
    return sum(each.bit_count() for each in scanned.pages[0]) / (frame["width_px"] * frame["height_px"])


def test_the_simulated_scanner_adjusts_all(scan_sim: ScanSim) -> None:
    scanned = scan_sim({}, capabilities=True)
    for source in scanned.capabilities["sources"]:
        assert source["adjustments"] == ["brightness", "contrast", "sharpness", "threshold"]
        assert source["halftone"]
        assert source["films"] == (["ColorSlideFilm"] if source["source"] == "Film" else [])


def test_brightness_and_contrast_are_seen(scan_sim: ScanSim) -> None:
    plain = levels_of(scan_sim({}))
    brighter = levels_of(scan_sim({}, adjust={"brightness": 400}))
    softer = levels_of(scan_sim({}, adjust={"contrast": -500}))
    assert mean(brighter) - mean(plain) == pytest.approx(0.4 * 127 * 0.8, abs=5)
    assert max(softer) - min(softer) < (max(plain) - min(plain)) * 0.7
    assert mean(softer) == pytest.approx(mean(plain), abs=3)


def test_sharpness_is_seen_at_the_edges(scan_sim: ScanSim) -> None:
    plain, sharp = levels_of(scan_sim({})), levels_of(scan_sim({}, adjust={"sharpness": 100}))
    assert _rises(sharp) > _rises(plain) * 1.2
    assert mean(plain) == pytest.approx(mean(sharp), abs=2)


@pytest.mark.parametrize("threshold", [51, 128, 204])
def test_samples_below_the_threshold_are_black(scan_sim: ScanSim, threshold: int) -> None:
    scanned = scan_sim({}, color="BlackAndWhite1", adjust={"threshold": threshold})
    assert blackness(scanned) == pytest.approx(threshold / 255, abs=0.03)


def test_a_halftone_has_the_grays_of_the_original(scan_sim: ScanSim) -> None:
    dots = scan_sim({}, color="BlackAndWhite1", halftone=True)
    assert blackness(dots) == pytest.approx(0.5, abs=0.05)
    middle = [each for at, each in enumerate(dots.pages[0]) if 10 < at % dots.frames[0]["bytes_per_line"] < 14]
    assert not {0, 255} & set(middle), "in the midst of the ramp no eight dots are alike"


@pytest.mark.parametrize("keeps", [False, True])
def test_the_next_job_is_as_if_there_had_been_none(scan_sim: ScanSim, keeps: bool) -> None:
    job = {"adjust": {"brightness": 1000, "sharpness": -100}}
    after = scan_sim({"keeps_options": keeps}, earlier=[job])
    assert after.pages == scan_sim({}).pages
    lineart = {"color": "BlackAndWhite1"}
    after = scan_sim({"keeps_options": keeps}, earlier=[{**lineart, "adjust": {"threshold": 10}}], **lineart)
    assert after.pages == scan_sim({}, **lineart).pages


def test_a_slide_is_one_image_as_it_is(scan_sim: ScanSim) -> None:
    slide = scan_sim({}, source="Film", film="ColorSlideFilm")
    assert slide.error is None, slide.message
    assert slide.pages == scan_sim({}).pages
    assert scan_sim({}, source="Film", film="ColorNegativeFilm").error == "ScannerUnsupported"


@pytest.mark.parametrize("at", ["start", "read"])
def test_two_sheets_at_once_stop_the_feeder(scan_sim: ScanSim, at: Any) -> None:
    quirks = {"double_feed_options": True, "faults": (Fault(what="double-feed", at=at, image=2),)}
    scanned = scan_sim(quirks, sheets=5, source="ADF")
    assert scanned.error == "MultipleFeed"
    assert "at sheet 2 " in scanned.message
    jam = scan_sim({"faults": (Fault(what="jammed", at=at, image=2),)}, sheets=5, source="ADF")
    assert jam.error == "ScannerJammed"


def test_who_wants_to_go_on_goes_on(scan_sim: ScanSim) -> None:
    quirks = {"double_feed_options": True, "faults": (Fault(what="double-feed", image=2),)}
    scanned = scan_sim(quirks, {"df-action": "Continue"}, sheets=5, source="ADF")
    assert scanned.error is None, scanned.message
    assert len(scanned.pages) == 4


@pytest.mark.parametrize("late", [False, True])
def test_no_sheet_is_left_in_a_feeder_that_is_asked_too_soon(scan_sim: ScanSim, late: bool) -> None:
    quirks = {"hasty_start_s": 0.1, "no_docs_late": late}
    scanned = scan_sim(quirks, sheets=4, source="ADF", delays=[[], [], [0.01, 0.1, 0.5]])
    assert scanned.error is None, scanned.message
    assert len(scanned.pages) == 4
