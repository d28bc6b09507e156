"""Discovery over real sockets on loopback, with ports of the test's own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from dsm_sim.peers.console import Announcement, Console, ConsoleError, DiscoveryOptions
from dsm_sim.peers.console.datagrams import group_sockets
from tests.integration.console.raw_device import ENDPOINT, GROUP_IPV4, Answer, RawDevice, at


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
            udp.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return int(udp.getsockname()[1])


def test_a_multicast_probe_finds_a_device_once(ask: Callable[..., Any]) -> None:
    with RawDevice() as device:
        device.datagram_copies = 2
        found: list[Announcement] = ask(device, lambda console: console.discover())
    assert [(each.endpoint, each.xaddrs, each.source) for each in found] == [
        (ENDPOINT, (device.url,), "127.0.0.1")
    ]


@needs_ipv6
def test_a_device_is_found_and_checked_by_ipv6(check: Callable[..., Any], ask: Callable[..., Any]) -> None:
    with RawDevice(host="::1") as device:
        found: list[Announcement] = ask(device, lambda console: console.discover())
        steps, findings = check(device)
    assert [(each.xaddrs, each.source) for each in found] == [((device.url,), "::1")]
    assert [finding.as_line() for finding in findings] == []
    assert not any(step.problem for step in steps)


def test_a_match_without_addresses_is_resolved(ask: Callable[..., Any]) -> None:
    def hide(answer: Answer) -> None:
        if answer.operation == "Probe":
            at(answer.root, "//wsd:XAddrs").getparent().remove(at(answer.root, "//wsd:XAddrs"))  # type: ignore[union-attr]

    with RawDevice(hide) as device:
        (found,) = ask(device, lambda console: console.discover())
    assert found.xaddrs == (device.url,)


def test_a_match_after_the_window_is_not_shown(ask: Callable[..., Any]) -> None:
    with RawDevice() as device:
        device.datagram_delay_s = 0.3
        found = ask(device, lambda console: console.discover(), window_s=0.1, grace_s=0.6)
    assert found == []


def test_an_endpoint_address_is_resolved_to_its_device(ask: Callable[..., Any]) -> None:
    with RawDevice() as device:
        found = ask(device, lambda console: console.find(ENDPOINT))
        assert found.url == device.url
        with pytest.raises(ConsoleError, match="does not answer on lo"):
            ask(device, lambda console: console.find(ENDPOINT[:-1] + "0"))


def test_a_host_that_has_no_http_at_the_usual_port_is_asked_by_udp(ask: Callable[..., Any]) -> None:
    with RawDevice() as device:
        found: list[Announcement] = ask(device, lambda console: console.discovery.probe_host("127.0.0.1"))
    assert [each.xaddrs for each in found] == [(device.url,)]


def test_hello_and_bye_are_heard_once_each(ask: Callable[..., Any]) -> None:
    port = free_udp_port()

    async def job(console: Console) -> list[Announcement]:
        async with console.discovery.announcements() as queue:
            await asyncio.to_thread(device.announce, "hello", port)
            await asyncio.to_thread(device.announce, "bye", port)
            heard = [await queue.get(), await queue.get()]
            assert queue.empty()
        assert [finding.as_line() for finding in console.findings.kept] == []
        return heard

    with RawDevice() as device:
        heard = ask(device, job, port=port)
    assert [(each.kind, each.endpoint) for each in heard] == [("Hello", ENDPOINT), ("Bye", ENDPOINT)]
    assert heard[0].xaddrs == (device.url,)


def test_a_wrong_hello_is_a_finding(ask: Callable[..., Any]) -> None:
    port = free_udp_port()

    def spoil(root: Any) -> None:
        at(root, "//a:To").text = "http://127.0.0.1/"
        at(root, "//wsd:MetadataVersion").text = "0"
        at(root, "//wsd:AppSequence").set("InstanceId", "1")

    async def job(console: Console) -> set[str]:
        async with console.discovery.announcements() as queue:
            await asyncio.to_thread(device.announce, "hello", port)
            await queue.get()
            await asyncio.to_thread(device.announce, "hello", port, spoil)
            await queue.get()
        return {finding.rule for finding in console.findings.kept}

    with RawDevice() as device:
        assert ask(device, job, port=port) == {"wsa-to", "metadata-version", "instance-id"}


def test_listening_keeps_to_the_group_and_to_loopback() -> None:
    """No socket of the listener is bound to any address of the machine that others could reach."""
    sockets = group_sockets(DiscoveryOptions(port=free_udp_port()))
    try:
        assert [udp.getsockname()[0] for udp in sockets if udp.family is socket.AF_INET] == [GROUP_IPV4]
    finally:
        for udp in sockets:
            udp.close()


def test_an_interface_that_is_not_there_is_one_clear_line(ask: Callable[..., Any]) -> None:
    with RawDevice() as device, pytest.raises(ConsoleError, match="no network interface 'nope0'"):
        ask(device, lambda console: console.discover(), interfaces=("nope0",))


def test_the_device_cannot_lead_the_console_astray(ask: Callable[..., Any]) -> None:
    """A device that names somebody else's address is not followed there."""

    def lead(answer: Answer) -> None:
        if answer.operation == "Get":
            for address in answer.root.xpath("//p:Hosted//a:Address", namespaces={"p": NS_P, "a": NS_A}):
                address.text = "http://192.0.2.77:5357/scan"

    async def job(console: Console) -> None:
        found = await console.find(device.url)
        with pytest.raises(ConsoleError, match=r"leads to '192\.0\.2\.77'"):
            await found.service.active_jobs()

    with RawDevice(lead) as device:
        ask(device, job)


NS_P = "http://schemas.xmlsoap.org/ws/2006/02/devprof"
NS_A = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
