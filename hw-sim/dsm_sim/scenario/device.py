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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

#: How the program is started, wherever the environment is installed.
PROGRAM: Final = (sys.executable, "-m", "dsm_device")
_POLL_S: Final = 0.01


@dataclass(frozen=True)
class Spoken:
    """One JSON line of the device and the moment (CLOCK_MONOTONIC) at which it was read."""

    at_s: float
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
    ended_s: float = 0.0
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
    """A running command, with what it says as it comes."""

    def __init__(self, arguments: tuple[str, ...], configuration: Path, environment: Mapping[str, str]) -> None:
        common = () if arguments[0] == "sim" else ("--config", str(configuration), "--json")
        command = [*PROGRAM, *common, *arguments]
        self.run = Run(arguments, time.monotonic())
        self._lines: queue.Queue[Spoken] = queue.Queue()
        self._popen = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A process group of its own: what it leaves behind can be found, and only that is ever killed.
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read_events, args=(self._popen.stdout,), daemon=True),
            threading.Thread(target=self._read_messages, args=(self._popen.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def watch(self, limit_s: float, act: Callable[[Run], None]) -> Run:
        """Waits for the end; ``act`` is called again and again meanwhile, soon after whatever is said."""
        deadline_s = self.run.began_s + limit_s
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
        for pid in self._family():
            _kill(pid)

    def survivors(self) -> list[int]:
        """Processes of the device that are still there after its end."""
        return [pid for pid in self._family() if pid != self._popen.pid]

    def is_running(self) -> bool:
        return self._popen.poll() is None

    def _family(self) -> list[int]:
        """All processes of the session that the program leads."""
        return [pid for pid, session in _sessions() if session == self._popen.pid]

    def _finish(self) -> None:
        self.run.ended_s = time.monotonic()
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
            self._lines.put(Spoken(time.monotonic(), str(fields.get("event", "")), fields))

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


def _sessions() -> Iterator[tuple[int, int]]:
    """Each process of this machine with its session (proc(5), /proc/pid/stat)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _parent, _group, session = (entry / "stat").read_text().rpartition(") ")[2].split()[:4]
            except OSError:
                continue  # it has ended meanwhile
            if state != "Z":
                yield int(entry.name), int(session)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
