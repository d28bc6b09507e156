"""The source of the device's events: from one change to a message for each subscriber.

:meth:`EventSource.publish` only puts the event into queues; everything that takes time is done by the subscribers'
own tasks. The clock is the event loop's.
Sources: WS-Eventing (2004/08); WS-DSD, events; the project's reference on DPWS hosting, section 6.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import urllib.parse
import uuid
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from dsm_device.server.notifier import DeliveryOptions, Line, Notice, Notifier
from dsm_device.server.sink_address import NotAllowed, SinkAddress, SinkRule
from dsm_device.server.sink_line import SinkFailed, SinkLine
from dsm_device.server.subscriptions import Limits, Subscription, Subscriptions, TooMany
from dsm_device.wire import event_source as wire
from dsm_device.wire.device.events import DeviceEvent
from dsm_device.wire.envelope import MAX_ENVELOPE_OCTETS
from dsm_device.wire.event_source import SubscriptionEnd, Wanted
from dsm_device.wire.references import Reference
from dsm_device.wire.service_request import render_one_way

_log = logging.getLogger(__name__)

_SHUTTING_DOWN: Final = SubscriptionEnd(wire.SOURCE_SHUTTING_DOWN, "The device is shutting down.")
_DISPLACED: Final = SubscriptionEnd(wire.SOURCE_CANCELING, "A newer subscription has taken its place.")
_UNDELIVERABLE: Final = SubscriptionEnd(wire.DELIVERY_FAILURE, "Events could not be delivered.")


@dataclass(frozen=True, slots=True)
class EventOptions:
    limits: Limits = field(default_factory=Limits)
    delivery: DeliveryOptions = field(default_factory=DeliveryOptions)
    #: For the farewell to all subscribers together, and the part of it for what still waits to be sent. A thousand
    #: of them keep the processor busy for longer.
    close_s: float = 2.0
    flush_s: float = 1.0


class Refused(Exception):
    """A subscription is not made; ``str()`` is for the subscriber."""


@dataclass(frozen=True, slots=True)
class _Sink:
    """An endpoint of the subscriber's, and where that was found to be."""

    reference: Reference
    address: SinkAddress


@dataclass(frozen=True, slots=True, eq=False)
class _Channel:
    """All that belongs to one subscription."""

    subscription: Subscription
    namespace: str
    manager_url: str
    notify_to: _Sink
    end_to: _Sink | None
    line: Line
    notifier: Notifier


