"""A small file of what is remembered over restarts. Losing it costs time and nothing else."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from dsm_device.durable import replace_file

#: No file of ours comes near.
MAX_OCTETS: Final = 1 << 20
_log = logging.getLogger(__name__)

T = TypeVar("T")


class SmallFile(Generic[T]):
    """Values by their names, as JSON at ``path``; with None for the path nothing is kept."""

    def __init__(self, path: Path | None, kind: type[T]) -> None:
        self._path = path
        self._decoder = msgspec.json.Decoder(dict[str, kind])  # type: ignore[valid-type]  # msgspec reads it at run time

    def read(self) -> dict[str, T]:
        """What is there; nothing, and a line in the log, where that is not what :meth:`write` writes."""
        if self._path is None:
            return {}
        try:
            return self._decoder.decode(octets_of(self._path))
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            _log.warning("%s is ignored, and written anew: %s", self._path, error)
            return {}

    def write(self, content: Mapping[str, T]) -> None:
        """All of it or nothing, and lasting; a file that cannot be written is told in the log."""
        if self._path is None:
            return
        try:
            replace_file(self._path, msgspec.json.format(msgspec.json.encode(content), indent=1))
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error)


def octets_of(path: Path) -> bytes:
    """What is in it. Opened so that a FIFO of that name holds nobody up. Raises ``ValueError`` and ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        octets = file.read(MAX_OCTETS + 1)
    if len(octets) > MAX_OCTETS:
        raise ValueError(f"it has more than {MAX_OCTETS:,} octets")
    return octets
