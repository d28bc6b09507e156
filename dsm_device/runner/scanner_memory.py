"""Which scanner stood behind a name: names hold addresses, which change whenever a scanner is plugged in again.

One file, ``scanners.json`` in the state folder. Losing it costs nothing but that a scanner is not found again
under another name until it has been opened once more.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import msgspec

from dsm_device.hardware import ScannerInfo

FILE: Final = "scanners.json"
_log = logging.getLogger(__name__)


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

    def among(self, listed: Sequence[ScannerInfo]) -> list[ScannerInfo]:
        """Those of the same backend, vendor and model, and of the same serial number where both are known."""
        return [info for info in listed if self.is_known and (info.vendor or info.model) and self.may_be(info)]


def backend_of(device: str) -> str:
    """The name before the first colon (SANE standard 1.06, 4.2.8: names of a meta backend)."""
    return device.partition(":")[0]


class ScannerMemory:
    """The file, or with None for the folder a memory that ends with the process."""

    def __init__(self, state_dir: Path | None) -> None:
        self._file = state_dir / FILE if state_dir else None
        self._known = self._read()

    def recall(self, name: str) -> Remembered | None:
        return self._known.get(name)

    def remember(self, names: Sequence[str], info: ScannerInfo) -> None:
        """That ``info`` stands behind each of ``names``. A file that cannot be written is told in the log."""
        scanner = Remembered.of(info)
        known = self._known | dict.fromkeys(filter(None, names), scanner)
        if known != self._known:
            self._known = known
            self._write()

    def _read(self) -> dict[str, Remembered]:
        if self._file is None:
            return {}
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, Remembered])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            _log.warning("%s is ignored, and written anew: %s", self._file, error)
            return {}

    def _write(self) -> None:
        if self._file is None:
            return
        try:
            _replace(self._file, msgspec.json.format(msgspec.json.encode(self._known), indent=1))
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._file, error)


def _replace(path: Path, content: bytes) -> None:
    """All of it or nothing, and after a power cut as well. Temporary files are made with mode 0600."""
    with NamedTemporaryFile(prefix=f".{path.name}-", dir=path.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(file.name).unlink()
            raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
