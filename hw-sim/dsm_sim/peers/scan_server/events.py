"""The events of jobs: told to every subscriber at each change, and misbehaving where that is planned.

Every subscriber hears of every job. Source: MS-BDSRR 3.2.4.8, 3.2.4.9; WS-DSP PostScanJobStatusEvent,
PostScanJobEndStateEvent; WS-Eventing (2004/08) 3.5, 4.
"""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server import envelope, rules
from dsm_sim.peers.scan_server.job_events import end_event, status_event
from dsm_sim.peers.scan_server.jobs import Job
from dsm_sim.peers.scan_server.misbehaviour import (
    DelayEvent,
    DropEvent,
    DuplicateEvent,
    EndSubscription,
    EventAction,
    FollowAnswer,
    MalformEvent,
    OvertakeAnswer,
    SwapEvent,
    UnknownJob,
    WrongNamespace,
)
from dsm_sim.peers.scan_server.names import DSC, DSP, SUBSCRIPTION_END, WSE, tag
from dsm_sim.peers.scan_server.notifier import Delivery, Notification, Notifier, SinkOptions
from dsm_sim.peers.scan_server.personalities import Personality
from dsm_sim.peers.scan_server.plan import END_EVENT, STATUS_EVENT, Plan
from dsm_sim.peers.scan_server.rules import Notes
from dsm_sim.peers.scan_server.subscriptions import Reference, Subscription, Subscriptions

_FAREWELL: Final = "SubscriptionEnd"
#: How long all ends of subscriptions together may take when the server stops.
_FAREWELL_S: Final = 2.0


@dataclass(frozen=True)
class _Event:
    """``wanted`` is the action by which subscribers chose it, ``action`` the one that it is sent with."""

    name: str
    job_token: str
    body: etree._Element
    wanted: str
    action: str
    is_malformed: bool = False

    def of_nobodys_job(self) -> _Event:
        token = str(uuid.uuid4())
        body = copy.deepcopy(self.body)
        for element in body.iter(tag(DSP, "JobToken")):
            element.text = token
        return replace(self, job_token=token, body=body)


@dataclass
class Exchange:
    """A request that may cause events: those that its answer waits for, and those that wait for its answer."""

    overtaking: list[asyncio.Future[bool]] = field(default_factory=list)
    wait_s: float = 0.0
    following: list[_Event] = field(default_factory=list)

    async def be_overtaken(self) -> None:
        """Returns when the events that overtake the answer have been delivered or have had their time."""
        if self.overtaking:
            await asyncio.wait(self.overtaking, timeout=self.wait_s)


