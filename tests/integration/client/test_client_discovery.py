"""How the service is found: which form of the probe is tried when, what is believed, and when it is found anew."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dsm_device.client import ScanServer, ServerOptions, TimeLimits
from dsm_device.client.discovery import Form, ask_by_datagram
from dsm_device.errors import ServerError, ServerFault, ServerProtocolError, ServerRefused, ServerUnreachable
from dsm_device.runner.server_memory import ServerMemory
from dsm_sim.certificates import Authority
from dsm_sim.peers import scan_server as sim
from tests.integration.client.raw_server import (
    SAMPLES,
    Connection,
    Conversation,
    RawServer,
    Request,
    envelope,
    fault,
    http,
    operation,
    server_context,
    serving,
    well_behaved,
)

pytestmark = pytest.mark.anyio

STABLE = "/StableWSDiscoveryEndpoint/schemas-xmlsoap-org_ws_2005_04_discovery"
LIMITS = TimeLimits(connect_s=5, silence_s=5, answer_s=5, probe_s=5, datagram_s=0.2)


def asked(server: RawServer) -> list[str]:
    return [f"{operation(request)} {request.path}" for request in server.requests]


async def refuse(connection: Connection, request: Request) -> None:
    await connection.send(http(b"", status=404))


def refusing(*paths: str, by: Callable[[Request], bytes] = lambda request: http(b"", status=404)) -> object:
    """A script that refuses probes at ``paths`` and does everything else well."""

    async def script(connection: Connection) -> None:
        while True:
            request = await connection.request()
            is_refused = operation(request) == "Probe" and request.path in paths
            await connection.send(by(request) if is_refused else well_behaved(request))

    return script


async def test_the_first_form_that_answers_is_enough(conversation: Conversation) -> None:
    async with conversation(refusing()) as (server, client):
        first, second = await client.locate(), await client.locate()
    assert first == second == f"https://localhost:{server.port}/ScanServer/5f0a2f4e-6d0b-4b0e-9c55-0a4c9d1f7e21"
    assert asked(server) == ["Probe /ScanServer", "Get /ScanServer"]


@pytest.mark.parametrize(
    "no",
    [
        lambda request: http(b"", status=404),
        lambda request: http(fault("ActionNotSupported", relates_to=request.message_id, prefix="a"), status=400),
        lambda request: http(b"<html/>", content_type="text/html"),
        lambda request: http(envelope("<d:Odd/>", relates_to=request.message_id)),
        lambda request: http(
            envelope(
                '<w:ProbeMatches xmlns:w="http://schemas.xmlsoap.org/ws/2005/04/discovery"/>',
                relates_to=request.message_id,
            )
        ),
        lambda request: well_behaved(request).replace(b"https://", b"http://s"),
        lambda request: well_behaved(request).replace(b"https://localhost:", b"https://example.c:"),
    ],
)
async def test_a_server_that_is_there_but_answers_otherwise_is_asked_at_the_path_of_windows(
    no: Callable[[Request], bytes], conversation: Conversation
) -> None:
    async with conversation(refusing("/ScanServer", by=no)) as (server, client):
        await client.locate()
    assert asked(server) == ["Probe /ScanServer", f"Probe {STABLE}", "Get /ScanServer"]


async def test_without_any_answer_the_usual_address_is_taken(conversation: Conversation) -> None:
    async with conversation(refusing("/ScanServer", STABLE)) as (server, client):
        await client.locate()
    assert asked(server) == ["Probe /ScanServer", f"Probe {STABLE}", "Get /ScanServer"]


async def test_what_answered_once_is_asked_first_the_next_time(conversation: Conversation) -> None:
    moved = True

    async def script(connection: Connection) -> None:
        nonlocal moved
        while True:
            request = await connection.request()
            if operation(request) == "EndPostScanJob" and moved:
                moved = False
                await connection.send(http(b"", status=404))
            elif request.path == "/ScanServer" and operation(request) == "Probe":
                await connection.send(http(b"", status=404))
            else:
                await connection.send(well_behaved(request))

    async with conversation(script) as (server, client):
        with pytest.raises(ServerRefused):
            await client.end_job("token")
        await client.end_job("token")
    paths = [each for each in asked(server) if not each.startswith("End")]
    assert paths == [
        "Probe /ScanServer",
        f"Probe {STABLE}",
        "Get /ScanServer",
        f"Probe {STABLE}",
        "Get /ScanServer",
    ]


@pytest.mark.parametrize(
    ("answer", "error", "is_forgotten"),
    [
        (lambda request: http(b"", status=404), ServerRefused, True),
        (
            lambda request: http(
                fault("DestinationUnreachable", relates_to=request.message_id, prefix="a"), status=400
            ),
            ServerFault,
            True,
        ),
        (
            lambda request: http(
                fault("ActionNotSupported", relates_to=request.message_id, prefix="a"), status=400
            ),
            ServerFault,
            True,
        ),
        (
            lambda request: http(
                fault("OperationFailed", relates_to=request.message_id, code="Receiver"), status=500
            ),
            ServerFault,
            False,
        ),
        (lambda request: http(b"", status=503), ServerRefused, False),
    ],
)
async def test_the_address_is_forgotten_when_the_service_has_moved(
    answer: Callable[[Request], bytes], error: type[ServerError], is_forgotten: bool, conversation: Conversation
) -> None:
    async def script(connection: Connection) -> None:
        while True:
            request = await connection.request()
            is_end = operation(request) == "EndPostScanJob"
            await connection.send(answer(request) if is_end else well_behaved(request))

    async with conversation(script) as (server, client):
        for _ in range(2):
            with pytest.raises(error):
                await client.end_job("token")
    assert [operation(request) for request in server.requests].count("Get") == (2 if is_forgotten else 1)


async def test_the_address_is_forgotten_when_nobody_is_there_any_more(
    trusting: ssl.SSLContext, authority: Authority, tmp_path: Path
) -> None:
    options = sim.ScanServerOptions(out=tmp_path / "1", tls=authority.folder)
    async with sim.ScanServer(options) as server:
        client = ScanServer(f"localhost:{server.port}", ServerOptions(limits=LIMITS), trusting)
        first = await client.locate()
    async with client:
        with pytest.raises(ServerUnreachable):
            await client.end_job("token")
        again = sim.ScanServerOptions(out=tmp_path / "2", tls=authority.folder, port=server.port)
        async with sim.ScanServer(again):
            assert await client.locate() != first


async def test_a_host_that_cannot_be_reached_is_not_asked_in_every_form(trusting: ssl.SSLContext) -> None:
    async def hang_up(connection: Connection) -> None:
        connection.reset()

    options = ServerOptions(limits=LIMITS)
    async with (
        serving(hang_up, None) as server,
        ScanServer(f"localhost:{server.port}", options, trusting) as client,
    ):
        with pytest.raises(ServerUnreachable):
            await client.locate()
    assert server.connections == 1


async def test_metadata_without_the_service_say_so(conversation: Conversation) -> None:
    async def script(connection: Connection) -> None:
        while True:
            request = await connection.request()
            answer = well_behaved(request)
            await connection.send(answer.replace(b"distributedscan/processing", b"distributedscan/elsewhere_"))

    async with conversation(script) as (_, client):
        with pytest.raises(ServerProtocolError, match="list no service for processing scans"):
            await client.locate()


@pytest.mark.parametrize("host", ["xn--0", "999.1.1.1"])
async def test_an_address_that_only_looks_like_one_is_refused(host: str, conversation: Conversation) -> None:
    """The first is no internationalised name, the second no IP address."""

    async def script(connection: Connection) -> None:
        while True:
            request = await connection.request()
            answer = well_behaved(request)
            if operation(request) == "Get":
                body = answer.partition(b"\r\n\r\n")[2].replace(b"https://localhost", f"https://{host}".encode())
                answer = http(body)
            await connection.send(answer)

    async with conversation(script) as (_, client):
        with pytest.raises(ServerProtocolError, match=f"address that cannot be used, https://{host}"):
            await client.end_job("token")


# --------------------------------------------------------------------------------- over restarts


@asynccontextmanager
async def unprobed(folder: Path, authority: Authority) -> AsyncIterator[sim.ScanServer]:
    """A server that answers no probe of any form."""
    options = sim.ScanServerOptions(
        out=folder,
        tls=authority.folder,
        probe_at_scan_server=False,
        probe_at_wsdapi_path=False,
        probe_by_udp=False,
    )
    async with sim.ScanServer(options) as server:
        yield server


async def test_what_a_silent_server_costs_is_paid_once(
    trusting: ssl.SSLContext, authority: Authority, tmp_path: Path
) -> None:
    """Each client is a device that was started anew."""
    async with unprobed(tmp_path / "server", authority) as server:
        for requests in ({"Probe": 1, "Get": 1}, {"Probe": 1, "Get": 2}, {"Probe": 1, "Get": 3}):
            memory = ServerMemory(tmp_path)
            repository = f"localhost:{server.port}"
            async with ScanServer(repository, ServerOptions(limits=LIMITS), trusting, memory) as client:
                await client.locate()
            assert server.report().requests == requests
    assert ServerMemory(tmp_path).recall(f"localhost:{server.port}") == "NOT_AT_ALL"


@pytest.mark.parametrize("form", [*(each.name for each in Form), "", "by pigeon"])
async def test_whatever_is_remembered_the_server_is_found(
    form: str, trusting: ssl.SSLContext, authority: Authority, tmp_path: Path
) -> None:
    """It answers at Windows' path alone, and to no Get at the usual address."""

    async def script(connection: Connection) -> None:
        while True:
            request = await connection.request()
            if request.path == "/ScanServer":
                await connection.send(http(b"", status=404))
            else:
                await connection.send(well_behaved(request).replace(b"/ScanServer<", b"/Elsewhere2<"))

    async with serving(script, server_context(authority.server(["localhost"]))) as server:
        memory = ServerMemory(tmp_path)
        repository = f"localhost:{server.port}"
        memory.remember(repository, form)
        async with ScanServer(repository, ServerOptions(limits=LIMITS), trusting, memory) as client:
            await client.locate()
        assert asked(server)[-2:] == [f"Probe {STABLE}", "Get /Elsewhere2"]
        assert memory.recall(repository) == "AT_STABLE_PATH"


