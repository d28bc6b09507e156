"""A server that does exactly what a test tells it, down to the octet, and writes down what it saw."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from dsm_device.client import ScanServer
from dsm_sim.certificates import Authority, Credentials

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
DSP = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/processing"
_MESSAGE_ID = re.compile(rb"<wsa:MessageID>([^<]+)</wsa:MessageID>")


@dataclass
class Request:
    """One POST as it came over the connection."""

    path: str
    head: bytes
    body: bytes

    @property
    def message_id(self) -> str:
        found = _MESSAGE_ID.search(self.body)
        return found[1].decode() if found else ""

    def header(self, name: str) -> str:
        found = re.search(rb"(?im)^" + name.encode() + rb":[ \t]*(.*?)\r?$", self.head)
        return found[1].decode() if found else ""


@dataclass
class Connection:
    """What a script reads from and writes to."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[Request]

    async def request(self) -> Request:
        """The next request, whole; ends the script where the client has hung up."""
        return await self.rest(await self.head())

    async def rest(self, head: bytes) -> Request:
        """The request whose head was read."""
        request = self.as_request(head, await self.reader.readexactly(self.length_of(head)))
        self.requests.append(request)
        return request

    @staticmethod
    def length_of(head: bytes) -> int:
        found = re.search(rb"(?i)content-length: (\d+)", head)
        assert found is not None
        return int(found[1])

    @staticmethod
    def as_request(head: bytes, body: bytes) -> Request:
        return Request(head.split(b" ", 2)[1].decode(), head, body)

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Hang up at once, without a proper end of TLS."""
        self.writer.transport.abort()


Script = Callable[[Connection], Awaitable[None]]
#: A raw server that plays a script, and a client of it.
Conversation = Callable[..., AbstractAsyncContextManager[tuple["RawServer", ScanServer]]]


@dataclass
class RawServer:
    """``connections`` counts those whose TLS handshake went through (all of them without TLS)."""

    port: int = 0
    connections: int = 0
    requests: list[Request] = field(default_factory=list)


def server_context(own: Credentials, *, clients: Authority | None = None) -> ssl.SSLContext:
    """A server's side of TLS; with ``clients`` it takes only those who have a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.ca_file)
    return context


@asynccontextmanager
async def serving(script: Script, context: ssl.SSLContext | None) -> AsyncIterator[RawServer]:
    """Runs ``script`` for each connection on a free port of the loopback interface."""
    state = RawServer()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            await script(Connection(reader, writer, state.requests))
        writer.transport.abort() if writer.transport.is_closing() else writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0, ssl=context)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()


def http(body: bytes, *, status: int = 200, content_type: str = "application/soap+xml; charset=utf-8") -> bytes:
    """A complete answer."""
    return (
        f"HTTP/1.1 {status} Whatever\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def envelope(body: str, *, relates_to: str, action: str = f"{DSP}/Answer") -> bytes:
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
        f'xmlns:d="{DSP}"><s:Header><a:To>{ANONYMOUS}</a:To><a:Action>\n  {action}\n</a:Action>'
        f"<a:MessageID>urn:uuid:1</a:MessageID><a:RelatesTo> {relates_to}\n</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault(subcode: str, *, relates_to: str, code: str = "Sender", prefix: str = "d") -> bytes:
    return envelope(
        f"<s:Fault><s:Code><s:Value>s:{code}</s:Value><s:Subcode><s:Value>{prefix}:{subcode}</s:Value>"
        '</s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">because</s:Text></s:Reason></s:Fault>',
        relates_to=relates_to,
    )


def sample_answer(name: str, request: Request, port: int) -> bytes:
    """A published answer made to fit the request and this server's address."""
    text = (SAMPLES / name).read_text()
    text = re.sub(r"<wsa:RelatesTo>[^<]*", f"<wsa:RelatesTo>{request.message_id}", text)
    return text.replace("https://scan01.corp.example.com:5362", f"https://localhost:{port}").encode()


ANSWERS = {
    "Probe": "wire-probe-matches.xml",
    "Get": "wire-get-response.xml",
    "CreatePostScanJob": "dsp-create-post-scan-job-response.xml",
    "SendImage": "dsp-send-image-response.xml",
    "EndPostScanJob": "dsp-end-post-scan-job-response.xml",
    "CancelPostScanJob": "dsp-cancel-post-scan-job-response.xml",
    "GetPostScanJobElements": "dsp-get-post-scan-job-elements-response.xml",
}


def operation(request: Request) -> str:
    found = re.search(rb"<wsa:Action>[^<]*/([A-Za-z]+)</wsa:Action>", request.body)
    return found[1].decode() if found else ""


def well_behaved(request: Request) -> bytes:
    """What a good server answers."""
    port = int(request.header("host").rpartition(":")[2])
    return http(sample_answer(ANSWERS[operation(request)], request, port))


async def answer_all(connection: Connection) -> None:
    """The script of a good server."""
    while True:
        await connection.send(well_behaved(await connection.request()))


def instructions(name: str = "psp-three-filters.xml") -> etree._Element:
    """The psp:PostScanInstructions of a sample."""
    found = etree.parse(SAMPLES / name).find(".//{*}PostScanInstructions")
    assert found is not None
    return found


def good_until(name: str, then: Callable[[Connection, Request], Awaitable[None]]) -> Script:
    """A good server for everything but the operation ``name``, of which ``then`` takes care."""

    async def script(connection: Connection) -> None:
        while True:
            request = await connection.request()
            if operation(request) == name:
                await then(connection, request)
            else:
                await connection.send(well_behaved(request))

    return script
