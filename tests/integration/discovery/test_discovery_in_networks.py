"""The device in networks of its own: families, dead interfaces, addresses that change while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.discovery.lab import Lab, lab
from tests.needs import needs_networks

pytestmark = needs_networks()

V4, V6 = ("10.9.0.1/24", "10.9.0.2/24"), ("fd09::1/64", "fd09::2/64")


@pytest.fixture
def network() -> Iterator[Lab]:
    with lab() as made:
        yield made


def test_ipv4_only(network: Lab, tmp_path: Path) -> None:
    network.join(0, V4)
    with network.start_neighbour() as neighbour, network.start_device(tmp_path) as device:
        hello = neighbour.heard("Hello")
        assert (hello["source"], hello["port"], hello["multicast"]) == ("10.9.0.1", 3702, True)
        assert hello["xaddr"].startswith("http://10.9.0.1:5357/")
        neighbour.heard("Hello")
        neighbour.say("probe 4")
        match = neighbour.heard("ProbeMatches")
        assert (match["xaddr"], match["source"], match["port"]) == (hello["xaddr"], "10.9.0.1", 3702)
        neighbour.say("ask 10.9.0.1")
        assert neighbour.heard("ProbeMatches")["xaddr"] == hello["xaddr"]
        assert device.stop() == 0
        assert [neighbour.heard("Bye")["source"] for _ in range(2)] == ["10.9.0.1"] * 2


def test_ipv6_only(network: Lab, tmp_path: Path) -> None:
    network.join(0, V6)
    with network.start_neighbour() as neighbour, network.start_device(tmp_path) as device:
        hello = neighbour.heard("Hello", "[fd09::1]:5357")
        assert hello["source"] == "fd09::1"
        neighbour.say("probe 6")
        match = neighbour.heard("ProbeMatches")
        assert (match["xaddr"], match["source"], match["port"]) == (hello["xaddr"], "fd09::1", 3702)
        neighbour.say("ask fd09::1")
        assert neighbour.heard("ProbeMatches")["source"] == "fd09::1"
        assert device.stop() == 0
        assert neighbour.heard("Bye")["source"] == "fd09::1"


def test_ipv6_without_any_router(network: Lab, tmp_path: Path) -> None:
    """An address that works on the link only is told where there is no other; without the zone, which is ours."""
    network.join(0, ("fe80::1/64", "fe80::2/64"))
    with network.start_neighbour() as neighbour, network.start_device(tmp_path):
        hello = neighbour.heard("Hello")
        assert hello["source"].startswith("fe80::")
        assert hello["xaddr"].startswith(f"http://[{hello['source']}]:5357/")
        neighbour.say("probe 6")
        assert neighbour.heard("ProbeMatches")["xaddr"] == hello["xaddr"]


def test_dual_stack_answers_each_family_with_its_address(network: Lab, tmp_path: Path) -> None:
    network.join(0, V4, V6)
    with network.start_neighbour() as neighbour, network.start_device(tmp_path):
        hellos = {neighbour.heard("Hello")["source"] for _ in range(4)}
        assert hellos == {"10.9.0.1", "fd09::1"}
        for order, host in (("probe 4", "10.9.0.1"), ("probe 6", "[fd09::1]")):
            neighbour.say(order)
            assert f"//{host}:5357/" in neighbour.heard("ProbeMatches")["xaddr"]
            neighbour.heard("ProbeMatches")


def test_with_ipv4_and_no_ipv6_router_nobody_is_told_an_address_that_needs_a_zone(
    network: Lab, tmp_path: Path
) -> None:
    network.join(0, V4, ("fe80::1/64", "fe80::2/64"))
    with network.start_neighbour() as neighbour, network.start_device(tmp_path):
        assert {neighbour.heard("Hello")["source"] for _ in range(2)} == {"10.9.0.1"}
        assert neighbour.silence("Hello")
        neighbour.say("probe 6")  # who asks by IPv6 has it
        assert "//[fe80::" in neighbour.heard("ProbeMatches")["xaddr"]


def test_three_interfaces_of_which_one_is_dead_and_one_dies(network: Lab, tmp_path: Path) -> None:
    for number in range(3):
        network.join(number, (f"10.9.{number}.1/24", f"10.9.{number}.2/24"))
    network.pull(1, at="peer")  # dev1 has lost its carrier
    with network.start_neighbour("peer0") as first, network.start_neighbour("peer2") as third:
        device = network.start_device(tmp_path)
        assert "10.9.0.1" in first.heard("Hello")["xaddr"]
        assert "10.9.2.1" in third.heard("Hello")["xaddr"]
        network.set("link", "del", "dev2")
        first.say("probe 4")
        assert "10.9.0.1" in first.heard("ProbeMatches")["xaddr"]
        with network.start_neighbour("peer1") as second:
            network.plug(1, at="peer")
            assert "10.9.1.1" in second.heard("Hello")["xaddr"]
            second.say("probe 4")
            assert "10.9.1.1" in second.heard("ProbeMatches")["xaddr"]
        assert device.stop() == 0
        first.heard("Bye")


def test_an_address_that_changes_live_is_announced_with_new_metadata(network: Lab, tmp_path: Path) -> None:
    network.join(0, V4)
    network.address("peer0", "10.9.5.2/24", at="peer")
    with network.start_neighbour() as neighbour, network.start_device(tmp_path):
        assert neighbour.heard("Hello")["version"] == "1"
        network.address("dev0", "10.9.0.1/24", verb="del")
        network.address("dev0", "10.9.5.1/24")
        network.address("peer0", "10.9.0.2/24", at="peer", verb="del")
        hello = neighbour.heard("Hello", "10.9.5.1", within_s=3.0)
        assert (hello["source"], hello["version"]) == ("10.9.5.1", "2")
        neighbour.say("probe 4")
        match = neighbour.heard("ProbeMatches")
        assert (match["source"], match["xaddr"]) == ("10.9.5.1", hello["xaddr"])


def test_a_network_that_comes_later_is_joined(network: Lab, tmp_path: Path) -> None:
    device = network.start_device(tmp_path)
    network.join(0, V4, V6)
    with network.start_neighbour() as neighbour:
        for order, host in (("probe 4", "10.9.0.1"), ("probe 6", "fd09::1")):
            neighbour.say(order)
            neighbour.heard("ProbeMatches", f'"source": "{host}"')
    assert device.stop() == 0


def test_a_cable_that_is_pulled_and_put_back_is_followed_by_a_hello(network: Lab, tmp_path: Path) -> None:
    network.join(0, V4)
    with network.start_neighbour() as neighbour, network.start_device(tmp_path):
        first = [neighbour.heard("Hello") for _ in range(2)]
        network.pull(0)
        assert neighbour.silence("Hello")
        network.plug(0)
        again = neighbour.heard("Hello")
        assert (again["xaddr"], again["version"]) == (first[0]["xaddr"], "1")


def test_only_chosen_interfaces_are_used(network: Lab, tmp_path: Path) -> None:
    for number in range(2):
        network.join(number, (f"10.9.{number}.1/24", f"10.9.{number}.2/24"))
    with network.start_neighbour("peer0") as first, network.start_neighbour("peer1") as second:
        with network.start_device(tmp_path, interfaces=["dev1"]):
            assert "10.9.1.1" in second.heard("Hello")["xaddr"]
            for order in ("probe 4", "ask 10.9.0.1"):
                first.say(order)
            assert first.silence("ProbeMatches")
        second.heard("Bye")
        assert first.silence("Bye", within_s=0.3)
        assert not any('"Hello"' in line for line in first.seen)


def test_a_second_network_on_one_interface_is_answered_with_its_own_address(network: Lab, tmp_path: Path) -> None:
    network.join(0, V4)
    network.address("dev0", "10.9.5.1/24")
    network.address("peer0", "10.9.0.2/24", at="peer", verb="del")
    network.address("peer0", "10.9.5.2/24", at="peer")
    with network.start_neighbour() as neighbour, network.start_device(tmp_path):
        neighbour.say("probe 4")
        match = neighbour.heard("ProbeMatches")
        assert match["source"] == "10.9.5.1"
        assert "//10.9.5.1:5357/" in match["xaddr"]


def test_a_stranger_s_datagram_gets_no_more_than_three_times_its_size(network: Lab, tmp_path: Path) -> None:
    """Whoever is not on the link may be somebody else: one answer fits into the limit, its repetition not."""
    network.join(0, V4)
    network.set("route", "add", "10.77.0.0/24", "via", "10.9.0.2")
    network.address("lo", "10.77.0.9/32", at="peer")
    network.set("route", "add", "10.9.0.1/32", "dev", "peer0", "src", "10.77.0.9", at="peer")
    with network.start_neighbour() as neighbour, network.start_device(tmp_path):
        neighbour.say("ask 10.9.0.1")
        neighbour.heard("ProbeMatches")
        assert neighbour.silence("ProbeMatches", within_s=0.6)
