"""One connection to one sink of events: a POST at a time, bounded in time, in octets and in what it is worth.

httpcore is httpx without cookies, redirects, proxies and environment, and it lets us say where to connect: to the
address that was checked (:mod:`.sink_address`), whatever the name means by now.

Nothing published says whom the certificate of an https sink should be from, and a console has one of its own
making: it is not checked. TLS then keeps listeners out; who is meant is settled by the address.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import httpcore

from dsm_device.server.sink_address import SinkAddress
from dsm_device.wire import envelope
from dsm_device.wire.xml import XmlError

#: An answer to an event is empty, or a fault. Octets, and the pieces that they may come in: each chunk and each
#: interim answer costs as much time as a whole answer should.
_MAX_BODY_OCTETS: Final = 16_384
_MAX_PIECES: Final = 32
#: Of one whole answer, with its head and every interim one.
_MAX_ANSWER_OCTETS: Final = 32_768
#: What is taken in at a time: while that is being worked on, everybody else waits.
_READ_OCTETS: Final = 4_096
#: Shorter than the idle limit of any server in use (http.sys: 120 s), so that we close first.
IDLE_S: Final = 15.0
_GONE: Final = frozenset({404, 410})

_BROKEN: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ConnectionNotAvailable,
    OSError,
)


class SinkFailed(Exception):
    """The message was not taken. ``is_final``: it never will be."""

    def __init__(self, problem: str, *, is_final: bool = False) -> None:
        super().__init__(problem)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes


class SinkLine:
    """To whatever shares the origin of ``address``. One message at a time; :meth:`release` while it is idle."""

    def __init__(self, address: SinkAddress) -> None:
        self._backend = _CheckedBackend(address.address)
        self._pool: httpcore.AsyncConnectionPool | None = None

    @property
    def is_open(self) -> bool:
        return self._pool is not None

    async def post(self, address: SinkAddress, message: bytes, timeout_s: float) -> None:
        """Raises :class:`SinkFailed`. Every 2xx will do, but for one whose body is a SOAP fault."""
        answer = await self._exchange(address, message, timeout_s)
        if not 200 <= answer.status < 300:
            raise SinkFailed(f"HTTP {answer.status}", is_final=answer.status in _GONE)
        if _is_fault(answer.body):
            raise SinkFailed(f"a SOAP fault with HTTP {answer.status}")

    async def release(self) -> None:
        """Closes the connection; the next message makes another."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    async def _exchange(self, address: SinkAddress, message: bytes, timeout_s: float) -> _Answer:
        self._backend.octets_left = _MAX_ANSWER_OCTETS
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._opened().handle_async_request(_request(address, message))
                try:
                    return _Answer(response.status, await _body(response))
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise SinkFailed(f"no answer within {timeout_s:g} s") from error
        except _BROKEN as error:
            raise SinkFailed(str(error) or type(error).__name__) from error

    def _opened(self) -> httpcore.AsyncConnectionPool:
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=_context(),
                max_connections=1,
                keepalive_expiry=IDLE_S,
                network_backend=self._backend,
            )
        return self._pool


def _request(address: SinkAddress, message: bytes) -> httpcore.Request:
    default = {"http": 80, "https": 443}[address.scheme]
    authority = address.host if address.port == default else f"{address.host}:{address.port}"
    headers = [
        (b"Host", authority.encode()),
        (b"Content-Type", b"application/soap+xml; charset=utf-8"),
        (b"Content-Length", str(len(message)).encode()),
        (b"User-Agent", b"dsm-device"),
        (b"Accept-Encoding", b"identity"),
        (b"Cache-Control", b"no-cache"),
    ]
    url = httpcore.URL(
        scheme=address.scheme.encode(),
        host=address.host.strip("[]").encode(),
        port=address.port,
        target=address.target.encode(),
    )
    return httpcore.Request("POST", url, headers=headers, content=message)


async def _body(response: httpcore.Response) -> bytes:
    """Empty for one that is too long or breaks off: that changes nothing about the status that came before it."""
    body = bytearray()
    pieces = 0
    try:
        async for piece in response.aiter_stream():
            body += piece[:_MAX_BODY_OCTETS]
            pieces += 1
            if len(body) > _MAX_BODY_OCTETS or pieces > _MAX_PIECES:
                return b""
    except _BROKEN:
        return b""
    return bytes(body)


def _is_fault(body: bytes) -> bool:
    if not body:
        return False
    try:
        return envelope.parse_message(body).fault is not None
    except XmlError:
        return False  # the status says that it was taken


@functools.cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to ``address`` only, and reads no more than ``octets_left``."""

    def __init__(self, address: str) -> None:
        self.octets_left = 0
        self._address = address
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - what the name means now is not asked
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._network.connect_tcp(self._address, port, timeout, local_address, socket_options)
        return _CountedStream(stream, self)


class _CountedStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream, backend: _CheckedBackend) -> None:
        self._stream = stream
        self._backend = backend

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        data = await self._stream.read(min(max_bytes, _READ_OCTETS), timeout)
        self._backend.octets_left -= len(data)
        if self._backend.octets_left < 0:
            raise httpcore.ReadError(f"its answer has more than {_MAX_ANSWER_OCTETS:,} octets")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _CountedStream(stream, self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
