"""Where a delivery hears what becomes of its job at the server."""

from __future__ import annotations

from typing import Protocol

from dsm_device.wire.processing import JobStatus


class EventSource(Protocol):
    """The events of one scan server."""

    async def subscribe(self) -> bool:
        """To be called before a post-scan job is created; whether events are to be expected. Never raises."""
        ...

    async def next_status(self, token: str, wait_s: float) -> JobStatus | None:
        """The next status of that job that comes within ``wait_s``."""
        ...
