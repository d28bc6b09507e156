"""The acquisition process: ``python -m dsm_device.acquisition.worker FD``, FD being a connected stream socket.

Three threads: this one reads commands, so that Cancel is heard at any moment; the scanner's thread makes every
call to the driver; the encoder's thread writes the page files (:mod:`.page_flow`). When the agent is gone the
socket ends, and so does the process, after it has released the scanner.
"""

from __future__ import annotations

import importlib.metadata
import os
import queue
import socket
import sys
import threading
import time

from dsm_device.errors import Cancelled, DriverError, DsmError, ScannerError
from dsm_device.hardware import Driver, Scanner

from .messages import (
    Cancel,
    Command,
    Encoding,
    Failed,
    Finished,
    ListScanners,
    Open,
    Opened,
    PageStarted,
    Progress,
    Report,
    Scan,
    Scanners,
    Sense,
    Sensed,
    decode_command,
    encode,
    failed,
)
from .page_flow import PageFlow

DRIVERS = "dsm_device.drivers"
PROGRESS_INTERVAL_S = 0.2
#: How long the driver may take to release the scanner after the agent has gone.
RELEASE_LIMIT_S = 10.0


def load_driver(name: str) -> Driver:
    """The driver registered as ``name`` in the entry point group ``dsm_device.drivers``."""
    found = {entry.name: entry for entry in importlib.metadata.entry_points(group=DRIVERS)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise DriverError(f'there is no scanner driver "{name}"', f"set scanner.driver to one of: {known}")
    try:
        driver: Driver = found[name].load()()
    except (ImportError, AttributeError) as error:
        raise DriverError(f'the scanner driver "{name}" cannot be loaded ({error})') from error
    return driver


class _Channel:
    """The socket to the agent, written by several threads."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, report: Report) -> None:
        try:
            with self._lock:
                self._connection.sendall(encode(report))
        except OSError:
            os._exit(1)  # nobody is left to report to, and the backend may not be in a state to unwind


class Worker:
    """Carries out the agent's commands with one driver and at most one opened scanner."""

    def __init__(self, channel: _Channel) -> None:
        self._channel = channel
        self._commands: queue.Queue[Command | None] = queue.Queue()
        self._driver: Driver | None = None
        self._scanner: Scanner | None = None
        self._scanning = 0
        self._cancelled = 0
        self._encoding_due_s = 0.0

    def obey(self, command: Command) -> None:
        """Called by the thread that reads the socket."""
        if isinstance(command, Cancel):
            self.cancel(command.number)
        else:
            self._commands.put(command)

    def cancel(self, number: int) -> None:
        """Cancel the scan of that number, or do nothing if it is over; in the thread that reads the socket."""
        self._cancelled = max(self._cancelled, number)
        # A scan that begins right now sees the mark; the driver does not mind a cancel between two of them.
        if self._scanning <= number and (scanner := self._scanner) is not None:
            scanner.cancel()

    def stop(self) -> None:
        """Let :meth:`run` end with the command at hand; a scan is cancelled."""
        self._commands.put(None)
        self.cancel(sys.maxsize)

    def run(self) -> None:
        """The scanner's thread."""
        while (command := self._commands.get()) is not None:
            try:
                self._carry_out(command)
            except DsmError as error:
                self._channel.send(failed(error))
            except Exception as error:
                self._channel.send(Failed(ScannerError.__name__, f"the scanner driver failed: {error!r}", ""))
        if self._scanner is not None:
            self._scanner.close()

    def _carry_out(self, command: Command) -> None:
        match command:
            case ListScanners():
                self._channel.send(Scanners(tuple(self._load(command.driver).scanners())))
            case Open():
                self._open(command)
            case Sense():
                self._channel.send(Sensed(self._opened().sensors()))
            case Scan():
                self._scan(command)

    def _load(self, name: str) -> Driver:
        if self._driver is None:
            self._driver = load_driver(name)
        return self._driver

    def _open(self, command: Open) -> None:
        driver = self._load(command.driver)
        if self._scanner is not None:
            self._scanner.close()
            self._scanner = None
        self._scanner = driver.open(command.device, command.options, command.scratch)
        self._channel.send(Opened(self._scanner.capabilities()))

    def _opened(self) -> Scanner:
        if self._scanner is None:
            raise DriverError("no scanner is open")
        return self._scanner

    def _scan(self, command: Scan) -> None:
        scanner = self._opened()
        self._scanning = command.number
        images = 0
        with PageFlow(
            command.sides, command.folder, self._channel.send, self._tell_encoding, scanner.cancel
        ) as flow:
            pages = scanner.pages(command.settings)
            # A cancel counts for the driver from pages() on; one that came before is only known here.
            self._raise_if_cancelled()
            for images, page in enumerate(pages, start=1):
                self._channel.send(PageStarted(images, page.frame))
                self._report_progress(images, flow.feed(images, page))
                self._raise_if_cancelled()
            flow.finish()
        self._channel.send(Finished(images))

    def _report_progress(self, n: int, counts: object) -> None:
        due = 0.0
        for rows in counts:  # type: ignore[attr-defined]
            self._raise_if_cancelled()
            if time.monotonic() >= due:
                self._channel.send(Progress(n, rows))
                due = time.monotonic() + PROGRESS_INTERVAL_S

    def _tell_encoding(self, n: int) -> None:
        """In the encoder's thread: silence would count as hung."""
        if time.monotonic() >= self._encoding_due_s:
            self._channel.send(Encoding(n))
            self._encoding_due_s = time.monotonic() + PROGRESS_INTERVAL_S

    def _raise_if_cancelled(self) -> None:
        if self._scanning <= self._cancelled:
            raise Cancelled("the scan was cancelled")


def _serve(connection: socket.socket) -> None:
    worker = Worker(_Channel(connection))
    scanner_thread = threading.Thread(target=worker.run, name="scanner", daemon=True)
    scanner_thread.start()
    with connection.makefile("rb") as lines:
        for line in lines:
            worker.obey(decode_command(line))
    worker.stop()
    scanner_thread.join(RELEASE_LIMIT_S)
    if scanner_thread.is_alive():
        os._exit(1)  # it hangs in the backend, and so would anything that libsane does at exit


def main() -> None:
    # Backends print; standard output may be what a person or a script reads from the agent.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        _serve(connection)


if __name__ == "__main__":
    main()
