"""A running number for each job, which a console knows it by (WS-Scan, JobId).

It also says which job came before which: the clock of a board without a battery may go back by decades.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from dsm_device.durable import private
from dsm_device.job.model import LARGEST_NUMBER
from dsm_device.spool.files import translated


class JobNumbers:
    """The last number that was given away, in the file ``path``. Several processes may take one at once."""

    def __init__(self, path: Path, highest_known: Callable[[], int]) -> None:
        """``highest_known`` is asked where the file says nothing: a job's number, 0 for none."""
        self._path = path
        self._highest_known = highest_known

    def take(self) -> int:
        """A number that no job had, 1 to 2147483647. Raises ``SpoolError``."""
        with translated(self._path, "cannot be written"):
            descriptor = private(str(self._path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                last = _number(os.pread(descriptor, 32, 0)) or self._highest_known()
                number = last % LARGEST_NUMBER + 1
                os.pwrite(descriptor, b"%010d\n" % number, 0)
                os.fdatasync(descriptor)
                return number
            finally:
                os.close(descriptor)


def _number(text: bytes) -> int:
    """0 for whatever is none: an empty file, one that a disk spoiled."""
    digits = text.strip()
    number = int(digits) if digits.isdigit() and digits.isascii() else 0
    return number if number <= LARGEST_NUMBER else 0