async def test_what_is_remembered_and_not_allowed_any_more_is_not_done(
    trusting: ssl.SSLContext, authority: Authority, tmp_path: Path
) -> None:
    async with unprobed(tmp_path / "server", authority) as server:
        repository = f"localhost:{server.port}"
        memory = ServerMemory(tmp_path)
        memory.remember(repository, Form.BY_DATAGRAM.name)
        options = ServerOptions(probe=("https",), limits=LIMITS)
        async with ScanServer(repository, options, trusting, memory) as client:
            await client.locate()
        assert "Probe by UDP" not in server.report().requests


async def test_a_server_that_is_switched_off_is_asked_once_and_not_forgotten(
    trusting: ssl.SSLContext, authority: Authority, tmp_path: Path
) -> None:
    async with unprobed(tmp_path / "server", authority) as server:
        pass
    repository = f"localhost:{server.port}"
    memory = ServerMemory(tmp_path)
    memory.remember(repository, Form.NOT_AT_ALL.name)
    async with ScanServer(repository, ServerOptions(limits=LIMITS), trusting, memory) as client:
        with pytest.raises(ServerUnreachable):
            await client.locate()
    assert memory.recall(repository) == Form.NOT_AT_ALL.name


# ------------------------------------------------------------------------------------------- datagrams


