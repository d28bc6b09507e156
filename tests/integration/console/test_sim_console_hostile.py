"""Answers of a device that means harm: nothing but the console's own error ever comes out."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from dsm_sim.peers.console import Console, ConsoleError, Finding
from dsm_sim.peers.console.announcements import AnnouncementReader
from dsm_sim.peers.console.check import check_device
from dsm_sim.peers.console.content import check_content
from dsm_sim.peers.console.envelope import fault_of, read
from dsm_sim.peers.console.findings import Findings
from dsm_sim.peers.console.schemas import body_error
from dsm_sim.peers.console.text import as_plain, printable
from tests.integration.console.raw_device import SAMPLES, Answer, RawDevice

FILES = sorted(SAMPLES.glob("dsd-*.xml"))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml; charset=utf-8\r\n"
BOMB = gzip.compress(b"<a>" + b" " * 20_000_000)
LAUGHS = (
    b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    b"<l>&c;</l>"
)
RAW = {
    "nothing": b"",
    "no HTTP": b"220 smtp.example ready\r\n",
    "half a head": HEAD[:30],
    "endless head": HEAD + b"X: " + b"x" * 300_000,
    "negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n<a/>",
    "bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
    "gzip bomb": HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB,
    "much": HEAD + b"Content-Length: 3000000\r\n\r\n<a>" + b"x" * 3_000_000,
    "laughs": HEAD + b"Content-Length: %d\r\n\r\n" % len(LAUGHS) + LAUGHS,
    "status 500 without message": b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
}


#: What the error says where it matters how the answer was refused: not unpacked, not read to its end.
SAYS = {"gzip bomb": "no XML", "much": "more than 1,048,576 octets", "laughs": "holds a DTD"}


@pytest.mark.parametrize("name", RAW)
def test_a_hostile_http_answer_is_the_consoles_error(name: str, ask: Callable[..., Any]) -> None:
    def spoil(answer: Answer) -> None:
        if answer.operation == "GetActiveJobs":
            answer.raw = RAW[name]

    async def job(console: Console) -> list[Finding]:
        found = await console.find(device.url)
        with pytest.raises(ConsoleError, match=SAYS.get(name)):
            await found.service.active_jobs()
        return console.findings.kept

    with RawDevice(spoil) as device:
        assert ask(device, job)


def test_an_answer_that_trickles_is_given_up(ask: Callable[..., Any]) -> None:
    """Each octet comes soon after the last one; the limit is for the whole of it."""
    listening, done = threading.Event(), threading.Event()
    ports: list[int] = []

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
        while not done.is_set():
            writer.write(b" ")
            await asyncio.sleep(0.02)
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(trickle, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        listening.set()
        await asyncio.to_thread(done.wait)
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    listening.wait()

    async def job(console: Console) -> None:
        with pytest.raises(ConsoleError, match="did not answer within"):
            await console.find(f"http://127.0.0.1:{ports[0]}/x")

    try:
        with RawDevice() as device:
            ask(device, job, timeout_s=0.3)
    finally:
        done.set()
        thread.join()


MUTATION = st.tuples(st.floats(0, 1), st.sampled_from(["cut", "drop", "twice", "put"]), st.binary(max_size=12))


def mutated(data: bytes, mutations: list[tuple[float, str, bytes]]) -> bytes:
    for where, kind, octets in mutations:
        place = int(where * len(data))
        match kind:
            case "cut":
                data = data[:place]
            case "drop":
                data = data[:place] + data[place + 9 :]
            case "twice":
                data = data[:place] + data[place // 2 :]
            case _:
                data = data[:place] + octets + data[place + len(octets) :]
    return data


def restructured(data: bytes, moves: list[tuple[int, int, str]]) -> bytes:
    """Well-formed, but elements are lost, doubled, moved, renamed and filled with other text."""
    root = etree.fromstring(data)
    for first, second, text in moves:
        elements = list(root.iter(tag=etree.Element))
        one, other = elements[first % len(elements)], elements[second % len(elements)]
        parent = one.getparent()
        match first % 5:
            case 0 if parent is not None:
                parent.remove(one)
            case 1 if parent is not None and one not in list(other.iterancestors()) and one is not other:
                other.append(one)
            case 2:
                one.tag = other.tag
            case 3:
                one.attrib.clear()
            case _:
                one.text = text
    return etree.tostring(root)


TEXT = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=20),
    st.sampled_from(
        ["-1", "0", "99999999999999999999999", "1_000", "٣", "http://[", "http://a:99999/", "a:b:c", "true"]
    ),
)


MOVE = st.tuples(st.integers(0, 400), st.integers(0, 400), TEXT)


def digest(data: bytes) -> None:
    """Everything that the console does with a message, wherever it came from."""
    notes = Findings(lambda _: None).at("fuzz")
    with suppress(ConsoleError):
        message = read(data, notes)
        fault_of(message, notes)
        reader = AnnouncementReader()
        reader.matches(message, "127.0.0.1", "fuzz", notes)
        reader.hello_or_bye(message, "127.0.0.1", notes)
        if message.body is not None:
            body_error(message.body)
            check_content(message.body, notes)
            printable(str(as_plain(message.body)))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILES), st.lists(MUTATION, min_size=1, max_size=4))
def test_mutated_octets_raise_nothing_else(path: Any, mutations: list[tuple[float, str, bytes]]) -> None:
    digest(mutated(path.read_bytes(), mutations))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400), TEXT), min_size=1, max_size=6),
)
def test_restructured_messages_raise_nothing_else(path: Any, moves: list[tuple[int, int, str]]) -> None:
    digest(restructured(path.read_bytes(), moves))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400), TEXT), min_size=1, max_size=3), st.integers(0, 40)
)
def test_a_whole_run_against_a_restructuring_device_ends(
    ask: Callable[..., Any], moves: list[tuple[int, int, str]], spared: int
) -> None:
    """Over real sockets: after some right answers all are mangled, and still the run ends."""
    answers = 0

    def mangle(answer: Answer) -> None:
        nonlocal answers
        answers += 1
        if answers > spared:
            answer.body = restructured(answer.octets(), moves)

    async def job(console: Console) -> None:
        with suppress(ConsoleError):
            await check_device(console, device.url, lambda step: None, with_udp=False, only="dsd")

    with RawDevice(mangle) as device:
        ask(device, job)


def test_a_terminal_is_not_sent_control_characters() -> None:
    assert printable("a\x1b[2Jb\x9bc\nd\u202ee") == "a�[2Jb�c�d�e"
