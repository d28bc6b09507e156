"""One HTTP/1.1 connection of a client: requests in, answers out, kept alive; as slow or as broken as is planned.

HTTP syntax is h11's. Source: RFC 9112.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import http
import re
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Final

import h11

from dsm_sim.peers.scan_server.answers import Answer, Hangup

READ_OCTETS: Final = 262_144
_HEAD_LIMIT: Final = 65_536
#: What is read and thrown away of a refused request, so that its sender gets to read the answer.
_DRAIN_LIMIT: Final = 256 * 1024 * 1024
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_FOLDED: Final = re.compile(rb"\n[ \t]")


class MalformedRequest(Exception):
    """Not HTTP; ``status`` is what to answer with."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class IncompleteRequest(Exception):
    """The client went away in the middle of a request."""


class Pace:
    """Holds a stream of octets to a rate."""

    def __init__(self, rate: int | None) -> None:
        self.rate = rate
        self._free_at = 0.0

    @property
    def chunk(self) -> int:
        """How much to read at a time: a tenth of a second's worth."""
        return READ_OCTETS if self.rate is None else max(1, min(READ_OCTETS, self.rate // 10))

    async def spend(self, octets: int) -> None:
        """Waits until ``octets`` more are due."""
        if self.rate is None:
            return
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now) + octets / self.rate
        await asyncio.sleep(self._free_at - now)


@dataclass
class Request:
    """The head of a request; its body follows by :meth:`chunks`. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    is_folded: bool
    #: Digest of the client's certificate, "" without one.
    identity: str
    #: Monotonic time at which the head had arrived.
    began: float
    pace: Pace
    _next: Callable[[Pace], Awaitable[bytes]]
    #: The connection is reset when so many octets of the body have arrived.
    reset_after: int | None = None
    octets: int = 0
    #: What it turned out to be; "" and 0 until that is known.
    operation: str = ""
    job_token: str = ""
    document_id: int = 0
    #: Of the answer; 0 without one.
    status: int = 0
    #: Called when the request is over, answered or not.
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    #: Seconds of CLOCK_MONOTONIC: the head had arrived, the body was complete.
    head_s: float = field(default_factory=time.monotonic)
    body_s: float | None = None
    _done: bool = field(default=False)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, piece by piece. Raises :class:`IncompleteRequest`, :class:`Hangup`."""
        while not self._done:
            data = await self._next(self.pace)
            self._done = not data
            if self._done:
                self.body_s = time.monotonic()
            self.octets += len(data)
            if self.reset_after is not None and self.octets >= self.reset_after:
                raise Hangup(is_reset=True)
            if data:
                yield data

    async def drain(self) -> None:
        """Reads the rest of the body and forgets it. Raises :class:`Hangup` where that is too much."""
        async for _ in self.chunks():
            if self.octets > _DRAIN_LIMIT:
                raise Hangup


Respond = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True)
class Listener:
    """What a connection tells and asks its server."""

    respond: Respond
    #: The answer to something that is no HTTP request.
    respond_malformed: Callable[[MalformedRequest], Answer]
    incomplete: Callable[[], None]
    #: An error of the server's own in an operation, "" where that is not known.
    failed: Callable[[str, Exception], None]
    monotonic: Callable[[], float]
    now: Callable[[], datetime.datetime]
    read_rate: int | None
    idle_timeout_s: float


