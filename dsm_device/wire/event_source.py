"""WS-Eventing, the side that has the events: what a subscriber asks for, what it is answered, and how it ends.

Sources: WS-Eventing (2004/08) 3 and 6; DPWS 1.0, 6; WS-DSD, events; and the project's reference on DPWS hosting,
section 6, which settles what they leave open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lxml import etree

from dsm_device.wire import references, xml
from dsm_device.wire.envelope import MessageError
from dsm_device.wire.eventing import ACTION_DIALECT, PUSH
from dsm_device.wire.expiry import duration, read_expires
from dsm_device.wire.names import DEVICE_PROFILE_FAULT, SOAP, WSA, WSCN, WSDP, WSE, XML, qname
from dsm_device.wire.references import Reference
from dsm_device.wire.service_request import OutgoingFault, Request, RequestFault

SUBSCRIBE: Final = f"{WSE}/Subscribe"
RENEW: Final = f"{WSE}/Renew"
GET_STATUS: Final = f"{WSE}/GetStatus"
UNSUBSCRIBE: Final = f"{WSE}/Unsubscribe"
SUBSCRIPTION_END: Final = f"{WSE}/SubscriptionEnd"
ACTIONS: Final = frozenset({SUBSCRIBE, RENEW, GET_STATUS, UNSUBSCRIBE})

JOB_END_STATE_EVENT: Final = "JobEndStateEvent"
#: What a later one of its kind takes the place of.
STATUS_EVENTS: Final = frozenset({"JobStatusEvent", "ScannerStatusSummaryEvent"})
#: WS-DSD, events: the last segment of each one's action.
EVENT_NAMES: Final = (
    "JobStatusEvent",
    JOB_END_STATE_EVENT,
    "ScannerElementsChangeEvent",
    "ScannerStatusSummaryEvent",
    "ScannerStatusConditionEvent",
    "ScannerStatusConditionClearedEvent",
)
#: Spellings of the names that occur in print: WS-DSD, open points.
_SPELLINGS: Final = {**{name: name for name in EVENT_NAMES}, "ScannerElementsChangedEvent": EVENT_NAMES[2]}
#: What a subscriber without a filter gets: every event has been published with an action of WS-Scan.
ALL_ACTIONS: Final[Mapping[str, str]] = {name: f"{WSCN}/{name}" for name in EVENT_NAMES}

#: Why a subscription ended (WS-Eventing 3.5).
DELIVERY_FAILURE: Final = f"{WSE}/DeliveryFailure"
SOURCE_SHUTTING_DOWN: Final = f"{WSE}/SourceShuttingDown"
SOURCE_CANCELING: Final = f"{WSE}/SourceCanceling"

_IDENTIFIER_PREFIX: Final = "urn:uuid:"


# --------------------------------------------------------------------------------------- what is read


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a Subscribe asks for. ``expires_s`` is seconds from now, always positive, None for as long as possible.

    ``actions`` has, by the name of each event that is wanted, the action that the filter gives it: it is sent with
    that one.
    """

    notify_to: Reference
    end_to: Reference | None
    expires_s: float | None
    actions: Mapping[str, str]


def read_subscribe(request: Request, now: datetime) -> Wanted:
    """``now`` has a time zone. Raises :class:`RequestFault`."""
    body = _body(request, "Subscribe")
    delivery = _one(request, body, "Delivery")
    if delivery is None:
        raise _refuse(request, invalid_message("Subscribe has no Delivery."))
    if _uri(delivery.get("Mode", PUSH)) != PUSH:
        raise _refuse(request, _delivery_mode_unavailable())
    notify_to = _one(request, delivery, "NotifyTo")
    if notify_to is None:
        raise _refuse(request, unable_to_process("Delivery has no NotifyTo."))
    end_to = _one(request, body, "EndTo")
    return Wanted(
        notify_to=_reference(request, notify_to),
        end_to=None if end_to is None else _reference(request, end_to),
        expires_s=_expires_s(request, body, now),
        actions=_actions(request, _one(request, body, "Filter")),
    )


def read_renew(request: Request, now: datetime) -> float | None:
    """Seconds from ``now``, always positive, None for as long as possible. Raises :class:`RequestFault`."""
    return _expires_s(request, _body(request, "Renew"), now)


def check_get_status(request: Request) -> None:
    """Raises :class:`RequestFault`."""
    _body(request, "GetStatus")


def check_unsubscribe(request: Request) -> None:
    """Raises :class:`RequestFault`."""
    _body(request, "Unsubscribe")


def subscription_ids(request: Request) -> tuple[str, ...]:
    """Which subscription may be meant, the likeliest first: the URL's, then the header's (lower case)."""
    _, is_manager, by_url = request.to.partition("/subscriptions/")
    by_header = request.identifier.lower().removeprefix(_IDENTIFIER_PREFIX).removeprefix("uuid:")
    return tuple(each for each in (by_url.lower() if is_manager else "", by_header) if each)


def _body(request: Request, local: str) -> etree._Element:
    if request.body is None or request.body.tag != qname(WSE, local):
        raise _refuse(request, invalid_message(f"The body is not {local}."))
    return request.body


