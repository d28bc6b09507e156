"""Events on their way over real connections to sinks of every kind."""

from __future__ import annotations

import asyncio
import ssl
import time
import tracemalloc
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from lxml import etree

from dsm_device.server.event_source import EventOptions
from dsm_device.server.subscriptions import Limits
from tests.event_desk import DSD, HASTY, PATIENT, WSCN, WSE, end_event, event_desk, status_event
from tests.integration.eventing.sinks import (
    ACCEPTED,
    GOOD,
    HOSTILE,
    TALKATIVE,
    Heard,
    answering,
    silent,
    sink,
    status,
)

pytestmark = pytest.mark.anyio

FAILURE, SHUTTING_DOWN = f"{WSE}/DeliveryFailure", f"{WSE}/SourceShuttingDown"


def identifier(heard: Heard) -> str | None:
    return heard.envelope.findtext(f"{{*}}Header/{{{WSE}}}Identifier")


def end_status(heard: Heard) -> str:
    assert heard.action == f"{WSE}/SubscriptionEnd"
    assert identifier(heard) == "urn:uuid:end"
    return heard.body.findtext(f"{{{WSE}}}Status") or ""


# ----------------------------------------------------------------------------------------- good sinks


@pytest.mark.parametrize(("endpoint", "namespace"), [("dsd", DSD), ("scan", WSCN), ("device", WSCN)])
async def test_an_event_comes_as_the_endpoint_promises(endpoint: str, namespace: str) -> None:
    async with event_desk() as desk, sink(GOOD) as good:
        await desk.subscribe(good.url, endpoint=endpoint)  # type: ignore[arg-type]
        desk.source.publish(status_event())
        heard = await good.next()
        assert heard.path == "/sink"
        assert heard.header("content-type") == "application/soap+xml; charset=utf-8"
        assert heard.header("host") == good.url.split("/")[2]
        assert heard.envelope.findtext(".//{*}To") == good.url
        assert heard.action == f"{WSCN}/JobStatusEvent"
        assert identifier(heard) == "urn:uuid:event"
        assert heard.body.tag == f"{{{namespace}}}JobStatusEvent"
        assert heard.body[0].tag == f"{{{namespace}}}JobStatus"
        assert heard.body.findtext(f".//{{{WSCN}}}ScansCompleted") == "4"


async def test_events_come_in_order_over_one_connection() -> None:
    async with event_desk() as desk, sink(GOOD) as good:
        await desk.subscribe(good.url)
        for number in range(100):
            desk.source.publish(status_event(number))
        heard = [await good.next() for _ in range(100)]
        assert [each.body.findtext(f".//{{{WSCN}}}ScansCompleted") for each in heard] == list(map(str, range(100)))
        assert good.connections == 1
        assert len({each.message_id for each in heard}) == 100


async def test_a_filter_chooses_events_and_their_actions() -> None:
    async with event_desk() as desk, sink(GOOD) as good:
        await desk.subscribe(good.url, actions=f"{DSD}/JobEndStateEvent/")
        desk.source.publish(status_event())
        desk.source.publish(end_event())
        heard = await good.next()
        assert heard.action == f"{DSD}/JobEndStateEvent/"
        assert heard.body.tag == f"{{{DSD}}}JobEndStateEvent"
        assert good.heard.empty()


@pytest.mark.parametrize("answer", ["200 OK", "202 Accepted", "204 No Content"])
async def test_every_2xx_will_do(answer: str) -> None:
    text = f"HTTP/1.1 {answer}\r\n\r\n" if answer.startswith("204") else status(answer).decode()
    async with event_desk() as desk, sink(answering(text.encode())) as good:
        await desk.subscribe(good.url)
        for number in range(3):
            desk.source.publish(status_event(number))
        for _ in range(3):
            await good.next()
        assert len(desk.source) == 1


async def test_a_sink_that_stumbles_gets_the_same_message_again() -> None:
    answers = (status("500 Internal Server Error"), status("503 Service Unavailable"), ACCEPTED)
    async with event_desk() as desk, sink(answering(*answers)) as stumbling:
        await desk.subscribe(stumbling.url)
        desk.source.publish(status_event())
        desk.source.publish(end_event())
        heard = [await stumbling.next() for _ in range(4)]
        assert len({each.message_id for each in heard[:3]}) == 1
        assert heard[3].action == f"{WSCN}/JobEndStateEvent"
        assert len(desk.source) == 1