class Connection:
    """Serves one client until it goes away, is idle for too long, or is hung up on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener: Listener) -> None:
        self._reader = reader
        self._writer = writer
        self._listener = listener
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_LIMIT)
        self._raw_head = bytearray()
        self._identity = _identity(writer)

    async def serve(self) -> None:
        try:
            while await self._exchange():
                pass
        except Hangup as hangup:
            if hangup.is_reset:
                self._reset()
        except IncompleteRequest:
            self._listener.incomplete()
        except (OSError, TimeoutError):
            pass  # the client is gone, or idle: nobody is left to answer
        except asyncio.CancelledError:
            self._writer.transport.abort()  # the server stops: no time for an orderly end
            raise
        except Exception as error:
            self._listener.failed("", error)
        finally:
            await self._close()

    async def _exchange(self) -> bool:
        """One request and its answer; False where the connection is done."""
        try:
            request = await self._request()
            if request is None:
                return False
            await self._answer(request)
        except MalformedRequest as problem:
            await self._deliver(self._listener.respond_malformed(problem))
            return False
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._raw_head = bytearray(self._http.trailing_data[0])
        self._http.start_next_cycle()
        return True

    async def _answer(self, request: Request) -> None:
        try:
            answer = await self._listener.respond(request)
            await request.drain()
            await self._deliver(answer)
            request.status = answer.status
        finally:
            for each in request.afterwards:
                each()

    # ------------------------------------------------------------------------------------------ read

    async def _request(self) -> Request | None:
        pace = Pace(self._listener.read_rate)
        try:
            event = await self._event(pace)
        except IncompleteRequest:
            return None  # nothing had begun
        if not isinstance(event, h11.Request):
            return None
        head = _BLANK_LINE.split(self._raw_head, 1)[0]
        self._raw_head.clear()
        return Request(
            method=event.method.decode("ascii"),
            path=event.target.decode("latin-1").partition("?")[0],
            headers=_headers(event),
            is_folded=bool(_FOLDED.search(head)),
            identity=self._identity,
            began=self._listener.monotonic(),
            pace=pace,
            _next=self._body_octets,
        )

    async def _body_octets(self, pace: Pace) -> bytes:
        """Some octets of the body; b"" at its end."""
        event = await self._event(pace)
        if isinstance(event, h11.Data):
            await pace.spend(len(event.data))
            return bytes(event.data)
        if isinstance(event, h11.EndOfMessage):
            return b""
        raise IncompleteRequest

    async def _event(self, pace: Pace) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                if self._http.their_state is h11.ERROR and self._reader.at_eof():
                    raise IncompleteRequest from error
                raise MalformedRequest(str(error), error.error_status_hint) from error
            if event is h11.NEED_DATA:
                await self._receive(pace)
            else:
                return event

    async def _receive(self, pace: Pace) -> None:
        if self._http.they_are_waiting_for_100_continue:
            interim = self._http.send(h11.InformationalResponse(status_code=100, headers=[]))
            self._writer.write(interim or b"")
        try:
            async with asyncio.timeout(self._listener.idle_timeout_s):
                data = await self._reader.read(pace.chunk)
        except (OSError, TimeoutError) as error:
            raise Hangup from error  # not to be mistaken for trouble with the server's own files
        if self._http.their_state is h11.IDLE and len(self._raw_head) < _HEAD_LIMIT:
            self._raw_head += data
        self._http.receive_data(data)

    # ----------------------------------------------------------------------------------------- write

    async def _deliver(self, answer: Answer) -> None:
        raw = self._render(answer)
        await self._hold(answer.hold_s)
        if answer.cut_after is not None:
            raw = raw[: answer.cut_after]
        pace = Pace(answer.rate)
        for start in range(0, len(raw), pace.chunk):
            piece = raw[start : start + pace.chunk]
            self._writer.write(piece)
            await self._writer.drain()
            await pace.spend(len(piece))
        if answer.cut_after is not None:
            raise Hangup

    def _render(self, answer: Answer) -> bytes:
        date = format_datetime(self._listener.now().astimezone(datetime.UTC), usegmt=True)
        headers = [*answer.headers, ("Date", date), ("Content-Length", str(len(answer.body)))]
        head = self._http.send(
            h11.Response(status_code=answer.status, headers=headers, reason=_reason(answer.status))
        )
        body = self._http.send(h11.Data(data=answer.body)) if answer.body else b""
        end = self._http.send(h11.EndOfMessage())
        return (head or b"") + (body or b"") + (end or b"")

    async def _hold(self, seconds: float | None) -> None:
        """Waits, but not longer than the client does."""
        if seconds == 0:
            return
        try:
            async with asyncio.timeout(seconds):
                data = await self._reader.read(READ_OCTETS)
        except TimeoutError:
            return
        if data:  # the next request already: it has to wait with us
            self._http.receive_data(data)
            await asyncio.sleep(seconds if seconds is not None else float("inf"))
            return
        raise Hangup

    def _reset(self) -> None:
        """Lets the client see a reset instead of an orderly end."""
        endpoint = self._writer.get_extra_info("socket")
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _close(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(1):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()


def _reason(status: int) -> bytes:
    try:
        return http.HTTPStatus(status).phrase.encode()
    except ValueError:
        return b"Planned"


def _headers(event: h11.Request) -> dict[str, str]:
    """Names in lower case; the first of each name counts."""
    headers: dict[str, str] = {}
    for name, value in event.headers:
        headers.setdefault(name.decode("ascii"), value.decode("latin-1"))
    return headers


def _identity(writer: asyncio.StreamWriter) -> str:
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return hashlib.sha256(certificate).hexdigest() if certificate else ""
