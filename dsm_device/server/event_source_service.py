"""WS-Eventing as it is asked for over SOAP: Subscribe at a hosted service, the rest at a subscription's manager.

The rest is taken at a hosted service's own URL as well, since a known client sends it there.
Source: the project's reference on DPWS hosting, section 6.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from lxml import etree

from dsm_device.server.device_service import Endpoint
from dsm_device.server.event_source import EventSource, Refused
from dsm_device.server.subscriptions import Subscription
from dsm_device.wire import event_source as wire
from dsm_device.wire.names import DSD, WSCN
from dsm_device.wire.service_request import (
    OutgoingFault,
    Request,
    RequestFault,
    action_not_supported,
    render_answer,
)

#: The namespace of an event's first level, by the endpoint that was subscribed at.
BODIES: Final[Mapping[Endpoint, str]] = MappingProxyType({"device": WSCN, "scan": WSCN, "dsd": DSD})


def _utc_now() -> datetime:
    return datetime.now(UTC)


class EventSourceService:
    """``now`` is the time of day, with a time zone: what an xs:dateTime is counted from."""

    def __init__(
        self,
        source: EventSource,
        bodies: Mapping[Endpoint, str] = BODIES,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._source = source
        self._bodies = bodies
        self._now = now

    @staticmethod
    def takes(action: str) -> bool:
        return action in wire.ACTIONS

    async def answer(self, request: Request, endpoint: Endpoint, base_url: str, peer_host: str) -> bytes:
        """The answer's envelope. Raises :class:`RequestFault`.

        ``base_url`` is scheme, host and port at which ``request`` came in, ``peer_host`` the address that it came
        from, with its zone where it has one.
        """
        body: etree._Element | None = None
        if request.action == wire.SUBSCRIBE and endpoint in self._bodies:
            body = await self._subscribe(request, self._bodies[endpoint], base_url, peer_host)
        elif request.action == wire.RENEW:
            body = self._renew(request)
        elif request.action == wire.GET_STATUS:
            body = self._get_status(request)
        elif request.action == wire.UNSUBSCRIBE:
            self._unsubscribe(request)
        else:
            raise _refuse(request, action_not_supported(request.action))
        message_id = f"urn:uuid:{uuid.uuid4()}"
        return render_answer(f"{request.action}Response", message_id, request.message_id, body)

    async def _subscribe(self, request: Request, namespace: str, base_url: str, peer_host: str) -> etree._Element:
        wanted = wire.read_subscribe(request, self._now())
        try:
            subscription, manager_url = await self._source.subscribe(
                wanted, namespace=namespace, base_url=base_url, subscriber=peer_host
            )
        except Refused as refused:
            raise _refuse(request, wire.unable_to_process(str(refused))) from refused
        return wire.subscribe_response(manager_url, subscription.id, self._source.left_s(subscription))

    def _renew(self, request: Request) -> etree._Element:
        asked_s = wire.read_renew(request, self._now())
        granted_s = self._source.renew(self._meant(request, wire.unable_to_renew()), asked_s)
        return wire.renew_response(granted_s)

    def _get_status(self, request: Request) -> etree._Element:
        wire.check_get_status(request)
        return wire.get_status_response(self._source.left_s(self._meant(request, _unknown())))

    def _unsubscribe(self, request: Request) -> None:
        wire.check_unsubscribe(request)
        self._source.unsubscribe(self._meant(request, _unknown()))

    def _meant(self, request: Request, otherwise: OutgoingFault) -> Subscription:
        subscription = self._source.find(wire.subscription_ids(request))
        if subscription is None:
            raise _refuse(request, otherwise)
        return subscription


def _unknown() -> OutgoingFault:
    return wire.invalid_message("The subscription is unknown or has expired.")


def _refuse(request: Request, fault: OutgoingFault) -> RequestFault:
    return RequestFault(fault, request.message_id)
