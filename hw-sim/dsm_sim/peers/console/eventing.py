"""A subscription to a service's six events: kept alive, and everything that arrives held against the rules.

Source: WS-Eventing (2004/08); DPWS 1.0, 6; WS-DSD events; WS-Scan events.
"""

from __future__ import annotations

import asyncio
import datetime
import uuid
from copy import deepcopy
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.content import check_content
from dsm_sim.peers.console.conversation import Question, check_content_type, expect_body
from dsm_sim.peers.console.durations import duration, seconds
from dsm_sim.peers.console.envelope import Message, read
from dsm_sim.peers.console.errors import ConsoleError, Unreadable
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.names import (
    ACTION_FILTER,
    EVENTS,
    MAX_ENVELOPE_OCTETS,
    PUSH,
    WSA,
    WSCN,
    WSE,
    tag,
)
from dsm_sim.peers.console.schemas import body_error
from dsm_sim.peers.console.service import Service
from dsm_sim.peers.console.sink import Sink
from dsm_sim.peers.console.transport import is_http_url
from dsm_sim.peers.console.xml import add, child_text, children, find, local_of, namespace_of, new

ENDED: Final = "SubscriptionEnd"
#: Told instead of an event where the subscription could not be renewed.
LOST: Final = "SubscriptionLost"
_STATUS: Final = frozenset(
    f"{WSE}/{word}" for word in ("DeliveryFailure", "SourceShuttingDown", "SourceCanceling")
)
#: The documented actions of both services: WS-DSD's events have WS-Scan's too.
EVENT_ACTIONS: Final = tuple(f"{WSCN}/{name}" for name in EVENTS)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a device told. ``name`` is an event's, ``SubscriptionEnd`` or ``SubscriptionLost``."""

    name: str
    service: Service
    body: etree._Element | None
    at: datetime.datetime
    detail: str = ""


