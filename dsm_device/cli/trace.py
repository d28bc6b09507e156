"""A trace of a scan for whoever asks where the time went: every event with its moment, one JSON object a line."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import msgspec

from dsm_device.errors import DsmError, UsageError
from dsm_device.runner.events import Event

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
        fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
        entry = {"at_s": time.monotonic(), "event": type(event).__name__, **fields}
        self._file.write(msgspec.json.encode(entry, enc_hook=str) + b"\n")
        self._output.show(event)

    def failed(self, error: DsmError) -> None:
        self._output.failed(error)
