"""Who is let in, how many at a time, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import time
from contextlib import AsyncExitStack

import pytest

from dsm_device.errors import ConfigurationError
from dsm_device.server.door_ports import DoorPorts, PortOptions
from dsm_device.server.front_door import DoorOptions
from dsm_device.server.http_server import HttpOptions
from dsm_device.server.networks import Networks
from dsm_device.server.places import PlaceLimits
from tests.integration.door.knocking import PATIENCE_S, Client, ask, connected, open_door, parse, request, until

pytestmark = pytest.mark.anyio

BRIEF = HttpOptions(head_s=0.3, exchange_s=0.6, idle_s=0.3)
FEW = HttpOptions(places=PlaceLimits(total=4, per_host=3))


# -------------------------------------------------------------------------------------------------- time


async def is_cut_off(client: Client, *, within_s: float) -> bytes:
    """What came until then."""
    began = time.monotonic()
    octets = await client.rest()
    assert time.monotonic() - began < within_s + 2
    return octets


@pytest.mark.parametrize(
    "start", [b"", b"P", b"POST /scan HTTP/1.1\r\nhost: x\r\nx: "], ids=["none", "one", "some"]
)
async def test_a_head_that_does_not_come(start: bytes) -> None:
    async with open_door(BRIEF) as door, connected(door.port) as client:
        await client.send(start)
        assert await is_cut_off(client, within_s=0.3) == b""


async def test_a_head_that_trickles() -> None:
    async with open_door(BRIEF) as door, connected(door.port) as client:

        async def trickle() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    await client.send(b"x")
                    await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        assert await is_cut_off(client, within_s=0.3) == b""
        trickling.cancel()


async def test_a_later_head_that_does_not_come() -> None:
    async with open_door(HttpOptions(head_s=0.3)) as door:
        for first, later in ((request(), b"POST /scan HT"), (request() + b"POST /scan", b" ")):
            async with connected(door.port) as client:
                await client.send(first)
                assert (await client.answer()).status == 200
                await client.send(later)
                assert await is_cut_off(client, within_s=0.3) == b""


async def test_a_head_that_has_come_with_the_request_before_it_has_its_time_too() -> None:
    async with open_door(HttpOptions(head_s=0.3)) as door, connected(door.port) as client:
        await client.send(request() + b"POST /scan")
        assert (await client.answer()).status == 200
        assert await is_cut_off(client, within_s=0.3) == b""


async def test_a_connection_that_does_nothing_is_closed() -> None:
    async with open_door(HttpOptions(idle_s=0.3)) as door, connected(door.port) as client:
        await client.send(request())
        assert (await client.answer()).status == 200
        assert await is_cut_off(client, within_s=0.3) == b""


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_does_not_come_is_answered(chunked: bool) -> None:
    fields = {"content_length": None, "transfer_encoding": "chunked"} if chunked else {"content_length": "9"}
    async with open_door(options=DoorOptions(body_s=0.2)) as door, connected(door.port) as client:
        await client.send(request(b"1\r\n" if chunked else b"<a/>", **fields))
        answer = parse(await is_cut_off(client, within_s=0.3))
        assert (answer.status, answer.head["connection"]) == (408, "close")
        assert door.service.asked == []


async def test_a_body_that_trickles_is_answered() -> None:
    async with open_door(options=DoorOptions(body_s=0.2)) as door, connected(door.port) as client:
        await client.send(request(b"", content_length="30000"))

        async def trickle() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    await client.send(b"x")
                    await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        assert parse(await is_cut_off(client, within_s=0.3)).status == 408
        trickling.cancel()


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    """Its answers stay with us, and so would the connection."""
    async with open_door(BRIEF) as door:
        door.service.reply = type(door.service.reply)(200, b"x" * 3_000_000)
        deaf = socket.create_connection(("127.0.0.1", door.port))
        with deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sendall(request())
            await until(lambda: door.service.asked and not door.ports.connections)


async def test_a_service_that_takes_its_time_is_not_cut_off_before_it_has_had_it() -> None:
    async with open_door(HttpOptions(head_s=0.1, idle_s=0.1)) as door, connected(door.port) as client:
        door.service.held = asyncio.Event()
        await client.send(request())
        asyncio.get_running_loop().call_later(0.4, door.service.held.set)
        assert (await client.answer()).status == 200


# ------------------------------------------------------------------------------------------------- places


async def test_one_more_than_there_are_places() -> None:
    """16, 8 of them for one address: the seventeenth is turned away while the others are at it."""
    async with open_door() as door, AsyncExitStack() as stack:
        door.service.held = asyncio.Event()
        clients = []
        for source in ["127.0.0.2"] * 8 + ["127.0.0.3"] * 8:
            client = await stack.enter_async_context(connected(door.port, source=source))
            await client.send(request())
            clients.append(client)
        await until(lambda: len(door.service.asked) == 16)
        for source in ("127.0.0.2", "127.0.0.4"):
            async with connected(door.port, source=source) as client:
                refused = parse(await client.rest())
                assert (refused.status, refused.head["connection"]) == (503, "close")
        door.service.held.set()
        assert [(await client.answer()).status for client in clients] == [200] * 16
        async with connected(door.port, source="127.0.0.4") as client:
            await client.send(request())
            assert (await client.answer()).status == 200
    assert len(door.service.asked) == 17


async def test_no_address_takes_all_places() -> None:
    async with open_door(FEW) as door, AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(connected(door.port, source="127.0.0.2"))
        await until(lambda: door.ports.connections == 3)
        async with connected(door.port, source="127.0.0.2") as client:
            assert parse(await client.rest()).status == 503
        async with connected(door.port, source="127.0.0.3") as client:
            await client.send(request())
            assert (await client.answer()).status == 200


async def test_who_does_nothing_makes_room() -> None:
    async with open_door(FEW) as door, AsyncExitStack() as stack:
        clients = []
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.2"):
            client = await stack.enter_async_context(connected(door.port, source=source))
            await client.send(request())
            assert (await client.answer()).status == 200
            clients.append(client)
        for source, leaving in (("127.0.0.2", 0), ("127.0.0.4", 1)):
            client = await stack.enter_async_context(connected(door.port, source=source))
            await client.send(request())
            assert (await client.answer()).status == 200
            assert await clients[leaving].rest() == b""
        for client in clients[2:]:
            await client.send(request())
            assert (await client.answer()).status == 200


async def test_who_has_a_second_request_under_way_stays() -> None:
    async with open_door(HttpOptions(places=PlaceLimits(1, 1))) as door, connected(door.port) as client:
        await client.send(request())
        assert (await client.answer()).status == 200
        door.service.held = asyncio.Event()
        await client.send(request())
        await until(lambda: len(door.service.asked) == 2)
        async with connected(door.port) as another:
            assert parse(await another.rest()).status == 503
        door.service.held.set()
        assert (await client.answer()).status == 200


async def test_a_place_is_free_again_however_its_connection_ends() -> None:
    ends = [b"", b"nonsense\r\n\r\n", request(path="/x"), request(connection="close"), request(b"x" * 40_000)]
    async with open_door(FEW) as door:
        for octets in ends * 4:
            async with connected(door.port) as client:
                await client.send(octets)
                if octets:
                    await client.rest()
        await until(lambda: door.ports.connections == 0)
        assert (await ask(door.port, request())).status == 200


async def test_without_file_descriptors_it_waits_for_some(caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    await until(lambda: True)  # the test's own threads and modules are there
    async with open_door() as door:
        with socket.socket() as waiting:
            waiting.setblocking(False)
            resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno() + 1, hard))
            try:
                await asyncio.get_running_loop().sock_connect(waiting, ("127.0.0.1", door.port))
                await until(lambda: "no connection can be taken" in caplog.text)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            waiting.send(request())
            async with asyncio.timeout(PATIENCE_S):
                octets = await asyncio.get_running_loop().sock_recv(waiting, 1000)
            assert parse(octets).status == 200


# ----------------------------------------------------------------------------------------------- networks


async def test_only_the_networks_that_are_listed_come() -> None:
    allowed = Networks.of(["127.0.0.4", "127.1.0.0/16", "::1/128"])
    async with open_door(HttpOptions(networks=allowed), listen="") as door:
        for source, may in (("127.0.0.4", True), ("127.1.2.3", True), ("127.0.0.5", False), ("127.2.0.1", False)):
            async with connected(door.port, source=source) as client:
                await client.send(request())
                octets = await client.rest() if not may else b""
                assert octets == b""
                if may:
                    assert (await client.answer()).status == 200
        assert (await ask(door.port, request(), "::1")).status == 200
    assert [asked[3] for asked in door.service.asked] == ["127.0.0.4", "127.1.2.3", "::1"]


async def test_ipv4_only_shuts_out_ipv6() -> None:
    async with open_door(HttpOptions(networks=Networks.of(["0.0.0.0/0"])), listen="0.0.0.0") as door:
        async with connected(door.port, "::1") as client:
            assert await client.rest() == b""
        assert (await ask(door.port, request())).status == 200


# -------------------------------------------------------------------------------------------------- ports


async def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    async with open_door() as door:
        with pytest.raises(ConfigurationError) as caught:
            await DoorPorts(door.ports.application, PortOptions("127.0.0.1", door.port)).start()
        told = str(caught.value)
        assert "\n" not in told
        assert f"port {door.port} of 127.0.0.1 is taken by another program, such as wsdd" in told
        assert "console.http_port" in told
    assert caught.value.exit_code == 2


async def test_what_is_no_address() -> None:
    async with open_door() as door:
        with pytest.raises(ConfigurationError, match="address"):
            await DoorPorts(door.ports.application, PortOptions("not an address", 0)).start()


async def test_it_stops_at_once_even_with_clients_that_hang_on() -> None:
    async with AsyncExitStack() as stack:
        async with open_door() as door:
            door.service.held = asyncio.Event()
            for octets in (b"", b"POST", request(), request(b"", content_length="4")):
                client = await stack.enter_async_context(connected(door.port))
                await client.send(octets)
            await until(lambda: len(door.service.asked) == 1)
            began = time.monotonic()
        assert time.monotonic() - began < 3
        with pytest.raises(ConnectionError):
            await ask(door.port or door.sink.port, request())


async def test_an_answer_under_way_is_brought_to_its_end() -> None:
    async with open_door() as door, connected(door.port) as client:
        door.service.held = asyncio.Event()
        await client.send(request())
        await until(lambda: door.service.asked)
        closing = asyncio.create_task(door.ports.aclose())
        await asyncio.sleep(0)
        door.service.held.set()
        await closing
        assert (await client.answer()).status == 200