class Subscription:
    """``async with Subscription(service, sink, expires_s) as subscription``; unsubscribes at the end.

    Entering raises :class:`ConsoleError`. ``events`` receives what comes.
    """

    def __init__(self, service: Service, sink: Sink, expires_s: float) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.granted_s = 0.0
        self._service = service
        self._asked_s = expires_s
        self._identifier = f"urn:uuid:{uuid.uuid4()}"
        self._notify_to = sink.open(f"/{uuid.uuid4()}", self._receive)
        self._manager = service.url
        self._reference_parameters: tuple[etree._Element, ...] = ()
        self._has_ended = False
        self._ended_jobs: set[str] = set()
        self._renewal: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        question = self.subscribe_question()
        notes = self._service.notes(question)
        message = await self._service.conversation.ask(question)
        response = expect_body(message, tag(WSE, "SubscribeResponse"), notes)
        manager = find(response, WSE, "SubscriptionManager")
        self._manager = child_text(manager, WSA, "Address")
        notes.require(is_http_url(self._manager), rules.MANAGER, self._manager or "absent")
        self._reference_parameters = tuple(
            deepcopy(block)
            for name in ("ReferenceParameters", "ReferenceProperties")
            for block in children(find(manager, WSA, name))
        )
        self.granted_s = self._granted(response, self._asked_s, notes)
        if not is_http_url(self._manager):
            raise Unreadable(f"the subscription's manager has no usable address: {self._manager!r}")
        self._renewal = asyncio.create_task(self._keep_alive())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._renewal:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        if not self._has_ended:
            await self.unsubscribe()

    # -------------------------------------------------------------------------------------- questions

    def subscribe_question(
        self,
        *,
        actions: str = " ".join(EVENT_ACTIONS),
        dialect: str = ACTION_FILTER,
        mode: str = PUSH,
        expires: str = "",
    ) -> Question:
        """A Subscribe for this subscription's sink; the arguments are there to be wrong on purpose."""
        body = new(WSE, "Subscribe")
        self._endpoint(add(body, WSE, "EndTo"))
        self._endpoint(add(add(body, WSE, "Delivery", attributes={"Mode": mode}), WSE, "NotifyTo"))
        add(body, WSE, "Expires", expires or duration(self._asked_s))
        add(body, WSE, "Filter", actions, {"Dialect": dialect})
        return Question(self._service.url, f"{WSE}/Subscribe", body)

    def manager_question(self, operation: str, expires: str = "") -> Question:
        """Renew, GetStatus or Unsubscribe of this subscription."""
        body = new(WSE, operation)
        if expires:
            add(body, WSE, "Expires", expires)
        action = f"{WSE}/{operation}"
        return Question(self._manager, action, body, reference_parameters=self._reference_parameters)

    def _endpoint(self, element: etree._Element) -> None:
        add(element, WSA, "Address", self._notify_to)
        add(add(element, WSA, "ReferenceParameters"), WSE, "Identifier", self._identifier)

    async def renew(self) -> float:
        """The granted time in seconds."""
        self.granted_s = await self._lease("Renew", duration(self._asked_s), self._asked_s)
        return self.granted_s

    async def status(self) -> float:
        """The remaining time in seconds."""
        return await self._lease("GetStatus", "", max(self.granted_s, self._asked_s))

    async def unsubscribe(self) -> None:
        """Ends it; what comes from now on is a finding."""
        question = self.manager_question("Unsubscribe")
        message = await self._service.conversation.ask(question)
        empty = message.body is None
        self._service.notes(question).require(empty, rules.BODY_NAME, "UnsubscribeResponse has an empty body")
        self._has_ended = True

    async def _lease(self, operation: str, expires: str, limit_s: float) -> float:
        question = self.manager_question(operation, expires)
        message = await self._service.conversation.ask(question)
        notes = self._service.notes(question)
        return self._granted(expect_body(message, tag(WSE, f"{operation}Response"), notes), limit_s, notes)

    def _granted(self, response: etree._Element, limit_s: float, notes: Notes) -> float:
        text = child_text(response, WSE, "Expires")
        granted_s = seconds(text)
        if granted_s is None or not 0 < granted_s <= limit_s:
            notes.record(rules.EXPIRES, f"{text or 'absent'}, limit {duration(limit_s)}")
        return granted_s or limit_s

    async def _keep_alive(self) -> None:
        """Renews at half time, as Windows does."""
        while not self._has_ended:
            await asyncio.sleep(max(self.granted_s / 2, 0.1))
            try:
                await self.renew()
            except ConsoleError as error:
                self._has_ended = True
                self._tell(LOST, None, str(error))

    # ----------------------------------------------------------------------------------------- events

    def _receive(self, content_type: str, data: bytes) -> int:
        """Takes what was posted to the sink; returns the HTTP status."""
        notes = self._service.conversation.findings.at(f"event of {self._service.url}")
        notes.require(len(data) <= MAX_ENVELOPE_OCTETS, rules.ENVELOPE_SIZE, f"{len(data):,} octets")
        check_content_type(content_type, notes)
        try:
            message = read(data, notes)
        except Unreadable:
            return 400
        name = message.action.rpartition("/")[2]
        notes = self._service.conversation.findings.at(f"{name or 'event'} of {self._service.url}")
        self._check_header(message, notes)
        notes.require(not self._has_ended, rules.EVENT_AFTER_END)
        if message.action == f"{WSE}/{ENDED}":
            self._end(message, notes)
            return 202
        notes.require(message.action in EVENT_ACTIONS, rules.EVENT_ACTION, message.action or "absent")
        return self._take(message, name, notes)

    def _check_header(self, message: Message, notes: Notes) -> None:
        self._service.conversation.seen_ids.check(message, notes)
        notes.require(message.to == self._notify_to, rules.WSA_TO, message.to or "absent")
        notes.require(not message.relates_to, rules.WSA_RELATES_TO, message.relates_to)
        told = child_text(message.header, WSE, "Identifier")
        notes.require(told == self._identifier, rules.EVENT_REFERENCE, told or "absent")

    def _take(self, message: Message, name: str, notes: Notes) -> int:
        body = message.body
        if body is None or local_of(body) != name or name not in EVENTS:
            notes.record(rules.BODY_NAME, "an empty body" if body is None else str(body.tag))
            return 400
        right = self._service.namespace
        notes.require(namespace_of(body) == right, rules.EVENT_NAMESPACE, namespace_of(body))
        problem = body_error(body)
        notes.require(not problem, rules.BODY_SCHEMA, problem)
        check_content(body, notes)
        self._check_order(body, name, notes)
        self._tell(name, body)
        return 202

    def _check_order(self, body: etree._Element, name: str, notes: Notes) -> None:
        job_id = next((child_text(content, WSCN, "JobId") for content in children(body)), "")
        if not name.startswith("Job"):
            return
        notes.require(job_id not in self._ended_jobs, rules.EVENT_ORDER, f"job {job_id}")
        if name == "JobEndStateEvent":
            self._ended_jobs.add(job_id)

    def _end(self, message: Message, notes: Notes) -> None:
        status = child_text(message.body, WSE, "Status")
        notes.require(status in _STATUS, rules.SUBSCRIPTION_END, status or "absent")
        self._has_ended = True
        self._tell(
            ENDED, message.body, f"{status.rpartition('/')[2]} {child_text(message.body, WSE, 'Reason')}".strip()
        )

    def _tell(self, name: str, body: etree._Element | None, detail: str = "") -> None:
        self.events.put_nowait(Event(name, self._service, body, datetime.datetime.now(datetime.UTC), detail))
