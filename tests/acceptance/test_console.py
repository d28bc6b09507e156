"""A console beside a working agent: what it is told while things happen. It is strict about each message."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass

import httpx
import pytest
from lxml import etree

from dsm_sim.certificates import create_authority
from dsm_sim.held_port import HeldPort
from dsm_sim.peers.console import Console, ConsoleOptions, Device, DiscoveryOptions, Event, Subscription
from dsm_sim.peers.console.eventing import ENDED

from .conftest import Desk, MakeDesk
from .test_agent import agent

LIMIT_S = 30
WSCN = "{http://schemas.microsoft.com/windows/2006/08/wdp/scan}"


@dataclass
class Watched:
    """A desk whose agent listens on a known port, and what a console at it hears."""

    desk: Desk
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def watched(make_desk: MakeDesk) -> Iterator[Watched]:
    with make_desk() as desk, closing(HeldPort("127.0.0.1", 0)) as held:
        console = {"listen": "127.0.0.1", "http_port": held.number, "discovery": False}
        desk.configure(console=console, panel={"port": 0}, metrics={"port": 0})
        yield Watched(desk, held.number)


@asynccontextmanager
async def console_at(watched: Watched) -> AsyncIterator[tuple[Console, Device]]:
    """Fails at the end where any message was not as it must be."""
    async with Console(ConsoleOptions()) as console:
        yield console, await console.find(watched.address)
        assert [str(finding) for finding in console.findings.kept] == []


def play(watched: Watched, scene: Callable[[subprocess.Popen[str]], Awaitable[None]]) -> None:
    with agent(watched.desk) as process:
        asyncio.run(asyncio.wait_for(scene(process), 2 * LIMIT_S))


async def heard_until(subscription: Subscription, last: str) -> list[Event]:
    """All events up to the first of that name."""
    events: list[Event] = []
    while not events or events[-1].name != last:
        events.append(await asyncio.wait_for(subscription.events.get(), LIMIT_S))
    return events


def text(element: etree._Element | None, local: str) -> str:
    """Of the first element of that name, in whatever namespace."""
    found = [] if element is None else element.xpath(f".//*[local-name()='{local}']")
    return found[0].text or "" if found else ""


SOAP_TYPE = "application/soap+xml; charset=utf-8"
#: With an EndTo, so that it is told of the end.
SUBSCRIBE = """<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"
 xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:wse="http://schemas.xmlsoap.org/ws/2004/08/eventing"><soap:Header><wsa:To>{to}</wsa:To>
 <wsa:Action>http://schemas.xmlsoap.org/ws/2004/08/eventing/Subscribe</wsa:Action>
 <wsa:MessageID>urn:uuid:6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7</wsa:MessageID></soap:Header><soap:Body>
 <wse:Subscribe><wse:EndTo><wsa:Address>{sink}</wsa:Address></wse:EndTo>
 <wse:Delivery><wse:NotifyTo><wsa:Address>{sink}</wsa:Address></wse:NotifyTo></wse:Delivery>
 <wse:Expires>PT1H</wse:Expires></wse:Subscribe></soap:Body></soap:Envelope>"""
SMALL = ["--set", "MediaFront/Resolution=75", "--set", "MediaFront/ColorProcessing=Grayscale8"]


@pytest.mark.parametrize("service", [0, 1], ids=["first", "second"])
def test_a_job_is_followed_from_its_start_to_its_end(watched: Watched, service: int):
    async def scene(_: subprocess.Popen[str]) -> None:
        async with console_at(watched) as (console, device):
            sink = await console.open_sink(device)
            async with Subscription(device.services[service], sink, 600) as subscription:
                outcome = await asyncio.to_thread(watched.desk.scan, *SMALL)
                assert outcome.code == 0, outcome.err
                events = await heard_until(subscription, "JobEndStateEvent")
            jobs = [each.body for each in events if each.name == "JobStatusEvent"]
            assert [text(body, "JobState") for body in jobs][:2] == ["Started", "Processing"]
            pages = len(outcome.events("page"))
            assert [int(text(body, "ScansCompleted")) for body in jobs[1:]] == [*range(pages + 1), pages]
            assert text(jobs[-1], "JobState") == "Completed"
            summaries = [each.body for each in events if each.name == "ScannerStatusSummaryEvent"]
            assert [text(body, "ScannerState") for body in summaries][-2:] == ["Processing", "Idle"]
            number = int(text(jobs[0], "JobId"))
            (past,) = await device.service.job_history()
            assert (text(past, "JobId"), text(past, "JobName")) == (str(number), "Demo")
            elements = await device.service.job_elements(number)
            assert text(elements["ScanTicket"], "JobOriginatingUserName") == "amelie"
            assert len(elements["Documents"].findall(f".//{WSCN}Document")) == pages

    play(watched, scene)


def test_a_cancelled_job_is_told_as_such(watched: Watched):
    watched.desk.configure(scanner_options={"read-delay": True, "read-delay-duration": 20000})

    async def scene(_: subprocess.Popen[str]) -> None:
        async with console_at(watched) as (console, device):
            sink = await console.open_sink(device)
            async with Subscription(device.service, sink, 600) as subscription:
                with watched.desk.start("--json", "scan", "--process", "Demo", *SMALL) as client:
                    await heard_until(subscription, "JobStatusEvent")
                    (active,) = await device.service.active_jobs()
                    assert text(active, "JobState") in ("Started", "Processing")
                    client.send_signal(signal.SIGINT)
                    await asyncio.to_thread(client.communicate)
                end = (await heard_until(subscription, "JobEndStateEvent"))[-1].body
                assert text(end, "JobCompletedState") == "Canceled"
                assert text(end, "JobStateReason") == "JobCanceledAtDevice"

    play(watched, scene)


def test_a_ticket_is_held_against_the_scanner(watched: Watched):
    async def scene(_: subprocess.Popen[str]) -> None:
        async with console_at(watched) as (_console, device):
            elements = await device.service.scanner_elements()
            default = elements["DefaultScanTicket"]
            info = await device.service.validate(default)
            assert text(info, "ValidTicket") == "true"
            assert int(text(info, "PixelsPerLine")) > 0

    play(watched, scene)


def test_who_renames_the_device_is_believed_at_once(watched: Watched):
    """By SIGHUP; the metadata's version rises, and subscribers hear of it."""

    async def scene(process: subprocess.Popen[str]) -> None:
        async with console_at(watched) as (console, device):
            sink = await console.open_sink(device)
            async with Subscription(device.service, sink, 600) as subscription:
                watched.desk.configure(device={"name": "Second floor", "location": "By the stairs"})
                process.send_signal(signal.SIGHUP)
                changed = (await heard_until(subscription, "ScannerElementsChangeEvent"))[-1].body
                while not text(changed, "ScannerName"):
                    changed = (await heard_until(subscription, "ScannerElementsChangeEvent"))[-1].body
                assert text(changed, "ScannerName") == "Second floor"
                assert text(changed, "ScannerLocation") == "By the stairs"
            again = await console.find(watched.address)
            assert again.metadata.name == "Second floor"

    play(watched, scene)


