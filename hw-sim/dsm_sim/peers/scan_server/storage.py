"""Files put in place so that nobody ever sees half of one, or one in the place of another.

Written under a temporary name, synced, then given its final name as a whole.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path


def place_copy(source: Path, folder: Path, stem: str, extension: str) -> Path:
    """Puts the content of ``source`` into ``folder`` under a free name that begins with ``stem``."""
    return place(folder, stem, extension, lambda temporary: _duplicate(source, temporary))


def place(folder: Path, stem: str, extension: str, write: Callable[[Path], None]) -> Path:
    """Lets ``write`` fill a temporary file, syncs it and gives it a free name; returns where it is.

    ``stem`` must be a safe component. Whatever ``write`` raises passes through and leaves nothing behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{uuid.uuid4()}.tmp"
    try:
        write(temporary)
        _sync(temporary)
        return _name(temporary, folder, stem, extension)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _duplicate(source: Path, target: Path) -> None:
    """A second name where the file system can give one, else a copy."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _name(temporary: Path, folder: Path, stem: str, extension: str) -> Path:
    """Gives the file the first free one of ``stem.ext``, ``stem-2.ext`` …"""
    for number in itertools.count(1):
        target = folder / (f"{stem}.{extension}" if number == 1 else f"{stem}-{number}.{extension}")
        try:
            return _rename(temporary, target)
        except FileExistsError:
            continue
    raise AssertionError("unreachable")


def _rename(temporary: Path, target: Path) -> Path:
    """A second link fails where the name is taken, which a rename does not; the first one goes afterwards."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the name is reserved, empty for a moment
        target.touch(exist_ok=False)
        temporary.replace(target)
    return target
