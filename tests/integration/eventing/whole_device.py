"""A device behind its real front door, with the state of the published messages and a source of events."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dsm_device.server.device_service import DeviceOptions, DeviceService
from dsm_device.server.door_ports import DoorPorts, PortOptions
from dsm_device.server.event_source import EventOptions, EventSource
from dsm_device.server.event_source_service import EventSourceService
from dsm_device.server.front_door import About, FrontDoor
from dsm_device.server.sink_address import SinkRule
from dsm_device.server.soap_endpoint import SoapEndpoint
from tests.event_desk import HASTY
from tests.unit.device_samples import SampleView
from tests.unit.test_device_service import probe_answer

UUID = "6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7"


@dataclass(frozen=True)
class WholeDevice:
    source: EventSource
    base_url: str


@asynccontextmanager
async def whole_device(options: EventOptions = HASTY, host: str = "127.0.0.1") -> AsyncIterator[WholeDevice]:
    source = EventSource(SinkRule(lambda: [ipaddress.ip_interface(host)]), options)
    service = DeviceService(SampleView(), EventSourceService(source), probe_answer, DeviceOptions(plain_ids=True))
    front = FrontDoor(SoapEndpoint(service, UUID), None, lambda: About("Front desk", "DSM"))
    try:
        async with DoorPorts(front, PortOptions(host, 0, 0)) as ports:
            shown = f"[{host}]" if ":" in host else host
            yield WholeDevice(source, f"http://{shown}:{ports.http_port}")
    finally:
        await source.aclose()
