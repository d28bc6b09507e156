"""Numbers for conditions that are given once, over restarts and power cuts as well (WS-DSD 7).

One file, ``condition-ids.json`` in the state folder, holds the number from which the next start goes on: ahead
of what has been given, so that it is written once in many conditions.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

import msgspec

from dsm_device.durable import replace_file

from .small_file import octets_of

FILE: Final = "condition-ids.json"
LARGEST: Final = 2_147_483_647
#: How many are given between two writes.
AHEAD: Final = 1000
_log = logging.getLogger(__name__)


class ConditionIds:
    """Call it for the next one: 1 to 2147483647, rising, and then from 1 again."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / FILE
        self._next = self._read()
        self._written = self._next

    def __call__(self) -> int:
        if self._next >= self._written:
            self.write_ahead()
        number, self._next = self._next, self._next + 1
        if number > LARGEST:
            number, self._next, self._written = 1, 2, 2
            self.write_ahead()
        return number

    def write_ahead(self) -> None:
        """Takes a sync of the disk. A file that cannot be written is told in the log."""
        self._written = self._next + AHEAD
        try:
            replace_file(self._file, msgspec.json.encode(self._written))
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._file, error)

    def _read(self) -> int:
        try:
            found = msgspec.json.decode(octets_of(self._file), type=int)
        except FileNotFoundError:
            return 1
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            # No device has as many conditions as minutes have gone by since 1970.
            _log.warning("%s is ignored, and written anew: %s", self._file, error)
            return min(max(1, int(time.time() // 60)), LARGEST)
        return min(max(1, found), LARGEST)
