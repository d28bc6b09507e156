"""Pictures of received images, for a browser: made by a process of its own, one at a time, and remembered."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dsm_sim.peers.scan_server.jobs import Document

_WORKER: Final = Path(__file__).with_name("picture_worker.py")
_PATIENCE_S: Final = 20.0
_CACHE_OCTETS: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class Size:
    """The longer side in pixels, at most."""

    side_px: int
    is_thumbnail: bool


SIZES: Final[Mapping[str, Size]] = {"thumbnail": Size(480, True), "picture": Size(6000, False)}


@dataclass(frozen=True)
class Picture:
    media_type: str
    content: bytes


class Pictures:
    """Makes pictures while it is not closed. Memory: 64 MiB of pictures, and the process that makes them."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, int, str], Picture | None] = OrderedDict()
        self._octets = 0
        self._one_at_a_time = asyncio.Lock()
        self._worker: asyncio.subprocess.Process | None = None

    async def picture(self, document: Document, page: int, size: str) -> Picture | None:
        """A page (from 0) of a document; None where it is no picture. ``size`` is one of :data:`SIZES`."""
        key = (document.sha256 or str(document.path), page, size)
        async with self._one_at_a_time:
            if key not in self._made:
                self._remember(key, await self._make(document.path, page, SIZES[size]))
            self._made.move_to_end(key)
            return self._made[key]

    async def close(self) -> None:
        if self._worker:
            with suppress(ProcessLookupError):
                self._worker.kill()
            await self._worker.wait()
            self._worker = None

    def _remember(self, key: tuple[str, int, str], picture: Picture | None) -> None:
        self._made[key] = picture
        self._octets += _octets(picture)
        while self._octets > _CACHE_OCTETS and len(self._made) > 1:
            self._octets -= _octets(self._made.popitem(last=False)[1])

    async def _make(self, path: Path, page: int, size: Size) -> Picture | None:
        """Twice where the process ended: that may have been somebody else's doing."""
        request = {"path": str(path), "page": page, "side_px": size.side_px, "is_thumbnail": size.is_thumbnail}
        line = json.dumps(request).encode() + b"\n"
        for _ in range(2):
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    return await self._ask(line)
            except TimeoutError:
                await self.close()
                return None
            except (OSError, asyncio.IncompleteReadError):
                await self.close()
            except asyncio.CancelledError:
                await self.close()  # its answer would be taken for the next one's
                raise
        return None

    async def _ask(self, request: bytes) -> Picture | None:
        worker = self._worker or await self._start()
        assert worker.stdin  # noqa: S101 - asked for with PIPE
        assert worker.stdout  # noqa: S101 - asked for with PIPE
        worker.stdin.write(request)
        await worker.stdin.drain()
        head = json.loads(await worker.stdout.readuntil(b"\n"))
        content = await worker.stdout.readexactly(head["octets"])
        return Picture(head["media_type"], content) if content else None

    async def _start(self) -> asyncio.subprocess.Process:
        """In a session of its own: Ctrl-C is for the server, which then ends it."""
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        self._worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", str(_WORKER)),
            stdin=pipe,
            stdout=pipe,
            stderr=nowhere,
            start_new_session=True,
        )
        return self._worker


def _octets(picture: Picture | None) -> int:
    return len(picture.content) if picture else 0
