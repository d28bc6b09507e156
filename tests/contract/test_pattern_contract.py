"""The example driver passes the contract of the port, and draws what it says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dsm_device.errors import ScannerInvalid, ScannerNoDocuments
from dsm_device.hardware import Area, ColorProcessing, Driver, InputSource, Scanner, ScanSettings
from dsm_drivers.contract import ScannerContract
from dsm_drivers.pattern import PatternDriver


class TestPatternDriverKeepsTheContract(ScannerContract):
    @pytest.fixture
    def driver(self) -> Driver:
        return PatternDriver()


def read_all(scanner: Scanner, settings: ScanSettings) -> list[bytes]:
    pages = []
    for page in scanner.pages(settings):
        buffer = memoryview(bytearray(7 * page.frame.bytes_per_line))
        parts = []
        while got := page.read_into(buffer):
            parts.append(bytes(buffer[:got]))
        pages.append(b"".join(parts))
    return pages


def settings_for(color: ColorProcessing, source: InputSource = InputSource.PLATEN) -> ScanSettings:
    return ScanSettings(source, color, 100, 200, Area(0, 0, 560, 500))


@pytest.mark.parametrize("color", ["BlackAndWhite1", "Grayscale8", "Grayscale16", "RGB24", "RGB48"])
def test_squares_of_a_quarter_inch_in_every_colour(color: str, tmp_path: Path) -> None:
    scanner = PatternDriver().open("", {}, tmp_path)
    kind = ColorProcessing(color)
    (page,) = read_all(scanner, settings_for(kind))
    line, stride = page[: kind.bytes_per_line(56)], kind.bytes_per_line(56)
    assert page[: 50 * stride] == line * 50
    assert page[50 * stride :] == bytes(each ^ 0xFF for each in line) * 50
    if color == "BlackAndWhite1":
        assert line == bytes.fromhex("ffffff 80 00 00 3f".replace(" ", ""))
    else:
        pixel = kind.channels * kind.bits_per_sample // 8
        assert line[: 25 * pixel] == line[:pixel] * 25
        assert line[25 * pixel : 50 * pixel] == line[25 * pixel : 26 * pixel] * 25
        assert line[:pixel] != line[25 * pixel : 26 * pixel]


def test_deep_samples_are_the_shallow_ones_in_the_hosts_order(tmp_path: Path) -> None:
    scanner = PatternDriver().open("", {}, tmp_path)
    (shallow,) = read_all(scanner, settings_for(ColorProcessing.RGB_24))
    (deep,) = read_all(scanner, settings_for(ColorProcessing.RGB_48))
    samples = [int.from_bytes(deep[at : at + 2], sys.byteorder) for at in range(0, len(deep), 2)]
    assert samples == [each * 257 for each in shallow]


def test_pages_differ_and_come_again_in_the_next_job(tmp_path: Path) -> None:
    scanner = PatternDriver().open("", {"pages": 5}, tmp_path)
    settings = settings_for(ColorProcessing.GRAYSCALE_8, InputSource.ADF)
    pages = read_all(scanner, settings)
    assert len(set(pages)) == 5
    assert read_all(scanner, settings) == pages


def test_an_empty_feeder(tmp_path: Path) -> None:
    scanner = PatternDriver().open("", {"pages": 0}, tmp_path)
    with pytest.raises(ScannerNoDocuments):
        read_all(scanner, settings_for(ColorProcessing.GRAYSCALE_8, InputSource.ADF))
    assert len(read_all(scanner, settings_for(ColorProcessing.GRAYSCALE_8))) == 1


@pytest.mark.parametrize("pages", [-1, 1001, True, 1.0, "10"])
def test_impossible_numbers_of_pages(pages: object, tmp_path: Path) -> None:
    with pytest.raises(ScannerInvalid, match="0 to 1000"):
        PatternDriver().open("", {"pages": pages}, tmp_path)  # type: ignore[dict-item]
