"""Hands on a simulated scanner: paper, cover, buttons, plug. What it does with them is in its log.

The hardware is a folder of small files that outlives processes; ``sane_backend/hardware.h`` lists them. A file
comes and goes by rename and unlink alone, so that the backend never sees half of one.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, get_args

from dsm_sim.scanner.events import ScannerEvent, note_event, read_events
from dsm_sim.scanner.model import ScannerModel
from dsm_sim.scanner.sheet import Sheet

Button = Literal["scan", "email", "file", "function"]

_BACKEND: Final = "dsmsim"
_ADDRESS: Final = re.compile(r"\d{3}:\d{3}")
_LONGEST_PATH_BYTES: Final = 900
_temporary_names: Final = itertools.count(1)


class SimulatedScanner:
    """A scanner whose state is ``folder``; one that is there already is found as it was left.

    ``address`` is where a new one is plugged in, like a libusb bus and device. Raises ValueError for an address
    that is none and a folder whose name the backend cannot read.
    """

    def __init__(self, folder: Path, model: ScannerModel | None = None, address: str = "001:004") -> None:
        self.folder = folder.absolute()
        self.model = model or ScannerModel()
        if "\n" in str(self.folder) or len(os.fsencode(self.folder)) > _LONGEST_PATH_BYTES:
            raise ValueError(f"{str(self.folder)!r}: a folder with a line break in its name, or too long")
        is_new = not (self.folder / "loads").exists()
        for name in ("feeder", "buttons", "faults"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if is_new:
            self._write("loads", "0\n")
            self.plug(address)

    # ------------------------------------------------------------------------------------------- the plug

    @property
    def address(self) -> str:
        """Where it is plugged in; "" if it is not."""
        return self._read("address")

    @property
    def device(self) -> str:
        """Its name in SANE now; "" while it is unplugged."""
        return f"{_BACKEND}:{self.address}" if self.address else ""

    def unplug(self) -> None:
        self._remove("address")

    def plug(self, address: str) -> None:
        """Plugs it in, at another address than before if it was moved. Raises ValueError."""
        if not _ADDRESS.fullmatch(address):
            raise ValueError(f"{address!r} is no address: three digits, a colon, three digits")
        self._write("address", f"{address}\n")

    def fall_asleep(self) -> None:
        """The next opening wakes it, or one of the next as ``Quirks.opening_fails`` says."""
        self._write("asleep", "0\n")

    # ---------------------------------------------------------------------------------------------- paper

    def load(self, sheets: Iterable[Sheet]) -> int:
        """Puts sheets into the feeder, behind those that are there; the number of this load."""
        load = self._next_load()
        for number, sheet in enumerate(sheets, 1):
            self._write(f"feeder/{load:08}-{number:08}", sheet.described(load, number))
        return load

    def place_on_glass(self, sheet: Sheet | None) -> int:
        """Lays a sheet on the glass in the place of any other, or takes it away; the number of this load."""
        load = self._next_load()
        if sheet is None:
            self._remove("glass")
        else:
            self._write("glass", sheet.described(load, 1))
        return load

    @property
    def sheets_left(self) -> int:
        """In the feeder."""
        return sum(1 for _ in (self.folder / "feeder").iterdir())

    def empty_feeder(self) -> None:
        """Takes all sheets out."""
        for path in (self.folder / "feeder").iterdir():
            path.unlink(missing_ok=True)

    # ------------------------------------------------------------------------------- cover, jam and buttons

    def open_cover(self) -> None:
        self._write("cover", "1\n")

    def close_cover(self) -> None:
        self._remove("cover")

    @property
    def is_jammed(self) -> bool:
        return (self.folder / "jam").exists()

    def jam(self) -> None:
        """Paper jams now, whatever it is doing."""
        self._write("jam", "1\n")
        note_event(self._log, "jammed")

    def clear_jam(self) -> None:
        """What was stuck is taken out; the feeder goes on with the next sheet."""
        self._remove("jam")

    def press(self, button: Button) -> None:
        """The press is kept until a program reads it. Raises ValueError."""
        if button not in get_args(Button):
            raise ValueError(f"there is no button {button}: {', '.join(get_args(Button))}")
        self._write(f"buttons/{button}", "")

    # ------------------------------------------------------------------------------------------ what it did

    def log(self) -> list[ScannerEvent]:
        """All that happened since the scanner was made, in order."""
        return read_events(self._log)

    # ---------------------------------------------------------------------------------------------- inside

    @property
    def _log(self) -> Path:
        return self.folder / "log.jsonl"

    def _next_load(self) -> int:
        load = int(self._read("loads")) + 1
        self._write("loads", f"{load}\n")
        return load

    def _read(self, name: str) -> str:
        try:
            return (self.folder / name).read_text("utf-8").strip()
        except FileNotFoundError:
            return ""

    def _write(self, name: str, text: str) -> None:
        temporary = self.folder / f".{os.getpid()}-{next(_temporary_names)}.tmp"
        temporary.write_text(text, "utf-8")
        temporary.replace(self.folder / name)

    def _remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
