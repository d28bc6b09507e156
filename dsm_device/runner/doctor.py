"""The checks of ``dsm-device doctor``: each says what it found and, where it is not well, what to do.

No check stops the next one, and none changes anything or moves paper.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dsm_device.acquisition.process import Acquisition
from dsm_device.directory.port import Directory, ProcessEntry
from dsm_device.errors import DsmError
from dsm_device.imaging.available import written_formats
from dsm_device.imaging.formats import FORMATS
from dsm_device.spool import Spool

from .scanner_keeper import ScannerChoice

if TYPE_CHECKING:
    from dsm_device.client.scan_server import ScanServer  # httpx takes as long to load as a scanner to open

#: A machine without a battery clock wakes up long before this program was written.
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
LOW_ON_SPACE_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's. ``remedy`` is "" where nothing need be done."""

    check: str
    ok: bool
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Doctor:
    """Looks at the parts of a device. Parts that cannot even be made are given as functions that raise."""

    configuration: str
    spool: Callable[[], Spool]
    directory: Callable[[], Directory]
    scan_server: Callable[[str], ScanServer]
    scanner: ScannerChoice

    async def checks(self) -> AsyncGenerator[Check]:
        """The results, one by one, as they are found."""
        yield Check("configuration", True, f"{self.configuration} is valid")
        yield self._clock()
        yield await _checked("disk", self._disk)
        yield self._formats()
        yield await _checked("scanner", self._scanner)
        entries: list[ProcessEntry] = []
        yield await _checked("directory", partial(self._directory, entries))
        for entry in entries:
            if not entry.usable:
                remedy = "correct it, or take it out of the folder"
                yield Check("scan process", False, f'"{entry.name}" is unusable: {entry.reason}', remedy)
            for warning in entry.warnings:
                yield Check("scan process", True, f'"{entry.name}": {warning}')
        certificates = await _checked("certificates", self._certificates)
        yield certificates
        if not certificates.ok:
            return
        for repository in sorted({entry.server for entry in entries if entry.usable}):
            yield await _checked("scan server", partial(self._scan_server, repository))

    def _formats(self) -> Check:
        """A format that cannot be written fails nothing by itself: perhaps no scan process asks for it."""
        missing = [name for name in FORMATS if name not in written_formats()]
        if not missing:
            return Check("formats", True, f"all {len(FORMATS)} can be written")
        listed = ", ".join(missing)
        return Check("formats", True, f"not without their library: {listed}", "`apt install libtiff6 libjbig0`")

    def _clock(self) -> Check:
        now = datetime.now(UTC)
        shown = f"it is {now:%Y-%m-%d %H:%M} UTC"
        if now < EARLIEST:
            return Check("clock", False, shown, "set the clock, or let it be set by NTP: certificates need it")
        return Check("clock", True, shown)

    async def _disk(self) -> Check:
        spool = await asyncio.to_thread(self.spool)
        free = await asyncio.to_thread(spool.free_bytes)
        waiting = len(await asyncio.to_thread(lambda: list(spool.jobs())))
        message = f"{free / 1e6:,.0f} MB free for scans, {waiting} jobs waiting in the spool"
        if free < LOW_ON_SPACE_BYTES:
            return Check("disk", False, message, "free the disk, or raise spool.max_bytes")
        return Check("disk", True, message)

    async def _scanner(self) -> Check:
        choice = self.scanner
        async with Acquisition() as acquisition:
            # A driver may know a device's maker and model only from its list.
            await acquisition.scanners(choice.driver)
            with TemporaryDirectory() as scratch:
                found = await acquisition.open(choice.driver, choice.device, choice.options, Path(scratch))
        sources = ", ".join(source.source for source in found.sources)
        scanner = found.scanner
        return Check("scanner", True, f"{scanner.vendor} {scanner.model} ({scanner.device}) with {sources}")

    async def _directory(self, entries: list[ProcessEntry]) -> Check:
        directory = await asyncio.to_thread(self.directory)
        entries.extend(await asyncio.to_thread(directory.processes))
        usable = sum(entry.usable for entry in entries)
        message = f"{usable} usable scan processes of {len(entries)}"
        if not usable:
            return Check("directory", False, message, "put a scan process there, or let this user see one")
        return Check("directory", True, message)

    async def _certificates(self) -> Check:
        """Whether the files that the configuration names can be used; a server is not asked."""
        await self.scan_server("localhost").aclose()
        return Check("certificates", True, "the certificate authorities and the client certificate can be read")

    async def _scan_server(self, repository: str) -> Check:
        async with self.scan_server(repository) as server:
            address = await server.locate()
            return Check("scan server", True, f"{repository} answers, trusted, at {address}")


async def _checked(name: str, check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        return await check()
    except DsmError as error:
        return Check(name, False, error.message, error.remedy)


async def run(doctor: Doctor, show: Callable[[Check], None]) -> bool:
    """Make all checks, show each at once; whether all are well."""
    well = True
    async with aclosing(doctor.checks()) as checks:
        async for check in checks:
            show(check)
            well = well and check.ok
    return well
