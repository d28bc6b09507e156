"""The way to one subscriber: a queue in order, a connection of its own, a few tries, and then no more.

Nothing here waits for anybody else: a sink that is slow, dead or hostile costs only its own task.
Source: WS-Eventing (2004/08) 4; SOAP 1.2 Part 2, 7 (one-way messages).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dsm_sim.peers.scan_server.answers import SOAP_TYPE

if TYPE_CHECKING:
    import httpx

_QUEUE_LIMIT: Final = 256
#: An answer to an event has no use; more of it than this is not read.
_ANSWER_LIMIT: Final = 65_536
_GONE: Final = frozenset({404, 410})


@dataclass(frozen=True, kw_only=True)
class SinkOptions:
    """How sinks are spoken to.

    ``ca_file`` (PEM) is what the certificate of an https sink is checked with. None: it is not checked, since
    nothing published says that a scan server does, and a device on a desk has a certificate of its own making.
    ``waits_s`` are the pauses between the tries, of which there is one more.
    """

    ca_file: Path | None = None
    timeout_s: float = 10.0
    waits_s: tuple[float, ...] = (1.0, 5.0)


@dataclass(eq=False)
class Notification:
    """One message to one subscriber, as it goes over the wire. ``delivered`` is done when its fate is known."""

    name: str
    job_token: str
    url: str
    envelope: bytes
    delivered: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, *, is_delivered: bool) -> None:
        if not self.delivered.done():
            self.delivered.set_result(is_delivered)


@dataclass(frozen=True)
class Delivery:
    """What became of a notification. ``octets`` is the length of the sink's answer, ``problem`` "" for success."""

    notification: Notification
    status: int
    octets: int
    problem: str


class Notifier:
    """``put`` messages; ``on_result`` hears of each one's fate, ``on_dead`` once when nothing gets through.

    ``is_spare`` says which notifications go first when the queue is full.
    """

    def __init__(
        self,
        options: SinkOptions,
        is_spare: Callable[[Notification], bool],
        on_result: Callable[[Delivery], None],
        on_dead: Callable[[], None],
    ) -> None:
        self._options = options
        self._is_spare = is_spare
        self._on_result = on_result
        self._on_dead = on_dead
        self._waits_s = options.waits_s
        self._queue: deque[Notification] = deque()
        self._wake = asyncio.Event()
        self._is_closing = False
        #: Done when the queue has been sent, after :meth:`close`.
        self.task = asyncio.get_running_loop().create_task(self._work())

    def put(self, notification: Notification) -> None:
        if self._is_closing:
            notification.settle(is_delivered=False)
            return
        if len(self._queue) >= _QUEUE_LIMIT:
            spare = next(filter(self._is_spare, self._queue), self._queue[0])
            self._queue.remove(spare)
            self._fail(spare, "the queue is full")
        self._queue.append(notification)
        self._wake.set()

    def close(self) -> None:
        """No more messages; the queue is still sent."""
        self._is_closing = True
        self._wake.set()

    def hurry(self) -> None:
        """From now on one try is enough."""
        self._waits_s = ()

    def drop(self) -> None:
        """Nothing more is sent, and nobody hears of what was still to be."""
        self._is_closing = True
        for notification in self._queue:
            notification.settle(is_delivered=False)
        self._queue.clear()
        self.task.cancel()

    # ------------------------------------------------------------------------------------------ work

    async def _work(self) -> None:
        client: httpx.AsyncClient | None = None
        try:
            while notification := await self._next():
                if client is None:
                    client = await asyncio.to_thread(_open_client, self._options)
                if not await self._deliver(client, notification):
                    self._is_closing = True
                    self._give_up("nothing gets through")
                    self._on_dead()
                    return
        finally:
            if client:
                await client.aclose()

    async def _next(self) -> Notification | None:
        while not self._queue:
            if self._is_closing:
                return None
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()

    async def _deliver(self, client: httpx.AsyncClient, notification: Notification) -> bool:
        """True for delivered. A failure is told once, whatever the number of tries."""
        try:
            result = await self._try(client, notification)
        finally:
            notification.settle(is_delivered=False)
        self._on_result(result)
        return not result.problem

    async def _try(self, client: httpx.AsyncClient, notification: Notification) -> Delivery:
        status, octets, problem = 0, 0, ""
        for wait_s in (0.0, *self._waits_s):
            await asyncio.sleep(wait_s)
            status, octets, problem = await self._post(client, notification)
            if not problem or status in _GONE:
                break
        notification.settle(is_delivered=not problem)
        return Delivery(notification, status, octets, problem)

    async def _post(self, client: httpx.AsyncClient, notification: Notification) -> tuple[int, int, str]:
        """Status (0 without an answer), length of the answer, and what was wrong."""
        octets = 0
        try:
            async with (
                asyncio.timeout(self._options.timeout_s),
                client.stream(
                    "POST", notification.url, content=notification.envelope, headers={"Content-Type": SOAP_TYPE}
                ) as response,
            ):
                async for piece in response.aiter_raw():
                    octets += len(piece)
                    if octets > _ANSWER_LIMIT:
                        break
            problem = "" if response.is_success else f"HTTP status {response.status_code}"
            return response.status_code, octets, problem
        except TimeoutError:
            return 0, octets, f"no answer within {self._options.timeout_s:g} s"
        except Exception as error:  # whatever a hostile sink provokes, it stays its own trouble
            return 0, octets, f"{type(error).__name__}: {error}".rstrip(": ")

    def _give_up(self, problem: str) -> None:
        while self._queue:
            self._fail(self._queue.popleft(), problem)

    def _fail(self, notification: Notification, problem: str) -> None:
        notification.settle(is_delivered=False)
        self._on_result(Delivery(notification, 0, 0, problem))


def _open_client(options: SinkOptions) -> httpx.AsyncClient:
    """On a thread: the import and the trust store take their time, and the server answers meanwhile."""
    import httpx  # noqa: PLC0415 - only a server with subscribers needs it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if options.ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(options.ca_file)
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    # No proxy and no .netrc of this machine; redirects are not followed by default.
    return httpx.AsyncClient(verify=context, limits=limits, timeout=options.timeout_s, trust_env=False)
