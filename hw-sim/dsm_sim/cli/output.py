"""Standard output of the simulator's commands, which goes on when nobody reads it any more."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast


class _Output(io.TextIOBase):
    """Passes on to ``stream``. A reader that has left, as ``head`` does, is no error: the rest goes nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._go_nowhere()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._go_nowhere()

    def fileno(self) -> int:
        return self._stream.fileno()

    def _go_nowhere(self) -> None:
        """What the stream still holds has to go somewhere: it is written at the end of the process."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


@contextmanager
def patient_output() -> Iterator[None]:
    """Within it nothing that writes to ``sys.stdout`` fails for the want of a reader."""
    before = sys.stdout
    output = _Output(before)
    sys.stdout = cast("TextIO", output)
    try:
        yield
    finally:
        output.flush()
        sys.stdout = before
