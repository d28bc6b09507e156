"""What the front door answers, over real sockets: every status, every form of HTTP that is taken or refused."""

from __future__ import annotations

import asyncio
import logging
import time

import httpx
import pytest

from dsm_device.server.asgi import Message
from dsm_device.server.front_door import About, DoorOptions, FrontDoor, Reply
from dsm_device.server.http_server import HttpOptions
from tests.integration.door.knocking import (
    ANSWER,
    UUID,
    Answer,
    Service,
    ask,
    connected,
    open_door,
    parse,
    request,
    until,
)

pytestmark = pytest.mark.anyio

SOAP = "application/soap+xml"
CHUNKED: dict[str, str | None] = {"content_length": None, "transfer_encoding": "chunked"}


# ---------------------------------------------------------------------------------------- what is taken


async def test_a_request_is_answered_and_the_connection_is_kept() -> None:
    async with open_door() as door, connected(door.port) as client:
        for path in ("/scan", "/dsd", f"/{UUID}", "/", "/%73can", "/scan?x=1", "http://printer:5357/scan"):
            await client.send(request(path=path))
            answer = await client.answer()
            assert answer.status == 200
            assert answer.body == ANSWER
            assert answer.head["content-type"] == "application/soap+xml; charset=utf-8"
            assert answer.head["content-length"] == str(len(ANSWER))
            assert "connection" not in answer.head
            assert answer.head.keys() <= {"date", "content-type", "content-length"}
    assert [asked[1] for asked in door.service.asked] == [
        "/scan", "/dsd", f"/{UUID}", "/", "/scan", "/scan", "/scan",
    ]  # fmt: skip


async def test_what_the_service_is_told() -> None:
    async with open_door(listen="") as door:
        await ask(door.port, request(b"<a/>"))
        await ask(door.port, request(host="[fe80::1]:80"), "::1")
        for host in ("a/b", "user@x", "x:99999", "[::x]", "x y", "a" * 300, "x:0"):
            await ask(door.port, request(host=host), "::1")
        await ask(door.port, request(host=None, version="1.0"))
    assert door.service.asked == [
        (b"<a/>", "/scan", "http://printer:5357", "127.0.0.1"),
        (b"<a/>", "/scan", "http://[fe80::1]:80", "::1"),
        *[(b"<a/>", "/scan", f"http://[::1]:{door.port or door.sink.port}", "::1")] * 7,
        (b"<a/>", "/scan", f"http://127.0.0.1:{door.sink.port}", "127.0.0.1"),
    ]


