"""The device on real sockets, on loopback, with a port of the test's own."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from dsm_device.server.discovery import DiscoveryHost, DiscoveryOptions, probe_answer
from dsm_device.server.identity import Identity
from dsm_device.wire import xml
from dsm_sim.peers.console import Console, ConsoleOptions
from dsm_sim.peers.console import DiscoveryOptions as ConsoleDiscovery
from tests.integration.discovery.neighbour import Heard, Neighbour, message, resolve

pytestmark = pytest.mark.filterwarnings("error")


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return int(udp.getsockname()[1])


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
            udp.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 on loopback")


class Desk:
    """A device's state, a free port, and a neighbour on loopback."""

    def __init__(self, state_dir: Path) -> None:
        self.identity = Identity.open(state_dir)
        self.options = DiscoveryOptions(port=free_udp_port(), interfaces=("lo",), http_port=5999)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:5999/{self.identity.uuid}"

    @asynccontextmanager
    async def device(self) -> AsyncIterator[tuple[DiscoveryHost, Neighbour]]:
        """Running, and done with its Hello."""
        async with (
            Neighbour("lo", self.options.port) as neighbour,
            DiscoveryHost(self.identity, self.options) as host,
        ):
            for _ in range(2):
                await neighbour.next("Hello")
            yield host, neighbour

    def run(self, job: Callable[[DiscoveryHost, Neighbour], Awaitable[None]]) -> None:
        async def main() -> None:
            async with self.device() as (host, neighbour):
                await job(host, neighbour)

        asyncio.run(main())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_hello_comes_soon_and_once_more(desk: Desk) -> None:
    async def main() -> tuple[float, Heard, Heard]:
        async with Neighbour("lo", desk.options.port) as neighbour:
            began_s = time.monotonic()
            async with DiscoveryHost(desk.identity, desk.options):
                return began_s, await neighbour.next("Hello"), await neighbour.next("Hello")

    began_s, first, second = asyncio.run(main())
    assert first.at_s - began_s < 1.0  # 0.25 s on a machine that has nothing else to do
    assert 0.04 < second.at_s - first.at_s < 1.0
    assert first.data == second.data
    assert (first.xaddr, first.text("Address")) == (desk.url, desk.identity.endpoint)
    assert (first.source, first.port, first.attribute("MessageNumber")) == ("127.0.0.1", desk.options.port, "1")


def test_bye_comes_twice_and_ends_everything(desk: Desk) -> None:
    async def main() -> list[Heard]:
        async with Neighbour("lo", desk.options.port) as neighbour:
            host = DiscoveryHost(desk.identity, desk.options)
            await host.start()
            await neighbour.next("Hello")
            began_s = time.monotonic()
            await host.aclose()
            assert time.monotonic() - began_s < 0.5
            byes = await neighbour.rest("Bye", within_s=0.1)
            neighbour.send(message())
            assert await neighbour.rest("ProbeMatches", within_s=0.6) == []
            await host.aclose()
            return byes

    first, second = asyncio.run(main())
    assert first.data == second.data
    assert first.text("Address") == desk.identity.endpoint
    assert int(first.attribute("MessageNumber")) > 1


def test_a_multicast_probe_is_answered_twice_by_unicast(desk: Desk) -> None:
    async def job(_: DiscoveryHost, neighbour: Neighbour) -> None:
        sent_s = neighbour.send(message(message_id="urn:uuid:mine"))
        first = await neighbour.next("ProbeMatches")
        second = await neighbour.next("ProbeMatches")
        assert first.at_s - sent_s < 0.5
        assert first.data == second.data
        assert not first.is_multicast
        assert (first.xaddr, first.source, first.port) == (desk.url, "127.0.0.1", desk.options.port)
        assert first.text("RelatesTo") == "urn:uuid:mine"
        assert await neighbour.rest("ProbeMatches", within_s=0.6) == []

    desk.run(job)


@pytest.mark.parametrize(("family", "host", "shown"), [(4, "127.0.0.1", "127.0.0.1"), (6, "::1", "[::1]")])
def test_a_probe_to_one_address_is_answered_from_there(desk: Desk, family: int, host: str, shown: str) -> None:
    if family == 6 and not has_ipv6():
        pytest.skip("this machine has no IPv6 on loopback")

    async def job(_: DiscoveryHost, neighbour: Neighbour) -> None:
        neighbour.send(message(), family, host)
        answer = await neighbour.next("ProbeMatches")
        assert (answer.source, answer.port) == (host, desk.options.port)
        assert answer.xaddr == desk.url.replace("127.0.0.1", shown)

    desk.run(job)


