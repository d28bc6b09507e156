"""No growth over many requests of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
from itertools import cycle, islice
from pathlib import Path

import pytest

from dsm_device.server.device_service import DeviceService
from dsm_device.server.door_ports import DoorPorts, PortOptions
from dsm_device.server.event_sink import EventSink
from dsm_device.server.front_door import About, DoorOptions, FrontDoor
from dsm_device.server.http_server import HttpOptions
from dsm_device.server.soap_endpoint import SoapEndpoint
from dsm_sim.certificates import Authority
from tests.integration.door.knocking import UUID, connected, parse, request, until
from tests.integration.door.test_door_http import SMUGGLED
from tests.integration.door.test_door_soap import HOSTILE
from tests.unit.device_samples import SampleView, sample
from tests.unit.test_device_service import Subscriptions, probe_answer

pytestmark = pytest.mark.anyio

QUESTIONS = (
    "get-scanner-elements",
    "get-active-jobs",
    "get-job-history",
    "get-job-elements",
    "validate-scan-ticket",
)


def kinds() -> list[tuple[bytes, bool]]:
    """Octets of one request, and whether the connection is kept after its answer."""
    kept = [
        *(request(sample(f"{name}-request"), "/dsd") for name in QUESTIONS),
        request(sample("dpws-get"), f"/{UUID}"),
        request(sample("wse-renew"), "/subscriptions/1"),
        *(request(text.encode(), "/dsd") for text in HOSTILE.values()),
        request(b"", "/", "GET"),
    ]
    ended = [
        *(octets for octets, _ in SMUGGLED.values()),
        *(request(path=path) for path in ("/x", "/dsm/events/x")),
        request(b"", method="GET"),
        request(content_type="text/plain"),
        request(origin="http://x"),
        request(b"x" * 40_000),
        request(user_agent="x" * 9000),
        request(sample("dpws-get"), "/dsd", connection="close"),
    ]
    return [(octets, True) for octets in kept * 3] + [(octets, False) for octets in ended]


def resident_octets() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Knocker:
    """Sends requests one after the other, on the same connection as long as that is there."""

    def __init__(self, port: int, source: str, tls: ssl.SSLContext | None) -> None:
        self.port, self.source, self.tls = port, source, tls
        self.answers = 0

    async def knock(self, requests: list[tuple[bytes, bool]]) -> None:
        todo = iter(requests)
        more = True
        while more:
            more = False
            async with connected(self.port, source=self.source, tls=self.tls) as client:
                for octets, is_kept in todo:
                    more = True
                    with contextlib.suppress(ConnectionError):
                        await client.send(octets)
                    if not is_kept:
                        parse(await client.rest())
                        self.answers += 1
                        break
                    await client.answer()
                    self.answers += 1


@pytest.mark.parametrize(
    ("scheme", "count", "allowed"), [("http", 20_000, 1_500_000), ("https", 2_000, 5_000_000)]
)
@pytest.mark.timeout(400)
async def test_many_requests_of_every_kind_leave_nothing_behind(
    scheme: str, count: int, allowed: int, authority: Authority
) -> None:
    """``allowed`` octets of this process, client and server: a hundred a request, 3,000 by TLS."""
    credentials = authority.server(["localhost"], ["127.0.0.1"])
    http = HttpOptions(certificate=str(credentials.certificate), key=str(credentials.key))
    service = SoapEndpoint(DeviceService(SampleView(), Subscriptions(), probe_answer), UUID)
    front = FrontDoor(service, EventSink(), lambda: About("Front desk", "DSM"), DoorOptions())
    tls = ssl.create_default_context(cafile=str(authority.ca_file)) if scheme == "https" else None
    async with DoorPorts(front, PortOptions("127.0.0.1", 0, 0, http)) as ports:
        port = ports.https_port if tls else ports.http_port
        knockers = [Knocker(port, f"127.0.0.{number}", tls) for number in (2, 3)]

        async def round_of(requests: int) -> int:
            each = list(islice(cycle(kinds()), requests // len(knockers)))
            await asyncio.gather(*(knocker.knock(each) for knocker in knockers))
            await until(lambda: ports.connections == 0)
            return resident_octets()

        first = await round_of(count // 4)
        last = await round_of(count - count // 4)
        assert last - first < allowed
        assert sum(knocker.answers for knocker in knockers) == count
        assert len(asyncio.all_tasks()) <= 4