@dataclass(kw_only=True)
class EventSource:
    """``service_url`` is asked for the service's address; ``on_delivery`` and ``on_subscription`` watch."""

    subscriptions: Subscriptions
    plan: Plan
    personality: Personality
    sinks: SinkOptions
    service_url: Callable[[], str]
    enter: Callable[[Notes], None]
    on_delivery: Callable[[Subscription, Delivery], None]
    on_subscription: Callable[[Subscription], None]
    _notifiers: dict[str, Notifier] = field(default_factory=dict)
    _farewells: list[Notifier] = field(default_factory=list)
    _ended: set[str] = field(default_factory=set)
    _swapped: list[_Event] = field(default_factory=list)
    _under_way: set[asyncio.Future[bool]] = field(default_factory=set)
    _exchange: Exchange | None = None

    # ------------------------------------------------------------------------------------------ jobs

    def job_changed(self, job: Job) -> None:
        """Tells of the job's status, and once of its end."""
        self._announce(STATUS_EVENT, job, status_event(job, self.personality.say))
        if job.is_final and job.token not in self._ended:
            self._ended.add(job.token)
            self._announce(END_EVENT, job, end_event(job, self.personality.say))

    @contextmanager
    def exchange(self) -> Iterator[Exchange]:
        """While a request is carried out; nothing may be awaited inside."""
        self._exchange = Exchange()
        try:
            yield self._exchange
        finally:
            self._exchange = None

    def answered(self, exchange: Exchange) -> None:
        for event in exchange.following:
            self._send(event)

    async def settle(self, limit_s: float) -> None:
        """Waits until what was sent has arrived or been given up, but not for long."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=limit_s)

    # ---------------------------------------------------------------------------------- misbehaviour

    def _announce(self, name: str, job: Job, body: etree._Element) -> None:
        action = f"{DSP}/{name}"
        event = _Event(name, job.token, body, action, action)
        planned = self.plan.take_event(name)
        waiting, self._swapped = self._swapped, []
        self._play(planned, event)
        for earlier in waiting:
            self._send(earlier)

    def _play(self, planned: EventAction | None, event: _Event) -> None:
        match planned:
            case DropEvent():
                return
            case DuplicateEvent(times=times):
                for _ in range(times):
                    self._send(event)
            case SwapEvent(seconds=seconds):
                self._swapped.append(event)
                asyncio.get_running_loop().call_later(seconds, self._release, event)
            case DelayEvent(seconds=seconds):
                asyncio.get_running_loop().call_later(seconds, self._send, event)
            case OvertakeAnswer(seconds=seconds) if self._exchange:
                self._exchange.overtaking += self._send(event)
                self._exchange.wait_s = max(self._exchange.wait_s, seconds)
            case FollowAnswer() if self._exchange:
                self._exchange.following.append(event)
            case MalformEvent():
                self._send(replace(event, is_malformed=True))
            case UnknownJob():
                self._send(event.of_nobodys_job())
                self._send(event)
            case WrongNamespace():
                self._send(replace(event, action=f"{DSC}/{event.name}"))
            case EndSubscription(status=status):
                self._send(event)
                self.end_all(status, "As planned.")
            case _:
                self._send(event)

    def _release(self, event: _Event) -> None:
        """Sends an event whose successor did not come."""
        if event in self._swapped:
            self._swapped.remove(event)
            self._send(event)

    # --------------------------------------------------------------------------------------- sending

    def _send(self, event: _Event) -> list[asyncio.Future[bool]]:
        """Puts the event into the queue of everybody who wants it."""
        notifications = []
        for subscription in self.subscriptions.live():
            if event.wanted in subscription.actions:
                data = _enveloped(event.action, subscription.notify_to, copy.deepcopy(event.body))
                data = data[: len(data) // 2] if event.is_malformed else data
                notification = Notification(event.name, event.job_token, subscription.notify_to.address, data)
                self._notifier(subscription).put(notification)
                notifications.append(notification)
        return self._watch(notifications)

    def _watch(self, notifications: list[Notification]) -> list[asyncio.Future[bool]]:
        fates = [each.delivered for each in notifications]
        for fate in fates:
            self._under_way.add(fate)
            fate.add_done_callback(self._under_way.discard)
        return fates

    def _notifier(self, subscription: Subscription) -> Notifier:
        if subscription.identifier not in self._notifiers:
            self._notifiers[subscription.identifier] = self._new_notifier(subscription, self.sinks)
        return self._notifiers[subscription.identifier]

    def _new_notifier(self, subscription: Subscription, sinks: SinkOptions) -> Notifier:
        return Notifier(
            sinks,
            is_spare=lambda notification: notification.name == STATUS_EVENT,
            on_result=lambda delivery: self._account(subscription, delivery),
            on_dead=lambda: self._lose(subscription),
        )

    def _account(self, subscription: Subscription, delivery: Delivery) -> None:
        if delivery.notification.name != _FAREWELL:
            subscription.sent += not delivery.problem
            subscription.failed += bool(delivery.problem)
        self.on_delivery(subscription, delivery)
        if delivery.status and (delivery.status != 202 or delivery.octets):
            notes = Notes(delivery.notification.name, delivery.notification.job_token)
            notes.record(rules.EVENT_ANSWER, f"status {delivery.status}, {delivery.octets:,} octets")
            self.enter(notes)

    # -------------------------------------------------------------------------------------- the ends

    def changed(self, subscription: Subscription) -> None:
        """A subscription was made, renewed or given up by its subscriber."""
        notifier = self._notifiers.pop(subscription.identifier, None) if subscription.ended else None
        if notifier:
            notifier.drop()
        self.on_subscription(subscription)

    def end_all(self, status: str, reason: str) -> None:
        """Ends every subscription and says so, after what is queued, to those who gave an EndTo."""
        for subscription in self.subscriptions.live():
            notifier = self._notifier(subscription)
            del self._notifiers[subscription.identifier]
            self._end(subscription, notifier, status, reason)

    def _end(self, subscription: Subscription, notifier: Notifier, status: str, reason: str) -> None:
        subscription.ended = status
        self.on_subscription(subscription)
        if subscription.end_to:
            body = self._farewell(subscription, status, reason)
            data = _enveloped(SUBSCRIPTION_END, subscription.end_to, body)
            notifier.put(Notification(_FAREWELL, "", subscription.end_to.address, data))
        notifier.close()
        self._farewells.append(notifier)

    def _lose(self, subscription: Subscription) -> None:
        """Nothing gets through to NotifyTo. EndTo may be elsewhere: it is tried once."""
        self._notifiers.pop(subscription.identifier, None)
        if not subscription.ended:
            notifier = self._new_notifier(subscription, replace(self.sinks, waits_s=()))
            self._end(subscription, notifier, "DeliveryFailure", "The events could not be delivered.")

    def _farewell(self, subscription: Subscription, status: str, reason: str) -> etree._Element:
        body = etree.Element(tag(WSE, "SubscriptionEnd"), nsmap={"wse": WSE})
        body.append(subscription.manager(self.service_url(), self.personality.manager_form))
        etree.SubElement(body, tag(WSE, "Status")).text = f"{WSE}/{status}"
        text = etree.SubElement(body, tag(WSE, "Reason"))
        text.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
        text.text = reason
        return body

    async def shut_down(self, reason: str) -> None:
        """Ends every subscription, within two seconds."""
        self.end_all("SourceShuttingDown", reason)
        for each in self._farewells:
            each.hurry()
        tasks = [each.task for each in self._farewells]
        if tasks:
            await asyncio.wait(tasks, timeout=_FAREWELL_S)
        self.forget()

    def forget(self) -> None:
        """All subscriptions end without a word, as those of a server that crashed."""
        for subscription in self.subscriptions.live():
            subscription.ended = "Forgotten"
            self.on_subscription(subscription)
        for notifier in (*self._notifiers.values(), *self._farewells):
            notifier.drop()
        self._notifiers.clear()
        self._farewells.clear()
        self._swapped.clear()


def _enveloped(action: str, to: Reference, body: etree._Element) -> bytes:
    return envelope.write(action, "", body, to.headers(), to=to.address)
