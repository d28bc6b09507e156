"""A server's output folder, which two servers at once would clear away under each other."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Final

_MARK: Final = ".in-use"


class HeldFolder:
    """Makes a folder and holds it until :meth:`release`, or until the process dies.

    Raises OSError with the folder's name where it cannot be made or somebody else holds it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # The mark stays when it is released: whoever waits for a file that is deleted holds nothing.
        self._mark = os.open(folder / _MARK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.release()
            raise BlockingIOError(errno.EBUSY, "another scan server uses it", str(folder)) from error

    def release(self) -> None:
        os.close(self._mark)
