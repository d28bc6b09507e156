"""A trace of a scan for whoever asks where the time went: every event with its moment, one JSON object a line."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from dsm_device.errors import DsmError, UsageError
from dsm_device.runner.events import Event, Warned

from .output import ScanOutput


class Trace:
    """Writes each event to ``path`` and passes it on.

    ``at_s`` is CLOCK_MONOTONIC in seconds, which other processes of the machine share; ``event`` is the name of
    the event's class in :mod:`dsm_device.runner.events`, whose fields follow.
    """

    def __init__(self, path: Path, output: ScanOutput) -> None:
        """Raises ``UsageError`` where ``path`` cannot be written."""
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise UsageError(f"--trace {path}: {error.strerror}", "name a file that can be written") from error
        self._output = output

    def show(self, event: Event) -> None:
        """A trace that cannot be written any more, as on a full disk, stops no scan: it ends, and says so."""
        if not self._file.closed:
            self._write(event)
        self._output.show(event)

    def _write(self, event: Event) -> None:
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        entry = {"at_s": time.monotonic(), "event": type(event).__name__, **fields}
        try:
            self._file.write(msgspec.json.encode(entry, enc_hook=str) + b"\n")
        except OSError as error:
            self._file.close()
            self._output.show(Warned(f"the trace {self._file.name} ends here: {error.strerror}"))

    def failed(self, error: DsmError) -> None:
        self._output.failed(error)