class EventSource:
    """Use it in one loop. Times are seconds of that loop's clock."""

    def __init__(
        self,
        rule: SinkRule,
        options: EventOptions | None = None,
        make_line: Callable[[SinkAddress], Line] = SinkLine,
    ) -> None:
        self._rule = rule
        self._options = options or EventOptions()
        self._make_line = make_line
        self._subscriptions = Subscriptions(self._options.limits)
        self._channels: dict[str, _Channel] = {}
        self._endings: set[asyncio.Task[None]] = set()
        self._expiry: asyncio.TimerHandle | None = None
        self._is_closed = False

    def __len__(self) -> int:
        """How many subscriptions there are: with none nobody watches the scanner."""
        self._forget_expired()
        return len(self._subscriptions)

    # --------------------------------------------------------------------------------------- subscriptions

    async def subscribe(
        self, wanted: Wanted, *, namespace: str, base_url: str, subscriber: str
    ) -> tuple[Subscription, str]:
        """The new subscription and the URL of its manager. Raises :class:`Refused`.

        ``namespace`` is that of the bodies (DSD or WSCN), ``base_url`` scheme, host and port at which the request
        came in, ``subscriber`` the address that it came from.
        """
        try:
            self._subscriptions.check_pace(subscriber, self._now())
            local = urllib.parse.urlsplit(base_url).hostname or ""
            notify_to = await self._sink(wanted.notify_to, subscriber, local)
            end_to = None if wanted.end_to is None else await self._sink(wanted.end_to, subscriber, local)
            new = self._add(wanted, subscriber, notify_to)
        except TooMany as error:
            _log.info("a subscription of %s is refused: %s", subscriber, error)
            raise Refused("The device has as many subscriptions as it takes.") from error
        manager_url = f"{base_url}/subscriptions/{new.id}"
        self._channels[new.id] = self._channel(new, namespace, manager_url, notify_to, end_to)
        return new, manager_url

    async def _sink(self, reference: Reference, subscriber: str, local: str) -> _Sink:
        try:
            return _Sink(reference, await self._rule.check(reference.address, subscriber, local))
        except NotAllowed as error:
            _log.info("a subscription of %s is refused: to %.200r, %s", subscriber, reference.address, error)
            raise Refused("Events are not sent to that address.") from error

    def _add(self, wanted: Wanted, subscriber: str, notify_to: _Sink) -> Subscription:
        """Raises :class:`TooMany`, :class:`Refused`."""
        if self._is_closed:
            raise Refused("The device is shutting down.")
        self._forget_expired()
        now = self._now()
        new = Subscription(
            id=str(uuid.uuid4()),
            subscriber=subscriber,
            sink=notify_to.address.address,
            actions=wanted.actions,
            expires_at=now + self._options.limits.granted_s(wanted.expires_s),
        )
        displaced = self._subscriptions.add(new, now)
        _log.info("%s has subscribed to %s", subscriber, ", ".join(wanted.actions))
        if displaced is not None:
            _log.info("a subscription of %s makes way for a newer one", displaced.subscriber)
            self._end(displaced, _DISPLACED)
        self._arm_expiry()
        return new

    def _channel(
        self, subscription: Subscription, namespace: str, manager_url: str, notify_to: _Sink, end_to: _Sink | None
    ) -> _Channel:
        line = self._make_line(notify_to.address)
        failed = functools.partial(self._failed, subscription)
        notifier = Notifier(notify_to.address, line, self._options.delivery, failed)
        return _Channel(subscription, namespace, manager_url, notify_to, end_to, line, notifier)

    def find(self, ids: Sequence[str]) -> Subscription | None:
        """The first of them that there is and that has not expired."""
        return self._subscriptions.find(ids, self._now())

    def left_s(self, subscription: Subscription) -> float:
        return subscription.expires_at - self._now()

    def renew(self, subscription: Subscription, asked_s: float | None) -> float:
        """The granted time from now. ``asked_s`` as in :meth:`Limits.granted_s`."""
        granted_s = self._options.limits.granted_s(asked_s)
        subscription.expires_at = self._now() + granted_s
        self._arm_expiry()
        return granted_s

    def unsubscribe(self, subscription: Subscription) -> None:
        """What waits to be sent is not."""
        if self._subscriptions.remove(subscription):
            self._end(subscription, None)
            self._arm_expiry()

    # --------------------------------------------------------------------------------------------- events

    def publish(self, event: DeviceEvent) -> None:
        """Never waits, and costs nothing where nobody wants ``event``."""
        bodies = _Bodies(event)
        for subscription in list(self._subscriptions.wanting(event.name, self._now())):
            channel = self._channels[subscription.id]
            action = subscription.actions[event.name]
            compose = functools.partial(
                _event_message, channel.notify_to.reference, action, bodies, channel.namespace
            )
            channel.notifier.put(Notice(event.name, compose))

    # --------------------------------------------------------------------------------------------- the end

    async def aclose(self) -> None:
        """What waits goes out, then SourceShuttingDown to everybody, within ``close_s`` in all."""
        self._is_closed = True
        if self._expiry is not None:
            self._expiry.cancel()
        self._forget_expired()
        for subscription in self._subscriptions.take_all():
            self._end(subscription, _SHUTTING_DOWN, flush_s=self._options.flush_s)
        endings = set(self._endings)
        if not endings:
            return
        _, late = await asyncio.wait(endings, timeout=self._options.close_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _failed(self, subscription: Subscription, problem: str) -> None:
        if self._subscriptions.remove(subscription):
            _log.warning("the subscription of %s ends, its sink fails: %s", subscription.subscriber, problem)
            self._end(subscription, _UNDELIVERABLE)

    def _end(self, subscription: Subscription, end: SubscriptionEnd | None, flush_s: float = 0.0) -> None:
        """Lets go of all that belongs to ``subscription``, in a task of its own. ``end`` None says nothing."""
        channel = self._channels.pop(subscription.id)
        task = asyncio.create_task(self._farewell(channel, end, flush_s))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _farewell(self, channel: _Channel, end: SubscriptionEnd | None, flush_s: float) -> None:
        try:
            if flush_s:
                await channel.notifier.close(flush_s)
            else:
                await channel.notifier.drop()
            if end is not None and channel.end_to is not None:
                await self._tell_end(channel, channel.end_to, end)
        finally:
            await channel.line.release()

    async def _tell_end(self, channel: _Channel, sink: _Sink, end: SubscriptionEnd) -> None:
        """One try: who does not hear it learns at the next Renew."""
        body = end.render(channel.manager_url, channel.subscription.id)
        message = _message(sink.reference, wire.SUBSCRIPTION_END, body)
        shares_line = sink.address.origin == channel.notify_to.address.origin
        line = channel.line if shares_line else self._make_line(sink.address)
        try:
            await line.post(sink.address, message, self._options.delivery.timeout_s)
        except SinkFailed as failed:
            _log.info("%s did not take the end of its subscription: %s", channel.subscription.subscriber, failed)
        finally:
            if not shares_line:
                await line.release()

    # ---------------------------------------------------------------------------------------------- expiry

    def _forget_expired(self) -> None:
        for subscription in self._subscriptions.take_expired(self._now()):
            _log.info("the subscription of %s has expired", subscription.subscriber)
            self._end(subscription, None)

    def _arm_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        expires_at = self._subscriptions.next_expiry()
        loop = asyncio.get_running_loop()
        self._expiry = None if expires_at is None else loop.call_at(expires_at, self._expire)

    def _expire(self) -> None:
        self._forget_expired()
        self._arm_expiry()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


class _Bodies:
    """An event's body in each namespace, rendered when it is first wanted and then shared."""

    def __init__(self, event: DeviceEvent) -> None:
        self._event = event
        self._by_namespace: dict[str, etree._Element] = {}

    def copy(self, namespace: str) -> etree._Element:
        if namespace not in self._by_namespace:
            self._by_namespace[namespace] = self._event.render(namespace)
        return deepcopy(self._by_namespace[namespace])


def _event_message(reference: Reference, action: str, bodies: _Bodies, namespace: str) -> bytes | None:
    message = _message(reference, action, bodies.copy(namespace))
    if len(message) <= MAX_ENVELOPE_OCTETS:
        return message
    _log.warning("an event of %d octets is not sent: %s is too large", len(message), action)
    return None


def _message(reference: Reference, action: str, body: etree._Element) -> bytes:
    return render_one_way(reference.address, action, f"urn:uuid:{uuid.uuid4()}", body, reference.blocks)
