"""Who may come, and on how many places: the rules alone, without a socket."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.server.networks import Networks, address_of, plain_host
from dsm_device.server.places import Place, PlaceLimits, Places

HOSTS = ("192.0.2.1", "192.0.2.2", "2001:db8::1")
ACTIONS = st.lists(st.tuples(st.sampled_from(["take", "idle", "busy", "leave"]), st.integers(0, 19)), max_size=80)


@given(ACTIONS, st.integers(1, 6), st.integers(1, 6))
def test_there_are_never_more_than_there_may_be_and_nobody_at_it_is_sent_away(
    actions: list[tuple[str, int]], total: int, per_host: int
) -> None:
    places = Places(PlaceLimits(total, per_host))
    held: dict[Place, bool] = {}  # whether it may be sent away

    def sent_away(place: Place) -> None:
        assert held.pop(place), "somebody who was at it"

    for action, number in actions:
        chosen = list(held)[number % len(held)] if held else None
        if action == "take":
            host = HOSTS[number % len(HOSTS)]
            theirs = [each for each in held if each.host == host]
            crowd = theirs if len(theirs) >= per_host else list(held) if len(held) >= total else None
            can = crowd is None or any(held[each] for each in crowd)
            place = places.take(host)
            assert (place is not None) == can
            if place is not None:
                held[place] = False
        elif chosen is None:
            continue
        elif action == "idle":
            held[chosen] = True
            chosen.idle(lambda place=chosen: sent_away(place))  # type: ignore[misc]
        elif action == "busy":
            held[chosen] = False
            chosen.busy()
        else:
            del held[chosen]
            chosen.leave()
            chosen.leave()
        assert places.taken == set(held)
        assert len(held) <= total
        assert max(Counter(each.host for each in held).values(), default=0) <= per_host


def test_the_one_that_has_waited_longest_goes() -> None:
    places, gone = Places(PlaceLimits(3, 3)), []
    for name in "abc":
        place = places.take("192.0.2.1")
        assert place is not None
        place.idle(lambda name=name: gone.append(name))  # type: ignore[misc]
    first = min(places.taken, key=lambda each: each.idle_since)
    first.idle(lambda: gone.append("a again"))
    assert [places.take("192.0.2.1") is not None for _ in range(4)] == [True, True, True, False]
    assert gone == ["b", "c", "a again"]


@pytest.mark.parametrize(
    ("networks", "host", "may"),
    [
        ([], "192.0.2.1", True),
        ([], "", True),
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.0/24"], "192.0.3.0", False),
        (["192.0.2.0/24"], "::ffff:192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.7", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["2001:db8::/32", "10.0.0.0/8"], "10.1.1.1", True),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["::/0"], "192.0.2.1", False),
        (["::/0"], "", False),
        (["::ffff:192.0.2.0/120"], "192.0.2.7", True),
        (["::ffff:192.0.2.0/120"], "192.0.3.7", False),
        (["::/0"], "localhost", False),
    ],
)
def test_networks(networks: list[str], host: str, may: bool) -> None:
    assert Networks.of(networks).allow(host) is may


def test_addresses_as_they_are_compared() -> None:
    assert plain_host("::ffff:192.0.2.7") == "192.0.2.7"
    assert plain_host("FE80::0001%eth0") == "fe80::1"
    assert plain_host("scanner") == "scanner"
    assert address_of("scanner") is None


@given(st.ip_addresses())
def test_every_address_is_in_its_own_network(address: object) -> None:
    assert Networks.of([str(address)]).allow(str(address))