def test_a_stopped_device_takes_its_leave(watched: Watched):
    async def scene(process: subprocess.Popen[str]) -> None:
        async with console_at(watched) as (console, device):
            sink = await console.open_sink(device)
            async with Subscription(device.service, sink, 600) as subscription:
                began_s = time.monotonic()
                process.send_signal(signal.SIGTERM)
                await heard_until(subscription, ENDED)
                assert await asyncio.to_thread(process.wait, LIMIT_S) == 0
                assert time.monotonic() - began_s < 5

    play(watched, scene)


def test_nobody_who_is_slow_keeps_it_from_stopping(watched: Watched):
    """Subscribers that take events and never answer, and clients that send a request one octet at a time."""

    async def scene(process: subprocess.Popen[str]) -> None:
        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                await reader.read()
            writer.close()

        async with await asyncio.start_server(mute, "127.0.0.1", 0) as server, console_at(watched) as (_, device):
            host, port = server.sockets[0].getsockname()
            question = f"{device.origin}/dsd"
            async with httpx.AsyncClient() as client:
                for number in range(4):
                    body = SUBSCRIBE.format(to=question, sink=f"http://{host}:{port}/{number}")
                    answer = await client.post(question, content=body, headers={"Content-Type": SOAP_TYPE})
                    assert answer.status_code == 200, answer.text
            half = [await asyncio.open_connection("127.0.0.1", watched.port) for _ in range(3)]
            for _, writer in half:
                writer.write(b"POST /dsd HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\nContent-Len")
                await writer.drain()
            began_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, LIMIT_S) == 0
            assert time.monotonic() - began_s < 5
            for _, writer in half:
                writer.close()

    play(watched, scene)


def test_jobs_and_identity_outlive_a_restart(watched: Watched):
    async def first(_: subprocess.Popen[str]) -> None:
        async with console_at(watched) as (_console, device):
            assert (await asyncio.to_thread(watched.desk.scan, *SMALL)).code == 0
            seen.append((device.metadata.endpoint, text((await device.service.job_history())[0], "JobId")))

    async def second(_: subprocess.Popen[str]) -> None:
        async with console_at(watched) as (_console, device):
            seen.append((device.metadata.endpoint, text((await device.service.job_history())[0], "JobId")))

    seen: list[tuple[str, str]] = []
    play(watched, first)
    play(watched, second)
    assert seen[0] == seen[1]


