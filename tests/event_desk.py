"""An event source with its SOAP face, asked as a console asks it: in bytes."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from lxml import etree

from dsm_device.server.device_service import Endpoint
from dsm_device.server.event_source import EventOptions, EventSource
from dsm_device.server.event_source_service import EventSourceService
from dsm_device.server.notifier import DeliveryOptions
from dsm_device.server.sink_address import Resolve, SinkRule
from dsm_device.server.subscriptions import Limits
from dsm_device.wire.device.events import JobEndStateEvent, JobStatusEvent
from dsm_device.wire.device.model import JobStatus, JobSummary
from dsm_device.wire.service_request import RequestFault, parse_request, render_fault
from tests.message_schema import validate

WSA = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSE = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
WSDP = "http://schemas.xmlsoap.org/ws/2006/02/devprof"
WSCN = "http://schemas.microsoft.com/windows/2006/08/wdp/scan"
DSD = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/device"
SOAP = "http://www.w3.org/2003/05/soap-envelope"

BASE = "http://192.0.2.40:5357"
INTERFACES = [ipaddress.ip_interface("127.0.0.1/8"), ipaddress.ip_interface("192.0.2.40/24")]
#: As it is, but for the waiting.
HASTY = EventOptions(
    limits=Limits(subscriptions=64, per_host=64, burst=1_000),
    delivery=DeliveryOptions(timeout_s=0.5, waits_s=(0.01, 0.02, 0.03)),
)
#: With the real limits of time: what must not wait for them does not.
PATIENT = EventOptions(limits=Limits(subscriptions=64, per_host=64, burst=1_000))

NOW = datetime(2026, 3, 2, 9, 12, 30, tzinfo=UTC)


def status_event(scans: int = 4) -> JobStatusEvent:
    return JobStatusEvent(JobStatus(12, "Processing", ("JobScanning",), scans, NOW, None))


def end_event(job_id: int = 12) -> JobEndStateEvent:
    return JobEndStateEvent(JobSummary(job_id, "Invoices", "amelie", "Completed", ("None",), 4), NOW)


class Refusal(AssertionError):
    """A fault, valid as a message. ``str()`` is the subcode."""


class Desk:
    def __init__(self, source: EventSource) -> None:
        self.source = source
        self.service = EventSourceService(source, now=lambda: NOW)

    async def ask(
        self,
        operation: str,
        content: str = "",
        *,
        to: str = f"{BASE}/dsd",
        headers: str = "",
        endpoint: Endpoint = "dsd",
        peer: str = "127.0.0.1",
    ) -> etree._Element:
        """The envelope of the answer, valid. Raises :class:`Refusal`."""
        data = (
            f'<s:Envelope xmlns:s="{SOAP}" xmlns:wsa="{WSA}" xmlns:wse="{WSE}"><s:Header><wsa:To>{to}</wsa:To>'
            f"<wsa:Action>{WSE}/{operation}</wsa:Action><wsa:MessageID>urn:uuid:7</wsa:MessageID>{headers}"
            f"</s:Header><s:Body><wse:{operation}>{content}</wse:{operation}></s:Body></s:Envelope>"
        ).encode()
        try:
            answer = await self.service.answer(parse_request(data), endpoint, BASE, peer)
        except RequestFault as refused:
            validate(render_fault(refused.fault, "urn:uuid:8", refused.message_id))
            assert refused.fault.subcode is not None
            raise Refusal(refused.fault.subcode[1]) from refused
        envelope = validate(answer)
        assert envelope.findtext(f".//{{{WSA}}}RelatesTo") == "urn:uuid:7"
        assert envelope.findtext(f".//{{{WSA}}}Action") == f"{WSE}/{operation}Response"
        return envelope

    async def subscribe(
        self,
        url: str,
        *,
        end_to: str = "",
        actions: str = "",
        expires: str = "",
        endpoint: Endpoint = "dsd",
        peer: str = "127.0.0.1",
    ) -> str:
        """The URL of the subscription's manager."""

        def reference(address: str, name: str) -> str:
            return (
                f"<wsa:Address>{address}</wsa:Address><wsa:ReferenceParameters>"
                f"<wse:Identifier>urn:uuid:{name}</wse:Identifier></wsa:ReferenceParameters>"
            )

        content = f"<wse:EndTo>{reference(end_to, 'end')}</wse:EndTo>" if end_to else ""
        content += f"<wse:Delivery><wse:NotifyTo>{reference(url, 'event')}</wse:NotifyTo></wse:Delivery>"
        content += f"<wse:Expires>{expires}</wse:Expires>" if expires else ""
        content += f'<wse:Filter Dialect="{WSDP}/Action">{actions}</wse:Filter>' if actions else ""
        answer = await self.ask("Subscribe", content, endpoint=endpoint, peer=peer)
        return answer.findtext(f".//{{{WSE}}}SubscriptionManager/{{{WSA}}}Address") or ""


@asynccontextmanager
async def event_desk(options: EventOptions = HASTY, resolve: Resolve | None = None) -> AsyncIterator[Desk]:
    source = EventSource(SinkRule(lambda: INTERFACES, resolve), options)
    try:
        yield Desk(source)
    finally:
        await source.aclose()