def _one(request: Request, parent: etree._Element, local: str) -> etree._Element | None:
    found = parent.findall(qname(WSE, local))
    if len(found) > 1:
        raise _refuse(request, invalid_message(f"{xml.local_name(parent)} has {local} twice."))
    return found[0] if found else None


def _reference(request: Request, element: etree._Element) -> Reference:
    """Raises :class:`RequestFault`, also for blocks that would make another message of ours of every event."""
    try:
        reference = references.read(element)
    except MessageError as error:
        raise _refuse(request, unable_to_process(f"The request cannot be carried out: {error}.")) from error
    if any(name.startswith((f"{{{SOAP}}}", f"{{{WSA}}}")) for name, _ in reference.identity):
        raise _refuse(request, invalid_message("A reference parameter is a header of SOAP or WS-Addressing."))
    return reference


def _expires_s(request: Request, parent: etree._Element, now: datetime) -> float | None:
    element = _one(request, parent, "Expires")
    if element is None:
        return None
    seconds = read_expires(xml.token(element), now)
    if seconds is None or seconds <= 0:
        raise _refuse(request, _invalid_expiration_time())
    return seconds


def _actions(request: Request, wanted: etree._Element | None) -> Mapping[str, str]:
    if wanted is None:
        return ALL_ACTIONS
    if _uri(wanted.get("Dialect", "")) != ACTION_DIALECT:
        raise _refuse(request, _filtering_unavailable())
    actions: dict[str, str] = {}
    for action in xml.token(wanted).split():
        name = _SPELLINGS.get(action.rstrip("/").rpartition("/")[2])
        if name is not None:
            actions.setdefault(name, action)
    if not actions:
        raise _refuse(request, _filter_action_not_supported())
    return actions


def _uri(value: str) -> str:
    return value.strip().rstrip("/")


# -------------------------------------------------------------------------------------------- faults


def _refuse(request: Request, fault: OutgoingFault) -> RequestFault:
    return RequestFault(fault, request.message_id)


def _fault(local: str, reason: str, detail: etree._Element | None = None) -> OutgoingFault:
    return OutgoingFault("Sender", (WSE, local), reason, detail)


def invalid_message(reason: str) -> OutgoingFault:
    return _fault("InvalidMessage", reason)


def unable_to_process(reason: str) -> OutgoingFault:
    """The source refuses: an address that it must not send to, too many subscriptions."""
    return OutgoingFault("Receiver", (WSE, "EventSourceUnableToProcess"), reason)


def unable_to_renew() -> OutgoingFault:
    return OutgoingFault("Receiver", (WSE, "UnableToRenew"), "The subscription is unknown or has expired.")


def _delivery_mode_unavailable() -> OutgoingFault:
    detail = _new("SupportedDeliveryMode", PUSH)
    return _fault("DeliveryModeRequestedUnavailable", "The requested delivery mode is not supported.", detail)


def _invalid_expiration_time() -> OutgoingFault:
    return _fault("InvalidExpirationTime", "The expiration time requested is invalid.")


def _filtering_unavailable() -> OutgoingFault:
    detail = _new("SupportedDialect", ACTION_DIALECT)
    return _fault("FilteringRequestedUnavailable", "The requested filter dialect is not supported.", detail)


def _filter_action_not_supported() -> OutgoingFault:
    reason = "No notification of this service matches the supplied filter."
    name = (WSDP, "FilterActionNotSupported")
    return OutgoingFault("Sender", name, reason, action=DEVICE_PROFILE_FAULT)


# ------------------------------------------------------------------------------------- what is written


def subscribe_response(manager_url: str, identifier: str, expires_s: float) -> etree._Element:
    """``identifier`` is the subscription's id; its manager has a URL of its own and the id in a header besides."""
    body = _new("SubscribeResponse")
    _add_manager(body, manager_url, identifier)
    _add(body, "Expires", duration(expires_s))
    return body


def renew_response(expires_s: float) -> etree._Element:
    return _with_expires("RenewResponse", expires_s)


def get_status_response(expires_s: float) -> etree._Element:
    return _with_expires("GetStatusResponse", expires_s)


@dataclass(frozen=True, slots=True)
class SubscriptionEnd:
    """``status`` is one of the three URIs above, ``reason`` one English sentence."""

    status: str
    reason: str

    def render(self, manager_url: str, identifier: str) -> etree._Element:
        body = _new("SubscriptionEnd")
        _add_manager(body, manager_url, identifier)
        _add(body, "Status", self.status)
        _add(body, "Reason", self.reason).set(qname(XML, "lang"), "en")
        return body


def _with_expires(local: str, expires_s: float) -> etree._Element:
    body = _new(local)
    _add(body, "Expires", duration(expires_s))
    return body


def _add_manager(body: etree._Element, url: str, identifier: str) -> None:
    manager = _add(body, "SubscriptionManager")
    etree.SubElement(manager, qname(WSA, "Address")).text = url
    parameters = etree.SubElement(manager, qname(WSA, "ReferenceParameters"))
    _add(parameters, "Identifier", f"{_IDENTIFIER_PREFIX}{identifier}")


def _new(local: str, text: str | None = None) -> etree._Element:
    element = etree.Element(qname(WSE, local), nsmap={"wse": WSE, "wsa": WSA})
    element.text = text
    return element


def _add(parent: etree._Element, local: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, qname(WSE, local))
    child.text = text
    return child
