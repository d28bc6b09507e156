"""The port's Driver and Scanner over libsane."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path

from dsm_device.errors import ScannerNotFound
from dsm_device.hardware import Capabilities, OptionValue, ScannerInfo, ScanSettings, Sensors

from .acquisition import SanePage, pages
from .borrowed import Borrowed
from .device import Delays, Device
from .library import load
from .serial import is_plugged_in, usb_serial
from .setup import Setup


class SaneDriver:
    """libsane in this process. It is initialised at the first use and left when the process ends.

    Backends keep the values of options over close and open, until the process ends. What a job sets is set again
    or set back by the next, but for raw options: others than before want a process of their own.
    """

    def __init__(self, delays: Delays = Delays()) -> None:  # noqa: B008 - immutable
        self._delays = delays
        self._listed: dict[str, ScannerInfo] = {}
        self._borrowed: dict[str, Borrowed] = {}

    def scanners(self) -> list[ScannerInfo]:
        """As the port says. May take seconds: every backend looks for its devices, some on the network."""
        self._listed = {info.device: replace(info, serial=usb_serial(info.device)) for info in load().scanners()}
        return list(self._listed.values())

    def open(self, device: str, options: Mapping[str, OptionValue], scratch: Path) -> SaneScanner:
        """As the port says.

        A device opened by its name has a vendor and a model only if :meth:`scanners` was called before.
        """
        name = device or self._first()
        opened = Device(load(), name, self._delays)
        try:
            borrowed = self._borrowed.setdefault(name, Borrowed())
            setup = Setup(opened, options, lambda: self._kind(name), borrowed)
        except BaseException:
            opened.close()
            raise
        info = self._listed.get(name, ScannerInfo(name, "", ""))
        serial = info.serial or usb_serial(name) or setup.serial()
        return SaneScanner(replace(info, serial=serial), opened, setup, scratch)

    def _first(self) -> str:
        found = self.scanners()
        if not found:
            raise ScannerNotFound
        return found[0].device

    def _kind(self, name: str) -> str:
        """SANE_Device.type, which only the list of all devices tells."""
        if name not in self._listed:
            self.scanners()
        info = self._listed.get(name)
        return info.kind if info else ""


class SaneScanner:
    """An opened SANE device."""

    def __init__(self, info: ScannerInfo, device: Device, setup: Setup, scratch: Path) -> None:
        self._info = info
        self._device = device
        self._setup = setup
        self._scratch = scratch
        self._job: Generator[SanePage, None, None] | None = None

    def capabilities(self) -> Capabilities:
        """As the port says. Ends a job that is under way."""
        self._end_job()
        return Capabilities(self._info, self._setup.sources())

    def sensors(self) -> Sensors:
        """As the port says."""
        if is_plugged_in(self._info.device) is False:
            raise ScannerNotFound(f"the scanner {self._info.device} has been unplugged or switched off")
        return self._setup.sensors()

    def pages(self, settings: ScanSettings) -> Generator[SanePage, None, None]:
        """As the port says. Ends a job that is under way; :meth:`cancel` counts from this call on."""
        self._end_job()
        self._device.begin()
        self._job = pages(self._device, self._setup, settings, self._scratch)
        return self._job

    def cancel(self) -> None:
        """As the port says."""
        self._device.interrupt()

    def close(self) -> None:
        """As the port says. Ends a job that is under way."""
        self._end_job()
        self._device.close()

    def _end_job(self) -> None:
        if self._job is not None:
            self._job.close()
            self._job = None
