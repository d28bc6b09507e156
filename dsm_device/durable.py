"""Files that a power cut finds as they were or as they are to be, and that this user alone may read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from tempfile import NamedTemporaryFile


def replace_file(path: Path, content: bytes) -> None:
    """Make ``content`` all of the file: written beside it, synced, renamed. Raises ``OSError``.

    Several processes may do so at once: each has a temporary file of its own, made with mode 0600.
    """
    with NamedTemporaryFile(prefix=f".{path.name}-", suffix=".part", dir=path.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(file.name).unlink()
            raise
    sync_folder(path.parent)


def write_at(path: Path, offset: int, content: bytes) -> None:
    """Make ``content`` the end of a file that was good up to ``offset``, synced. Raises ``OSError``.

    What a full disk cut short is taken back as well as that goes; a reader finds out by itself what is left of it.
    """
    descriptor = private(str(path), os.O_WRONLY | os.O_CLOEXEC)
    try:
        _write_all(descriptor, content, offset)
        os.ftruncate(descriptor, offset + len(content))
        os.fdatasync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, offset)
        raise
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes, offset: int) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], offset + written)


def sync_folder(path: Path) -> None:
    """Make the names in it lasting. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private(path: str, flags: int) -> int:
    """Open it, made for this user alone."""
    return os.open(path, flags, 0o600)
