"""A door on a free port of loopback, and a client that writes what it likes, octet by octet."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from dsm_device.server.door_ports import DoorPorts, PortOptions
from dsm_device.server.event_sink import EventSink
from dsm_device.server.front_door import About, DoorOptions, FrontDoor, Reply
from dsm_device.server.http_server import HttpOptions

UUID = "6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7"
PATHS = frozenset({"/", "/scan", "/dsd", f"/{UUID}"})
ANSWER = b"<answer/>"
#: For whatever a test waits for.
PATIENCE_S = 20


@dataclass
class Service:
    """A service that answers the same to everything, and notes what it was asked."""

    reply: Reply = field(default_factory=lambda: Reply(200, ANSWER))
    asked: list[tuple[bytes, str, str, str]] = field(default_factory=list)
    #: Set where an answer is to wait.
    held: asyncio.Event | None = None

    def serves(self, path: str) -> bool:
        return path in PATHS

    async def answer(self, data: bytes, path: str, base_url: str, peer_host: str) -> Reply:
        self.asked.append((data, path, base_url, peer_host))
        if self.held is not None:
            await self.held.wait()
        return self.reply


@dataclass(frozen=True)
class Door:
    ports: DoorPorts
    service: Service
    sink: EventSink

    @property
    def port(self) -> int:
        return self.ports.http_port


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(holds):
            pass


@asynccontextmanager
async def open_door(
    http: HttpOptions | None = None, options: DoorOptions | None = None, listen: str = "127.0.0.1"
) -> AsyncIterator[Door]:
    service, sink = Service(), EventSink()
    front = FrontDoor(service, sink, lambda: About("Front <desk>", "Model & co"), options)
    async with DoorPorts(front, PortOptions(listen, 0, 0, http or HttpOptions())) as ports:
        sink.served_at("http", ports.http_port)
        yield Door(ports, service, sink)


@dataclass(frozen=True)
class Answer:
    """``head`` with its names in lower case; ``rest`` what came after the body."""

    status: int
    head: dict[str, str]
    body: bytes
    rest: bytes = b""


def parse(octets: bytes, method: str = "POST") -> Answer:
    head, _, rest = octets.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = 0 if method == "HEAD" else int(fields.get("content-length", "0"))
    return Answer(int(first.split()[1]), fields, rest[:length], rest[length:])


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, octets: bytes) -> None:
        self.writer.write(octets)
        await self.writer.drain()

    async def answer(self) -> Answer:
        """The next one."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            answer = parse(head)
            return Answer(
                answer.status, answer.head, await self.reader.readexactly(int(answer.head["content-length"]))
            )

    async def rest(self) -> bytes:
        """All that still comes until the end of the connection, however it ends."""
        octets = bytearray()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while piece := await self.reader.read(65536):
                    octets += piece
        except ConnectionError:
            pass
        return bytes(octets)


@asynccontextmanager
async def connected(
    port: int, host: str = "127.0.0.1", source: str = "", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(
        host,
        port,
        local_addr=(source, 0) if source else None,
        ssl=tls,
        server_hostname="localhost" if tls else None,
    )
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


def request(
    body: bytes = b"<a/>", path: str = "/scan", method: str = "POST", version: str = "1.1", **fields: str | None
) -> bytes:
    """``fields`` with ``_`` for ``-``; None leaves one out that would be there."""
    head = {
        "host": "printer:5357",
        "content-type": "application/soap+xml",
        "content-length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    lines = [f"{name}: {value}\r\n" for name, value in head.items() if value is not None]
    return f"{method} {path} HTTP/{version}\r\n{''.join(lines)}\r\n".encode() + body


async def ask(port: int, octets: bytes, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Answer:
    """The first answer on a connection of its own."""
    async with connected(port, host, tls=tls) as client:
        await client.send(octets)
        return await client.answer()
