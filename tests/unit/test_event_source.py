"""Subscribe, Renew, GetStatus, Unsubscribe, SubscriptionEnd as they are asked for; by a virtual clock."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from lxml import etree

from dsm_device.server.event_source import EventOptions, EventSource
from dsm_device.server.sink_address import SinkAddress, SinkRule
from dsm_device.server.sink_line import SinkFailed
from dsm_device.server.subscriptions import Limits
from dsm_device.wire.envelope import MAX_ENVELOPE_OCTETS
from dsm_device.wire.service_request import parse_request
from tests.event_desk import BASE, DSD, WSA, WSCN, WSE, Desk, Refusal, end_event, status_event
from tests.message_schema import validate
from tests.virtual_time import in_virtual_time

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
CONSOLE = "192.0.2.9"
SINK = f"http://{CONSOLE}:5357/sink"
INTERFACES = [ipaddress.ip_interface(each) for each in ("127.0.0.1/8", "192.0.2.40/24")]


class Network:
    """All lines, and what went over them; ``failing`` are hosts that take nothing."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, str, etree._Element]] = []
        self.failing: set[str] = set()
        self.open = 0

    def line(self, address: SinkAddress) -> FakeLine:
        return FakeLine(self)

    def actions(self, host: str = CONSOLE) -> list[str]:
        return [
            sent.findtext(f".//{{{WSA}}}Action", "").rpartition("/")[2] for _, at, sent in self.sent if at == host
        ]


class FakeLine:
    def __init__(self, network: Network) -> None:
        self._network = network
        self.is_open = False

    async def post(self, address: SinkAddress, message: bytes, timeout_s: float) -> None:
        self._network.open += not self.is_open
        self.is_open = True
        if address.host in self._network.failing:
            raise SinkFailed("no")
        self._network.sent.append((asyncio.get_running_loop().time(), address.host, validate(message)))

    async def release(self) -> None:
        self._network.open -= self.is_open
        self.is_open = False


def with_desk(scenario: Callable[[Desk, Network], Awaitable[None]], limits: Limits | None = None) -> Network:
    """Runs ``scenario`` to its end and the source to its own."""
    network = Network()

    async def main() -> None:
        source = EventSource(SinkRule(lambda: INTERFACES), EventOptions(limits or Limits()), network.line)
        await scenario(Desk(source), network)
        await source.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    in_virtual_time(main())
    assert network.open == 0
    return network


def expires(answer: etree._Element) -> str | None:
    return answer.findtext(f".//{{{WSE}}}Expires")


async def subscribed(desk: Desk, **more: str) -> str:
    return await desk.subscribe(SINK, peer=CONSOLE, **more)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------- the four operations


def test_the_published_conversation() -> None:
    """Subscribe, Renew, GetStatus, Unsubscribe as they stand in print, but for the subscription's id."""

    async def scenario(desk: Desk, network: Network) -> None:
        async def ask(name: str, identifier: str = "") -> etree._Element:
            data = (SAMPLES / f"dsd-wse-{name}.xml").read_bytes()
            data = data.replace(b"3d0b9b1e-8f6e-4b8e-9d51-3a0c6fb1a001", identifier.encode())
            return validate(
                await desk.service.answer(
                    parse_request(data), "subscription" if identifier else "dsd", BASE, CONSOLE
                )
            )

        answer = await ask("subscribe")
        manager = answer.findtext(f".//{{{WSE}}}SubscriptionManager/{{{WSA}}}Address") or ""
        identifier = manager.removeprefix(f"{BASE}/subscriptions/")
        assert answer.findtext(f".//{{{WSE}}}SubscriptionManager//{{{WSE}}}Identifier") == f"urn:uuid:{identifier}"
        assert expires(answer) == "PT3600S"
        await asyncio.sleep(600)
        assert expires(await ask("renew", identifier)) == "PT1800S"
        await asyncio.sleep(48)
        assert expires(await ask("get-status", identifier)) == "PT1752S"
        assert len((await ask("unsubscribe", identifier))[1]) == 0
        assert len(desk.source) == 0

    assert with_desk(scenario).sent == []