async def test_an_https_sink_has_a_certificate_of_its_own_making(
    unknown_certificate: ssl.SSLContext,
) -> None:
    async with event_desk() as desk, sink(GOOD, tls=unknown_certificate) as good:
        await desk.subscribe(good.url)
        desk.source.publish(status_event())
        assert (await good.next()).action == f"{WSCN}/JobStatusEvent"


async def test_a_name_is_looked_up_once_and_never_again() -> None:
    """It means another address by the time that events go out: they go where it was allowed."""
    answers = [["127.0.0.1"], ["192.0.2.66"]]

    async def rebinding(name: str) -> Sequence[str]:
        assert name == "console.example.com"
        return answers.pop(0)

    async with event_desk(resolve=rebinding) as desk, sink(GOOD) as good:
        await desk.subscribe(good.url.replace("127.0.0.1", "console.example.com"))
        desk.source.publish(status_event())
        heard = await good.next()
        assert heard.header("host").startswith("console.example.com:")
        assert len(answers) == 1


# ---------------------------------------------------------------------------------------- all the others


@pytest.mark.parametrize("manners", HOSTILE)
async def test_a_sink_that_takes_nothing_loses_its_subscription(manners: str) -> None:
    async with event_desk() as desk, sink(HOSTILE[manners]) as hostile, sink(GOOD) as good:
        await desk.subscribe(hostile.url, end_to=good.url)
        desk.source.publish(status_event())
        assert end_status(await good.next()) == FAILURE
        assert len(desk.source) == 0
        assert hostile.connections <= 4


@pytest.mark.parametrize("manners", TALKATIVE)
async def test_what_comes_after_a_2xx_changes_nothing(manners: str) -> None:
    async with event_desk() as desk, sink(TALKATIVE[manners]) as talkative:
        await desk.subscribe(talkative.url)
        for number in range(3):
            desk.source.publish(status_event(number))
        heard = [await talkative.next() for _ in range(3)]
        assert [each.body.findtext(f".//{{{WSCN}}}ScansCompleted") for each in heard] == ["0", "1", "2"]


async def test_nobody_listens_there() -> None:
    async with event_desk() as desk, sink(GOOD) as good:
        async with sink(GOOD) as gone:
            await desk.subscribe(gone.url, end_to=good.url)
        desk.source.publish(status_event())
        assert end_status(await good.next()) == FAILURE


@pytest.mark.parametrize("code", ["404 Not Found", "410 Gone"])
async def test_a_sink_that_is_gone_is_not_tried_again(code: str) -> None:
    async with event_desk() as desk, sink(answering(status(code))) as gone, sink(GOOD) as good:
        await desk.subscribe(gone.url, end_to=good.url)
        desk.source.publish(status_event())
        assert end_status(await good.next()) == FAILURE
        assert gone.heard.qsize() == 1


async def test_a_redirect_is_not_followed() -> None:
    async with event_desk() as desk, sink(GOOD) as victim, sink(GOOD) as good:
        answer = status("307 Temporary Redirect", b"", f"Location: {victim.url}")
        async with sink(answering(answer)) as redirecting:
            await desk.subscribe(redirecting.url, end_to=good.url)
            desk.source.publish(status_event())
            assert end_status(await good.next()) == FAILURE
            assert redirecting.heard.qsize() == 4
        assert victim.connections == 0


async def test_nobody_waits_for_another() -> None:
    """With the real time limits: the hostile hang for as long as they like while the good one has its events."""
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(event_desk(PATIENT))
        for talk in (*HOSTILE.values(), *TALKATIVE.values()):
            hostile = await stack.enter_async_context(sink(talk))
            await desk.subscribe(hostile.url)
        good = await stack.enter_async_context(sink(GOOD))
        await desk.subscribe(good.url)
        begun = time.perf_counter()
        for number in range(200):
            desk.source.publish(status_event(number))
        published_s = time.perf_counter() - begun
        heard = [await good.next(8) for _ in range(200)]
        heard_s = time.perf_counter() - begun
        print(f"published in {published_s * 1000:.1f} ms, heard in {heard_s:.1f} s")
        assert [each.body.findtext(f".//{{{WSCN}}}ScansCompleted") for each in heard] == list(map(str, range(200)))
        assert published_s < 0.5
        assert heard_s < 6  # with chunks of one octet read to their end it is 9
        assert len(desk.source) > len(HOSTILE) / 2  # so they were still being tried


async def test_a_sink_costs_no_more_than_its_queue() -> None:
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(event_desk(PATIENT))
        for _ in range(10):
            await desk.subscribe((await stack.enter_async_context(sink(silent))).url)
        desk.source.publish(status_event())
        tracemalloc.start()
        try:
            for number in range(20_000):
                desk.source.publish(status_event(number))
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held < 10 * 256 * 1_500


