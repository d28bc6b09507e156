"""By which form of the probe each scan server was found: one that answers none but the last costs its time once.

One file, ``servers.json`` in the state folder.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from .small_file import SmallFile

FILE: Final = "servers.json"


class ServerMemory:
    """Implements :class:`~dsm_device.client.discovery.FormMemory`; may be used by several threads."""

    def __init__(self, state_dir: Path) -> None:
        self._file = SmallFile(state_dir / FILE, str)
        self._lock = threading.Lock()

    def recall(self, server: str) -> str:
        return self._file.read().get(server, "")

    def remember(self, server: str, form: str) -> None:
        with self._lock:
            known = self._file.read()
            if known.get(server) != form:
                self._file.write({**known, server: form})
