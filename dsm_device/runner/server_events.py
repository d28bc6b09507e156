"""Events of one scan server on their way to its jobs: subscription, sink and board put together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dsm_device.wire.eventing import SubscriptionEnd
from dsm_device.wire.processing import JobStatus

from .event_board import EventBoard

if TYPE_CHECKING:
    from dsm_device.client.scan_server import ScanServer  # httpx and uvicorn take their time to load
    from dsm_device.client.subscription import SubscriptionOptions
    from dsm_device.server import EventSink


class ServerEvents:
    """The :class:`~.event_board.EventSource` of all jobs at ``server``, for as long as the agent runs.

    ``sink`` and ``board`` may serve other servers as well and are not closed here; the sink is started when it is
    needed. ``address`` is the host that the server is told, "" for the local address that faces it.
    """

    def __init__(
        self,
        server: ScanServer,
        sink: EventSink,
        board: EventBoard,
        *,
        address: str = "",
        options: SubscriptionOptions | None = None,
    ) -> None:
        from dsm_device.client.subscription import Subscription  # noqa: PLC0415

        self._server = server
        self._sink = sink
        self._board = board
        self._address = address
        self._path = sink.open(self._receive)
        self._subscription = Subscription(server, self._url, options)

    async def subscribe(self) -> bool:
        return await self._subscription.start()

    async def next_status(self, token: str, wait_s: float) -> JobStatus | None:
        return await self._board.next_status(token, wait_s)

    async def aclose(self) -> None:
        """Unsubscribes, which takes two seconds at most. Before the server's connections are closed."""
        try:
            await self._subscription.aclose()
        finally:
            self._sink.close(self._path)

    def _receive(self, told: JobStatus | SubscriptionEnd) -> None:
        if isinstance(told, SubscriptionEnd):
            self._subscription.ended(told)
        else:
            self._board.post(told)

    async def _url(self) -> str:
        """Asked for at each subscribing: the machine's address changes. Raises OSError or a :class:`DsmError`."""
        from dsm_device.client.facing import facing_address  # noqa: PLC0415

        _, service = await asyncio.gather(self._sink.start(), self._server.locate())
        host = self._address or await facing_address(service)
        return self._sink.url(f"[{host}]" if ":" in host and not host.startswith("[") else host, self._path)