async def test_an_answer_without_end_costs_no_memory() -> None:
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(event_desk())
        good = await stack.enter_async_context(sink(GOOD))
        endless = {**HOSTILE, **TALKATIVE}["a header line without end"]
        hostile = await stack.enter_async_context(sink(endless))
        await desk.subscribe(hostile.url, end_to=good.url)
        tracemalloc.start()
        try:
            desk.source.publish(status_event())
            assert end_status(await good.next()) == FAILURE
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 3_000_000  # most of it the sink's own
        await asyncio.wait_for(hostile.cut.wait(), 5)


# ----------------------------------------------------------------------------------------------- the end


async def test_everybody_hears_that_the_device_stops_after_what_waited() -> None:
    async with AsyncExitStack() as stack:
        goods = [await stack.enter_async_context(sink(GOOD)) for _ in range(5)]
        async with event_desk(PATIENT) as desk:
            managers = [await desk.subscribe(each.url, end_to=each.url) for each in goods]
            desk.source.publish(end_event())
        for good, manager in zip(goods, managers, strict=True):
            assert (await good.next()).action == f"{WSCN}/JobEndStateEvent"
            farewell = await good.next()
            assert end_status(farewell) == SHUTTING_DOWN
            assert farewell.body.findtext(".//{*}Address") == manager
            assert farewell.body.findtext(f".//{{{WSE}}}Identifier") == f"urn:uuid:{manager.rpartition('/')[2]}"
            assert good.connections == 1


async def test_the_farewell_takes_two_seconds_at_most() -> None:
    async with AsyncExitStack() as stack:
        hostile = [await stack.enter_async_context(sink(talk)) for talk in HOSTILE.values()]
        good = await stack.enter_async_context(sink(GOOD))
        async with event_desk(PATIENT) as desk:
            for each in hostile:
                await desk.subscribe(each.url, end_to=each.url)
            await desk.subscribe(hostile[0].url, end_to=good.url)
            desk.source.publish(status_event())
            await hostile[0].next()
            begun = time.perf_counter()
            await desk.source.aclose()
            assert time.perf_counter() - begun < 2.5
        assert end_status(await good.next()) == SHUTTING_DOWN


async def test_after_the_end_nothing_is_sent_or_taken() -> None:
    async with event_desk() as desk, sink(GOOD) as good:
        await desk.source.aclose()
        desk.source.publish(status_event())
        with pytest.raises(AssertionError, match="EventSourceUnableToProcess"):
            await desk.subscribe(good.url)
        assert good.connections == 0


async def test_who_unsubscribes_hears_nothing_more() -> None:
    async with event_desk() as desk, sink(GOOD) as good:
        manager = await desk.subscribe(good.url, end_to=good.url)
        desk.source.publish(status_event())
        await good.next()
        answer = await desk.ask("Unsubscribe", to=manager, endpoint="subscription")
        assert len(answer[1]) == 0
        desk.source.publish(status_event())
        await desk.source.aclose()
        assert good.heard.empty()


#: `make bench` has a thousand.
MANY = 250


async def test_hundreds_of_subscribers_have_every_event_and_the_end() -> None:
    options = replace(
        HASTY, limits=Limits(subscriptions=MANY, per_host=MANY, burst=MANY), delivery=PATIENT.delivery
    )
    async with sink(GOOD) as good:
        async with event_desk(EventOptions(options.limits, options.delivery, close_s=20, flush_s=10)) as desk:
            for _ in range(MANY):
                await desk.subscribe(good.url, end_to=good.url)
            begun = time.perf_counter()
            desk.source.publish(status_event())
            published_s = time.perf_counter() - begun
            actions = [(await good.next(60)).action for _ in range(MANY)]
            print(f"published in {published_s * 1000:.1f} ms, delivered in {time.perf_counter() - begun:.1f} s")
        assert actions == [f"{WSCN}/JobStatusEvent"] * MANY
        assert good.connections < 1.2 * MANY  # one each, but for what a busy machine lets time out
        assert [end_status(await good.next(60)) for _ in range(MANY)] == [SHUTTING_DOWN] * MANY
        assert published_s < 0.2


def test_the_body_is_shared_and_not_changed_by_sending() -> None:
    """What is rendered once for all is copied into each message."""
    from dsm_device.server.event_source import _Bodies

    bodies = _Bodies(status_event())
    first, second = bodies.copy(DSD), bodies.copy(DSD)
    assert first is not second
    assert etree.tostring(first) == etree.tostring(second)
