"""What the kernel knows of USB devices by their place in SANE's names."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsm_drivers.sane.serial import is_plugged_in, usb_serial


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    for port, bus, number, serial in (
        ("1-2", 1, 4, "X3BC004711\n"),
        ("1-3", 1, 5, None),
        ("2-1", 2, 4, "other\n"),
    ):
        folder = tmp_path / port
        folder.mkdir()
        (folder / "busnum").write_text(f"{bus}\n")
        (folder / "devnum").write_text(f"{number}\n")
        if serial:
            (folder / "serial").write_text(serial)
    (tmp_path / "1-0:1.0").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "serial"),
    [
        ("epson2:libusb:001:004", "X3BC004711"),
        ("epson2:libusb:002:004", "other"),
        ("epson2:libusb:001:005", ""),
        ("epson2:libusb:001:009", ""),
        ("fujitsu:ScanSnap iX500:1234", ""),
        ("airscan:e0:Scanner", ""),
        ("", ""),
    ],
)
def test_the_kernel_knows_it_by_bus_and_number(devices: Path, name: str, serial: str):
    assert usb_serial(name, devices) == serial


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("epson2:libusb:001:004", True),
        ("epson2:libusb:001:009", False),
        ("epson2:libusb:003:004", False),
        ("fujitsu:ScanSnap iX500:1234", None),
        ("airscan:e0:Scanner", None),
    ],
)
def test_the_kernel_knows_whether_it_is_there(devices: Path, name: str, is_there: bool | None):
    assert is_plugged_in(name, devices) is is_there
    assert is_plugged_in(name, devices / "no such folder") is None
