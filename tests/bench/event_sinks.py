"""Takes events at one port: at /well/N at once, at /slow/N after a while, at /mute/N never.

Usage: event_sinks.py. Prints its port. For each line "NUMBER COUNT" of standard input it prints, once COUNT /well
sinks have the event of that number, or a minute later, JSON: ``last_s``, the moment at which the
last one came (CLOCK_MONOTONIC), and ``missing``. At the end of standard input it prints ``wrong``: how many of
/well's events came twice or out of order.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import defaultdict
from typing import Final

_TARGET: Final = re.compile(rb"POST /(\w+)/(\d+) ")
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_NUMBER: Final = re.compile(rb"ConditionId>(\d+)<")
_TAKEN: Final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_SLOW_S: Final = 4.0
_LIMIT_S: Final = 60.0


class Book:
    """What has come for whom."""

    def __init__(self) -> None:
        self.came: defaultdict[int, set[int]] = defaultdict(set)
        self.last_s: dict[int, float] = {}
        self.latest: dict[int, int] = {}
        self.wrong = 0
        self.news = asyncio.Event()

    def note(self, sink: int, number: int) -> None:
        if self.latest.get(sink, -1) >= number:
            self.wrong += 1
        self.latest[sink] = number
        self.came[number].add(sink)
        self.last_s[number] = time.monotonic()
        self.news.set()

    async def until(self, number: int, count: int) -> dict[str, float]:
        deadline_s = time.monotonic() + _LIMIT_S
        while len(self.came[number]) < count and time.monotonic() < deadline_s:
            self.news.clear()
            try:
                async with asyncio.timeout(1):
                    await self.news.wait()
            except TimeoutError:
                continue
        return {"last_s": self.last_s.get(number, 0), "missing": count - len(self.came[number])}


class _Sink(asyncio.Protocol):
    def __init__(self, book: Book) -> None:
        self._book = book
        self._came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, end, body = self._came.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and length and len(body) >= int(length[1]):
            self._came = b""
            self._take(head, body)

    def _take(self, head: bytes, body: bytes) -> None:
        target, number = _TARGET.match(head), _NUMBER.search(body)
        if target is None or number is None:
            self._transport.close()
        elif target[1] == b"well":
            self._book.note(int(target[2]), int(number[1]))
            self._transport.write(_TAKEN)
        elif target[1] == b"slow":
            asyncio.get_running_loop().call_later(_SLOW_S, self._transport.write, _TAKEN)


async def main() -> None:
    book = Book()
    server = await asyncio.get_running_loop().create_server(lambda: _Sink(book), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        number, count = map(int, line.split())
        print(json.dumps(await book.until(number, count)), flush=True)
    print(json.dumps({"wrong": book.wrong}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