def test_a_taken_port_is_told_in_one_line(watched: Watched):
    with closing(HeldPort("127.0.0.1", watched.port).listen()):
        outcome = watched.desk.run("run")
    assert outcome.code == 2
    assert f"port {watched.port}" in outcome.last_words and "console.http_port" in outcome.last_words


def test_with_a_certificate_it_answers_over_tls_as_well(watched: Watched, tmp_path):
    authority = create_authority(tmp_path / "authority")
    certificate = authority.issue(tmp_path / "console", names=("localhost",), addresses=("127.0.0.1",))
    with closing(HeldPort("127.0.0.1", 0)) as held:
        secure = {
            "https_port": held.number,
            "certificate": str(certificate.certificate),
            "key": str(certificate.key),
        }
        watched.desk.configure(console=secure)

        async def scene(_: subprocess.Popen[str]) -> None:
            async with Console(ConsoleOptions(ca_file=authority.ca_file)) as console:
                device = await console.find(f"https://127.0.0.1:{held.number}/")
                assert "ScannerStatus" in await device.service.scanner_elements()
            outcome = await asyncio.to_thread(watched.desk.scan, *SMALL)
            assert outcome.code == 0, outcome.err

        play(watched, scene)


def test_clients_without_a_certificate_are_sent_to_https_and_answered_nothing(watched: Watched, tmp_path):
    authority = create_authority(tmp_path / "authority")
    own = authority.issue(tmp_path / "console", names=("localhost",), addresses=("127.0.0.1",))
    with closing(HeldPort("127.0.0.1", 0)) as held:
        watched.desk.configure(
            console={
                "https_port": held.number,
                "certificate": str(own.certificate),
                "key": str(own.key),
                "client_ca": str(authority.ca_file),
                "discovery": True,
                "discovery_port": held.number,
                "interfaces": ["lo"],
                "listen": "0.0.0.0",
            }
        )

        async def scene(_: subprocess.Popen[str]) -> None:
            options = ConsoleOptions(discovery=DiscoveryOptions(interfaces=("lo",), port=held.number))
            async with Console(options) as console, httpx.AsyncClient() as client:
                (found,) = await console.discover()
                assert {url.rpartition(":")[0] for url in found.xaddrs} <= {"https://127.0.0.1", "https://[::1]"}
                assert (await client.get(f"http://{watched.address}/")).status_code == 403

        play(watched, scene)


def test_networks_that_may_not_come_are_shut_out(watched: Watched):
    watched.desk.configure(console={"networks": ["192.0.2.0/24"]})
    with agent(watched.desk):
        check = watched.desk.run("sim", "console", "show", watched.address)
    assert check.code != 0


def test_it_is_found_by_multicast_and_says_good_bye(watched: Watched):
    with closing(HeldPort("127.0.0.1", 0)) as held:
        port = held.number  # free for UDP in all likelihood: nobody but tests speaks there
    watched.desk.configure(
        console={"discovery": True, "discovery_port": port, "interfaces": ["lo"], "listen": "0.0.0.0"}
    )

    async def scene(_: subprocess.Popen[str]) -> None:
        options = ConsoleOptions(discovery=DiscoveryOptions(interfaces=("lo",), port=port))
        async with Console(options) as console:
            (found,) = await console.discover()
            assert found.is_scanner
            assert any(f":{watched.port}/" in url for url in found.xaddrs)
            assert [str(finding) for finding in console.findings.kept] == []

    play(watched, scene)


def test_a_broken_scanner_is_told_within_two_seconds(watched: Watched, odd_backend: dict[str, str]):
    odd = "source=ADF;mode=Gray|Color;depth=8;resolution=75|100;width=216;height=300;pages=4;fail=1:0:6"
    watched.desk.environment = {**odd_backend, "ODD": odd}
    watched.desk.configure(scanner={"device": "odd:0"})

    async def scene(_: subprocess.Popen[str]) -> None:
        async with console_at(watched) as (console, device):
            sink = await console.open_sink(device)
            async with Subscription(device.service, sink, 600) as subscription:
                outcome = await asyncio.to_thread(watched.desk.scan, *SMALL)
                assert outcome.code == 3
                told = (await heard_until(subscription, "ScannerStatusConditionEvent"))[-1].body
                assert text(told, "Name") == "MediaJam"
                status = (await device.service.scanner_elements(["ScannerStatus"]))["ScannerStatus"]
                assert text(status, "ScannerState") == "Stopped"
                assert text(status, "ScannerStateReason") == "MediaJam"

    play(watched, scene)