@pytest.mark.parametrize(
    ("at_server_path", "at_stable_path", "probe", "requests"),
    [
        (True, True, ("https", "udp"), {"Probe": 1, "Get": 1}),
        (False, True, ("https", "udp"), {"Probe": 2, "Get": 1}),
        (False, False, ("https", "udp"), {"Probe": 1, "Probe by UDP": 1, "Get": 1}),
        (True, True, ("udp", "https"), {"Probe by UDP": 1, "Get": 1}),
        (True, True, ("udp",), {"Probe by UDP": 1, "Get": 1}),
        (True, True, (), {"Get": 1}),
    ],
)
async def test_every_order_of_forms_finds_a_simulated_server(
    at_server_path: bool,
    at_stable_path: bool,
    probe: tuple[str, ...],
    requests: dict[str, int],
    trusting: ssl.SSLContext,
    authority: Authority,
    tmp_path: Path,
) -> None:
    options = sim.ScanServerOptions(
        out=tmp_path,
        tls=authority.folder,
        probe_at_scan_server=at_server_path,
        probe_at_wsdapi_path=at_stable_path,
    )
    client_options = ServerOptions(probe=probe, limits=LIMITS)
    async with (
        sim.ScanServer(options) as server,
        ScanServer(f"localhost:{server.port}", client_options, trusting) as client,
    ):
        address = await client.locate()
        assert address.startswith(f"{server.address}/")
        assert server.report().requests == requests
        assert server.report().violations == ()


