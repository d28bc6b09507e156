"""Sinks of events on loopback: one that is as it should be, and all the others."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lxml import etree

from tests.message_schema import validate

WSA = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSE = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
SOAP = "http://www.w3.org/2003/05/soap-envelope"


@dataclass(frozen=True)
class Heard:
    """A message that came in, whole and valid."""

    path: str
    head: str
    envelope: etree._Element

    def header(self, name: str) -> str:
        lines = dict(line.split(": ", 1) for line in self.head.split("\r\n")[1:] if ": " in line)
        return {key.lower(): value for key, value in lines.items()}.get(name, "")

    @property
    def action(self) -> str:
        return self.envelope.findtext(f".//{{{WSA}}}Action") or ""

    @property
    def message_id(self) -> str:
        return self.envelope.findtext(f".//{{{WSA}}}MessageID") or ""

    @property
    def body(self) -> etree._Element:
        return self.envelope.find(f"{{{SOAP}}}Body")[0]  # type: ignore[index]


@dataclass
class Sink:
    """What came to it, by its manners, over how many connections."""

    url: str
    heard: asyncio.Queue[Heard] = field(default_factory=asyncio.Queue)
    connections: int = 0
    #: Connections that the device closed while the sink was still talking.
    cut_off: int = 0
    cut: asyncio.Event = field(default_factory=asyncio.Event)

    async def next(self, limit_s: float = 20.0) -> Heard:
        async with asyncio.timeout(limit_s):
            return await self.heard.get()


Talk = Callable[["Sink", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def sink(talk: Talk, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Sink]:
    """A server that talks that way on every connection."""
    made = Sink("")
    talking: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talking.add(task)
        made.connections += 1
        try:
            await talk(made, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            made.cut_off += 1
            made.cut.set()
        except asyncio.CancelledError:
            pass
        finally:
            talking.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    made.url = f"{'https' if tls else 'http'}://{host}:{port}/sink"
    try:
        yield made
    finally:
        server.close()
        for task in list(talking):
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await server.wait_closed()


async def hear(made: Sink, reader: asyncio.StreamReader) -> Heard:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
    heard = Heard(head.split(" ")[1], head.strip(), validate(await reader.readexactly(length)))
    made.heard.put_nowait(heard)
    return heard


def answering(*answers: bytes) -> Talk:
    """Each message takes the next of ``answers``, the last one for ever."""
    left = list(answers)

    async def talk(made: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            try:
                await hear(made, reader)
            except asyncio.IncompleteReadError:
                return
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()

    return talk


def status(line: str, body: bytes = b"", *headers: str) -> bytes:
    extra = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {line}\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


ACCEPTED = status("202 Accepted")
GOOD = answering(ACCEPTED)


async def silent(made: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await hear(made, reader)
    await reader.read(1)
    raise ConnectionError


async def deaf(made: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the connection and reads nothing."""
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.Event().wait()


async def hanging_up(made: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await hear(made, reader)


async def resetting(made: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def pouring(start: bytes, piece: bytes, pause_s: float = 0.0) -> Talk:
    """After each message ``start``, then ``piece`` without end."""

    async def talk(made: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hear(made, reader)
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return talk


OK = b"HTTP/1.1 202 Accepted\r\n"
HOSTILE: dict[str, Talk] = {
    "silent": silent,
    "deaf": deaf,
    "hanging up": hanging_up,
    "resetting": resetting,
    "garbage": answering(b"\x00\xff" * 200),
    "another protocol": answering(b"220 mail.example.com ESMTP\r\n"),
    "one octet at a time": pouring(OK, b"X", 0.02),
    "a head without end": pouring(OK, b"X-A: " + b"a" * 1000 + b"\r\n"),
    "a header line without end": pouring(OK + b"X-A: ", b"a" * 65_536),
    "interim answers without end": pouring(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
    "server error": answering(status("500 Internal Server Error")),
    "refusal": answering(status("403 Forbidden")),
    "fault": answering(
        status(
            "200 OK",
            f'<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code>'
            "<s:Reason><s:Text>x</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>".encode(),
        )
    ),
    "switching protocols": answering(status("101 Switching Protocols", b"", "Upgrade: x", "Connection: upgrade")),
}
#: These say 2xx first, and so have taken the message; what comes then is cut off.
TALKATIVE: dict[str, Talk] = {
    "a body without end": pouring(OK + b"\r\n", b"b" * 65_536),
    "chunks without end": pouring(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nb\r\n" * 5_000),
    "a huge body": answering(status("202 Accepted", b"b" * 1_000_000)),
    "garbage for a body": answering(status("202 Accepted", b"<a><b></a>\x00")),
    "a body that compresses well": answering(status("200 OK", b"\x1f\x8b" * 20, "Content-Encoding: gzip")),
}
