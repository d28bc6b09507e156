"""Jobs that are done: ``<state_dir>/history``, a record for each, and no more than so many."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from dsm_device.durable import replace_file
from dsm_device.errors import SpoolError
from dsm_device.job.model import Job, decode, encode
from dsm_device.spool.files import sync_folder, translated

#: The first version named them by the job's identifier alone.
_NUMBERED = re.compile(r"(\d{10})-")


class History:
    """A record for each of the newest ``keep`` jobs that are done.

    Newest by their numbers: the clock of a board without a battery may have stood still in between.
    """

    def __init__(self, root: Path, keep: int) -> None:
        self._root = root
        self._keep = keep

    def add(self, job: Job) -> None:
        """Keep the record of ``job``, and no more than so many."""
        if not self._keep:
            return
        target = self._root / f"{job.number:010d}-{job.id}.json"
        with translated(target, "cannot be written"):
            self._root.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._root.parent)
            replace_file(target, encode(job))
            for path in self._paths()[: -self._keep]:
                path.unlink(missing_ok=True)

    def jobs(self) -> Iterator[Job]:
        """Oldest first. A record that cannot be read is left out: nothing but a line in a list depends on it."""
        for path in self._paths():
            with contextlib.suppress(SpoolError, ValueError), translated(path, "cannot be read"):
                yield decode(path.read_bytes())

    def _paths(self) -> list[Path]:
        with contextlib.suppress(FileNotFoundError), translated(self._root, "cannot be read"):
            return sorted(self._root.glob("*.json"), key=_order)
        return []


def _order(path: Path) -> tuple[int, str]:
    number = _NUMBERED.match(path.name)
    return (int(number[1]) if number else 0, path.name)
