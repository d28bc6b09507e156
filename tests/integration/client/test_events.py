"""Events of a simulated scan server on their way through sink and board to the job that waits for them."""

from __future__ import annotations

import asyncio
import http.client
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from dsm_device.client import ScanServer, ServerOptions
from dsm_device.client.subscription import SubscriptionOptions
from dsm_device.errors import ConfigurationError
from dsm_device.runner.event_board import EventBoard
from dsm_device.runner.outcome_words import Verdict, verdict
from dsm_device.runner.server_events import ServerEvents
from dsm_device.server import EventSink, SinkOptions
from dsm_device.server.door_ports import DoorPorts, PortOptions
from dsm_device.server.front_door import About, FrontDoor, Reply
from dsm_device.wire.eventing import SubscriptionEnd
from dsm_device.wire.processing import JobStatus
from dsm_sim.certificates import Authority
from dsm_sim.peers import scan_server as sim
from dsm_sim.peers.scan_server.misbehaviour import AnswerFault
from tests.integration.client.raw_server import SAMPLES, instructions
from tests.integration.client.sent_file import SentFile

pytestmark = pytest.mark.anyio

PSP = "6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11"
SID = "S-1-5-21-1085031214-1563985344-725345543-1107"
STATUS, END = "PostScanJobStatusEvent", "PostScanJobEndStateEvent"
HASTY = SubscriptionOptions(first_wait_s=0.05, max_wait_s=0.2, start_limit_s=10)
LOOPBACK = SinkOptions(host="127.0.0.1")
SAMPLE_EVENT = (SAMPLES / "dsp-post-scan-job-status-event.xml").read_bytes()


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.png"
    Image.new("L", (60, 80), 200).save(path)
    return path


@contextmanager
def server_with(
    authority: Authority, folder: Path, *plan: sim.Fault, **options: object
) -> Iterator[sim.RunningScanServer]:
    given = sim.ScanServerOptions(out=folder / "out", tls=authority.folder, plan=plan, **options)  # type: ignore[arg-type]
    with sim.running_scan_server(given) as server:
        yield server


class Device:
    """What a device has at one scan server."""

    def __init__(self, client: ScanServer, events: ServerEvents, board: EventBoard, sink: EventSink) -> None:
        self.client = client
        self.events = events
        self.board = board
        self.sink = sink

    async def run_job(self, page: Path) -> str:
        token = await self.client.create_job(SID, PSP, instructions())
        await self.client.send_image(token, 1, "png", SentFile(page))
        await self.client.end_job(token)
        return token

    async def outcome(self, token: str) -> tuple[list[str], JobStatus]:
        """The states that were told of the job, and the last status."""
        states: list[str] = []
        while True:
            status = await self.events.next_status(token, 20)
            assert status is not None, states
            states.append(status.state)
            if status.is_final:
                return states, status


@asynccontextmanager
async def device_at(
    server: sim.RunningScanServer,
    context: ssl.SSLContext,
    sink_options: SinkOptions = LOOPBACK,
    options: SubscriptionOptions = HASTY,
    address: str = "",
    sink: EventSink | None = None,
) -> AsyncIterator[Device]:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(ScanServer(f"localhost:{server.port}", ServerOptions(), context))
        sink = sink or EventSink(sink_options)
        stack.push_async_callback(sink.aclose)
        board = EventBoard()
        # "localhost" may be ::1 first, where the sink of a test does not listen.
        events = ServerEvents(client, sink, board, address=address or "127.0.0.1", options=options)
        stack.push_async_callback(events.aclose)
        yield Device(client, events, board, sink)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(holds):
            pass