@pytest.mark.parametrize("by", ["the manager's url", "the header", "both", "the header, without urn"])
@pytest.mark.parametrize("endpoint", ["subscription", "dsd", "scan", "device"])
def test_a_subscription_is_found_wherever_it_is_asked_for(by: str, endpoint: str) -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        manager = await subscribed(desk)
        identifier = manager.rpartition("/")[2]
        prefix = "" if "without" in by else "urn:uuid:"
        headers = "" if by == "the manager's url" else f"<wse:Identifier>{prefix}{identifier}</wse:Identifier>"
        to = manager if by in ("the manager's url", "both") else f"{BASE}/scan"
        for operation in ("Renew", "GetStatus", "Unsubscribe"):
            await desk.ask(operation, to=to, headers=headers, endpoint=endpoint)  # type: ignore[arg-type]
        assert len(desk.source) == 0

    with_desk(scenario)


def test_what_is_unknown_or_expired_has_its_faults() -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        manager = await subscribed(desk, expires="PT5M")
        await asyncio.sleep(300)
        for to in (manager, f"{BASE}/subscriptions/unknown", f"{BASE}/dsd"):
            for operation, fault in (
                ("Renew", "UnableToRenew"),
                ("GetStatus", "InvalidMessage"),
                ("Unsubscribe", "InvalidMessage"),
            ):
                with pytest.raises(Refusal, match=rf"^{fault}$"):
                    await desk.ask(operation, to=to, endpoint="subscription")

    with_desk(scenario)


def test_nothing_else_is_taken() -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        with pytest.raises(Refusal, match=r"^ActionNotSupported$"):
            await desk.ask("Pull")
        with pytest.raises(Refusal, match=r"^ActionNotSupported$"):
            await desk.ask("Subscribe", endpoint="subscription")
        assert not desk.service.takes(f"{WSE}/Pull")
        assert desk.service.takes(f"{WSE}/Subscribe")

    with_desk(scenario)


# ---------------------------------------------------------------------------------------------- expiry


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("", 86_400),
        ("PT1S", 60),
        ("PT1H", 3_600),
        ("P2D", 86_400),
        ("2026-03-02T10:12:30Z", 3_600),
        ("2026-03-02T11:12:30.5+01:00", 3_600.5),
    ],
)
def test_a_subscription_lasts_as_long_as_it_was_granted(asked: str, granted: float) -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        await subscribed(desk, expires=asked, end_to=SINK)
        await asyncio.sleep(granted - 1)
        desk.source.publish(status_event())
        assert len(desk.source) == 1
        await asyncio.sleep(1)
        desk.source.publish(end_event())
        assert len(desk.source) == 0

    assert with_desk(scenario).actions() == ["JobStatusEvent"]  # an expiry is no end that is told


def test_an_expired_subscription_goes_by_itself() -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        await subscribed(desk, expires="PT1M")
        desk.source.publish(status_event())
        await asyncio.sleep(61)
        assert network.open == 0
        assert desk.source._channels == {}

    with_desk(scenario)


def test_a_renewed_subscription_lasts_longer() -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        manager = await subscribed(desk, expires="PT5M")
        for _ in range(10):
            await asyncio.sleep(299)
            await desk.ask("Renew", "<wse:Expires>PT5M</wse:Expires>", to=manager)
        assert expires(await desk.ask("GetStatus", to=manager)) == "PT300S"
        assert expires(await desk.ask("Renew", to=manager)) == "PT86400S"
        with pytest.raises(Refusal, match="InvalidExpirationTime"):
            await desk.ask("Renew", "<wse:Expires>2026-03-02T09:12:30Z</wse:Expires>", to=manager)
        assert expires(await desk.ask("GetStatus", to=manager)) == "PT86400S"

    with_desk(scenario)


# ---------------------------------------------------------------------------------------------- limits


def test_the_oldest_of_a_host_is_told_that_it_makes_way() -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        first = await subscribed(desk, end_to=SINK)
        for _ in range(4):
            await subscribed(desk)
        await asyncio.sleep(1)
        assert len(desk.source) == 4
        (sent,) = [sent for _, _, sent in network.sent]
        assert sent.findtext(f".//{{{WSE}}}Status") == f"{WSE}/SourceCanceling"
        assert sent.findtext(f".//{{{WSE}}}SubscriptionManager/{{{WSA}}}Address") == first
        with pytest.raises(Refusal):
            await desk.ask("GetStatus", to=first)

    with_desk(scenario)


