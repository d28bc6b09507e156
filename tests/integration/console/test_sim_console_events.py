"""Events from a raw device to the console's sink, in both forms."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dsm_sim.peers.console import Console, ConsoleError, Event, Refused, Subscription
from dsm_sim.peers.console.names import EVENTS as NAMES
from tests.integration.console.raw_device import EVENTS, Answer, RawDevice, at


@pytest.mark.parametrize("index", [0, 1], ids=["wscn", "dsd"])
def test_all_six_events_arrive_in_both_forms(index: int, ask: Callable[..., Any]) -> None:
    async def job(console: Console) -> list[Event]:
        found = await console.find(device.url)
        sink = await console.open_sink(found)
        async with Subscription(found.services[index], sink, 600) as subscription:
            for name in EVENTS:
                assert await asyncio.to_thread(device.post_event, name) == 202
            events = [subscription.events.get_nowait() for _ in EVENTS]
        assert [finding.as_line() for finding in console.findings.kept] == []
        return events

    with RawDevice() as device:
        events = ask(device, job)
        assert device.subscriptions == {}
    assert {event.name for event in events} == set(NAMES)
    assert {event.service.name for event in events} == {("wscn", "dsd")[index]}


def test_a_subscription_is_renewed_at_half_time(ask: Callable[..., Any]) -> None:
    async def job(console: Console) -> None:
        found = await console.find(device.url)
        sink = await console.open_sink(found)
        async with Subscription(found.service, sink, 600) as subscription:
            assert subscription.granted_s == 1
            await asyncio.to_thread(renewed.wait, 20)
            assert renewed.is_set()

    def note(answer: Answer) -> None:
        if answer.operation == "Renew":
            renewed.set()

    renewed = threading.Event()
    with RawDevice(note) as device:
        device.granted = "PT1S"
        ask(device, job)


def test_a_subscription_that_the_device_forgot_is_told_as_lost(ask: Callable[..., Any]) -> None:
    async def job(console: Console) -> Event:
        found = await console.find(device.url)
        sink = await console.open_sink(found)
        async with Subscription(found.service, sink, 600) as subscription:
            device.subscriptions.clear()
            return await subscription.events.get()

    with RawDevice() as device:
        device.granted = "PT0.2S"
        event = ask(device, job)
    assert event.name == "SubscriptionLost"
    assert "UnableToRenew" in event.detail


def test_subscription_end_is_told_and_ends_it(ask: Callable[..., Any]) -> None:
    async def job(console: Console) -> Event:
        found = await console.find(device.url)
        sink = await console.open_sink(found)
        async with Subscription(found.service, sink, 600) as subscription:
            await asyncio.to_thread(device.post_event, "wse-subscription-end")
            event = await subscription.events.get()
        assert console.findings.kept == []
        return event

    with RawDevice() as device:
        event = ask(device, job)
        assert "Unsubscribe" not in {str(at(request, "//a:Action").text)[-11:] for _, request in device.requests}
    assert event.name == "SubscriptionEnd"
    assert event.detail.startswith("SourceShuttingDown")


def test_what_is_no_event_is_refused_and_harmless(ask: Callable[..., Any]) -> None:
    async def job(console: Console) -> None:
        found = await console.find(device.url)
        sink = await console.open_sink(found)
        async with Subscription(found.service, sink, 600) as subscription:
            for wrong in (b"", b"<a/>", b"\xff\xfe", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a>" * 5_000):
                status = await asyncio.to_thread(device.post_event, "event-job-status", body=wrong)
                assert status == 400
            assert await asyncio.to_thread(device.post_event, "event-job-status") == 202
            assert subscription.events.qsize() == 1

    with RawDevice() as device:
        ask(device, job)


def test_a_flood_is_cut_off(ask: Callable[..., Any]) -> None:
    """More than an event can be is not read to its end: the connection is closed without an answer."""

    async def job(console: Console) -> None:
        found = await console.find(device.url)
        sink = await console.open_sink(found)
        async with Subscription(found.service, sink, 600) as subscription:
            with pytest.raises(OSError, match=r"reset|[Bb]roken|closed|aborted"):
                await asyncio.to_thread(device.post_event, "event-job-status", body=b" " * 30_000_000)
            assert subscription.events.empty()

    with RawDevice() as device:
        ask(device, job)


def test_a_refused_subscription_names_the_fault(ask: Callable[..., Any]) -> None:
    async def job(console: Console) -> None:
        found = await console.find(device.url)
        sink = await console.open_sink(found)
        with pytest.raises(Refused, match="FilterActionNotSupported") as refusal:
            subscription = Subscription(found.service, sink, 600)
            await console.conversation.ask(subscription.subscribe_question(actions="urn:none"))
        assert refusal.value.fault.name == "FilterActionNotSupported"

    with RawDevice() as device:
        ask(device, job)


def test_a_sink_address_that_is_not_ours_is_one_clear_line(ask: Callable[..., Any]) -> None:
    async def job(console: Console) -> None:
        found = await console.find(device.url)
        console.options = replace(console.options, sink_host="192.0.2.1")
        with pytest.raises(ConsoleError, match=r"cannot listen for events on 192\.0\.2\.1"):
            await console.open_sink(found)

    with RawDevice() as device:
        ask(device, job)
