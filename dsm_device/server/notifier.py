"""The way to one subscriber: a queue in order, a connection of its own, a few tries, and then no more.

Nothing here waits for anybody else: a sink that is slow, dead or hostile costs its own task only, and no more
memory than its queue, whose messages are shared with all others until one is being sent.
Source: WS-Eventing (2004/08) 4; the project's reference on DPWS hosting, section 6.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from dsm_device.server.sink_address import SinkAddress
from dsm_device.server.sink_line import IDLE_S, SinkFailed
from dsm_device.wire.event_source import JOB_END_STATE_EVENT, STATUS_EVENTS

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """``waits_s`` are the pauses between the tries for one message, of which there is one more."""

    timeout_s: float = 10.0
    waits_s: tuple[float, ...] = (1.0, 5.0, 15.0)
    queue: int = 256


class Line(Protocol):
    """What :class:`~dsm_device.server.sink_line.SinkLine` is."""

    @property
    def is_open(self) -> bool: ...

    async def post(self, address: SinkAddress, message: bytes, timeout_s: float) -> None: ...

    async def release(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Notice:
    """An event on its way to one subscriber. ``compose`` makes the message; None: it cannot be sent."""

    name: str
    compose: Callable[[], bytes | None]


class Notifier:
    """``put`` what is to be sent to ``address``; ``on_dead`` hears, once, why nothing gets through any more."""

    def __init__(
        self, address: SinkAddress, line: Line, options: DeliveryOptions, on_dead: Callable[[str], None]
    ) -> None:
        self._address = address
        self._line = line
        self._options = options
        self._on_dead = on_dead
        self._queue: deque[Notice] = deque()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._is_closing = False
        self._task = asyncio.create_task(self._work())

    def __len__(self) -> int:
        """How many wait, the one that is being sent not among them."""
        return len(self._queue)

    def put(self, notice: Notice) -> None:
        """Never waits. A full queue loses its oldest status event (WS-DSD: the last ones count), else the oldest
        that is not the end of a job. Where there is nothing but ends, another one ends the subscription: none is
        lost unseen.
        """
        if self._is_closing:
            return
        if len(self._queue) >= self._options.queue and not self._make_room():
            if notice.name == JOB_END_STATE_EVENT:
                self._fail("its queue is full of ends of jobs")
                self._task.cancel()
            return
        self._queue.append(notice)
        self._wake.set()

    async def close(self, limit_s: float) -> None:
        """Sends what waits, each with one try, in ``limit_s`` at most. The line stays open for a last message."""
        self._is_closing = True
        self._hurry.set()
        self._wake.set()
        await asyncio.wait({self._task}, timeout=limit_s)
        await self.drop()

    async def drop(self) -> None:
        """Sends nothing more."""
        self._is_closing = True
        self._queue.clear()
        if self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.wait({self._task})

    # ---------------------------------------------------------------------------------------- the queue

    def _make_room(self) -> bool:
        for spare in (lambda name: name in STATUS_EVENTS, lambda name: name != JOB_END_STATE_EVENT):
            oldest = next((each for each in self._queue if spare(each.name)), None)
            if oldest is not None:
                self._queue.remove(oldest)
                return True
        return False

    async def _next(self) -> Notice | None:
        """None when there is nothing more to come. Lets go of a connection that is idle for long."""
        while not self._queue:
            if self._is_closing:
                return None
            self._wake.clear()
            try:
                async with asyncio.timeout(IDLE_S if self._line.is_open else None):
                    await self._wake.wait()
            except TimeoutError:
                await self._line.release()
        return self._queue.popleft()

    # ----------------------------------------------------------------------------------------- the task

    async def _work(self) -> None:
        try:
            while (notice := await self._next()) is not None:
                problem = await self._deliver(notice)
                if problem and not self._hurry.is_set():
                    self._fail(problem)
                    return
        except Exception:
            _log.exception("events to %s", self._address.host)
            self._fail("an internal error")

    async def _deliver(self, notice: Notice) -> str:
        """What is wrong, "" for nothing."""
        message = notice.compose()
        if message is None:
            return ""
        waits = iter(self._options.waits_s)
        while True:
            try:
                await self._line.post(self._address, message, self._options.timeout_s)
            except SinkFailed as failed:
                _log.debug("%s to %s: %s", notice.name, self._address.host, failed)
                wait_s = None if failed.is_final or self._hurry.is_set() else next(waits, None)
                if wait_s is None:
                    return str(failed)
                await self._pause(wait_s)
            else:
                return ""

    async def _pause(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._hurry.wait()

    def _fail(self, problem: str) -> None:
        self._is_closing = True
        self._queue.clear()
        self._on_dead(problem)