def test_there_are_thirty_two_and_no_more() -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        for number in range(32):
            await desk.subscribe(f"http://192.0.2.{100 + number}/", peer=f"192.0.2.{100 + number}")
        with pytest.raises(Refusal, match=r"^EventSourceUnableToProcess$"):
            await subscribed(desk)
        assert len(desk.source) == 32

    with_desk(scenario)


def test_a_flood_of_subscribes_is_refused_and_sends_nothing_more() -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        refused = 0
        for _ in range(1_000):
            try:
                await subscribed(desk, end_to=SINK)
            except Refusal:
                refused += 1
        assert refused == 1_000 - Limits().burst
        await asyncio.sleep(60)
        assert len(network.sent) == Limits().burst - 4
        await subscribed(desk)

    with_desk(scenario)


@pytest.mark.parametrize(
    "wrong", ["http://127.0.0.1/", "http://169.254.169.254/", "urn:uuid:1", "http://198.51.100.1/"]
)
@pytest.mark.parametrize("where", ["NotifyTo", "EndTo"])
def test_events_and_ends_go_where_they_may_go_only(wrong: str, where: str) -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        with pytest.raises(Refusal, match=r"^EventSourceUnableToProcess$"):
            if where == "NotifyTo":
                await desk.subscribe(wrong, peer=CONSOLE)
            else:
                await subscribed(desk, end_to=wrong)
        desk.source.publish(status_event())

    assert with_desk(scenario).sent == []


# --------------------------------------------------------------------------------------------- the ends


def test_a_failing_sink_has_its_end_told_to_another_host() -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        network.failing.add(CONSOLE)
        await subscribed(desk, end_to="http://192.0.2.10/end")
        await subscribed(desk)
        desk.source.publish(status_event())
        await asyncio.sleep(20)
        assert len(desk.source) == 2
        await asyncio.sleep(2)
        assert len(desk.source) == 0

    network = with_desk(scenario)
    (sent,) = [(host, sent) for _, host, sent in network.sent]
    assert sent[0] == "192.0.2.10"
    assert sent[1].findtext(f".//{{{WSE}}}Status") == f"{WSE}/DeliveryFailure"


def test_at_the_end_the_queue_goes_first() -> None:
    async def scenario(desk: Desk, network: Network) -> None:
        await subscribed(desk, end_to=SINK)
        desk.source.publish(status_event())
        desk.source.publish(end_event())

    network = with_desk(scenario)
    assert network.actions() == ["JobStatusEvent", "JobEndStateEvent", "SubscriptionEnd"]
    assert network.sent[-1][0] <= 2


def test_an_event_is_rendered_once_for_each_namespace() -> None:
    rendered: list[str] = []

    class Counted:
        name = "JobStatusEvent"

        def render(self, namespace: str) -> etree._Element:
            rendered.append(namespace)
            return status_event().render(namespace)

    async def scenario(desk: Desk, network: Network) -> None:
        desk.source.publish(Counted())
        assert rendered == []
        for number in range(8):
            await desk.subscribe(
                f"http://192.0.2.{100 + number}/",
                peer=CONSOLE if number < 4 else "192.0.2.8",
                endpoint="dsd" if number % 2 else "scan",
            )
        desk.source.publish(Counted())
        await asyncio.sleep(1)
        assert len(network.sent) == 8
        assert sorted(rendered) == sorted([DSD, WSCN])

    with_desk(scenario)


def test_an_event_that_is_too_large_is_left_out() -> None:
    class Large:
        name = "JobStatusEvent"

        def render(self, namespace: str) -> etree._Element:
            body = status_event().render(namespace)
            body.append(etree.Comment("x" * MAX_ENVELOPE_OCTETS))
            return body

    async def scenario(desk: Desk, network: Network) -> None:
        await subscribed(desk)
        desk.source.publish(Large())
        desk.source.publish(end_event())
        await asyncio.sleep(1)
        assert len(desk.source) == 1

    assert with_desk(scenario).actions() == ["JobEndStateEvent"]
