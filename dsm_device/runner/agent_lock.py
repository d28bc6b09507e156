"""One agent at most works on a ``state_dir``: it holds a lock, which goes with its process however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dsm_device.errors import ConfigurationError, SpoolError

LOCK_FILE = "agent.lock"
#: The group may pass to the socket and see nothing else.
STATE_DIR_MODE = 0o710


@contextmanager
def agent_lock(state_dir: Path) -> Iterator[None]:
    """Be the only agent on ``state_dir``, which is made where it is missing (mode 0710).

    Raises ``ConfigurationError`` where another one is, and ``SpoolError`` where nothing can be written.
    """
    try:
        make_state_dir(state_dir)
        descriptor = os.open(state_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise SpoolError(
            f"{state_dir} cannot be written: {error.strerror or error}",
            "check the disk's space and device.state_dir's owner",
        ) from error
    try:
        _take(descriptor, state_dir)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def make_state_dir(state_dir: Path) -> None:
    """Raises ``OSError``."""
    if not state_dir.is_dir():
        state_dir.mkdir(mode=STATE_DIR_MODE, parents=True)
        state_dir.chmod(STATE_DIR_MODE)  # whatever the umask


def _take(descriptor: int, state_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise ConfigurationError(
            f"an agent already runs on {state_dir}: process {pid}",
            "stop that one, or give this one another device.state_dir",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
