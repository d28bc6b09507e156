"""Many subscribers: what they cost in memory, how long an event takes to reach all of them, and the farewell.

    python -m tests.bench.subscribers [--subscribers 1000]

The sinks are a process of their own on loopback. Figures are of this machine; nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from dsm_device.server.event_source import EventOptions
from dsm_device.server.subscriptions import Limits
from tests.event_desk import event_desk, status_event

_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


def _sinks(told: Connection) -> None:
    """Says the port, then the number of messages taken, each time as soon as it is as high as asked; 0 ends it."""

    async def main() -> None:
        taken = 0
        more = asyncio.Condition()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal taken
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    at = head.lower().index(b"content-length:") + 15
                    await reader.readexactly(int(head[at : head.index(b"\r", at)]))
                    writer.write(_ACCEPTED)
                    async with more:
                        taken += 1
                        more.notify_all()
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
        told.send(server.sockets[0].getsockname()[1])
        while wanted := await asyncio.to_thread(told.recv):
            async with more:
                await more.wait_for(lambda wanted=wanted: taken >= wanted)  # type: ignore[misc]
            told.send(taken)

    asyncio.run(main())


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def _reached(told: Connection, number: int) -> float:
    """When so many messages have been taken, in seconds of the performance counter."""
    told.send(number)
    await asyncio.to_thread(told.recv)
    return time.perf_counter()


async def _measure(subscribers: int, told: Connection) -> None:
    port = told.recv()
    limits = Limits(subscriptions=subscribers, per_host=subscribers, burst=subscribers)
    options = replace(EventOptions(), limits=limits)
    before = _resident_mib()
    async with event_desk(options) as desk:
        begun = time.perf_counter()
        for _ in range(subscribers):
            await desk.subscribe(f"http://127.0.0.1:{port}/sink", end_to=f"http://127.0.0.1:{port}/sink")
        spent = (time.perf_counter() - begun) / subscribers * 1000
        print(f"{subscribers} subscriptions, {spent:.2f} ms each")
        print(f"memory {before:.1f} -> {_resident_mib():.1f} MiB")
        for number in (1, 2, 3):
            begun = time.perf_counter()
            desk.source.publish(status_event(number))
            published = time.perf_counter()
            reached = await _reached(told, number * subscribers)
            print(
                f"event {number}: published in {(published - begun) * 1000:.1f} ms, "
                f"with everybody after {reached - begun:.2f} s; memory {_resident_mib():.1f} MiB"
            )
        begun = time.perf_counter()
        await desk.source.aclose()
        print(f"farewell in {time.perf_counter() - begun:.2f} s")
        told.send(1)
        print(f"{told.recv() - 3 * subscribers} of {subscribers} have heard it")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures many subscribers.")
    parser.add_argument("--subscribers", type=int, default=1_000)
    options = parser.parse_args()
    here, there = multiprocessing.Pipe()
    sinks = multiprocessing.get_context("spawn").Process(target=_sinks, args=(there,), daemon=True)
    sinks.start()
    asyncio.run(_measure(options.subscribers, here))
    here.send(0)
    sinks.join()


if __name__ == "__main__":
    main()
