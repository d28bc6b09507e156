"""WS-Eventing at the processing service: Subscribe, Renew, GetStatus, Unsubscribe.

Source: WS-Eventing (2004/08) 3 and 5; DPWS 1.0, 6.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lxml import etree

from dsm_sim.peers.scan_server import rules
from dsm_sim.peers.scan_server.durations import duration, read_expiry
from dsm_sim.peers.scan_server.envelope import Message, text_of
from dsm_sim.peers.scan_server.job_elements import time_text
from dsm_sim.peers.scan_server.names import (
    ACTION_DIALECT,
    END_EVENT,
    GET_STATUS,
    PUSH,
    RENEW,
    STATUS_EVENT,
    SUBSCRIBE,
    UNSUBSCRIBE,
    WSE,
    tag,
)
from dsm_sim.peers.scan_server.personalities import Personality
from dsm_sim.peers.scan_server.refusals import SoapFault, fault
from dsm_sim.peers.scan_server.rules import Notes
from dsm_sim.peers.scan_server.subscriptions import (
    MANAGER_FOLDER,
    Reference,
    Subscription,
    Subscriptions,
    identifying_blocks,
    read_reference,
)

MANAGING: Final = frozenset({RENEW, GET_STATUS, UNSUBSCRIBE})
EVENTS: Final = frozenset({STATUS_EVENT, END_EVENT})
#: What may stand in a Subscribe, in this order.
_OUTLINE: Final = tuple(tag(WSE, name) for name in ("EndTo", "Delivery", "Expires", "Filter"))
_URI_LIMIT: Final = 2048


@dataclass(frozen=True)
class EventingService:
    """The event source at ``service_url``. ``longest_s`` is granted at most.

    ``on_change`` is told of each subscription that is made, renewed or given up.
    """

    book: Subscriptions
    personality: Personality
    service_url: str
    longest_s: float
    on_change: Callable[[Subscription], None]

    def perform(self, message: Message, path: str, notes: Notes) -> etree._Element | None:
        """The body of the answer to a request that came to ``path``. Raises :class:`SoapFault`."""
        operations: Mapping[str, Callable[[Message, str, Notes], etree._Element | None]] = {
            SUBSCRIBE: self._subscribe,
            RENEW: self._renew,
            GET_STATUS: self._get_status,
            UNSUBSCRIBE: self._unsubscribe,
        }
        body = message.body
        if body is None or body.tag != tag(WSE, message.operation):
            notes.record(rules.ACTION_BODY, f"wse:{message.operation} expected")
            raise fault("wse:InvalidMessage", f"The body is no wse:{message.operation}.")
        return operations[message.action](message, path, notes)

    # ------------------------------------------------------------------------------------ operations

    def _subscribe(self, message: Message, _path: str, notes: Notes) -> etree._Element:
        parts = _outline(message, notes)
        notify_to, end_to = _endpoints(parts, notes)
        actions = _wanted(parts.get(_OUTLINE[3]), notes)
        granted_s, is_point = self._grant(parts.get(_OUTLINE[2]), notes)
        if self.book.is_full():
            raise fault("wse:EventSourceUnableToProcess", f"There are {self.book.limit} subscriptions already.")
        subscription = self.book.open(notify_to, end_to, actions, granted_s)
        answer = _element("SubscribeResponse")
        self.on_change(subscription)
        answer.append(subscription.manager(self.service_url, self.personality.manager_form))
        self._add_expires(answer, granted_s, is_point=is_point)
        return answer

    def _renew(self, message: Message, path: str, notes: Notes) -> etree._Element:
        subscription = self._find(message, path, notes, "wse:UnableToRenew")
        granted_s, is_point = self._grant(_child(message, "Expires"), notes)
        subscription.granted_s = granted_s
        subscription.ends_at = self.book.clock.monotonic() + granted_s
        self.on_change(subscription)
        answer = _element("RenewResponse")
        self._add_expires(answer, granted_s, is_point=is_point)
        return answer

    def _get_status(self, message: Message, path: str, notes: Notes) -> etree._Element:
        subscription = self._find(message, path, notes, "wse:InvalidMessage")
        answer = _element("GetStatusResponse")
        left_s = subscription.ends_at - self.book.clock.monotonic()
        self._add_expires(answer, left_s, is_point=False)
        return answer

    def _unsubscribe(self, message: Message, path: str, notes: Notes) -> None:
        subscription = self._find(message, path, notes, "wse:InvalidMessage")
        subscription.ended = "Unsubscribed"
        self.on_change(subscription)

    def _find(self, message: Message, path: str, notes: Notes, subcode: str) -> Subscription:
        found = self.book.find(path, message.header)
        if found:
            return found
        if not identifying_blocks(message.header) and f"/{MANAGER_FOLDER}/" not in path:
            notes.record(rules.WSE_MANAGER, "nothing says which subscription is meant")
        raise fault(subcode, "The subscription is unknown or has expired.")

    # --------------------------------------------------------------------------------------- expires

    def _grant(self, asked: etree._Element | None, notes: Notes) -> tuple[float, bool]:
        """Seconds, and whether they were asked for as a point in time."""
        if asked is None:
            return self.longest_s, False
        try:
            expiry = read_expiry(text_of(asked), self.book.clock.now())
        except ValueError as error:
            notes.record(rules.WSE_EXPIRES, str(error))
            raise fault("wse:InvalidMessage", f"wse:Expires: {error}.") from error
        if expiry.is_point:
            notes.record(rules.WSE_DURATION, text_of(asked))
            if not self.personality.takes_points_in_time:
                raise fault("wse:UnsupportedExpirationType", "Only durations are supported.")
        if expiry.seconds <= 0:
            notes.record(rules.WSE_EXPIRES, text_of(asked))
            raise fault("wse:InvalidExpirationTime", "The expiration is not in the future.")
        return min(expiry.seconds, self.longest_s), expiry.is_point

    def _add_expires(self, parent: etree._Element, seconds: float, *, is_point: bool) -> None:
        form = self.personality.expires_form
        child = etree.SubElement(parent, tag(WSE, "Expires"))
        if form == "date-time" or (form == "as-asked" and is_point):
            child.text = time_text(self.book.clock.now() + datetime.timedelta(seconds=seconds))
        else:
            child.text = duration(seconds)


# ------------------------------------------------------------------------------------------- subscribe


def _outline(message: Message, notes: Notes) -> dict[str, etree._Element]:
    """The parts of a Subscribe by their names."""
    body = message.body
    children = [] if body is None else list(body.iterchildren(tag=etree.Element))
    parts = {str(child.tag): child for child in children if child.tag in _OUTLINE}
    found = [str(child.tag) for child in children if child.tag in _OUTLINE]
    if found != [name for name in _OUTLINE if name in parts] or _OUTLINE[1] not in parts:
        names = ", ".join(name.rpartition("}")[2] for name in found)
        raise _off_outline(f"Subscribe holds {names or 'nothing'}", notes)
    return parts


def _endpoints(parts: Mapping[str, etree._Element], notes: Notes) -> tuple[Reference, Reference | None]:
    """Whom to notify, and whom to tell of the end."""
    delivery = parts[_OUTLINE[1]]
    mode = delivery.get("Mode", PUSH).strip()
    if mode != PUSH:
        notes.record(rules.WSE_DELIVERY, mode)
        raise fault(
            "wse:DeliveryModeRequestedUnavailable", "Only Push is supported.", _supported("DeliveryMode", PUSH)
        )
    notify_to = delivery.find(tag(WSE, "NotifyTo"))
    if notify_to is None:
        raise _off_outline("Delivery has no NotifyTo", notes)
    end_to = parts.get(_OUTLINE[0])
    return _reachable(notify_to, notes), None if end_to is None else _reachable(end_to, notes)


def _reachable(element: etree._Element, notes: Notes) -> Reference:
    reference = read_reference(element)
    if not _is_http_url(reference.address):
        name = etree.QName(element).localname
        notes.record(rules.WSE_ENDPOINTS, f"{name}: {reference.address or 'no address'}")
        raise fault("wse:EventSourceUnableToProcess", f"{name} is no http or https URL.")
    return reference


def _is_http_url(address: str) -> bool:
    try:
        parts = urlsplit(address)
        is_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_plain = address.isascii() and address.isprintable() and " " not in address and len(address) <= _URI_LIMIT
    return is_plain and is_port and parts.scheme in {"http", "https"} and bool(parts.hostname)


def _wanted(element: etree._Element | None, notes: Notes) -> frozenset[str]:
    """The actions of the wanted events: all without a filter."""
    if element is None:
        return EVENTS
    dialect = element.get("Dialect", "").strip()
    if dialect != ACTION_DIALECT:
        notes.record(rules.WSE_FILTER, f"dialect {dialect or 'none'}")
        detail = _supported("Dialect", ACTION_DIALECT)
        raise fault("wse:FilteringRequestedUnavailable", "Only the dialect Action is supported.", detail)
    wanted = EVENTS & set("".join(map(str, element.itertext())).split())
    if not wanted:
        notes.record(rules.WSE_FILTER, text_of(element))
        raise fault("wsdp:FilterActionNotSupported", "No event of this service matches the filter.")
    return wanted


def _off_outline(problem: str, notes: Notes) -> SoapFault:
    notes.record(rules.WSE_OUTLINE, problem)
    return fault("wse:InvalidMessage", f"{problem}.")


def _supported(what: str, value: str) -> etree._Element:
    element = _element(f"Supported{what}")
    element.text = value
    return element


def _child(message: Message, local: str) -> etree._Element | None:
    return None if message.body is None else message.body.find(tag(WSE, local))


def _element(local: str) -> etree._Element:
    return etree.Element(tag(WSE, local), nsmap={"wse": WSE})
