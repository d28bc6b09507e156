"""On disk: numbers of conditions and what the scanner can do. In the kernel: which USB devices there are."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dsm_device.hardware import (
    Adjustment,
    Capabilities,
    ColorProcessing,
    FilmType,
    InputSource,
    ScannerInfo,
    Size,
    SourceCapabilities,
)
from dsm_device.runner import capabilities_memory, condition_ids
from dsm_device.runner.condition_ids import AHEAD, LARGEST, ConditionIds
from dsm_device.runner.scanner_keeper import ScannerChoice
from dsm_device.runner.usb_devices import usb_devices

CHOICE = ScannerChoice("sane", "epson2:libusb:001:004", {"threshold": 12, "df-action": "Stop", "swcrop": True})
CAPABILITIES = Capabilities(
    ScannerInfo("epson2:libusb:001:004", "Épson", "ES-1", "flatbed scanner", "X1"),
    (
        SourceCapabilities(
            InputSource.FILM,
            (ColorProcessing.RGB_48, ColorProcessing.GRAYSCALE_8),
            (75, 300),
            (75, 300, 600),
            Size(100, 100),
            Size(8500, 14000),
            square_only=False,
            longest_mil=34000,
            adjustments=frozenset({Adjustment.BRIGHTNESS, Adjustment.THRESHOLD}),
            films=(FilmType.COLOR_SLIDE,),
            halftone=True,
        ),
    ),
)


# -------------------------------------------------------------------------------------------- ids


def test_ids_rise_over_restarts_however_they_end(tmp_path: Path):
    last = 0
    for given in (0, 1, 3, AHEAD - 1, AHEAD, 2 * AHEAD + 1):
        ids = ConditionIds(tmp_path)
        for _ in range(given):
            number = ids()
            assert number > last
            last = number


def test_ids_are_written_once_in_a_thousand(tmp_path: Path):
    ids, written = ConditionIds(tmp_path), set()
    for _ in range(3 * AHEAD):
        number = ids()
        written.add(int((tmp_path / condition_ids.FILE).read_text()))
        assert max(written) > number
    assert len(written) == 3


def test_after_the_largest_comes_the_first(tmp_path: Path):
    (tmp_path / condition_ids.FILE).write_text(str(LARGEST - 1))
    ids = ConditionIds(tmp_path)
    assert [ids() for _ in range(4)] == [LARGEST - 1, LARGEST, 1, 2]
    assert 2 < ConditionIds(tmp_path)() < LARGEST


@pytest.mark.parametrize("content", [b"", b"\xff", b'"12"', b"{", b"1e400", b"null", b"[" * 100_000])
def test_a_damaged_number_is_told_and_no_early_one_comes_again(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
):
    (tmp_path / condition_ids.FILE).write_bytes(content)
    assert ConditionIds(tmp_path)() > 10_000_000
    assert condition_ids.FILE in caplog.text


@pytest.mark.parametrize(("content", "number"), [(b"-5", 1), (b"0", 1), (b"99999999999999", LARGEST)])
def test_a_number_that_is_none_of_ours(tmp_path: Path, content: bytes, number: int):
    (tmp_path / condition_ids.FILE).write_bytes(content)
    assert ConditionIds(tmp_path)() == number


def test_a_disk_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    ids = ConditionIds(tmp_path / "gone")
    assert [ids(), ids()] == [1, 2]
    assert "cannot be written" in caplog.text


# ----------------------------------------------------------------------------------- capabilities


def test_all_that_it_can_do_comes_back(tmp_path: Path):
    assert capabilities_memory.recall(tmp_path, CHOICE) is None
    capabilities_memory.remember(tmp_path, CHOICE, CAPABILITIES)
    assert capabilities_memory.recall(tmp_path, CHOICE) == CAPABILITIES


@pytest.mark.parametrize(
    "other",
    [
        replace(CHOICE, driver="pattern"),
        replace(CHOICE, device=""),
        replace(CHOICE, options={}),
        replace(CHOICE, options={**CHOICE.options, "threshold": 13}),
    ],
)
def test_what_was_read_of_another_choice_does_not_count(tmp_path: Path, other: ScannerChoice):
    capabilities_memory.remember(tmp_path, CHOICE, CAPABILITIES)
    assert capabilities_memory.recall(tmp_path, other) is None


@pytest.mark.parametrize("keep", [0, 1, 100, -2])
def test_a_damaged_file_is_told_and_ignored(tmp_path: Path, keep: int, caplog: pytest.LogCaptureFixture):
    capabilities_memory.remember(tmp_path, CHOICE, CAPABILITIES)
    file = tmp_path / capabilities_memory.FILE
    file.write_bytes(file.read_bytes()[:keep])
    assert capabilities_memory.recall(tmp_path, CHOICE) is None
    assert capabilities_memory.FILE in caplog.text
    capabilities_memory.remember(tmp_path, CHOICE, CAPABILITIES)
    assert capabilities_memory.recall(tmp_path, CHOICE) == CAPABILITIES


def test_a_pipe_in_its_place_holds_nobody_up(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    os.mkfifo(tmp_path / capabilities_memory.FILE)
    os.mkfifo(tmp_path / condition_ids.FILE)
    assert capabilities_memory.recall(tmp_path, CHOICE) is None
    assert ConditionIds(tmp_path)() > 10_000_000
    assert len(caplog.records) == 2


def test_a_disk_that_takes_no_file_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    capabilities_memory.remember(tmp_path / "gone", CHOICE, CAPABILITIES)
    assert "cannot be written" in caplog.text


# -------------------------------------------------------------------------------------------- USB


def test_a_device_at_the_same_port_has_another_number(tmp_path: Path):
    for port, number in (("1-2", "4\n"), ("usb1", "1\n")):
        (tmp_path / port).mkdir()
        (tmp_path / port / "devnum").write_text(number)
    (tmp_path / "1-0:1.0").mkdir()
    before = usb_devices(tmp_path)
    assert before == {("1-2", "4"), ("usb1", "1")}
    (tmp_path / "1-2" / "devnum").write_text("5\n")
    assert usb_devices(tmp_path) != before
    assert usb_devices(tmp_path / "no such folder") == frozenset()
