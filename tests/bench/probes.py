"""Floods of WS-Discovery: what they cost the device, and what they make it send. All of 127.0.0.0/8 asks."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PROGRAM = _ROOT / "tests" / "integration" / "discovery" / "device_program.py"
_PROBE = (_ROOT / "tests" / "data" / "samples" / "dsd-dpws-probe.xml").read_bytes()
_SENDERS = 250
_TICK_S = 0.01


def bench_probes(runs: int) -> None:
    """``runs`` is not heeded: a minute is a minute."""
    del runs
    for name, a_second, seconds in (
        ("10,000 probes in a minute", 10_000 / 60, 60),
        ("as fast as can be", 1e6, 10),
    ):
        print(_flood(name, a_second, seconds))


@dataclass(frozen=True)
class Flood:
    sent: int
    answers: int
    octets: int

    def __str__(self) -> str:
        came = f"{self.answers:,} answers ({self.octets:,} octets)"
        return f"{self.sent:,} probes ({self.sent * len(_PROBE):,} octets), {came}"


def flood(port: int, a_second: float, seconds: float) -> Flood:
    """From all senders in turn to the device at 127.0.0.1."""
    with ExitStack() as stack:
        senders = [stack.enter_context(_sender(number)) for number in range(_SENDERS)]
        sent, came = 0, []
        began_s = time.monotonic()
        while (passed_s := time.monotonic() - began_s) < seconds:
            due = min(int(passed_s * a_second) + 1 - sent, 200)
            for _ in range(due):
                senders[sent % _SENDERS].sendto(_fresh(), ("127.0.0.1", port))
                sent += 1
            came += _drain(senders, _TICK_S if due < 200 else 0)
        came += _drain(senders, 0.5)
    return Flood(sent, len(came), sum(came))


def _flood(name: str, a_second: float, seconds: float) -> str:
    with ExitStack() as stack:
        port = free_udp_port()
        device = stack.enter_context(_device(stack.enter_context(tempfile.TemporaryDirectory()), port))
        before_s, rss = cpu_s(device.pid), _rss_mib(device.pid)
        found = flood(port, a_second, seconds)
        used_s, grown = cpu_s(device.pid) - before_s, _rss_mib(device.pid) - rss
        assert device.stdin is not None
        device.stdin.close()
    return f"{name}: {found}, {used_s / seconds:.1%} of a core, memory {grown:+.1f} MiB of {rss:.0f}"


def _device(folder: str, port: int) -> subprocess.Popen[str]:
    options = {"state_dir": folder, "port": port, "interfaces": ["lo"], "http_port": 0}
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    command = [sys.executable, str(_PROGRAM), json.dumps(options)]
    device = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    assert device.stdout is not None
    device.stdout.readline()
    return device


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return int(udp.getsockname()[1])


def _sender(number: int) -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    udp.bind((f"127.0.1.{number + 1}", 0))
    return udp


def _fresh() -> bytes:
    return _PROBE.replace(b"d5d0002e-0000-4000-8000-00000000002e", str(uuid.uuid4()).encode())


def _drain(senders: list[socket.socket], wait_s: float) -> list[int]:
    """The sizes of what has come."""
    sizes = []
    for udp in select.select(senders, [], [], wait_s)[0]:
        try:
            while True:
                sizes.append(len(udp.recv(65_536)))
        except BlockingIOError:
            continue
    return sizes


def cpu_s(pid: int) -> float:
    """Of all its threads, since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    bench_probes(1)
