"""How many subscriptions there may be, whose, how long; by a clock that is only a number."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dsm_device.server.subscriptions import Limits, Subscription, Subscriptions, TooMany

LIMITS = Limits(subscriptions=8, per_host=3)
ACTIONS = {"JobStatusEvent": "urn:a/JobStatusEvent"}


def made(number: int, subscriber: str = "192.0.2.9", sink: str = "", expires_at: float = 100.0) -> Subscription:
    return Subscription(f"id-{number}", subscriber, sink or subscriber, ACTIONS, expires_at)


@pytest.mark.parametrize(
    ("asked_s", "granted_s"), [(None, 86_400), (1, 60), (60, 60), (3600, 3600), (86_401, 86_400), (1e9, 86_400)]
)
def test_what_is_granted_lies_between_a_minute_and_a_day(asked_s: float | None, granted_s: float) -> None:
    assert Limits().granted_s(asked_s) == granted_s


def test_the_oldest_of_a_host_makes_way() -> None:
    held = Subscriptions(LIMITS)
    assert [held.add(made(number), 0) for number in range(3)] == [None, None, None]
    displaced = held.add(made(3), 0)
    assert displaced is not None
    assert displaced.id == "id-0"
    assert [each.id for each in held.wanting("JobStatusEvent", 0)] == ["id-1", "id-2", "id-3"]


def test_nobody_displaces_what_another_subscribed_to() -> None:
    held = Subscriptions(LIMITS)
    for number in range(3):
        held.add(made(number), 0)
    with pytest.raises(TooMany, match="others"):
        held.add(made(3, subscriber="192.0.2.66", sink="192.0.2.9"), 0)
    assert len(held) == 3


def test_a_subscriber_with_many_sinks_displaces_only_its_own() -> None:
    held = Subscriptions(LIMITS)
    held.add(made(0, subscriber="192.0.2.1"), 0)
    for number in range(1, 20):
        held.add(made(number, sink=f"192.0.2.{100 + number}"), 0)
    assert len(held) == 4
    assert held.find(["id-0"], 0) is not None


def test_there_is_an_end_to_subscriptions() -> None:
    held = Subscriptions(LIMITS)
    for number in range(8):
        held.add(made(number, subscriber=f"192.0.2.{number}"), 0)
    with pytest.raises(TooMany, match="too many"):
        held.add(made(8, subscriber="192.0.2.99"), 0)
    held.add(made(8, subscriber="192.0.2.99", expires_at=300), 100)  # by then the others have expired
    assert [each.id for each in held.wanting("JobStatusEvent", 100)] == ["id-8"]


def test_what_has_expired_is_not_found_and_gets_no_events() -> None:
    held = Subscriptions(LIMITS)
    held.add(made(0, expires_at=10), 0)
    held.add(made(1, expires_at=20), 0)
    assert held.next_expiry() == 10
    assert held.find(["id-0"], 9.9) is not None
    assert held.find(["id-0"], 10) is None
    assert held.find(["nothing", "id-0", "id-1"], 10) is not None
    assert [each.id for each in held.wanting("JobStatusEvent", 10)] == ["id-1"]
    assert [each.id for each in held.take_expired(10)] == ["id-0"]
    assert held.take_expired(10) == []


def test_only_the_wanted_events_go_to_a_subscription() -> None:
    held = Subscriptions(LIMITS)
    held.add(made(0), 0)
    assert list(held.wanting("JobEndStateEvent", 0)) == []


def test_whoever_asks_too_often_has_to_wait() -> None:
    held = Subscriptions(Limits(burst=3, per_minute=6))
    for _ in range(3):
        held.check_pace("192.0.2.9", 0)
    with pytest.raises(TooMany, match="often"):
        held.check_pace("192.0.2.9", 9.9)
    held.check_pace("192.0.2.10", 0)
    held.check_pace("192.0.2.9", 19)
    with pytest.raises(TooMany):
        held.check_pace("192.0.2.9", 19)


def test_all_addresses_of_one_network_of_ipv6_have_one_pace() -> None:
    held = Subscriptions(Limits(burst=2))
    held.check_pace("2001:db8::1", 0)
    held.check_pace("2001:db8::2", 0)
    with pytest.raises(TooMany):
        held.check_pace("2001:db8::3", 0)
    held.check_pace("2001:db8:1::1", 0)
    for number in range(1, 4):
        held.check_pace(f"fe80::{number}%eth0", 0)
        held.check_pace(f"::ffff:192.0.2.{number}", 0)


def test_a_flood_from_everywhere_costs_no_memory() -> None:
    held = Subscriptions(Limits())
    for number in range(5_000):
        held.check_pace(f"10.0.{number >> 8}.{number & 255}", 0)
    assert len(held._paces) <= 1_024


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: the limits hold, and nothing is in two states."""

    def __init__(self) -> None:
        super().__init__()
        self.held = Subscriptions(LIMITS)
        self.now = 0.0
        self.made = 0
        self.live: dict[str, Subscription] = {}

    @rule(subscriber=st.integers(0, 4), sink=st.integers(0, 4), lasts_s=st.integers(1, 60))
    def subscribe(self, subscriber: int, sink: int, lasts_s: int) -> None:
        self.made += 1
        new = made(self.made, f"192.0.2.{subscriber}", f"192.0.2.{sink}", self.now + lasts_s)
        try:
            displaced = self.held.add(new, self.now)
        except TooMany:
            return
        self.live[new.id] = new
        if displaced is not None:
            assert displaced.subscriber == new.subscriber
            del self.live[displaced.id]

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.live = {key: each for key, each in self.live.items() if each.expires_at > self.now}

    @rule(sweep=st.booleans(), index=st.integers(0, 10))
    def end(self, sweep: bool, index: int) -> None:
        if sweep:
            self.held.take_expired(self.now)
        elif self.live:
            ended = list(self.live.values())[index % len(self.live)]
            assert self.held.remove(ended)
            assert not self.held.remove(ended)
            del self.live[ended.id]

    @invariant()
    def limits_hold(self) -> None:
        found = list(self.held.wanting("JobStatusEvent", self.now))
        assert {each.id for each in found} == set(self.live)
        assert len(found) <= LIMITS.subscriptions
        for host in range(5):
            assert sum(each.sink == f"192.0.2.{host}" for each in found) <= LIMITS.per_host
            assert sum(each.subscriber == f"192.0.2.{host}" for each in found) <= LIMITS.per_host


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
