"""What a disk refuses, as a ``SpoolError``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dsm_device import durable
from dsm_device.errors import SpoolError


def sync_folder(path: Path) -> None:
    """Make the names in ``path`` lasting. Raises ``SpoolError``."""
    with translated(path, "cannot be synced"):
        durable.sync_folder(path)


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
