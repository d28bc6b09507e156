"""Which scanner stood behind a name: names hold addresses, which change whenever a scanner is plugged in again.

One file, ``scanners.json`` in the state folder. Losing it costs nothing but that a scanner is not found again
under another name until it has been opened once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from dsm_device.hardware import ScannerInfo

from .small_file import SmallFile

FILE: Final = "scanners.json"
#: A scanner on USB may have another name after each replug: so many are kept, the last ones.
MOST_NAMES: Final = 32


class Remembered(msgspec.Struct, frozen=True):
    """What was opened under a name; ``device`` is the name that it had the last time. Unknown fields are ""."""

    backend: str
    vendor: str
    model: str
    serial: str
    device: str

    @classmethod
    def of(cls, info: ScannerInfo) -> Remembered:
        return cls(backend_of(info.device), info.vendor, info.model, info.serial, info.device)

    @property
    def is_known(self) -> bool:
        """Whether it can be told from others. A scanner opened by its name has no model before it is listed."""
        return bool(self.vendor or self.model)

    def may_be(self, info: ScannerInfo) -> bool:
        """Whether nothing that both know differs."""
        mine = self.backend, self.vendor, self.model, self.serial
        theirs = backend_of(info.device), info.vendor, info.model, info.serial
        return all(a == b for a, b in zip(mine, theirs, strict=True) if a and b)

    def completed(self, info: ScannerInfo) -> ScannerInfo:
        """``info`` of this scanner with what it leaves open. One opened by its name says little of itself."""
        return replace(
            info,
            vendor=info.vendor or self.vendor,
            model=info.model or self.model,
            serial=info.serial or self.serial,
        )

    def among(self, listed: Sequence[ScannerInfo]) -> list[ScannerInfo]:
        """Those of the same backend, vendor and model, and of the same serial number where both are known."""
        return [info for info in listed if self.is_known and (info.vendor or info.model) and self.may_be(info)]


def backend_of(device: str) -> str:
    """The name before the first colon (SANE standard 1.06, 4.2.8: names of a meta backend)."""
    return device.partition(":")[0]


class ScannerMemory:
    """The file, or with None for the folder a memory that ends with the process."""

    def __init__(self, state_dir: Path | None) -> None:
        self._file = SmallFile(state_dir / FILE if state_dir else None, Remembered)
        self._known = self._file.read()

    def recall(self, name: str) -> Remembered | None:
        return self._known.get(name)

    def remember(self, names: Sequence[str], info: ScannerInfo) -> None:
        """That ``info`` stands behind each of ``names``. A file that cannot be written is told in the log."""
        scanner = Remembered.of(info)
        now = dict.fromkeys(filter(None, names), scanner)
        others = [item for item in self._known.items() if item[0] not in now]
        known = dict([*others, *now.items()][-MOST_NAMES:])
        if known != self._known:
            self._known = known
            self._file.write(known)
