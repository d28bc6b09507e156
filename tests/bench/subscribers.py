"""Many subscribers at once: from a change to the last one's event, and what they cost in memory.

The device takes 32 subscribers. Here the source of events takes more by its own options, in a process of its own;
the sinks are another. Some of them are slow, some never answer, some are not there.

Usage, of the source: python -m tests.bench.subscribers WELL SLOW MUTE DEAD
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from dsm_device.server.event_source import EventOptions, EventSource
from dsm_device.server.sink_address import SinkRule
from dsm_device.server.subscriptions import Limits
from dsm_device.wire.device.events import ScannerStatusConditionClearedEvent
from dsm_device.wire.event_source import Wanted
from dsm_device.wire.names import DSD
from dsm_device.wire.references import Reference
from tests.process_tree import memory_of

from .console_desk import load_average
from .probes import cpu_s, free_udp_port

_NAME: Final = ScannerStatusConditionClearedEvent.name
_EVENTS: Final = 20
_BURST: Final = 50


@dataclass(frozen=True)
class Crowd:
    well: int
    slow: int = 0
    mute: int = 0
    dead: int = 0

    def urls(self, port: int, dead_port: int) -> Iterator[str]:
        """Mixed, so that the bad ones are not all served last."""
        kinds = [("well", self.well, port), ("slow", self.slow, port), ("mute", self.mute, port)]
        kinds.append(("dead", self.dead, dead_port))
        urls = [
            (number / amount, f"http://127.0.0.1:{where}/{kind}/{number}")
            for kind, amount, where in kinds
            for number in range(amount)
        ]
        return (url for _, url in sorted(urls))

    def __str__(self) -> str:
        return f"{self.well} well, {self.slow} slow, {self.mute} mute, {self.dead} dead"


class Sinks:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self.port = int(self._stdout.readline())

    def _answer(self, question: str) -> Any:
        self._stdin.write(question)
        self._stdin.flush()
        return json.loads(self._stdout.readline())

    async def until(self, number: int, crowd: Crowd) -> tuple[float, int]:
        """When the last of those who are well had the event of that number; how many had not."""
        found = await asyncio.to_thread(self._answer, f"{number} {crowd.well}\n")
        return found["last_s"], found["missing"]

    def end(self) -> int:
        """How many events came twice or out of order."""
        self._stdin.close()
        return int(json.loads(self._stdout.readline())["wrong"])


@contextmanager
def _sinks() -> Iterator[Sinks]:
    command = [sys.executable, str(Path(__file__).with_name("event_sinks.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Sinks(process)


def bench_subscribers(runs: int) -> None:
    """``runs`` is not heeded: there are many subscribers and many events."""
    del runs
    print(f"\nEvents to many subscribers; {_EVENTS} single changes, then {_BURST} at once", flush=True)
    for crowd in (Crowd(32), Crowd(1_000), Crowd(900, slow=40, mute=30, dead=30)):
        command = [sys.executable, "-m", "tests.bench.subscribers", *map(str, astuple(crowd))]
        subprocess.run(command, check=True)


async def _serve(crowd: Crowd, sinks: Sinks) -> None:
    plenty = Limits(subscriptions=2_000, per_host=2_000, burst=2_000)
    rule = SinkRule(lambda: [ipaddress.ip_interface("127.0.0.1/8")])
    source = EventSource(rule, EventOptions(limits=plenty))
    before_mib = _rss_mib()
    dead_port = free_udp_port()
    for url in crowd.urls(sinks.port, dead_port):
        wanted = Wanted(Reference(url, (), ""), None, None, {_NAME: f"{DSD}/{_NAME}"})
        await source.subscribe(wanted, namespace=DSD, base_url="http://127.0.0.1:5357", subscriber="127.0.0.1")
    subscribed_mib, used_s, began_s = _rss_mib(), cpu_s(os.getpid()), time.monotonic()
    first, *single = [await _tell(source, sinks, crowd, number, 1) for number in range(_EVENTS)]
    burst = await _tell(source, sinks, crowd, _EVENTS, _BURST)
    used_s = cpu_s(os.getpid()) - used_s
    took_s, after_mib, lost = (
        time.monotonic() - began_s,
        _rss_mib(),
        sum(each.missing for each in (first, *single)),
    )
    await source.aclose()
    wait_ms = [each.wait_s * 1000 for each in single]
    print(f"  {crowd}")
    print(f"    to the last subscriber: with connecting {first.wait_s * 1000:.0f} ms; then median ", end="")
    print(f"{statistics.median(wait_ms):.0f} ms, max {max(wait_ms):.0f} ms; {_BURST} at once {burst.wait_s:.2f} s")
    print(f"    lost {lost}, twice or out of order {sinks.end()}; publish() at most ", end="")
    print(f"{max(each.publish_s for each in (first, *single, burst)) * 1000:.1f} ms an event", end="; ")
    print(f"CPU {used_s:.1f} s of {took_s:.1f} s")
    memory = f"{before_mib:.1f} MiB, subscribed {subscribed_mib:.1f}, after all events {after_mib:.1f}"
    print(f"    memory {memory}, closed {_rss_mib():.1f}   {load_average()}", flush=True)


@dataclass(frozen=True)
class _Told:
    wait_s: float
    missing: int
    publish_s: float


async def _tell(source: EventSource, sinks: Sinks, crowd: Crowd, number: int, events: int) -> _Told:
    """Publishes so many events from ``number`` on, and waits for the last to be everywhere."""
    began_s = time.monotonic()
    for each in range(number, number + events):
        source.publish(ScannerStatusConditionClearedEvent(each, datetime.now(UTC)))
    publish_s = (time.monotonic() - began_s) / events
    last_s, missing = await sinks.until(number + events - 1, crowd)
    return _Told(last_s - began_s, missing, publish_s)


def _rss_mib() -> float:
    memory = memory_of(os.getpid())
    assert memory is not None
    return memory.rss / 2**20


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # that a dead sink is given up is no news here
    with _sinks() as _taking:
        asyncio.run(_serve(Crowd(*map(int, sys.argv[1:])), _taking))
