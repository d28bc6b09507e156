"""Where an agent is reached: a Unix socket in its ``state_dir``, which only its group may use."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dsm_device.errors import ConfigurationError

SOCKET_NAME = "agent.sock"
SOCKET_MODE = 0o660
#: An address holds 108 octets (unix(7)); what is longer goes by way of an open folder.
LONGEST_PATH_OCTETS = 100


@contextmanager
def _address(state_dir: Path) -> Iterator[str]:
    """A name of the socket that is short enough."""
    path = state_dir / SOCKET_NAME
    if len(os.fsencode(path)) <= LONGEST_PATH_OCTETS:
        yield str(path)
        return
    folder = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET_NAME}"
    finally:
        os.close(folder)


def listen(state_dir: Path) -> socket.socket:
    """The agent's end, instead of one that an earlier agent left behind; the caller holds the agent's lock.

    Raises ``ConfigurationError``.
    """
    path = state_dir / SOCKET_NAME
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        remove(state_dir)
        os.fchmod(end.fileno(), SOCKET_MODE)  # it is born with it: nobody else gets in even for a moment
        with _address(state_dir) as address:
            end.bind(address)
        os.chown(path, -1, os.getegid())
        path.chmod(SOCKET_MODE)  # whatever the umask
        end.listen(100)
    except OSError as error:
        end.close()
        raise ConfigurationError(
            f"the agent's socket {path} cannot be made: {error.strerror or error}",
            "let device.state_dir be a folder that the agent owns",
        ) from error
    end.setblocking(False)
    return end


def remove(state_dir: Path) -> None:
    """Take the socket away; what is none stays. Raises ``OSError``."""
    path = state_dir / SOCKET_NAME
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def connect(state_dir: Path) -> socket.socket | None:
    """A client's end; None where no agent runs.

    Raises ``ConfigurationError`` where one may run that this user must not use, or whose folder is closed to them.
    """
    path = state_dir / SOCKET_NAME
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(state_dir) as address:
            end.connect(address)
    except PermissionError as error:
        end.close()
        raise ConfigurationError(
            f"the agent's socket {path} is not for this user", "join the agent's group, or ask its administrator"
        ) from error
    except OSError:
        end.close()
        return None
    end.setblocking(False)
    return end
