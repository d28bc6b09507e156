"""WS-Eventing with a scan server: subscriptions to the events of its jobs, and the events themselves.

Sources: WS-Eventing (2004/08); DPWS 1.0, 6; WS-Addressing (2004/08) 2; WS-DSP, events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lxml import etree

from dsm_device.wire import envelope, references, xml
from dsm_device.wire.envelope import Answer, MessageError
from dsm_device.wire.expiry import duration, read_expires
from dsm_device.wire.names import DSC, DSP, WSA, WSE, qname
from dsm_device.wire.processing import JobStatus
from dsm_device.wire.references import Reference

STATUS_EVENT: Final = f"{DSP}/PostScanJobStatusEvent"
END_EVENT: Final = f"{DSP}/PostScanJobEndStateEvent"

PUSH: Final = f"{WSE}/DeliveryModes/Push"
#: DPWS 1.0, 6.1.1: a filter is a list of actions.
ACTION_DIALECT: Final = "http://schemas.xmlsoap.org/ws/2006/02/devprof/Action"

#: Why a subscription ended (WS-Eventing 3.5): the last part of its Status.
SOURCE_SHUTTING_DOWN: Final = "SourceShuttingDown"


# --------------------------------------------------------------------------------- the subscription


#: Whom to ask about a subscription. An address of "" means the service itself.
Manager = Reference


@dataclass(frozen=True, slots=True)
class Granted:
    """A subscription. ``expires_s`` is seconds from now, None where the answer does not say."""

    manager: Manager
    expires_s: float | None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Have events pushed to the URL ``sink``, and told there of the subscription's end.

    ``expires_s`` is what is asked for, None to leave it to the server; ``actions`` are the wanted
    events, none for all.
    """

    sink: str
    expires_s: float | None
    actions: tuple[str, ...] = (STATUS_EVENT, END_EVENT)

    def render(self, to: str, message_id: str) -> bytes:
        body = envelope.element(WSE, "Subscribe", "wsa")
        _add_endpoint(body, "EndTo", self.sink)
        delivery = _add(body, "Delivery")
        delivery.set("Mode", PUSH)
        _add_endpoint(delivery, "NotifyTo", self.sink)
        _add_expires(body, self.expires_s)
        if self.actions:
            _add(body, "Filter", " ".join(self.actions)).set("Dialect", ACTION_DIALECT)
        return envelope.render(to=to, action=f"{WSE}/Subscribe", message_id=message_id, body=body)

    @staticmethod
    def parse_answer(answer: Answer, now: datetime) -> Granted:
        """Raises :class:`MessageError` where it names no subscription manager."""
        response = envelope.expect(answer, WSE, "SubscribeResponse")
        manager = _manager(response)
        if manager is None:
            raise MessageError("its SubscribeResponse has no SubscriptionManager")
        return Granted(manager, _expires(response, now))


@dataclass(frozen=True, slots=True)
class Renew:
    """Keep a subscription for ``expires_s`` from now, None to leave it to the server."""

    manager: Manager
    expires_s: float | None

    def render(self, to: str, message_id: str) -> bytes:
        body = envelope.element(WSE, "Renew")
        _add_expires(body, self.expires_s)
        return _to_manager(self.manager, body, to, message_id)

    @staticmethod
    def parse_answer(answer: Answer, now: datetime) -> float | None:
        """The granted time from now in seconds, None where it does not say. Raises :class:`MessageError`."""
        return _expires(envelope.expect(answer, WSE, "RenewResponse"), now)


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Give a subscription up."""

    manager: Manager

    def render(self, to: str, message_id: str) -> bytes:
        return _to_manager(self.manager, envelope.element(WSE, "Unsubscribe"), to, message_id)


def _to_manager(manager: Manager, body: etree._Element, to: str, message_id: str) -> bytes:
    return envelope.render(
        to=manager.address or to,
        action=f"{WSE}/{xml.local_name(body)}",
        message_id=message_id,
        body=body,
        blocks=manager.blocks,
    )


def _add(parent: etree._Element, local: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, qname(WSE, local))
    child.text = text
    return child


def _add_endpoint(parent: etree._Element, local: str, url: str) -> None:
    etree.SubElement(_add(parent, local), qname(WSA, "Address")).text = url


def _add_expires(parent: etree._Element, expires_s: float | None) -> None:
    if expires_s is not None:
        _add(parent, "Expires", duration(expires_s))


def _expires(response: etree._Element, now: datetime) -> float | None:
    return read_expires(xml.token(xml.child(response, WSE, "Expires")), now)


def _manager(parent: etree._Element) -> Manager | None:
    """Raises :class:`MessageError` where there are more or larger blocks than we would send back."""
    reference = xml.child(parent, WSE, "SubscriptionManager")
    return None if reference is None else references.read(reference)


# -------------------------------------------------------------------------------------- what is told


@dataclass(frozen=True, slots=True)
class SubscriptionEnd:
    """The server gave a subscription up. ``manager`` says which, None where it does not.

    ``status`` is ``DeliveryFailure``, ``SourceShuttingDown``, ``SourceCanceling`` or what else a server says.
    """

    status: str
    reason: str
    manager: Manager | None


def parse_notification(data: bytes) -> JobStatus | SubscriptionEnd:
    """A message to the sink. The body's element says what it is: actions of either service occur.

    Raises :class:`XmlError`, of which :class:`MessageError` is one.
    """
    body = envelope.parse_message(data).body
    if body is None:
        raise MessageError("it has nothing where an event was expected")
    if body.tag == qname(WSE, "SubscriptionEnd"):
        return _subscription_end(body)
    return _job_event(body)


def _subscription_end(end: etree._Element) -> SubscriptionEnd:
    return SubscriptionEnd(
        status=xml.token(xml.child(end, WSE, "Status")).rpartition("/")[2][:80],
        reason=xml.token(xml.child(end, WSE, "Reason"))[:200],
        manager=_manager(end),
    )


def _job_event(body: etree._Element) -> JobStatus:
    _as_processing(body)
    status = xml.child(body, DSP, "JobStatus")
    end_state = xml.child(body, DSP, "PostScanJobEndState")
    if body.tag == qname(DSP, "PostScanJobStatusEvent") and status is not None:
        told = JobStatus.parse(status)
    elif body.tag == qname(DSP, "PostScanJobEndStateEvent") and end_state is not None:
        told = JobStatus.parse_end(end_state)
    else:
        raise MessageError(f"it has {str(body.tag)[:120]} where an event of a job was expected")
    if not told.job_token or not told.state:
        raise MessageError("its event names no job or no state")
    return told


def _as_processing(body: etree._Element) -> None:
    """The configuration service's elements are those of the processing service by another namespace."""
    if xml.namespace(body) == DSC:
        for each in body.iter(f"{{{DSC}}}*"):
            each.tag = qname(DSP, xml.local_name(each))