class Oracle(asyncio.DatagramProtocol):
    """Answers probes by UDP as a test has it, and counts them."""

    def __init__(
        self, answers: Callable[[str, int], list[bytes]], voice: asyncio.DatagramTransport | None
    ) -> None:
        self._answers = answers
        self._voice = voice
        self.message_ids: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._voice = self._voice or transport  # type: ignore[assignment]  # a datagram transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        found = re.search(rb"<wsa:MessageID>([^<]+)", data)
        assert found
        self.message_ids.append(found[1].decode())
        for answer in self._answers(self.message_ids[-1], len(self.message_ids)):
            assert self._voice is not None
            self._voice.sendto(answer, addr)


@asynccontextmanager
async def oracle(
    answers: Callable[[str, int], list[bytes]], voice: asyncio.DatagramTransport | None = None
) -> AsyncIterator[tuple[Oracle, int]]:
    """Listens at 127.0.0.1, or at 127.0.0.2 where it answers by another ``voice``."""
    made = Oracle(answers, voice)
    loop = asyncio.get_running_loop()
    host = "127.0.0.2" if voice else "127.0.0.1"
    endpoint, _ = await loop.create_datagram_endpoint(lambda: made, local_addr=(host, 0))
    try:
        yield made, endpoint.get_extra_info("sockname")[1]
    finally:
        endpoint.close()


def matches(message_id: str) -> bytes:
    text = (SAMPLES / "wire-probe-matches.xml").read_text()
    return text.replace("urn:uuid:00000000-0000-4000-8000-000000000011", message_id).encode()


async def test_a_datagram_is_repeated_once_and_its_answer_taken() -> None:
    async with oracle(lambda message_id, count: [matches(message_id)] if count == 2 else []) as (asked_one, port):
        answer = await ask_by_datagram(["127.0.0.1"], port, 0.05)
    assert answer is not None
    assert answer.relates_to == asked_one.message_ids[0]
    assert len(set(asked_one.message_ids)) == 1


async def test_nobody_answers() -> None:
    async with oracle(lambda message_id, count: []) as (asked_one, port):
        assert await ask_by_datagram(["127.0.0.1", "::1"], port, 0.05) is None
    assert len(asked_one.message_ids) == 2


async def test_only_the_answer_to_the_probe_is_taken_from_the_noise() -> None:
    def noise(message_id: str, _count: int) -> list[bytes]:
        without = re.sub(rb"<wsa:RelatesTo>.*?</wsa:RelatesTo>", b"", matches(message_id))
        return [
            b"",
            b"\xff" * 60_000,
            matches("urn:uuid:other"),
            without,
            matches(message_id),
            matches(message_id),
        ]

    async with oracle(noise) as (asked_one, port):
        answer = await ask_by_datagram(["127.0.0.1"], port, 5)
    assert answer is not None
    assert answer.relates_to == asked_one.message_ids[0]


@pytest.mark.parametrize(("answers_from", "is_taken"), [("127.0.0.2", True), ("127.0.0.1", False)])
async def test_an_answer_may_come_from_another_port_but_not_from_another_address(
    answers_from: str, is_taken: bool
) -> None:
    loop = asyncio.get_running_loop()
    other, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(answers_from, 0))
    async with oracle(lambda message_id, count: [matches(message_id)], other) as (asked_one, port):
        answer = await ask_by_datagram(["127.0.0.2"], port, 5 if is_taken else 0.05)
    other.close()
    assert asked_one.message_ids
    assert (answer is not None) is is_taken
