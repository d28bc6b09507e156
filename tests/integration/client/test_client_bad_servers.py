"""Servers that answer nonsense, too much, too slowly, or not at all: one clear line, and what it proves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dsm_device.client import TimeLimits
from dsm_device.errors import AnswerLost, Recovery, ServerError, ServerProtocolError, ServerUnreachable
from tests.integration.client.raw_server import (
    Connection,
    Conversation,
    Request,
    answer_all,
    envelope,
    fault,
    good_until,
    http,
    instructions,
    operation,
    well_behaved,
)
from tests.integration.client.sent_file import SentFile

pytestmark = pytest.mark.anyio

Play = Callable[[Connection, Request], Awaitable[None]]


def answering(make: Callable[[Request], bytes]) -> Play:
    async def play(connection: Connection, request: Request) -> None:
        await connection.send(make(request))

    return play


def then_closing(make: Callable[[Request], bytes]) -> Play:
    async def play(connection: Connection, request: Request) -> None:
        await connection.send(make(request))
        connection.writer.close()

    return play


def end_response(request: Request) -> bytes:
    return envelope("<d:EndPostScanJobResponse/>", relates_to=request.message_id)


NONSENSE: dict[str, tuple[Callable[[Request], bytes], str]] = {
    "no HTTP": (lambda request: b"\x00\xffgarbage<<<\r\n\r\n", "something that is not HTTP"),
    "another protocol": (lambda request: b"RTSP/1.0 200 OK\r\n\r\n", "something that is not HTTP"),
    "an endless head": (lambda request: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000, "not HTTP"),
    "bad chunks": (
        lambda request: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "something that is not HTTP",
    ),
    "no XML": (lambda request: http(b"\x00\xffgarbage<<<"), "cannot be used: not well-formed XML"),
    "an XML bomb": (
        lambda request: http(b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + end_response(request)),
        "cannot be used: has a DOCTYPE",
    ),
    "SOAP 1.1": (
        lambda request: http(end_response(request).replace(b"2003/05/soap-envelope", b"2001/06/soap-envelope")),
        "not a SOAP 1.2 envelope",
    ),
    "an answer to another message": (
        lambda request: http(envelope("<d:EndPostScanJobResponse/>", relates_to="urn:uuid:other")),
        "answers another message: RelatesTo is urn:uuid:other",
    ),
    "a fault of another message": (
        lambda request: http(fault("InvalidArgs", relates_to="urn:uuid:other"), status=400),
        "answers another message",
    ),
    "another answer": (
        lambda request: http(envelope("<d:SendImageResponse/>", relates_to=request.message_id)),
        "SendImageResponse where EndPostScanJobResponse was expected",
    ),
    "an empty body": (
        lambda request: http(envelope("", relates_to=request.message_id)),
        "nothing where EndPostScanJobResponse was expected",
    ),
    "nothing": (lambda request: http(b""), "without SOAP .HTTP 200"),
    "a web page": (lambda request: http(b"<html/>", content_type="text/html; charset=x"), "text/html, 7 octets"),
    "a compressed answer": (
        lambda request: http(end_response(request)).replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1),
        "an encoding that was not asked for",
    ),
    "too much, announced": (
        lambda request: http(end_response(request).ljust(1_048_577)),
        "more than 1,048,576 octets",
    ),
    "too much, unannounced": (
        lambda request: (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"ffff\r\n" + b" " * 65535 + b"\r\n") * 20
        ),
        "more than 1,048,576 octets",
    ),
}


@pytest.mark.parametrize("kind", NONSENSE)
async def test_nonsense_is_one_clear_line_and_may_have_been_done(kind: str, conversation: Conversation) -> None:
    make, message = NONSENSE[kind]
    async with conversation(good_until("EndPostScanJob", answering(make))) as (_server, client):
        with pytest.raises(ServerProtocolError, match=message) as caught:
            await client.end_job("token")
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500
        assert "EndPostScanJob" in caught.value.message
        assert caught.value.may_have_happened
        assert caught.value.recovery is Recovery.ASK_FIRST
        # The connection is not used again for anything: what is left in it belongs to nobody.
        await client.job_elements("token", "JobStatus")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 399])
async def test_redirects_are_not_followed(status: int, conversation: Conversation, page: Path) -> None:
    async with conversation(answer_all) as (other, _):
        target = f"https://localhost:{other.port}/elsewhere"
        redirect = f"HTTP/1.1 {status} Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        async with conversation(good_until("SendImage", answering(lambda request: redirect))) as (_server, client):
            with pytest.raises(ServerProtocolError, match=f"redirects SendImage .HTTP {status}. to {target}"):
                await client.send_image("token", 1, "png", SentFile(page))
        assert other.connections == 0


# ------------------------------------------------------------------------------------ closing half way

CUTS: dict[str, Play] = {
    "before the answer": then_closing(lambda request: b""),
    "in the status line": then_closing(lambda request: b"HTTP/1.1 20"),
    "in the head": then_closing(lambda request: http(end_response(request))[:40]),
    "in the body": then_closing(lambda request: http(end_response(request))[:-10]),
    "in a chunk": then_closing(lambda request: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n<x>"),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("by_reset", [False, True])
async def test_an_answer_cut_short_leaves_it_open_whether_it_was_done(
    cut: str, by_reset: bool, conversation: Conversation
) -> None:
    async def play(connection: Connection, request: Request) -> None:
        if by_reset:
            connection.writer.close = connection.reset  # type: ignore[method-assign]  # a ruder way
        await CUTS[cut](connection, request)

    async with conversation(good_until("EndPostScanJob", play)) as (server, client):
        with pytest.raises(AnswerLost, match=r"closed the connection without a full answer .EndPost") as caught:
            await client.end_job("token")
    assert caught.value.recovery is Recovery.ASK_FIRST
    assert caught.value.temporary
    assert [operation(request) for request in server.requests].count("EndPostScanJob") == 1


async def test_a_lost_answer_to_create_is_simply_repeated(conversation: Conversation) -> None:
    script = good_until("CreatePostScanJob", then_closing(lambda request: b""))
    async with conversation(script) as (_server, client):
        with pytest.raises(AnswerLost) as caught:
            await client.create_job("S-1-5", "PSP", instructions())
    assert caught.value.recovery is Recovery.RETRY_LATER


async def test_a_connection_that_breaks_within_the_request_proves_that_nothing_was_done(
    conversation: Conversation, page: Path
) -> None:
    await asyncio.to_thread(page.write_bytes, bytes(20_000_000))

    async def script(connection: Connection) -> None:
        while True:
            head = await connection.head()
            if b"multipart" in head:
                await connection.reader.readexactly(300_000)
                return connection.reset()
            await connection.send(well_behaved(await connection.rest(head)))

    async with conversation(script) as (server, client):
        with pytest.raises(ServerUnreachable, match="in the middle of SendImage") as caught:
            await client.send_image("token", 1, "png", SentFile(page))
    assert caught.value.temporary
    assert not caught.value.may_have_happened
    assert "SendImage" not in map(operation, server.requests)


async def test_a_refusal_before_the_file_has_been_read_is_heard(conversation: Conversation, page: Path) -> None:
    await asyncio.to_thread(page.write_bytes, bytes(3_000_000))

    async def script(connection: Connection) -> None:
        while True:
            head = await connection.head()
            if b"multipart" not in head:
                await connection.send(well_behaved(await connection.rest(head)))
                continue
            await connection.send(http(b"", status=413))
            await connection.reader.read()  # what was on its way
            return

    async with conversation(script) as (_server, client):
        with pytest.raises(ServerError, match=r"too large .HTTP 413 to SendImage"):
            await client.send_image("token", 1, "png", SentFile(page))


# ------------------------------------------------------------------------------------------ too slowly


async def test_an_answer_that_drips_is_ended_by_the_total_limit(conversation: Conversation) -> None:
    async def drip(connection: Connection, request: Request) -> None:
        for octet in http(end_response(request)):
            await connection.send(bytes([octet]))
            await asyncio.sleep(0.02)

    limits = TimeLimits(answer_s=0.4, silence_s=0.2)
    async with conversation(good_until("EndPostScanJob", drip), limits) as (_server, client):
        with pytest.raises(AnswerLost, match="did not finish its answer in time"):
            await client.end_job("token")


async def test_silence_is_ended_by_its_own_limit(conversation: Conversation) -> None:
    async def never(connection: Connection, request: Request) -> None:
        await connection.reader.read()

    limits = TimeLimits(answer_s=60, silence_s=0.2)
    async with conversation(good_until("EndPostScanJob", never), limits) as (_server, client):
        with pytest.raises(AnswerLost, match="did not finish its answer in time"):
            await client.end_job("token")


async def test_a_server_that_stops_reading_is_given_up(conversation: Conversation, page: Path) -> None:
    await asyncio.to_thread(page.write_bytes, bytes(30_000_000))
    done = asyncio.Event()

    async def script(connection: Connection) -> None:
        while b"multipart" not in (head := await connection.head()):
            await connection.send(well_behaved(await connection.rest(head)))
        await done.wait()

    async with conversation(script, TimeLimits(write_s=0.3)) as (_server, client):
        with pytest.raises(ServerUnreachable, match="does not take the rest of SendImage"):
            await client.send_image("token", 1, "png", SentFile(page))
    done.set()


# ------------------------------------------------------------------------------- connections gone stale


async def test_connections_that_the_server_closes_between_messages_are_no_error(
    conversation: Conversation, page: Path
) -> None:
    async def one_each(connection: Connection) -> None:
        answer = well_behaved(await connection.request())
        await connection.send(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))

    async with conversation(one_each) as (server, client):
        token = await client.create_job("S-1-5", "PSP", instructions())
        for number in range(1, 6):
            await client.send_image(token, number, "png", SentFile(page))
        await client.end_job(token)
    done = [operation(request) for request in server.requests]
    assert done == ["Probe", "Get", "CreatePostScanJob", *["SendImage"] * 5, "EndPostScanJob"]
    assert server.connections == len(done)


async def test_a_connection_that_was_closed_without_a_word_is_not_used_for_what_must_not_come_twice(
    conversation: Conversation, page: Path
) -> None:
    closed = asyncio.Event()

    async def idle_limit(connection: Connection, request: Request) -> None:
        await connection.send(well_behaved(request))
        connection.reset()
        closed.set()

    async with conversation(good_until("SendImage", idle_limit)) as (server, client):
        for number in range(1, 6):
            await client.send_image("token", number, "png", SentFile(page))
            await closed.wait()
            closed.clear()
    assert [operation(request) for request in server.requests[2:]] == ["SendImage"] * 5
    assert server.connections == 5


async def test_a_connection_that_turns_out_closed_is_replaced_for_what_may_be_repeated(
    conversation: Conversation,
) -> None:
    """The server closes at the very moment when the next request arrives: nobody can know it before."""
    closed = 0

    async def script(connection: Connection) -> None:
        nonlocal closed
        while True:
            request = await connection.request()
            if operation(request) == "GetPostScanJobElements" and not closed:
                closed += 1
                return
            await connection.send(well_behaved(request))

    async with conversation(script) as (server, client):
        elements = await client.job_elements("token", "JobStatus")
    assert elements.status is not None
    assert closed == 1
    assert [operation(request) for request in server.requests].count("GetPostScanJobElements") == 2
    queries = [request for request in server.requests if operation(request) == "GetPostScanJobElements"]
    assert len({request.message_id for request in queries}) == len(queries) == 2  # WS-Addressing 3: always fresh


async def test_a_connection_that_turns_out_closed_is_replaced_for_an_image_that_was_not_sent_whole(
    conversation: Conversation, page: Path
) -> None:
    await asyncio.to_thread(page.write_bytes, bytes(20_000_000))
    closed = 0

    async def script(connection: Connection) -> None:
        nonlocal closed
        while True:
            head = await connection.head()
            if b"multipart" in head and not closed:
                closed += 1
                return connection.reset()
            await connection.send(well_behaved(await connection.rest(head)))

    async with conversation(script) as (server, client):
        await client.send_image("token", 1, "png", SentFile(page))
    assert closed == 1
    assert [len(request.body) > 20_000_000 for request in server.requests] == [False, False, True]


async def test_a_new_connection_that_is_closed_is_not_tried_for_ever(conversation: Conversation) -> None:
    async def script(connection: Connection) -> None:
        request = await connection.request()
        if operation(request) != "GetPostScanJobElements":
            await connection.send(well_behaved(request))

    async with conversation(script) as (server, client):
        with pytest.raises(AnswerLost):
            await client.job_elements("token", "JobStatus")
    assert [operation(request) for request in server.requests].count("GetPostScanJobElements") == 1
