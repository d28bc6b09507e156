"""Files put in place so that nobody ever sees half of one, or one in the place of another.

Written under a temporary name, synced, then renamed onto a name that was reserved before.
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
        target = _reserve(folder, stem, extension)
        return temporary.replace(target)
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


def _reserve(folder: Path, stem: str, extension: str) -> Path:
    """Creates the first free one of ``stem.ext``, ``stem-2.ext`` …"""
    for number in itertools.count(1):
        target = folder / (f"{stem}.{extension}" if number == 1 else f"{stem}-{number}.{extension}")
        try:
            target.touch(exist_ok=False)
        except FileExistsError:
            continue
        return target
    raise AssertionError("unreachable")
