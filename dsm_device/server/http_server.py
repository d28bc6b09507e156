"""uvicorn inside a loop that is somebody else's: no signal handlers, no exit, a listening socket that is ours."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dsm_device.errors import ConfigurationError

if TYPE_CHECKING:
    from dsm_device.server.event_sink import SinkOptions

_Application = Callable[[Any, Any, Any], Awaitable[None]]

_HEAD_OCTETS: Final = 16_384
#: How long answers under way may take when the server stops.
_FAREWELL_S: Final = 1


class HttpServer:
    """Serves ``application`` on ``listening``, which it closes in the end."""

    def __init__(self, application: _Application, options: SinkOptions, listening: socket.socket) -> None:
        """Raises :class:`ConfigurationError` where the certificate cannot be used."""
        self._listening = listening
        self._config = uvicorn.Config(
            application,
            http=_with_limit(options.message_s),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",  # what it says of its own life is no news to anybody
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=options.connections,
            h11_max_incomplete_event_size=_HEAD_OCTETS,
            timeout_keep_alive=int(max(1, options.message_s)),
            timeout_graceful_shutdown=_FAREWELL_S,
            ssl_certfile=options.certificate or None,
            ssl_keyfile=options.key or None,
        )
        self._load(options.certificate)
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None

    def _load(self, certificate: str) -> None:
        try:
            self._config.load()
        except (OSError, ssl.SSLError, ValueError) as error:
            raise ConfigurationError(
                f"the certificate {certificate} for receiving events cannot be used: {error}",
                "give a PEM file with the certificate and one with its key, neither encrypted",
            ) from error

    async def start(self) -> None:
        """Returns when connections are taken."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listening]))
        ready = asyncio.create_task(self._server.ready.wait())
        try:
            await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if self._task.done():
            await self._task

    async def aclose(self) -> None:
        """Takes no more connections and ends those there are."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._listening.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the agent's."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _with_limit(limit_s: float) -> type[H11Protocol]:
    """uvicorn's HTTP/1.1, where a head has to come within ``limit_s`` of its connection or first octet."""

    class LimitedProtocol(H11Protocol):
        _limit: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait_for_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            is_in_request = self.cycle is not None and not self.cycle.response_complete
            if is_in_request:
                self._stop_waiting()
            elif self._limit is None:
                self._wait_for_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait_for_head(self) -> None:
            self._limit = self.loop.call_later(limit_s, self.transport.close)

        def _stop_waiting(self) -> None:
            if self._limit is not None:
                self._limit.cancel()
                self._limit = None

    return LimitedProtocol
