"""The console's endpoint under the fuzzer: bodies through the whole application, and octets through HTTP/1.1.

Nothing here waits and nothing is sent: bodies go into the ASGI application, octets into a connection whose other
end is a list.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from typing import Any, Final

from lxml import etree

from dsm_device.server.asgi import Message
from dsm_device.server.device_service import DeviceService
from dsm_device.server.event_sink import EventSink
from dsm_device.server.front_door import About, FrontDoor, Reply
from dsm_device.server.http_server import Connection, HttpOptions, HttpServer
from dsm_device.server.soap_endpoint import SoapEndpoint
from dsm_device.server.unknown_requests import without_secrets
from dsm_device.wire.envelope import MAX_ENVELOPE_OCTETS
from dsm_device.wire.names import SOAP
from tests.unit.device_samples import METADATA, SAMPLES, SampleView
from tests.unit.test_device_service import Subscriptions, probe_answer

_LOOP: Final = asyncio.new_event_loop()
_STATUSES: Final = {
    b"200",
    b"202",
    b"400",
    b"403",
    b"404",
    b"405",
    b"408",
    b"413",
    b"415",
    b"431",
    b"500",
    b"501",
    b"505",
}
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")

#: What is wrong is logged by the application, as it must not fall with it; here it is a finding.
_LOGGED: list[str] = []


class _Collector(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            _LOGGED.append(self.format(record))


def _listen_to_errors() -> None:
    for name in ("dsm_device.server", "uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _Collector) for each in logger.handlers):
            logger.addHandler(_Collector())
            logger.propagate = False


def _check_log() -> None:
    if _LOGGED:
        said = "\n".join(_LOGGED)
        _LOGGED.clear()
        raise AssertionError(said)


# -------------------------------------------------------------------------------------------- bodies


_VIEW: Final = SampleView()
_ENDPOINT: Final = SoapEndpoint(DeviceService(_VIEW, Subscriptions(), probe_answer), METADATA.uuid)
_DOOR: Final = FrontDoor(_ENDPOINT, None, lambda: About("Front desk", "DSM"))
_PATHS: Final = ("/scan", "/dsd", f"/{METADATA.uuid}", "/", "/subscriptions/1")


def ask_console(data: bytes) -> None:
    """Any body has an answer: SOAP that fits an envelope, or a status that says why there is none."""
    _listen_to_errors()
    status, body = _LOOP.run_until_complete(_exchange(data, _PATHS[len(data) % len(_PATHS)]))
    _VIEW.validated.clear()  # it remembers for others what it was asked
    assert status in (200, 202, 400, 413, 500), status
    assert len(body) <= MAX_ENVELOPE_OCTETS
    if status == 500:
        assert body, "the service has failed"
    if body and not body.startswith(b"http://schemas.xmlsoap.org/ws/2004/08/eventing/"):  # the stand-in's answer
        assert etree.fromstring(body).tag == f"{{{SOAP}}}Envelope"
    without_secrets(data)
    _check_log()


async def _exchange(data: bytes, path: str) -> tuple[int, bytes]:
    said: list[Message] = []
    inbox = [{"type": "http.request", "body": data, "more_body": False}]

    async def receive() -> Message:
        return inbox.pop() if inbox else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        said.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "scheme": "http", "http_version": "1.1", "server": ("127.0.0.1", 5357), "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"x:5357"), (b"content-type", b"application/soap+xml")], "state": {},
    }  # fmt: skip
    await _DOOR(scope, receive, send)
    return said[0]["status"], b"".join(each.get("body", b"") for each in said[1:])


# ---------------------------------------------------------------------------------------------- HTTP


class _Echo:
    def serves(self, path: str) -> bool:
        return path in ("/scan", "/")

    async def answer(self, data: bytes, path: str, base_url: str, peer_host: str) -> Reply:
        assert re.fullmatch(r"http://[^/\s@?#]+", base_url), base_url
        return Reply(200, b"<a/>")


class _Pipe(asyncio.Transport):
    """The transport of a client that reads everything at once."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed or not data, "written to a connection that was closed"
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def _server() -> HttpServer:
    listening = socket.socket()
    sink = EventSink()
    return HttpServer(FrontDoor(_Echo(), sink, lambda: About("Front desk", "DSM")), HttpOptions(), listening)


_SERVER: Final = _LOOP.run_until_complete(_server())


def speak_http(data: bytes) -> None:
    """Whatever is said, in pieces: answers only, and nothing left behind."""
    _listen_to_errors()
    written = _LOOP.run_until_complete(_connection(data))
    assert not written or written.startswith(b"HTTP/1.1 "), written[:80]
    assert set(_STATUS_LINE.findall(written)) <= _STATUSES | {b"100"}, written
    _check_log()


async def _connection(data: bytes) -> bytes:
    place = _SERVER.places.take("127.0.0.1")
    assert place is not None
    pipe = _Pipe()
    connection = Connection(_SERVER, place)
    connection.connection_made(pipe)
    step = 1 + len(data) // 3
    for start in range(0, len(data), step):
        if not pipe.is_closed:
            connection.data_received(data[start : start + step])
            await asyncio.sleep(0)
    if not pipe.is_closed:
        connection.eof_received()
        await asyncio.sleep(0)
    connection.connection_lost(None)
    while _SERVER.state.tasks:
        await asyncio.wait(set(_SERVER.state.tasks), timeout=10)
    assert not _SERVER.places.taken
    assert not _SERVER.state.connections
    return bytes(pipe.written)


# --------------------------------------------------------------------------------------------- seeds

_HEAD: Final = b"POST /scan HTTP/1.1\r\nHost: printer:5357\r\nContent-Type: application/soap+xml\r\n"
HTTP_SEEDS: Final = [
    _HEAD + b"Content-Length: 4\r\n\r\n<a/>",
    _HEAD + b"Content-Length: 4\r\n\r\n<a/>" + _HEAD + b"Content-Length: 4\r\n\r\n<b/>",
    _HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\n<a\r\n2\r\n/>\r\n0\r\nTrailer: x\r\n\r\n",
    _HEAD.replace(b"/scan", b"/x") + b"Transfer-Encoding: chunked\r\n\r\n" + b"2\r\n<a\r\n" * 30 + b"0\r\n\r\n",
    _HEAD + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 4\r\n\r\n<a/>",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.0\r\n\r\n",
    b"POST http://x/dsm/events/y HTTP/1.1\r\nHost: [::1]:5357\r\nContent-Length: 0\r\nUpgrade: h2c\r\n\r\n",
    _HEAD + b"Content-Length: 40000\r\n\r\n" + b"x" * 200,
]
REQUEST_SEEDS: Final = [
    path.read_bytes()
    for pattern in ("dsd-*-request.xml", "dsd-dpws-*.xml", "dsd-wse-*.xml")
    for path in sorted(SAMPLES.glob(pattern))
]
