"""The device under test: its own program, as an operator would start it, and what it says.

Nothing is known of it but its contract: command line, configuration file, exit codes, JSON lines, and the trace
that ``scan --trace`` writes.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Self

#: How the program is started, wherever the environment is installed.
PROGRAM: Final = (sys.executable, "-m", "dsm_device")
_POLL_S: Final = 0.01
#: How long processes may take to be gone after the program's end.
_DYING_S: Final = 1.0
_SIGN: Final = "DSM_SIM_PROCESS"


@dataclass(frozen=True)
class Spoken:
    """One JSON line of the device."""

    event: str
    fields: Mapping[str, Any]


@dataclass
class Run:
    """A command of the device from its start to its end. ``code`` is negative after a signal."""

    arguments: tuple[str, ...]
    began_s: float
    events: list[Spoken] = field(default_factory=list)
    messages: str = ""
    code: int = 0
    #: It had to be killed, as it took too long.
    is_overdue: bool = False

    def all(self, event: str) -> list[Spoken]:
        return [each for each in self.events if each.event == event]

    @property
    def job(self) -> str:
        """The device's name for its job, "" if there was none."""
        return next((str(each.fields["job"]) for each in self.all("created")), "")

    @property
    def token(self) -> str:
        """The post-scan job that it calls delivered, "" if there is none."""
        return next((str(each.fields["job_token"]) for each in self.all("done")), "")

    @property
    def last_words(self) -> str:
        return self.messages.strip().rpartition("\n")[2]


class Process:
    """A running program of the device, with what it says as it comes. It is gone when the context ends.

    What ``dsm-device sim`` prints is for people and counts as messages.
    """

    def __init__(self, arguments: tuple[str, ...], configuration: Path, environment: Mapping[str, str]) -> None:
        self.run = Run(arguments, time.monotonic())
        is_simulator = arguments[0] == "sim"
        common = () if is_simulator else ("--config", str(configuration), "--json")
        #: Every process that it starts inherits this, whatever session and group it makes for itself.
        self._sign = f"{_SIGN}={uuid.uuid4().hex}"
        name, _, value = self._sign.partition("=")
        self._lines: queue.Queue[Spoken] = queue.Queue()
        self._popen = subprocess.Popen(
            [*PROGRAM, *common, *arguments],
            env={**environment, name: value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at a terminal is for the player
        )
        self._readers = [
            self._reader(self._read_messages if is_simulator else self._read_events, self._popen.stdout),
            self._reader(self._read_messages, self._popen.stderr),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._popen.wait()

    def watch(self, limit_s: float, act: Callable[[Run], None]) -> Run:
        """Waits for the end; ``act`` is called again and again meanwhile, soon after whatever is said."""
        deadline_s = time.monotonic() + limit_s
        while self._popen.poll() is None:
            act(self.run)
            self._take(_POLL_S)
            if time.monotonic() > deadline_s:
                self.run.is_overdue = True
                self.kill()
                self._popen.wait()
        self._finish()
        return self.run

    def send(self, number: signal.Signals) -> None:
        """A signal to the program alone, as `kill` and systemd send it."""
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def kill(self) -> None:
        """All of its processes at once, as a power cut would."""
        while family := self._family():  # one of them may have started another meanwhile
            for pid in family:
                _kill(pid)
            self._popen.poll()

    def survivors(self) -> tuple[int, ...]:
        """Processes that are still there a while after the program's end."""
        deadline_s = time.monotonic() + _DYING_S
        while (family := self._family()) and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
        return tuple(family)

    def is_running(self) -> bool:
        return self._popen.poll() is None

    def _family(self) -> list[int]:
        """All living processes with its sign."""
        return [pid for pid, environment in _environments() if self._sign.encode() in environment]

    def _reader(self, read: Callable[[IO[bytes]], None], stream: IO[bytes] | None) -> threading.Thread:
        thread = threading.Thread(target=read, args=(stream,), daemon=True)
        thread.start()
        return thread

    def _finish(self) -> None:
        self.run.code = self._popen.returncode
        for reader in self._readers:
            reader.join(timeout=5)  # longer only if a process of the device survives with the pipe open
        self._take(0)

    def _take(self, wait_s: float) -> None:
        try:
            self.run.events.append(self._lines.get(timeout=wait_s) if wait_s else self._lines.get_nowait())
            while True:
                self.run.events.append(self._lines.get_nowait())
        except queue.Empty:
            return

    def _read_events(self, stream: IO[bytes]) -> None:
        for line in stream:
            fields = _parsed(line)
            self._lines.put(Spoken(str(fields.get("event", "")), fields))

    def _read_messages(self, stream: IO[bytes]) -> None:
        for line in stream:
            self.run.messages += line.decode("utf-8", "backslashreplace")


def _parsed(line: bytes) -> dict[str, Any]:
    """A JSON line; one that is none is kept as it is, for the judge."""
    try:
        fields = json.loads(line)
    except ValueError:
        fields = None
    return fields if isinstance(fields, dict) else {"event": "not JSON", "line": line.decode("utf-8", "replace")}


def _environments() -> Iterator[tuple[int, bytes]]:
    """Each living process of this machine that may be read, with its environment (proc(5), /proc/pid/environ)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
                is_dead = (entry / "stat").read_text().rpartition(") ")[2].startswith("Z")
            except OSError:
                continue  # it has ended meanwhile, or is somebody else's
            if not is_dead:
                yield int(entry.name), environment


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
