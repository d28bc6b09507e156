"""The subscription to one scan server's events: made before the first job, kept alive, made anew when it ends.

No job depends on it: where there is none, the server is asked for the job's state instead. So nothing here raises.
Source: WS-DSP, events; WS-Eventing (2004/08) 3, 6.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from dsm_device.errors import DsmError, Recovery, ServerError, ServerFault
from dsm_device.wire.eventing import (
    END_EVENT,
    SOURCE_SHUTTING_DOWN,
    STATUS_EVENT,
    Granted,
    Manager,
    Subscribe,
    SubscriptionEnd,
)

_log = logging.getLogger(__name__)

_FILTER_FAULTS: Final = frozenset(
    {"FilteringRequestedUnavailable", "FilteringNotSupported", "FilterActionNotSupported"}
)
_EXPIRY_FAULTS: Final = frozenset({"UnsupportedExpirationType", "InvalidExpirationTime"})
#: The ways to choose events, from the best on: together, each in a subscription of its own, all that there are.
_CHOICES: Final = (((STATUS_EVENT, END_EVENT),), ((STATUS_EVENT,), (END_EVENT,)), ((),))
_JITTER: Final = 0.25


@dataclass(frozen=True, slots=True)
class SubscriptionOptions:
    """Seconds."""

    #: What is asked for. The server may grant less.
    asked_s: float = 3600.0
    #: Taken where the server does not say what it granted, or its clock and ours differ too much to tell.
    unknown_s: float = 60.0
    #: How long a job that is about to begin waits for it; 0: not at all.
    start_limit_s: float = 5.0
    #: How long all Unsubscribe messages together may take, and before them a Subscribe that is on its way.
    close_limit_s: float = 2.0
    #: After a failure; doubled at each further one.
    first_wait_s: float = 2.0
    max_wait_s: float = 600.0


class EventingServer(Protocol):
    """What is needed of a :class:`~dsm_device.client.ScanServer`."""

    @property
    def name(self) -> str: ...
    async def subscribe(self, request: Subscribe) -> Granted: ...
    async def renew(self, manager: Manager, expires_s: float | None) -> float | None: ...
    async def unsubscribe(self, manager: Manager) -> None: ...


@dataclass(slots=True)
class _Held:
    """A live subscription. ``ends_at`` is in the loop's time."""

    manager: Manager
    granted_s: float
    ends_at: float


class _Lost(Exception):
    """The subscription has to be made anew; ``later`` where the server wants to be left in peace first."""

    def __init__(self, reason: str, *, later: bool) -> None:
        super().__init__(reason)
        self.later = later


