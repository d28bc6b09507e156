"""Which USB devices there are, as the kernel tells without touching one: by it, plugging in is seen at once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

USB_DEVICES: Final = Path("/sys/bus/usb/devices")


def usb_devices(folder: Path = USB_DEVICES) -> frozenset[tuple[str, str]]:
    """Each device's port and its number, which is another after each plugging in; none where there is no USB."""
    return frozenset((file.parent.name, number) for file in folder.glob("*/devnum") if (number := _text(file)))


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except (OSError, ValueError):  # it was just unplugged
        return ""
