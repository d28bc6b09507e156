"""The contract suite is worth something: each way of breaking the port makes one of its tests fail."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dsm_device.errors import ScannerIoError
from dsm_device.hardware import (
    Adjustment,
    Adjustments,
    Capabilities,
    Driver,
    FilmType,
    InputSource,
    ScanSettings,
    Sensors,
)
from dsm_drivers.contract import ScannerContract
from dsm_drivers.pattern import PatternDriver, PatternPage, PatternScanner


class BrokenPage:
    """A page of the pattern with one fault."""

    def __init__(self, page: PatternPage, fault: str) -> None:
        self.page = page
        self.fault = fault
        self.frame = page.frame
        if fault == "wrong height":
            self.frame = replace(page.frame, height_px=(page.frame.height_px or 0) + 1)
        if fault == "wrong colour":
            self.frame = replace(page.frame, color="RGB24")
        if fault == "short lines":
            self.frame = replace(page.frame, bytes_per_line=page.frame.bytes_per_line - 1)
        if fault == "other resolution":
            self.frame = replace(page.frame, x_dpi=page.frame.x_dpi + 1)
        self.ended = False

    def read_into(self, buffer: memoryview) -> int:
        if self.fault == "uses the rest of the buffer":
            buffer[-1:] = b"x"
        if self.fault == "fills by halves":
            half = len(buffer) // self.frame.bytes_per_line // 2 or 1
            return self.page.read_into(buffer[: half * self.frame.bytes_per_line])
        got = self.page.read_into(buffer)
        if self.fault == "part of a line" and got:
            return got - 1
        if self.fault == "depends on the buffer" and got:
            buffer[:1] = bytes([len(buffer) % 251])
        if self.fault == "goes on after the end" and not got:
            self.ended, again = True, self.ended
            return self.frame.bytes_per_line if again else 0
        return got


class BrokenScanner(PatternScanner):
    """The pattern scanner with one fault."""

    fault = ""
    inherited = Adjustments()

    def capabilities(self) -> Capabilities:
        found = super().capabilities()
        platen, *others = found.sources
        if self.fault == "descending":
            platen = replace(platen, x_resolutions_dpi=tuple(reversed(platen.x_resolutions_dpi)))
        if self.fault == "twice":
            others = [platen, *others]
        if self.fault == "no colour":
            platen = replace(platen, colors=())
        if self.fault == "longest is short":
            platen = replace(platen, longest_mil=platen.maximum.height_mil - 1)
        if self.fault == "film on a platen":
            platen = replace(platen, films=(FilmType.COLOR_SLIDE,))
        if self.fault == "no contrast":
            platen = replace(platen, adjustments=frozenset(Adjustment))
        if self.fault == "no halftone":
            platen = replace(platen, halftone=True)
        if self.fault == "no maximum":
            platen = replace(platen, maximum=replace(platen.maximum, width_mil=0))
        return replace(found, sources=(platen, *others))

    def sensors(self) -> Any:
        if self.fault == "senses when it is closed":
            return Sensors()
        found = super().sensors()
        if self.fault == "numbers for sensors":
            return replace(found, cover_open=2)
        if self.fault == "sees no paper":
            return replace(found, page_loaded=False)
        if self.fault == "dawdles":
            time.sleep(0.6)
        if self.fault == "touched by sensing":
            self.inherited = Adjustments(brightness=-500)
        if self.fault == "cannot sense after a cancel" and self._cancelled.is_set():
            raise ScannerIoError
        return found

    def pages(self, settings: ScanSettings) -> Iterator[Any]:
        if self.fault == "touched by sensing":
            settings = replace(settings, adjust=self.inherited)
        if self.fault == "clamps":
            settings = replace(settings, x_dpi=min(settings.x_dpi, 1200), y_dpi=min(settings.y_dpi, 1200))
        if self.fault == "ignores adjustments":
            settings = replace(settings, adjust=Adjustments())
        if self.fault == "ignores film":
            settings = replace(settings, film=None)
        if self.fault == "ignores halftone":
            settings = replace(settings, halftone=False)
        if self.fault == "inherits" and settings.adjust.brightness:
            self.inherited = settings.adjust
        if self.fault == "inherits":
            settings = replace(settings, adjust=self.inherited)
        if self.fault == "three on a platen" and settings.source is InputSource.PLATEN:
            return itertools.chain(*(super(BrokenScanner, self).pages(settings) for _ in range(3)))
        if self.fault == "one too many" and settings.images:
            settings = replace(settings, images=settings.images + 1)
        if self.fault == "stops early" and not settings.images:
            settings = replace(settings, images=1)
        pages = super().pages(settings)
        if self.fault == "keeps cancelled":
            self._cancelled.set()
        return (BrokenPage(page, self.fault) for page in pages)

    def cancel(self) -> None:
        if self.fault != "does not cancel":
            super().cancel()

    def close(self) -> None:
        if self.fault == "closes once" and self._closed:
            raise RuntimeError("closed already")
        if self.fault != "stays open":
            super().close()


class BrokenDriver(PatternDriver):
    def __init__(self, fault: str) -> None:
        self._fault = fault

    def open(self, device: str, options: Any, scratch: Path) -> PatternScanner:
        if self._fault == "opens anything":
            device = ""
        if self._fault == "ignores options":
            options = {}
        if self._fault == "leaves files":
            (scratch / "left").touch()
        opened = super().open(device, options, scratch)
        scanner = BrokenScanner(opened._sheets)
        scanner.fault = self._fault
        return scanner


CAUGHT_BY: dict[str, Callable[..., None]] = {
    "wrong height": ScannerContract.test_every_source_and_colour_delivers_what_its_frame_says,
    "wrong colour": ScannerContract.test_every_source_and_colour_delivers_what_its_frame_says,
    "short lines": ScannerContract.test_every_source_and_colour_delivers_what_its_frame_says,
    "other resolution": ScannerContract.test_every_source_and_colour_delivers_what_its_frame_says,
    "part of a line": ScannerContract.test_lines_come_whole_into_a_buffer_of_any_size,
    "fills by halves": ScannerContract.test_lines_come_whole_into_a_buffer_of_any_size,
    "uses the rest of the buffer": ScannerContract.test_lines_come_whole_into_a_buffer_of_any_size,
    "depends on the buffer": ScannerContract.test_lines_come_whole_into_a_buffer_of_any_size,
    "goes on after the end": ScannerContract.test_a_page_that_has_ended_stays_so,
    "descending": ScannerContract.test_capabilities_are_well_formed,
    "twice": ScannerContract.test_capabilities_are_well_formed,
    "no colour": ScannerContract.test_capabilities_are_well_formed,
    "no maximum": ScannerContract.test_capabilities_are_well_formed,
    "clamps": ScannerContract.test_settings_that_it_cannot_do_raise_before_a_page,
    "three on a platen": ScannerContract.test_a_platen_gives_one_image,
    "one too many": ScannerContract.test_a_feeder_stops_after_the_images_asked_for,
    "stops early": ScannerContract.test_a_feeder_ends_when_it_is_empty,
    "keeps cancelled": ScannerContract.test_cancel_between_jobs_does_not_harm_the_next,
    "does not cancel": ScannerContract.test_cancel_within_a_page_from_another_thread,
    "longest is short": ScannerContract.test_capabilities_are_well_formed,
    "film on a platen": ScannerContract.test_capabilities_are_well_formed,
    "no contrast": ScannerContract.test_what_it_adjusts_itself_it_adjusts_in_every_colour,
    "no halftone": ScannerContract.test_films_and_halftones_are_delivered,
    "ignores adjustments": ScannerContract.test_brightness_shows_and_the_next_job_does_not_inherit_it,
    "inherits": ScannerContract.test_brightness_shows_and_the_next_job_does_not_inherit_it,
    "ignores film": ScannerContract.test_settings_that_it_cannot_do_raise_before_a_page,
    "ignores halftone": ScannerContract.test_settings_that_it_cannot_do_raise_before_a_page,
    "numbers for sensors": ScannerContract.test_sensors_say_yes_no_or_nothing,
    "dawdles": ScannerContract.test_sensors_are_read_quickly,
    "sees no paper": ScannerContract.test_paper_in_the_feeder_is_seen,
    "touched by sensing": ScannerContract.test_reading_the_sensors_changes_nothing,
    "cannot sense after a cancel": ScannerContract.test_sensors_are_read_after_whatever_happened,
    "senses when it is closed": ScannerContract.test_a_closed_scanner_senses_nothing,
    "stays open": ScannerContract.test_a_closed_scanner_does_not_scan,
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_a_fault_of_the_scanner_is_caught(fault: str, tmp_path: Path) -> None:
    scanner = BrokenDriver(fault).open("", {}, tmp_path)
    with pytest.raises(BaseException) as caught:
        CAUGHT_BY[fault](ScannerContract(), scanner)
    assert not isinstance(caught.value, TypeError | AttributeError), "the fault is not told by the suite"


@pytest.mark.parametrize(
    ("fault", "test", "arguments"),
    [
        ("opens anything", ScannerContract.test_a_scanner_that_is_not_there_is_not_found, ()),
        ("ignores options", ScannerContract.test_an_unknown_raw_option_is_named, ("",)),
        ("closes once", ScannerContract.test_closing_twice_releases_the_device, ("",)),
        ("leaves files", ScannerContract.test_closing_within_a_page_releases_the_device, ("", {})),
    ],
)
def test_a_fault_of_the_driver_is_caught(
    fault: str, test: Callable[..., None], arguments: tuple[Any, ...], tmp_path: Path
) -> None:
    driver: Driver = BrokenDriver(fault)
    with pytest.raises(BaseException):  # noqa: B017 - pytest.fail is no Exception
        test(ScannerContract(), driver, *arguments, tmp_path)


def test_the_unbroken_pattern_passes_the_same_tests(tmp_path: Path) -> None:
    for test in set(CAUGHT_BY.values()):
        test(ScannerContract(), BrokenDriver("").open("", {}, tmp_path))
