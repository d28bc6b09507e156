"""Names that strangers make up are forgotten again, wherever in a message they stand."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from dsm_device.server.device_service import DeviceService
from dsm_device.server.soap_endpoint import SoapEndpoint
from dsm_device.wire import event_source, xml
from dsm_device.wire.service_request import RequestFault, parse_request
from tests.unit.device_samples import METADATA, SAMPLES, SampleView
from tests.unit.test_device_service import Subscriptions, probe_answer

_MESSAGES = 800
_NAMES = 800
#: Far above what is measured where names are forgotten (1 MiB), far below what they are where not (27 MiB).
_GROWTH_MIB = 8.0
_NOW = datetime(2026, 3, 2, tzinfo=UTC)


def _elements(numbers: Iterator[int]) -> bytes:
    return b"".join(b"<n%012d-made-up/>" % next(numbers) for _ in range(_NAMES))


#: Where strange elements are put: the sample, and the tag after which they stand.
_PLACES = {
    "a body that nobody knows": ("dsd-dpws-get.xml", b"<soap:Body/>", b"<soap:Body><x>%s</x></soap:Body>"),
    "header blocks": ("dsd-dpws-get.xml", b"<soap:Header>", b"<soap:Header>%s"),
    "a ticket": ("dsd-validate-scan-ticket-request.xml", b"<dsd:ScanTicket>", b"<dsd:ScanTicket>%s"),
    "a subscription": (
        "dsd-wse-subscribe.xml",
        b"<wse:Delivery ",
        b"<x>%s</x><wse:Delivery ",
    ),
}


def _rss_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def _ask(endpoint: SoapEndpoint, sample: bytes, place: bytes, filled: bytes, numbers: Iterator[int]) -> None:
    message = sample.replace(place, filled % _elements(numbers), 1)
    await endpoint.answer(message, "/dsd", "http://x", "192.0.2.9")
    if b"eventing/Subscribe<" in message:
        with suppress(RequestFault):
            event_source.read_subscribe(parse_request(message), _NOW)


def grown_mib(name: str) -> float:
    """After the first tenth, by which everything has been imported and filled."""
    file, place, filled = _PLACES[name]
    sample = (SAMPLES / file).read_bytes()
    assert place in sample, place
    view = SampleView()
    endpoint = SoapEndpoint(DeviceService(view, Subscriptions(), probe_answer), METADATA.uuid)
    numbers = count()

    async def ask(messages: int) -> None:
        for _ in range(messages):
            await _ask(endpoint, sample, place, filled, numbers)
            view.validated.clear()

    asyncio.run(ask(_MESSAGES // 10))
    before = _rss_mib()
    asyncio.run(ask(_MESSAGES))
    return _rss_mib() - before


@pytest.mark.parametrize("name", _PLACES)
def test_strange_names_are_forgotten(name: str) -> None:
    """In a process of its own, where nothing else lets go of memory meanwhile."""
    program = f"from tests.unit.test_strange_names import grown_mib; print(grown_mib({name!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) < _GROWTH_MIB


def test_what_was_read_outlives_the_thread_that_has_read_it() -> None:
    root = xml.parse(b"<kept><name-of-a-child a='b'>text</name-of-a-child></kept>", limit=100)
    filling = b"<a>%s</a>" % (b"x" * 30_000)
    for _ in range(2 * xml.MAX_REMEMBERED_OCTETS // len(filling)):
        xml.parse(filling, limit=len(filling))
    other = xml.parse(b"<other/>", limit=100)
    other.append(root[0])
    assert other[0].tag == "name-of-a-child"
    assert other[0].get("a") == "b"
    assert other[0].text == "text"