def test_only_who_asks_all_has_to_wait(desk: Desk) -> None:
    """Eight ask one address at once: each waiting up to 250 ms, they would hardly all have an answer so soon."""

    async def job(_: DiscoveryHost, neighbour: Neighbour) -> None:
        async with AsyncExitStack() as stack:
            many = [await stack.enter_async_context(Neighbour("lo", desk.options.port)) for _ in range(8)]
            sent_s = [each.send(message(), 4, "127.0.0.1") for each in many]
            answers = [await each.next("ProbeMatches") for each in many]
            assert max(answer.at_s for answer in answers) - sent_s[0] < 0.15

    desk.run(job)


def test_a_resolve_is_answered_for_us_alone(desk: Desk) -> None:
    async def job(_: DiscoveryHost, neighbour: Neighbour) -> None:
        neighbour.send(resolve("urn:uuid:00000000-0000-4000-8000-000000000000"))
        neighbour.send(resolve(desk.identity.endpoint))
        answer = await neighbour.next("ResolveMatches", "ProbeMatches")
        assert (answer.kind, answer.xaddr) == ("ResolveMatches", desk.url)
        assert len(await neighbour.rest("ResolveMatches", within_s=0.5)) == 1

    desk.run(job)


def test_fifteen_probes_in_two_and_a_half_seconds_are_answered_soon_and_without_a_flood(desk: Desk) -> None:
    """As sane-airscan asks: one socket, a fresh MessageID each time, 100 to 250 ms apart."""

    async def job(_: DiscoveryHost, neighbour: Neighbour) -> None:
        began_s, answers = time.monotonic(), list[Heard]()
        for number in range(15):
            neighbour.send(message())
            until_s = began_s + (number + 1) / 6
            answers += await neighbour.rest("ProbeMatches", within_s=max(until_s - time.monotonic(), 0.01))
        answers += await neighbour.rest("ProbeMatches", within_s=0.6)
        assert answers[0].at_s - began_s < 0.5
        assert 2 <= len(answers) <= 30
        numbers = [int(each.attribute("MessageNumber")) for each in answers]
        firsts = list(dict.fromkeys(numbers))
        assert firsts == sorted(firsts)

    desk.run(job)


def test_the_simulated_console_finds_it_and_has_nothing_to_find_fault_with(desk: Desk) -> None:
    async def main() -> None:
        discovery = ConsoleDiscovery(port=desk.options.port, window_s=0.5, grace_s=0.3)
        async with Console(ConsoleOptions(discovery=discovery)) as console:
            async with console.discovery.announcements() as queue:
                async with DiscoveryHost(desk.identity, desk.options):
                    hello = await queue.get()
                    (found,) = await console.discover()
                    (resolved,) = await console.discovery.resolve(desk.identity.endpoint)
                    (asked,) = await console.discovery.probe_host("127.0.0.1")
                bye = await queue.get()
            assert [finding.as_line() for finding in console.findings.kept] == []
        assert desk.url in found.xaddrs
        assert {each.endpoint for each in (hello, found, resolved, asked, bye)} == {desk.identity.endpoint}
        assert (hello.kind, bye.kind, found.is_scanner) == ("Hello", "Bye", True)

    asyncio.run(main())


def test_new_metadata_is_announced_with_a_higher_version(desk: Desk) -> None:
    desk.identity.describe("one")

    async def job(host: DiscoveryHost, neighbour: Neighbour) -> None:
        assert desk.identity.describe("two")
        host.announce()
        hello = await neighbour.next("Hello")
        assert (hello.text("MetadataVersion"), hello.attribute("MessageNumber")) == ("2", "2")

    desk.run(job)


def test_a_restart_is_the_same_device_in_a_later_instance(desk: Desk, tmp_path: Path) -> None:
    async def hello_of(identity: Identity) -> Heard:
        async with Neighbour("lo", desk.options.port) as neighbour, DiscoveryHost(identity, desk.options):
            return await neighbour.next("Hello")

    first = asyncio.run(hello_of(desk.identity))
    second = asyncio.run(hello_of(Identity.open(tmp_path, lambda: 5.0)))  # the clock went back
    assert first.text("Address") == second.text("Address")
    assert int(second.attribute("InstanceId")) == int(first.attribute("InstanceId")) + 1
    assert second.text("MetadataVersion") == first.text("MetadataVersion")


def test_noise_on_the_port_harms_nobody(desk: Desk) -> None:
    async def job(_: DiscoveryHost, neighbour: Neighbour) -> None:
        chance, question = random.Random(1), message()
        for number in range(400):
            place = chance.randrange(len(question))
            broken = [
                chance.randbytes(chance.randrange(1_400)),
                question[:place],
                question[:place] + chance.randbytes(3) + question[place + 3 :],
                b"",
                bytes(40_000),
            ]
            neighbour.send(broken[number % len(broken)], 4, ("", "127.0.0.1")[number % 2])
        for _attempt in range(20):  # what was sent may have used up what is read at once
            neighbour.send(message())
            if await neighbour.rest("ProbeMatches", within_s=0.3):
                return
        raise AssertionError("no answer any more")

    desk.run(job)