class Subscription:
    """At most one set of subscriptions of this device at ``server``, for any number of jobs. For one event loop.

    ``sink_url`` gives the URL that the server is told; it may raise OSError or a :class:`DsmError`.
    """

    def __init__(
        self,
        server: EventingServer,
        sink_url: Callable[[], Awaitable[str]],
        options: SubscriptionOptions | None = None,
    ) -> None:
        self._server = server
        self._sink_url = sink_url
        self._options = options or SubscriptionOptions()
        self._held: list[_Held] = []
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False
        #: Set while no attempt is under way.
        self._settled = asyncio.Event()
        self._hurried = asyncio.Event()
        self._can_be_hurried = False
        self._end: _Lost | None = None
        self._ended = asyncio.Event()
        self._setbacks = 0
        # What this server has been found to take.
        self._choice = 0
        self._names_expiry = True

    @property
    def is_active(self) -> bool:
        """Whether events are to be expected, as far as is known."""
        return bool(self._held)

    async def start(self) -> bool:
        """Sees that there is a subscription, in ``start_limit_s`` at most. Whether events are to be expected.

        The attempt goes on behind a False. To be called before each job: while a server that could not be reached
        is being waited for, it brings the next attempt forward.
        """
        if self._is_closed:
            return False
        if self._task is None:
            self._task = asyncio.create_task(self._keep())
        elif self._can_be_hurried:
            self._settled.clear()
            self._hurried.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.start_limit_s):
                await self._settled.wait()
        return self.is_active

    def ended(self, end: SubscriptionEnd) -> None:
        """The server says that a subscription has ended; one that is not ours, or no more, is ignored."""
        managers = [each.manager for each in self._held]
        if not managers or (end.manager and not any(end.manager.is_same(each) for each in managers)):
            return
        self._held = [each for each in self._held if end.manager and not end.manager.is_same(each.manager)]
        _log.info(
            "scan server %s ended the subscription to its events: %s", self._server.name, end.status or end.reason
        )
        self._end = _Lost(end.status or end.reason, later=end.status == SOURCE_SHUTTING_DOWN)
        self._ended.set()

    async def aclose(self) -> None:
        """Unsubscribes, in twice ``close_limit_s`` at most: what is left expires by itself."""
        self._is_closed = True
        if self._task is not None:
            try:
                await self._settle()
            finally:
                self._task.cancel()
            await asyncio.wait({self._task})
        await self._give_up()

    async def _settle(self) -> None:
        """A Subscribe that is broken off would leave a subscription behind that nobody can end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.close_limit_s):
                await self._settled.wait()

    # -------------------------------------------------------------------------------------- the task

    async def _keep(self) -> None:
        while True:
            try:
                self._settled.clear()
                await self._attempt()
            except ServerError as error:
                _log.info("no events from scan server %s: %s", self._server.name, error)
                wait_s, hurries = self._wait_s(error), error.temporary
            except (OSError, DsmError) as error:
                _log.warning("no events from scan server %s: %s", self._server.name, error)
                wait_s, hurries = self._wait_s(None), True
            except Exception:  # whatever it is, it is no reason to fail a job
                _log.exception("no events from scan server %s", self._server.name)
                wait_s, hurries = self._wait_s(None), True
            else:
                self._settled.set()
                wait_s, hurries = await self._until_lost(), True
            await self._pause(wait_s, can_be_hurried=hurries)

    async def _attempt(self) -> None:
        self._ended.clear()
        self._end = None
        url = await self._sink_url()
        while True:
            try:
                await self._subscribe(url, _CHOICES[self._choice])
            except ServerFault as error:
                await self._give_up()
                if error.subcode not in _FILTER_FAULTS or self._choice + 1 == len(_CHOICES):
                    raise
                self._choice += 1
            except BaseException:
                await self._give_up()
                raise
            else:
                _log.info("events of scan server %s come to this device", self._server.name)
                return

    async def _subscribe(self, url: str, choices: tuple[tuple[str, ...], ...]) -> None:
        made: list[_Held] = []
        try:
            for actions in choices:
                granted = await self._subscribe_once(url, actions)
                made.append(self._hold(granted.manager, granted.expires_s))
        finally:
            self._held = made

    async def _subscribe_once(self, url: str, actions: tuple[str, ...]) -> Granted:
        if self._names_expiry:
            try:
                return await self._server.subscribe(Subscribe(url, self._options.asked_s, actions))
            except ServerFault as error:
                if error.subcode not in _EXPIRY_FAULTS:
                    raise
            self._names_expiry = False
        return await self._server.subscribe(Subscribe(url, None, actions))

    def _hold(self, manager: Manager, said_s: float | None) -> _Held:
        granted_s = self._options.unknown_s if said_s is None or said_s <= 0 else said_s
        granted_s = min(granted_s, self._options.asked_s)
        return _Held(manager, granted_s, asyncio.get_running_loop().time() + granted_s)

    # --------------------------------------------------------------------------------------- renewal

    async def _until_lost(self) -> float:
        """Renews until that is no use any more. How long to wait before it is made anew, in seconds."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            while True:
                await self._wait_for_end(min((each.granted_s for each in self._held), default=0) / 2)
                await self._renew_all()
                self._setbacks = 0
        except _Lost as lost:
            _log.info("the subscription at scan server %s is made anew: %s", self._server.name, lost)
            if loop.time() - begun > self._options.max_wait_s:
                self._setbacks = 0
            is_first = self._setbacks == 0
            self._setbacks += 1
            await self._give_up()
            return 0.0 if is_first and not lost.later else self._backed_off_s()

    async def _wait_for_end(self, wait_s: float) -> None:
        """Raises :class:`_Lost` as soon as the server says so."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._ended.wait()
        if self._end is not None:
            raise self._end

    async def _renew_all(self) -> None:
        for held in list(self._held):
            await self._renew(held)

    async def _renew(self, held: _Held) -> None:
        """Tries until the subscription has run out. Raises :class:`_Lost`."""
        while True:
            try:
                renewed = self._hold(held.manager, await self._renew_once(held.manager))
            except ServerFault as error:
                if error.recovery is not Recovery.RETRY_LATER:
                    raise _Lost(error.message, later=False) from error
                problem: ServerError = error
            except ServerError as error:
                if not error.temporary:
                    raise _Lost(error.message, later=True) from error
                problem = error
            else:
                held.granted_s, held.ends_at = renewed.granted_s, renewed.ends_at
                return
            left_s = held.ends_at - asyncio.get_running_loop().time()
            if left_s <= min(self._options.first_wait_s, held.granted_s / 8):
                raise _Lost(problem.message, later=True) from problem
            await self._wait_for_end(left_s / 2)

    async def _renew_once(self, manager: Manager) -> float | None:
        if self._names_expiry:
            try:
                return await self._server.renew(manager, self._options.asked_s)
            except ServerFault as error:
                if error.subcode not in _EXPIRY_FAULTS:
                    raise
            self._names_expiry = False
        return await self._server.renew(manager, None)

    # ---------------------------------------------------------------------------------- pauses, the end

    def _wait_s(self, error: ServerError | None) -> float:
        """After a failed attempt."""
        self._setbacks += 1
        is_final = error is not None and not error.temporary
        return self._options.max_wait_s if is_final else self._backed_off_s()

    def _backed_off_s(self) -> float:
        doubled_s = self._options.first_wait_s * 2.0 ** min(max(self._setbacks - 1, 0), 30)
        spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
        return min(doubled_s, self._options.max_wait_s) * spread

    async def _pause(self, wait_s: float, *, can_be_hurried: bool) -> None:
        if wait_s <= 0:
            return
        self._settled.set()
        self._hurried.clear()
        self._can_be_hurried = can_be_hurried
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._hurried.wait()
        self._can_be_hurried = False

    async def _give_up(self) -> None:
        """Unsubscribes what there is; it would only send everything twice."""
        held, self._held = self._held, []
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.close_limit_s):
                for each in held:
                    with suppress(ServerError):
                        await self._server.unsubscribe(each.manager)
