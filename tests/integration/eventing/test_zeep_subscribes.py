"""A SOAP client that is not ours, zeep, subscribes, renews, asks and unsubscribes over HTTP.

It builds every request from WSDL and schemas, and reads every answer by them, strictly. Its own addressing plugin
is of another version of WS-Addressing: the headers are made, by zeep as well, from the schema.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree
from zeep import xsd

from tests.event_desk import WSA, WSCN, WSDP, WSE, status_event
from tests.integration.eventing.sinks import GOOD, sink
from tests.integration.eventing.whole_device import whole_device

pytestmark = pytest.mark.anyio

WSDL = Path(__file__).parents[2] / "data" / "schemas" / "eventing.wsdl"
BINDING = f"{{{WSE}}}Eventing"
IDENTIFIER = xsd.Element(f"{{{WSE}}}Identifier", xsd.String())


def identified(identifier: str) -> etree._Element:
    """The header that says which subscription is meant."""
    block = etree.Element(f"{{{WSE}}}Identifier")
    block.text = identifier
    return block


class Zeep:
    """What a program does with it."""

    def __init__(self, url: str) -> None:
        self.client = zeep.Client(str(WSDL))
        self.url = url

    async def ask(self, operation: str, url: str, *headers: Any, **arguments: Any) -> Any:
        def header(local: str, value: Any) -> Any:
            return self.client.get_element(f"{{{WSA}}}{local}")(value)

        addressing = [
            header("To", url),
            header("Action", f"{WSE}/{operation}"),
            header("MessageID", "urn:uuid:9b2f1d5e-8a52-4a3f-9d5b-0c7f0f0a1234"),
        ]
        call = getattr(self.client.create_service(BINDING, url), operation)
        return await asyncio.to_thread(call, _soapheaders=[*addressing, *headers], **arguments)

    def reference(self, url: str, identifier: str) -> Any:
        parameters = {"_value_1": [xsd.AnyObject(IDENTIFIER, identifier)]}
        return self.client.get_type(f"{{{WSA}}}EndpointReferenceType")(Address=url, ReferenceParameters=parameters)

    async def subscribe(self, sink_url: str, expires: str, mode: str | None = None) -> Any:
        action = {"_value_1": f"{WSCN}/JobStatusEvent {WSCN}/JobEndStateEvent", "Dialect": f"{WSDP}/Action"}
        return await self.ask(
            "Subscribe",
            self.url,
            EndTo=self.reference(sink_url, "urn:uuid:the-end"),
            Delivery={"NotifyTo": self.reference(sink_url, "urn:uuid:an-event"), "Mode": mode},
            Expires=expires,
            Filter=action,
        )


async def test_a_foreign_client_subscribes_gets_its_events_renews_and_leaves() -> None:
    async with whole_device() as device, sink(GOOD) as good:
        url = f"{device.base_url}/dsd"
        foreign = Zeep(url)
        answer = await foreign.subscribe(good.url, "PT1H", f"{WSE}/DeliveryModes/Push")
        assert answer.Expires == timedelta(hours=1)
        manager = answer.SubscriptionManager.Address
        manager = getattr(manager, "_value_1", manager)
        identifier = answer.SubscriptionManager.ReferenceParameters._value_1[0]
        identifier = getattr(identifier, "text", identifier)
        assert manager.rpartition("/")[2] == identifier.removeprefix("urn:uuid:")

        device.source.publish(status_event())
        heard = await good.next()
        assert heard.action == f"{WSCN}/JobStatusEvent"
        assert heard.envelope.findtext(f"{{*}}Header/{{{WSE}}}Identifier") == "urn:uuid:an-event"

        header = identified(identifier)
        assert (await foreign.ask("Renew", manager, header, Expires="PT30M")) == timedelta(minutes=30)
        left = await foreign.ask("GetStatus", manager, header)
        assert timedelta(minutes=29) < left <= timedelta(minutes=30)
        until = (datetime.now(UTC) + timedelta(hours=2)).isoformat(timespec="seconds")
        assert (
            timedelta(minutes=119) < (await foreign.ask("Renew", url, header, Expires=until)) <= timedelta(hours=2)
        )
        await foreign.ask("Unsubscribe", manager, header)
        assert len(device.source) == 0


async def test_a_foreign_client_understands_the_faults() -> None:
    async with whole_device() as device, sink(GOOD) as good:
        url = f"{device.base_url}/dsd"
        foreign = Zeep(url)
        for asking, code in (
            (foreign.subscribe(good.url, "PT0S"), "InvalidExpirationTime"),
            (foreign.subscribe(good.url, "PT1H", "urn:pull"), "DeliveryModeRequestedUnavailable"),
            (foreign.subscribe("http://169.254.169.254/", "PT1H"), "EventSourceUnableToProcess"),
            (foreign.ask("GetStatus", url, identified("urn:uuid:unknown")), "InvalidMessage"),
            (foreign.ask("Renew", url, identified("urn:uuid:unknown")), "UnableToRenew"),
        ):
            with pytest.raises(zeep.exceptions.Fault) as fault:
                await asking
            assert [each.localname for each in fault.value.subcodes] == [code]
            assert fault.value.message