def test_a_flood_gets_bounded_answers_and_ends_with_the_flood(desk: Desk) -> None:
    async def job(_: DiscoveryHost, neighbour: Neighbour) -> None:
        began_s = time.monotonic()
        many = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) for _ in range(100)]
        try:
            for number, udp in enumerate(many):  # 127.0.0.0/8 is all ours: so many hosts
                udp.bind((f"127.0.1.{number + 1}", 0))
            for number in range(3_000):
                many[number % 100].sendto(message(), ("127.0.0.1", desk.options.port))
                if number % 100 == 0:
                    await asyncio.sleep(0)
            await neighbour.rest("ProbeMatches", within_s=1.0)
            answers = 0
            for udp in many:
                while True:
                    try:
                        answers += bool(udp.recv(65_536))
                    except BlockingIOError:
                        break
            took_s = time.monotonic() - began_s
            assert 100 <= answers <= 2 * (100 + 50 * took_s)
        finally:
            for udp in many:
                udp.close()
        neighbour.send(message())
        await neighbour.next("ProbeMatches", within_s=2.0)

    desk.run(job)


@pytest.mark.parametrize("options", [(socket.SO_REUSEADDR,), (socket.SO_REUSEPORT,)])
@pytest.mark.parametrize("is_first", [True, False])
def test_another_daemon_on_the_port_hears_the_same(desk: Desk, options: tuple[int, ...], is_first: bool) -> None:
    def open_other() -> socket.socket:
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        for option in options:
            other.setsockopt(socket.SOL_SOCKET, option, 1)
        other.bind(("", desk.options.port))
        group = socket.inet_aton("239.255.255.250") + socket.inet_aton("127.0.0.1")
        other.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        return other

    async def main() -> None:
        loop = asyncio.get_running_loop()
        others = [open_other()] if is_first else []
        try:
            async with DiscoveryHost(desk.identity, desk.options), Neighbour("lo", 1) as neighbour:
                others = others or [open_other()]
                neighbour._port = desk.options.port
                neighbour.send(message(message_id="urn:uuid:mine"))
                await neighbour.next("ProbeMatches")
                async with asyncio.timeout(5):
                    while b"urn:uuid:mine" not in await loop.sock_recv(others[0], 65_536):
                        pass
                neighbour.send(message(), 4, "127.0.0.1")  # bound to the address itself, ours comes first
                await neighbour.next("ProbeMatches")
        finally:
            for other in others:
                other.close()

    asyncio.run(main())


def test_a_port_that_nobody_shares_is_waited_for(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", desk.options.port))
            host = DiscoveryHost(desk.identity, desk.options)
            await host.start()
        assert "does without 127.0.0.1 on lo" in caplog.text
        async with Neighbour("lo", desk.options.port) as neighbour:
            assert (await neighbour.next("Hello")).xaddr == desk.url
            await host.aclose()

    asyncio.run(main())


def test_no_interface_of_that_name_means_silence_and_an_orderly_end(desk: Desk) -> None:
    async def main() -> None:
        options = DiscoveryOptions(port=desk.options.port, interfaces=("nope0",))
        async with DiscoveryHost(desk.identity, options) as host, Neighbour("lo", options.port) as neighbour:
            assert host.addresses == ()
            neighbour.send(message())
            neighbour.send(message(), 4, "127.0.0.1")
            assert await neighbour.rest("ProbeMatches", within_s=0.5) == []

    asyncio.run(main())


def test_only_the_address_that_http_listens_on_is_told(desk: Desk) -> None:
    async def main() -> None:
        options = DiscoveryOptions(port=desk.options.port, listen="127.0.0.1")
        async with DiscoveryHost(desk.identity, options) as host:
            assert [str(address.ip) for address in host.addresses] == ["127.0.0.1"]

    asyncio.run(main())


def test_probes_by_http_count_on_where_those_by_udp_are(desk: Desk) -> None:
    body = next(xml.parse(message(), limit=10_000).iter("{http://schemas.xmlsoap.org/ws/2005/04/discovery}Probe"))
    answer = probe_answer(desk.identity, desk.options)
    before = desk.identity.next_sequence()
    matches, (block,) = answer(body, "http://192.0.2.1/x")
    assert xml.token(next(matches.iter("{*}XAddrs"))) == "http://192.0.2.1/x"
    assert f'MessageNumber="{before.message_number + 1}"'.encode() in block


@needs_ipv6
def test_both_families_are_heard_on_loopback(desk: Desk) -> None:
    async def job(host: DiscoveryHost, neighbour: Neighbour) -> None:
        assert {str(address.ip) for address in host.addresses} >= {"127.0.0.1", "::1"}

    desk.run(job)
