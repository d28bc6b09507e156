"""Networks for a test: a namespace for the device and one for its neighbours, joined by cables that can be pulled.

They need root (or CAP_NET_ADMIN). The ports of WS-Discovery are free in each, whatever else this machine runs.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
#: In which the programs of this project are found, and watched (``tests/watch``).
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(
        [
            os.environ.get("PYTHONPATH", "."),
            *(str(ROOT / each) for each in (".", "drivers", "hw-sim")),
            *sys.path[1:],
        ]
    ),
}


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Lab:
    """Two namespaces. Interface ``dev0`` of the device is joined with ``peer0`` of its neighbours, and so on."""

    device: str
    peer: str

    def set(self, *words: str, at: str = "device") -> None:
        """``ip`` in one of them."""
        ip("-n", getattr(self, at), *words)

    def join(self, number: int, *addresses: tuple[str, str]) -> None:
        """A new cable, with these addresses (device's and neighbour's) at its ends. IPv6 without waiting."""
        near, far = f"dev{number}", f"peer{number}"
        ip("-n", self.device, "link", "add", near, "type", "veth", "peer", "name", far, "netns", self.peer)
        for at, name in (("device", near), ("peer", far)):
            if not any(":" in address for pair in addresses for address in pair):
                self.run(at, "sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1")
            self.run(at, "sysctl", "-qw", f"net.ipv6.conf.{name}.accept_dad=0")
        for ours, theirs in addresses:
            self.address(near, ours)
            self.address(far, theirs, at="peer")
        self.set("link", "set", near, "up")
        self.set("link", "set", far, "up", at="peer")
        # The kernel drops what is sent before it has seen both ends up.
        self._await((self.device, near, True), (self.peer, far, True))

    def _await(self, *ends: tuple[str, str, bool]) -> None:
        """Until each interface is up, or is not."""
        end_s = time.monotonic() + 10
        while time.monotonic() < end_s:
            if all(("state UP" in ip("-n", place, "link", "show", name)) is is_up for place, name, is_up in ends):
                return
        raise AssertionError(f"the kernel does not see it: {ends}")

    def pull(self, number: int, at: str = "device") -> None:
        """Pull the cable at one end; returns when the kernel has seen that at both, up to a second later."""
        near, far = f"dev{number}", f"peer{number}"
        self.set("link", "set", near if at == "device" else far, "down", at=at)
        self._await((self.device, near, False), (self.peer, far, False))

    def plug(self, number: int, at: str = "device") -> None:
        near, far = f"dev{number}", f"peer{number}"
        self.set("link", "set", near if at == "device" else far, "up", at=at)

    def address(self, interface: str, address: str, *, at: str = "device", verb: str = "add") -> None:
        wait = ["nodad"] if ":" in address and verb == "add" else []
        self.set("addr", verb, address, "dev", interface, *wait, at=at)

    def run(self, at: str, *command: str) -> None:
        subprocess.run(["ip", "netns", "exec", getattr(self, at), *command], check=True, capture_output=True)

    def start(self, at: str, *command: str) -> Program:
        """A program in one of them."""
        return Program(["ip", "netns", "exec", getattr(self, at), *command])

    def start_device(self, state_dir: Path, **options: Any) -> Program:
        settings = {"state_dir": str(state_dir), "interfaces": [], **options}
        program = self.start("device", sys.executable, str(HERE / "device_program.py"), json.dumps(settings))
        program.line("ready")
        return program

    def start_neighbour(self, interface: str = "peer0", port: int = 3702) -> Program:
        program = self.start("peer", sys.executable, str(HERE / "neighbour.py"), interface, str(port))
        program.line('"ready"')
        return program


@contextmanager
def lab() -> Iterator[Lab]:
    made = Lab(f"dsmdev{secrets.token_hex(3)}", f"dsmpeer{secrets.token_hex(3)}")
    with ExitStack() as stack:
        for name in (made.device, made.peer):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
            ip("-n", name, "link", "set", "lo", "up")
        yield made


class Program:
    """A process and what it prints, line by line. It is ended by closing its standard input, else by a signal."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=ENVIRONMENT,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def say(self, order: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()

    def line(self, *parts: str, within_s: float = 10.0) -> str:
        """The next line that has all these parts in it; others are passed over."""
        end_s = time.monotonic() + within_s
        while True:
            try:
                line = self._lines.get(timeout=max(end_s - time.monotonic(), 0.001))
            except queue.Empty:
                raise AssertionError(f"no line with {parts} in:\n" + "\n".join(self.seen)) from None
            self.seen.append(line)
            if all(part in line for part in parts):
                return line

    def heard(self, kind: str, *parts: str, within_s: float = 10.0) -> dict[str, Any]:
        """The next datagram of that kind that a neighbour hears."""
        found: dict[str, Any] = json.loads(self.line(f'"kind": "{kind}"', *parts, within_s=within_s))
        return found

    def silence(self, kind: str, *parts: str, within_s: float = 1.0) -> bool:
        try:
            self.heard(kind, *parts, within_s=within_s)
        except AssertionError:
            return True
        return False

    def stop(self) -> int:
        """Its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            code = self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            code = self.process.wait(5)
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code
