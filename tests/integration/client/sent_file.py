"""A file as the client wants what it sends."""

from __future__ import annotations

from dataclasses import dataclass
from io import FileIO
from pathlib import Path


@dataclass(frozen=True)
class SentFile:
    path: Path

    @property
    def name(self) -> str:
        return f"the page {self.path}"

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def open(self) -> FileIO:
        return FileIO(self.path)
