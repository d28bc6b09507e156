"""What the kernel knows of USB scanners: SANE has no place for a serial number (SANE standard 1.06, 4.2.8).

Some backends have an option that tells it. Where the name holds the device's place on the USB, the kernel knows
it, and whether the device is there at all.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

USB_DEVICES: Final = Path("/sys/bus/usb/devices")
#: sanei_usb names devices by bus and number, three digits each, as libusb does: ``epson2:libusb:001:004``.
_PLACE = re.compile(r"libusb:(\d{1,3}):(\d{1,3})$")
#: Names that backends give to the option, in order of preference.
OPTIONS: Final = ("serial-number", "serial")


def usb_serial(name: str, devices: Path = USB_DEVICES) -> str:
    """The serial number of the USB device that the SANE ``name`` stands for, "" where there is none."""
    folder = _folder(name, devices)
    return _text(folder / "serial") if folder else ""


def is_plugged_in(name: str, devices: Path = USB_DEVICES) -> bool | None:
    """Whether the USB device that the SANE ``name`` stands for is there; None where the name holds no place."""
    if _PLACE.search(name) is None or not devices.exists():
        return None
    return _folder(name, devices) is not None


def _folder(name: str, devices: Path) -> Path | None:
    """What the kernel tells of the device."""
    place = _PLACE.search(name)
    if place is None:
        return None
    wanted = int(place[1]), int(place[2])
    for number in devices.glob("*/devnum"):
        if (_number(number.with_name("busnum")), _number(number)) == wanted:
            return number.parent
    return None


def _number(file: Path) -> int:
    text = _text(file)
    return int(text) if text.isdecimal() else -1


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:  # it has no such attribute, or was just unplugged
        return ""
