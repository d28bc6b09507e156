"""Files that a power cut finds as they were or as they are to be; refusals of the disk are ``SpoolError``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from dsm_device.errors import SpoolError


def write_synced(target: Path, content: bytes) -> None:
    """Replace ``target``, atomically and synced. Raises ``OSError``, or ``SpoolError`` for its folder."""
    temporary = target.with_name(target.name + ".part")
    with open(temporary, "wb", opener=private) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
    sync_folder(target.parent)


def write_at(path: Path, offset: int, content: bytes) -> None:
    """``content`` as the end of a file that was good up to ``offset``, synced. Raises ``OSError``.

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
    """Make the names in ``path`` lasting. Raises ``SpoolError``."""
    with translated(path, "cannot be synced"):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def private(path: str, flags: int) -> int:
    """Open it, made for this user alone."""
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def translated(path: Path, problem: str) -> Iterator[None]:
    """``OSError`` as ``SpoolError``."""
    try:
        yield
    except OSError as error:
        raise SpoolError(
            f"{path} {problem}: {error.strerror or error}",
            "check the disk's space and device.state_dir's owner",
        ) from error
