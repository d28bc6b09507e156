"""The command line: ``dsm-device``.

Here is only what must stand before anything else is loaded: signals are heard, and the standard streams exist.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

CANCELLED = 6


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _open_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _interrupt)
    try:
        from .main import run  # noqa: PLC0415 - it takes a while, in which signals count already

        return run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        print("dsm-device: cancelled", file=sys.stderr)
        return CANCELLED


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _open_streams() -> None:
    """Closed ones become nowhere; what a stream cannot encode is escaped."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the whole process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