async def test_a_job_hears_of_itself_to_the_end(
    tmp_path: Path, page: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    with server_with(authority, tmp_path) as server:
        async with device_at(server, trusting) as device:
            assert await device.events.subscribe()
            _, last = await device.outcome(await device.run_job(page))
            assert last.state == "Completed"
            assert last.images_received == 1
            assert verdict(last) is Verdict.SUCCESS
            assert await device.events.subscribe()
        report = server.report()
    (subscription,) = report.subscriptions
    assert (subscription.ended, subscription.failed) == ("Unsubscribed", 0)
    assert set(subscription.actions) == {STATUS, END}
    assert report.violations == ()


@pytest.mark.parametrize(
    "plan",
    [
        [sim.Fault(STATUS, 1, sim.OvertakeAnswer())],
        [sim.Fault(END, 1, sim.OvertakeAnswer())],
        [sim.Fault(STATUS, 2, sim.MalformEvent())],
        [sim.Fault(STATUS, None, sim.MalformEvent())],
        [sim.Fault(STATUS, None, sim.UnknownJob()), sim.Fault(END, None, sim.UnknownJob())],
        [sim.Fault(STATUS, None, sim.WrongNamespace()), sim.Fault(END, None, sim.WrongNamespace())],
        [sim.Fault(STATUS, None, sim.DuplicateEvent(3)), sim.Fault(END, None, sim.DuplicateEvent(3))],
        [sim.Fault(STATUS, 3, sim.SwapEvent())],
        [sim.Fault(END, None, sim.DropEvent())],
        [sim.Fault(STATUS, None, sim.DropEvent())],
    ],
    ids=lambda plan: "+".join(f"{each.operation[11:-5]}-{type(each.action).__name__}-{each.nth}" for each in plan),
)
async def test_whatever_goes_wrong_with_events_the_outcome_is_heard_once(
    plan: list[sim.Fault], tmp_path: Path, page: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    with server_with(authority, tmp_path, *plan) as server:
        async with device_at(server, trusting) as device:
            assert await device.events.subscribe()
            token = await device.run_job(page)
            _, last = await device.outcome(token)
            assert verdict(last) is Verdict.SUCCESS
            await asyncio.to_thread(server.report)
            assert await device.events.next_status(token, 0.05) is None
        assert not [each for each in server.report().violations if "event" in str(each).lower()]


async def test_an_event_that_overtakes_the_answer_is_kept_for_it(
    tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    with server_with(authority, tmp_path, sim.Fault(STATUS, 1, sim.OvertakeAnswer(10))) as server:
        async with device_at(server, trusting) as device:
            assert await device.events.subscribe()
            token = await device.client.create_job(SID, PSP, instructions())
            status = await device.events.next_status(token, 0)
            assert status is not None
            assert status.state == "Creating"


@pytest.mark.parametrize("status", ["DeliveryFailure", "SourceShuttingDown", "SourceCanceling"])
async def test_a_subscription_that_the_server_ends_is_made_anew(
    status: str, tmp_path: Path, page: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    end = sim.EndSubscription(status)  # type: ignore[arg-type]
    with server_with(authority, tmp_path, sim.Fault(END, 1, end)) as server:
        async with device_at(server, trusting) as device:
            assert await device.events.subscribe()
            await device.outcome(await device.run_job(page))
            await until(lambda: [each.ended for each in server.report().subscriptions] == [status, ""])
            assert await device.events.subscribe()
            await device.outcome(await device.run_job(page))
        assert [each.ended for each in server.report().subscriptions] == [status, "Unsubscribed"]


@pytest.mark.parametrize("form", ["identifier", "opaque", "property", "path"])
@pytest.mark.parametrize("expires", ["duration", "date-time"])
async def test_it_is_renewed_whatever_names_it(
    form: str, expires: str, tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    personality = replace(sim.personality("strict"), manager_form=form, expires_form=expires)
    renewed = sim.Fault("Renew", 3, AnswerFault("wse:UnableToRenew"))
    options = {"personality": personality, "longest_subscription_s": 1.0}
    with server_with(authority, tmp_path, renewed, **options) as server:
        async with device_at(server, trusting) as device:
            assert await device.events.subscribe()
            await until(lambda: len(server.report().subscriptions) == 2)
            # Given up before it was made anew, so that nothing comes twice.
            first, second = server.report().subscriptions
            assert (first.ended, second.ended) == ("Unsubscribed", "")
        assert server.report().violations == ()


@pytest.mark.parametrize(
    ("plan", "choices"),
    [
        ([sim.Fault("Subscribe", 1, AnswerFault("wse:FilteringRequestedUnavailable"))], [{STATUS}, {END}]),
        (
            [
                sim.Fault("Subscribe", number, AnswerFault("wse:FilteringNotSupported", code="Sender"))
                for number in (1, 2)
            ],
            [{STATUS, END}],
        ),
        ([sim.Fault("Subscribe", 1, AnswerFault("wse:UnsupportedExpirationType"))], [{STATUS, END}]),
        ([sim.Fault("Subscribe", 1, AnswerFault("wse:InvalidExpirationTime"))], [{STATUS, END}]),
    ],
    ids=["each-alone", "all", "no-type", "no-time"],
)
async def test_it_asks_for_less_where_that_is_refused(
    plan: list[sim.Fault],
    choices: list[set[str]],
    tmp_path: Path,
    page: Path,
    authority: Authority,
    trusting: ssl.SSLContext,
) -> None:
    with server_with(authority, tmp_path, *plan) as server:
        async with device_at(server, trusting) as device:
            assert await device.events.subscribe()
            assert [set(each.actions) for each in server.report().subscriptions] == choices
            _, last = await device.outcome(await device.run_job(page))
            assert verdict(last) is Verdict.SUCCESS
        assert {each.ended for each in server.report().subscriptions} == {"Unsubscribed"}


async def test_a_server_that_cannot_now_is_asked_later(
    tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    busy = sim.Fault("Subscribe", 1, AnswerFault("wse:EventSourceUnableToProcess", code="Receiver"))
    with server_with(authority, tmp_path, busy) as server:
        async with device_at(server, trusting) as device:
            assert not await device.events.subscribe()
            assert await device.events.subscribe()


async def test_a_server_without_events_costs_a_job_nothing(
    tmp_path: Path, page: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    with server_with(authority, tmp_path, has_events=False) as server:
        async with device_at(server, trusting) as device:
            assert not await device.events.subscribe()
            assert await device.events.next_status(await device.run_job(page), 0.05) is None
        assert [job.state for job in server.jobs] == ["Completed"]


async def test_a_server_that_is_not_there_costs_a_job_nothing(
    tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    with server_with(authority, tmp_path) as server:
        async with device_at(server, trusting) as device:
            server.stop()
            assert not await device.events.subscribe()
            server.start()
            assert await device.events.subscribe()


async def test_a_server_that_forgot_everything_is_subscribed_to_anew(
    tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    with server_with(authority, tmp_path, longest_subscription_s=1.0) as server:
        async with device_at(server, trusting) as device:
            assert await device.events.subscribe()
            server.restart(remember=False)
            await until(lambda: any(not each.ended for each in server.report().subscriptions))


async def test_neither_beginning_nor_end_waits_for_a_server_that_says_nothing(
    tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    mute = [sim.Fault(each, 1, sim.Stall()) for each in ("Subscribe", "Unsubscribe")]
    brief = replace(HASTY, start_limit_s=0.2, close_limit_s=0.2)
    async with asyncio.timeout(20):
        with server_with(authority, tmp_path, mute[0]) as server:
            async with device_at(server, trusting, options=brief) as device:
                assert not await device.events.subscribe()
        with server_with(authority, tmp_path, mute[1]) as server:
            async with device_at(server, trusting, options=brief) as device:
                await until_subscribed(device)


async def test_a_subscribe_that_is_on_its_way_at_the_end_leaves_no_subscription_behind(
    tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    with server_with(authority, tmp_path, sim.Fault("Subscribe", 1, sim.Stall(0.5))) as server:
        async with device_at(server, trusting, options=replace(HASTY, start_limit_s=0)) as device:
            assert not await device.events.subscribe()
        (subscription,) = server.report().subscriptions
        assert subscription.ended == "Unsubscribed"


async def until_subscribed(device: Device) -> None:
    while not await device.events.subscribe():
        pass


async def test_over_https_where_the_sink_has_a_certificate(
    tmp_path: Path, page: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    credentials = authority.server(["localhost"])
    options = SinkOptions("127.0.0.1", certificate=str(credentials.certificate), key=str(credentials.key))
    sinks = sim.SinkOptions(ca_file=authority.ca_file)
    with server_with(authority, tmp_path, sinks=sinks) as server:
        async with device_at(server, trusting, options, address="localhost") as device:
            assert await device.events.subscribe()
            await device.outcome(await device.run_job(page))
        (subscription,) = server.report().subscriptions
        assert subscription.notify_to.startswith("https://localhost:")


async def test_through_the_door_of_the_console_as_well(
    tmp_path: Path, page: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    """The sink has no port of its own then."""
    sink = EventSink()
    door = FrontDoor(Nobody(), sink, lambda: About("Front desk", "DSM"))
    async with DoorPorts(door, PortOptions("127.0.0.1", 0, 0)) as ports:
        sink.served_at("http", ports.http_port)
        with server_with(authority, tmp_path) as server:
            async with device_at(server, trusting, sink=sink) as device:
                assert await device.events.subscribe()
                _, last = await device.outcome(await device.run_job(page))
                assert verdict(last) is Verdict.SUCCESS
            (subscription,) = server.report().subscriptions
        assert subscription.notify_to.startswith(f"http://127.0.0.1:{ports.http_port}/")
        assert subscription.failed == 0


class Nobody:
    """No service of SOAP."""

    def serves(self, path: str) -> bool:
        return False

    async def answer(self, data: bytes, path: str, base_url: str, peer_host: str) -> Reply:
        raise AssertionError(path)


async def test_the_address_is_the_one_that_faces_the_server(
    tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    with server_with(authority, tmp_path) as server:
        async with device_at(server, trusting) as device:
            own = ServerEvents(device.client, device.sink, device.board, options=HASTY)
            assert await own.subscribe()
            (subscription,) = server.report().subscriptions
            assert subscription.notify_to.startswith(("http://127.0.0.1:", "http://[::1]:"))
            await own.aclose()
            assert not await own.subscribe()


# ------------------------------------------------------------------------------------------- the sink


def _post(port: int, path: str, body: bytes, method: str = "POST", **headers: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


async def test_what_the_sink_answers() -> None:
    told: list[JobStatus | SubscriptionEnd] = []
    async with EventSink(LOOPBACK) as sink:
        path = sink.open(told.append)
        assert path != sink.open(told.append)

        async def post(path: str, body: bytes, **more: str) -> tuple[int, bytes]:
            return await asyncio.to_thread(_post, sink.port, path, body, **more)

        assert await post(path, SAMPLE_EVENT) == (202, b"")
        assert await post(path, b"<broken") == (202, b"")
        assert await post(path, b'<!DOCTYPE a [<!ENTITY b "c">]>' + SAMPLE_EVENT.partition(b"?>")[2]) == (202, b"")
        assert (await post(path + "x", SAMPLE_EVENT))[0] == 404
        assert (await post("/", SAMPLE_EVENT))[0] == 404
        assert (await post(path, b"", method="GET"))[0] == 405
        assert (await post(path, b"", **{"Content-Length": "1048577"}))[0] == 413
        sink.close(path)
        assert (await post(path, SAMPLE_EVENT))[0] == 404
    assert [type(each) for each in told] == [JobStatus]


async def test_the_sink_bears_no_slow_and_no_endless_message() -> None:
    async with EventSink(SinkOptions("127.0.0.1", max_octets=100_000, message_s=0.3)) as sink:
        path = sink.open(lambda _: None)
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\n"

        async def answer(sent: str) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
            writer.write(sent.encode())
            async with asyncio.timeout(10):
                said = await reader.read()
            writer.close()
            return said

        assert b" 408 " in await answer(head + "Content-Length: 10\r\n\r\nabc")
        assert b" 413 " in await answer(head + "Transfer-Encoding: chunked\r\n\r\n1A000\r\n" + "x" * 0x1A000)
        assert await answer(head) == b""
        assert await answer("") == b""


async def test_the_sink_leaves_signals_alone_and_says_what_is_wrong(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with EventSink(LOOPBACK) as sink:
        await sink.start()
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
        with pytest.raises(ConfigurationError, match=str(sink.port)):
            await EventSink(SinkOptions("127.0.0.1", sink.port)).start()
    with pytest.raises(ConfigurationError, match="certificate"):
        await EventSink(SinkOptions("127.0.0.1", certificate=str(tmp_path / "none.pem"))).start()