async def test_a_link_local_client_keeps_its_zone_and_urls_do_without() -> None:
    service = Service()
    door = FrontDoor(service, None, lambda: About("", ""))
    scope = {
        "type": "http", "method": "POST", "path": "/scan", "headers": [(b"content-type", b"text/xml")],
        "scheme": "http", "client": ("fe80::0001%eth0", 1), "server": ("fe80::2%eth0", 5357),
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None: ...

    await door(scope, receive, send)
    assert service.asked == [(b"", "/scan", "http://[fe80::2]:5357", "fe80::1%eth0")]


@pytest.mark.parametrize(
    "content_type",
    [
        SOAP,
        "Application/SOAP+XML; charset=UTF-8",
        'application/soap+xml; charset="utf-8"; action="urn:x"',
        "application/soap+xml;charset=utf-16",
        "text/xml",
        "application/xml ; charset=us-ascii",
    ],
)
async def test_media_types_that_are_taken(content_type: str) -> None:
    async with open_door() as door:
        assert (await ask(door.port, request(content_type=content_type))).status == 200


async def test_a_body_in_chunks() -> None:
    chunked = request(b"", **CHUNKED)
    async with open_door() as door, connected(door.port) as client:
        await client.send(chunked + b"3;x=y\r\n<a>\r\n4\r\n</a>\r\n0\r\nTrailer: x\r\n\r\n")
        assert (await client.answer()).status == 200
        await client.send(chunked + b"".join(b"7\r\n<!---->\r\n" for _ in range(1024)) + b"0\r\n\r\n")
        assert (await client.answer()).status == 200
    assert [asked[0] for asked in door.service.asked] == [b"<a></a>", b"<!---->" * 1024]


async def test_no_answer_waits_for_an_acknowledgement() -> None:
    """Two small writes in a row are one too many for Nagle's algorithm, which then waits 40 ms for the client."""
    async with open_door() as door, connected(door.port) as client:
        began = time.monotonic()
        for _ in range(50):
            await client.send(request())
            await client.answer()
        assert time.monotonic() - began < 50 * 0.03


async def test_an_old_client() -> None:
    async with open_door() as door, connected(door.port) as client:
        await client.send(request(version="1.0", host=None))
        answer = parse(await client.rest())
        assert (answer.status, answer.body) == (200, ANSWER)


async def test_a_client_that_ends_what_it_sends_is_answered() -> None:
    async with open_door() as door, connected(door.port) as client:
        door.service.held = asyncio.Event()
        await client.send(request())
        client.writer.write_eof()
        await until(lambda: door.service.asked)
        asyncio.get_running_loop().call_later(0.1, door.service.held.set)
        answer = parse(await client.rest())
        assert (answer.status, answer.body) == (200, ANSWER)


async def test_a_client_that_closes_is_left_to_it() -> None:
    async with open_door() as door, connected(door.port) as client:
        await client.send(request(connection="close"))
        answer = parse(await client.rest())
        assert (answer.status, answer.head["connection"], answer.rest) == (200, "close", b"")


async def test_a_client_that_asks_first_is_told_to_go_on_or_not_to() -> None:
    async with open_door() as door:
        async with connected(door.port) as client:
            await client.send(request(b"", content_length="4", expect="100-continue"))
            assert parse(await client.reader.readuntil(b"\r\n\r\n")).status == 100
            await client.send(b"<a/>")
            assert (await client.answer()).status == 200
        async with connected(door.port) as client:
            await client.send(request(b"", content_length="32768", expect="100-continue"))
            assert (await client.answer()).status == 413
    assert [asked[0] for asked in door.service.asked] == [b"<a/>"]


async def test_requests_that_come_before_they_are_answered() -> None:
    async with open_door() as door, connected(door.port) as client:
        await client.send(b"".join(request(f"<a{number}/>".encode()) for number in range(20)) + b"POST /sc")
        assert [(await client.answer()).status for _ in range(20)] == [200] * 20
        await client.send(b"an HTTP/1.1\r\nhost: x\r\ncontent-type: text/xml\r\ncontent-length: 1\r\n\r\nx")
        assert (await client.answer()).status == 200
    assert [asked[0] for asked in door.service.asked] == [*(f"<a{n}/>".encode() for n in range(20)), b"x"]


async def test_one_way_messages_and_faults_keep_their_status() -> None:
    async with open_door() as door, connected(door.port) as client:
        for reply in (Reply(202), Reply(400, b"<fault/>"), Reply(500, b"<fault/>"), Reply(400)):
            door.service.reply = reply
            await client.send(request())
            answer = await client.answer()
            assert (answer.status, answer.body) == (reply.status, reply.body)
            assert ("content-type" in answer.head) == bool(reply.body)


@pytest.mark.parametrize("octets", [0, 1, 32_766, 32_767])
async def test_an_envelope_of_the_largest_size_is_taken(octets: int) -> None:
    async with open_door() as door:
        assert (await ask(door.port, request(b"x" * octets))).status == 200
    assert len(door.service.asked[0][0]) == octets


async def test_a_head_of_eight_kibibytes_is_taken() -> None:
    async with open_door() as door:
        empty = len(request(b"", "/scan?x", user_agent=""))
        for octets, status in (8192, 200), (8193, 431):
            head = request(b"", "/scan?x", user_agent="x" * (octets - empty))
            assert len(head) == octets
            assert (await ask(door.port, head)).status == status


# --------------------------------------------------------------------------------------- what is refused


async def refused(octets: bytes, status: int) -> Answer:
    """The answer to ``octets`` has no body and is the last on its connection, and the service knows nothing."""
    async with open_door(options=DoorOptions(body_s=5)) as door, connected(door.port) as client:
        await client.send(octets)
        answer = parse(await client.rest())
        assert answer.status == status
        assert answer.head["connection"] == "close"
        assert answer.head["content-length"] == "0"
        assert answer.body == answer.rest == b""
        assert answer.head.keys() <= {"date", "content-length", "connection", "allow"}
        assert door.service.asked == []
        assert (await ask(door.port, request())).status == 200
    return answer


@pytest.mark.parametrize(
    "path",
    ["/x", "/scan/", "/scan/x", "//scan", "/SCAN", "/../scan", "/dsm/events/x", "/dsm/events/", "*", "http://x"],
)
async def test_nothing_else_is_there(path: str) -> None:
    if path == "http://x":
        async with open_door() as door:
            assert (await ask(door.port, request(path=path))).status == 200
    else:
        await refused(request(path=path), 404)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"])
async def test_other_methods(method: str) -> None:
    assert (await refused(request(b"", method=method), 405)).head["allow"] == "POST"


async def test_other_methods_at_the_page() -> None:
    assert (await refused(request(b"", "/", "PUT"), 405)).head["allow"] == "GET, HEAD, POST"
    await refused(request(b"", "x:80", "CONNECT"), 404)


@pytest.mark.parametrize(
    "fields",
    [
        {"content_type": "text/plain"},
        {"content_type": None},
        {"content_type": ""},
        {"content_type": "text/html; application/soap+xml"},
        {"content_type": 'multipart/related; type="application/soap+xml"'},
        {"content_type": "application/soap+xml; charset=utf-7"},
        {"content_type": "text/xml; charset=iso-8859-1"},
        {"content_type": "application/soap+xml\r\nContent-Type: text/plain"},
        {"content_encoding": "gzip"},
        {"content_encoding": "identity, deflate"},
    ],
)
async def test_other_content(fields: dict[str, str | None]) -> None:
    await refused(request(**fields), 415)


async def test_a_web_page_is_no_console() -> None:
    await refused(request(origin="http://evil.example"), 403)
    await refused(request(origin="null"), 403)


@pytest.mark.parametrize(
    "octets",
    [
        request(b"x" * 32_768),
        request(b"x" * 500_000),
        request(b"", content_length="99999999999999999999"),
        request(b"", **CHUNKED) + b"8000\r\n" + b"x" * 32_768 + b"\r\n0\r\n\r\n",
        request(b"", **CHUNKED) + b"1\r\nx\r\n" * 1025,
        request(b"", **CHUNKED) + b"1\r\nx\r\n" * 200_000,
        request(b"", **CHUNKED) + b"80000000\r\n" + b"x" * 40_000,
    ],
    ids=["one-more", "many-more", "stated", "chunks", "many-chunks", "crumbs", "one-chunk"],
)
async def test_what_is_too_large(octets: bytes) -> None:
    await refused(octets, 413)


CHUNKS = b"4\r\n<a/>\r\n0\r\n\r\n"
SMUGGLED = {
    "length-and-chunks": (request(CHUNKS, **CHUNKED | {"content_length": str(len(CHUNKS))}), 400),
    "chunks-and-length": (request(CHUNKS, transfer_encoding="chunked", content_length="4"), 400),
    "chunks-in-1.0": (request(CHUNKS, content_length=None, transfer_encoding="chunked", version="1.0"), 400),
    "unknown-coding": (request(CHUNKS, content_length=None, transfer_encoding="xchunked"), 501),
    "two-codings": (request(CHUNKS, content_length=None, transfer_encoding="gzip, chunked"), 501),
    "identity": (request(CHUNKS, content_length=None, transfer_encoding="identity"), 501),
    "coding-twice": (request(CHUNKS, content_length=None, transfer_encoding="x\r\nTransfer-Encoding: x"), 501),
    "two-lengths": (request(content_length="4\r\nContent-Length: 5"), 400),
    "list-of-lengths": (request(content_length="4, 5"), 400),
    "signed-length": (request(content_length="+4"), 400),
    "hexadecimal-length": (request(content_length="0x4"), 400),
    "negative-length": (request(content_length="-4"), 400),
    "length-of-nothing": (request(content_length=""), 400),
    "length-with-underscore": (request(content_length="0_4"), 400),
    "length-of-many-digits": (request(content_length="9" * 5000), 400),
    "space-before-colon": (request().replace(b"content-length:", b"content-length :"), 400),
    "space-before-name": (request(b"<a/>").replace(b"\r\nhost", b"\r\n host"), 400),
    "no-colon": (request().replace(b"host:", b"host"), 400),
    "bare-return": (request(user_agent="a\rcontent-length: 0"), 400),
    "nul": (request(user_agent="a\0b"), 400),
    "no-host": (request(host=None), 400),
    "two-hosts": (request(host="a\r\nHost: b"), 400),
    "no-version": (b"POST /scan\r\n\r\n", 400),
    "version-2": (request(version="2.0"), 505),
    "no-method": (b" /scan HTTP/1.1\r\nhost: x\r\n\r\n", 400),
    "tls-on-http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)), 400),
    "http-2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "chunk-of-no-size": (request(b"x\r\n", **CHUNKED), 400),
    "chunk-of-negative-size": (request(b"-4\r\n<a/>\r\n0\r\n\r\n", **CHUNKED), 400),
    "chunk-longer-than-said": (request(b"2\r\n<a/>\r\n0\r\n\r\n", **CHUNKED), 400),
}  # fmt: skip


@pytest.mark.parametrize("name", SMUGGLED)
async def test_forms_by_which_requests_are_smuggled(name: str) -> None:
    octets, status = SMUGGLED[name]
    await refused(octets + request(b"<smuggled/>"), status)


@pytest.mark.parametrize(
    "octets",
    [
        request(user_agent="x" * 8192),
        request(path="/scan?" + "x" * 8192),
        request(user_agent="x" * 200_000),
        b"POST /" + b"x" * 20_000,
        request(**{f"x{number}": "" for number in range(1200)}),
        request(b"", **CHUNKED) + b"1;" + b"x" * 20_000,
    ],
    ids=["whole", "target", "large", "unfinished", "many-fields", "chunk-extension"],
)
async def test_heads_that_are_too_large(octets: bytes) -> None:
    await refused(octets, 431)


async def test_nonsense_after_a_refusal_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with open_door() as door, connected(door.port) as client:
        await client.send(request(b"2\r\n<a\r\n", "/x", **CHUNKED))
        assert (await client.answer()).status == 404
        await client.send(b"nonsense\r\n")
        began = time.monotonic()
        assert await client.rest() == b""
        assert time.monotonic() - began < 0.5
    assert [each.levelname for each in caplog.records if each.levelname != "WARNING"] == []


async def test_a_length_that_is_too_small_is_another_request_that_is_none() -> None:
    async with open_door() as door, connected(door.port) as client:
        await client.send(request(b"<a/>trailing\r\n\r\n", content_length="4"))
        assert (await client.answer()).status == 200
        assert parse(await client.rest()).status == 400
    assert [asked[0] for asked in door.service.asked] == [b"<a/>"]


# ------------------------------------------------------------------------------------------------ the page


async def test_the_page_has_a_name_and_a_model_and_no_more() -> None:
    async with open_door() as door, httpx.AsyncClient(trust_env=False) as client:
        page = await client.get(f"http://127.0.0.1:{door.port}/")
        head = await client.head(f"http://127.0.0.1:{door.port}/")
    assert page.status_code == head.status_code == 200
    assert page.text == (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Front &lt;desk&gt;</title>'
        '<meta name="viewport" content="width=device-width">'
        "<h1>Front &lt;desk&gt;</h1><p>Model &amp; co</p><p>A scanner for Distributed Scan Management. To add it "
        "to the scan management console, give that this address.</p></html>\n"
    )
    assert head.content == b""
    assert head.headers["content-length"] == page.headers["content-length"]
    assert "server" not in page.headers
    assert door.service.asked == []


# ------------------------------------------------------------------------------------------------- the sink


async def test_the_sink_stands_behind_the_same_door() -> None:
    told: list[object] = []
    async with open_door() as door:
        path = door.sink.open(told.append)
        assert door.sink.url("127.0.0.1", path) == f"http://127.0.0.1:{door.port}{path}"
        await door.sink.start()  # needs no port of its own
        assert door.sink.port == door.port
        assert (await ask(door.port, request(b"x" * 40_000, path=path, content_type="text/plain"))).status == 202
        assert (await ask(door.port, request(path=path + "x"))).status == 404
        assert (await ask(door.port, request(b"", path=path, method="GET"))).status == 405
        await door.sink.aclose()
        assert (await ask(door.port, request())).status == 200
    assert [asked[0] for asked in door.service.asked] == [b"<a/>"]


# --------------------------------------------------------------------------------------------- failures


async def test_a_service_that_fails_says_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    async with open_door(options=DoorOptions(answer_s=0.05)) as door:
        door.service.asked = None  # type: ignore[assignment] - so that it fails
        answer = await ask(door.port, request())
        assert (answer.status, answer.body) == (500, b"")
        door.service.asked, door.service.held = [], asyncio.Event()
        answer = await ask(door.port, request())
        assert (answer.status, answer.body) == (500, b"")
    assert "AttributeError" in caplog.text


async def test_an_unknown_request_is_logged_once_bounded_and_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = b"<a><x:Password b='c'>hunter2</x:Password><JobUserName>amelie</JobUserName><n>\n</n>" + b"y" * 9000
    async with open_door() as door:
        with caplog.at_level(logging.WARNING, "dsm_device.server"):
            door.service.reply = Reply(400, b"<f/>", "action urn:x")
            for _ in range(3):
                await ask(
                    door.port, request(body, authorization="Basic aHVudGVyMg==", user_agent="Console/1\x1b[2J")
                )
            door.service.reply = Reply(200, ANSWER)
            await ask(door.port, request())
            for number in range(100):
                await ask(door.port, request(path=f"/{number}"))
    first, *others = caplog.messages
    assert "urn:x" in first
    assert "Console/1\\x1b[2J" in first
    assert "<n>\\n</n>" in first
    assert not any(secret in caplog.text for secret in ("hunter2", "aHVudGVyMg", "amelie"))
    assert max(map(len, caplog.messages)) < 6_000
    assert len(others) == 16


@pytest.mark.parametrize("body", [b"<a/>", b"x" * 20])
async def test_a_sender_that_hangs_up_costs_nothing(body: bytes) -> None:
    async with open_door(HttpOptions()) as door:
        octets = request(body)
        for length in range(0, len(octets), 7):
            async with connected(door.port) as client:
                await client.send(octets[:length])
        assert (await ask(door.port, request())).status == 200
    assert [asked[0] for asked in door.service.asked] == [b"<a/>"]
