"""Subscriptions and events of a device behind its front door, held against the rules by the simulated console."""

from __future__ import annotations

import asyncio

import pytest

from dsm_sim.peers.console import Console, ConsoleOptions, DiscoveryOptions, check_device
from dsm_sim.peers.console.eventing import ENDED, Subscription
from tests.event_desk import end_event, status_event
from tests.integration.eventing.whole_device import whole_device

pytestmark = pytest.mark.anyio

OPTIONS = ConsoleOptions(discovery=DiscoveryOptions(port=1, window_s=0.1, grace_s=0.1), timeout_s=20)


async def test_the_strict_console_finds_nothing_wrong_with_eventing() -> None:
    async with whole_device() as device, Console(OPTIONS) as console:
        steps = await check_device(console, device.base_url, lambda step: None, with_udp=False, only="events")
        assert len(steps) == 2
        assert [step for step in steps if step.findings or step.problem] == []
        assert console.findings.kept == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("path", ["/dsd", "/scan"])
async def test_the_console_hears_events_and_the_end(path: str, host: str) -> None:
    async with Console(OPTIONS) as console:
        async with whole_device(host=host) as device:
            found = await console.find(device.base_url)
            sink = await console.open_sink(found)
            service = next(each for each in found.services if each.url.endswith(path))
            async with Subscription(service, sink, 600) as subscription:
                assert subscription.granted_s == 600
                device.source.publish(status_event())
                device.source.publish(end_event())
                await device.source.aclose()
                told = [await asyncio.wait_for(subscription.events.get(), 20) for _ in range(3)]
        assert [each.name for each in told] == ["JobStatusEvent", "JobEndStateEvent", ENDED]
        assert console.findings.kept == []
