"""The agent's end of the acquisition process: starts it, watches it, and ends it when it does not answer.

A backend that crashes, hangs or leaks takes its process with it and nothing else: it shows here as one
:class:`~dsm_device.errors.ScannerError`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from dsm_device.errors import Cancelled, DriverError, ScannerCrashed, ScannerError, ScannerHung, SpoolError
from dsm_device.hardware import Capabilities, OptionValue, ScannerInfo, ScanSettings, Sensors
from dsm_device.imaging.formats import PageSpec

from .messages import (
    Cancel,
    Command,
    Encoding,
    Failed,
    Finished,
    ListScanners,
    Open,
    Opened,
    PageAcquired,
    PageStarted,
    Progress,
    ProtocolBreach,
    Report,
    Scan,
    Scanners,
    Sense,
    Sensed,
    decode_report,
    encode,
    raised,
)
from .patience import OPENING, Patience

LINE_LIMIT_BYTES = 1 << 20
STDERR_LINES = 20
LAST_WORDS_S = 1.0
KILLED_WITHIN_S = 5.0
_SIGNALS = {number.value: number.name for number in signal.Signals}

PageReport = PageStarted | Progress | Encoding | PageAcquired
_R = TypeVar("_R", bound=Report)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the driver may be silent, in seconds, before it counts as hung.

    ``open_s`` is for one attempt: some scanners take half a minute to say that there is nobody. ``page_s`` is
    above the driver's own patience with a busy (30 s) or a cold (60 s) scanner; there is no limit on a page or a
    job as a whole. ``sense_s`` is for reading the sensors.
    """

    open_s: float = 60.0
    sense_s: float = 5.0
    page_s: float = 120.0
    rows_s: float = 60.0
    cancel_s: float = 8.0


class Acquisition:
    """One acquisition process. Use as ``async with Acquisition() as acquisition``."""

    def __init__(self, limits: Limits | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._limits = limits or Limits()
        self._environment = environment
        self._doing = "starting"
        self._last_words: deque[str] = deque(maxlen=STDERR_LINES)
        self._cancel_limit: asyncio.TimerHandle | None = None
        self._is_cancelled = False
        self._number = 0
        self._is_scanning = False

    async def __aenter__(self) -> Self:
        ours, theirs = socket.socketpair()
        # Not asyncio's own pipe: with that, the process counts as running while any child of a backend's holds it.
        words, stderr = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "dsm_device.acquisition.worker",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                env=self._environment,
            )
        except OSError as error:
            ours.close()
            os.close(words)
            raise DriverError(f"the acquisition process cannot be started ({error})") from error
        finally:
            theirs.close()
            os.close(stderr)
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=LINE_LIMIT_BYTES)
        self._listener = asyncio.create_task(self._keep_last_words(words))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the process release the scanner; end it, and what the backend started, if it does not."""
        self._writer.close()
        try:
            await self._exit_code()
        finally:
            self._disarm()
            self._kill_group()
            await self._hear_last_words()
            with suppress(OSError):
                await self._writer.wait_closed()

    @property
    def pid(self) -> int:
        """Process id of the acquisition process, which leads a process group of its own."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there, as far as is known."""
        return self._process.returncode is None

    async def scanners(self, driver: str) -> tuple[ScannerInfo, ...]:
        """The devices that ``driver`` finds."""
        self._send(ListScanners(driver), "looking for scanners")
        return (await self._expect(Scanners, self._limits.open_s)).found

    async def open(
        self,
        driver: str,
        device: str,
        options: Mapping[str, OptionValue],
        scratch: Path,
        patience: Patience = OPENING,
    ) -> Capabilities:
        """Open a scanner and read what it can do; one that was open is released first.

        Tried again as ``patience`` says. Once this has been cancelled the process is of no more use.
        """
        command = Open(driver, device, dict(options), scratch)

        async def attempt() -> Capabilities:
            self._send(command, f"opening the scanner {device}".rstrip())
            return (await self._expect(Opened, self._limits.open_s)).capabilities

        return await patience.with_scanner(attempt)

    async def sensors(self) -> Sensors:
        """What the sensors of the open scanner say; not while it scans."""
        self._send(Sense(), "reading the scanner's sensors")
        return (await self._expect(Sensed, self._limits.sense_s)).sensors

    async def scan(
        self, settings: ScanSettings, sides: tuple[PageSpec, ...], folder: Path
    ) -> AsyncIterator[PageReport]:
        """Acquire images into ``folder``, one report after the other, until the source is done.

        ``sides``: what becomes of all images, or of fronts and backs in turn. May be called again.
        """
        if self._is_cancelled:
            raise Cancelled("the scan was cancelled")
        self._number += 1
        self._send(Scan(self._number, settings, sides, folder), "starting the first page")
        self._is_scanning = True
        limit_s = self._limits.page_s
        while not isinstance(report := await self._receive(limit_s), Finished):
            match report:
                case PageStarted():
                    self._doing = f"reading page {report.n}"
                case PageAcquired():
                    # The next page may have begun while this one was still being encoded.
                    if self._doing == f"reading page {report.n}":
                        self._doing, limit_s = f"waiting for page {report.n + 1}", self._limits.page_s
                case Progress() | Encoding():
                    # Not before the first rows: a three-pass scanner has been over the page twice by then.
                    limit_s = self._limits.rows_s
                case _:
                    raise ScannerError(f"unexpected {type(report).__name__} from the acquisition process")
            yield report

    def cancel(self) -> None:
        """Stop the scan: :meth:`scan` then raises ``Cancelled``, at the latest after ``limits.cancel_s``.

        So does every later one, until :meth:`reset`.
        """
        if self._is_cancelled:
            return
        self._is_cancelled = True
        if self._is_scanning:
            self._writer.write(encode(Cancel(self._number)))
        loop = asyncio.get_running_loop()
        self._cancel_limit = loop.call_later(self._limits.cancel_s, self._kill_group)

    async def reset(self) -> None:
        """Be ready for another job: what was cancelled is past, a scan that was left alone is cancelled first.

        Raises ``ScannerError`` where the process is of no use any more.
        """
        try:
            if self._is_scanning:
                self.cancel()
                await self._drain()
        finally:
            self._disarm()
        self._is_cancelled = False
        if not self.is_running:
            raise await self._crashed()

    async def _drain(self) -> None:
        try:
            while self._is_scanning:
                await self._receive(self._limits.cancel_s)
        except (ScannerError, SpoolError, Cancelled):
            if self._is_scanning:  # no answer of the scan's, but the end of the process
                raise

    def _disarm(self) -> None:
        if self._cancel_limit is not None:
            self._cancel_limit.cancel()
            self._cancel_limit = None

    # --------------------------------------------------------------------------------------- channel

    def _send(self, command: Command, doing: str) -> None:
        self._doing = doing
        self._writer.write(encode(command))

    async def _expect(self, kind: type[_R], limit_s: float) -> _R:
        report = await self._receive(limit_s)
        if not isinstance(report, kind):
            raise ScannerError(f"unexpected {type(report).__name__} from the acquisition process")
        return report

    async def _receive(self, limit_s: float) -> Report:
        try:
            line = await asyncio.wait_for(self._reader.readline(), limit_s)
        except TimeoutError:
            await self._kill()
            raise ScannerHung(
                f"the scanner's driver did not answer for {limit_s:g} s while {self._doing} and was ended"
            ) from None
        except (OSError, ValueError) as error:
            raise await self._crashed() from error
        if not line.endswith(b"\n"):
            raise await self._crashed()
        try:
            report = decode_report(line)
        except ProtocolBreach as breach:
            await self._kill()
            raise ScannerCrashed(f"the scanner's driver garbled its report while {self._doing}") from breach
        if isinstance(report, Failed | Finished):
            self._is_scanning = False
        if isinstance(report, Failed):
            raise raised(report)
        return report

    async def _crashed(self) -> Exception:
        code = await self._exit_code()
        self._kill_group()
        await self._hear_last_words()
        if self._is_cancelled:
            return Cancelled("the scan was cancelled")
        how = f"signal {_SIGNALS.get(-code, -code)}" if code < 0 else f"exit status {code}"
        words = f"; its last words: {self._last_words[-1]}" if self._last_words else ""
        return ScannerCrashed(f"the scanner's driver crashed ({how}) while {self._doing}{words}")

    async def _exit_code(self) -> int:
        """The process's exit status; it is ended if it does not exit by itself."""
        try:
            return await asyncio.wait_for(self._process.wait(), self._limits.cancel_s)
        except TimeoutError:
            await self._kill()
            return -signal.SIGKILL

    async def _keep_last_words(self, pipe: int) -> None:
        """Drain standard error: a backend that chatters must not block, and a crash wants its last line."""
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(pipe, "rb", buffering=0)
        )
        try:
            while chunk := await stream.read(4096):
                self._last_words.extend(filter(None, chunk.decode(errors="replace").splitlines()))
        finally:
            transport.close()

    async def _hear_last_words(self) -> None:
        """To their end, unless something that left the process group keeps the pipe."""
        await asyncio.wait({self._listener}, timeout=LAST_WORDS_S)
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)

    async def _kill(self) -> None:
        """End the process. One that hangs in the kernel ends when the kernel lets it: that is not waited for."""
        self._kill_group()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), KILLED_WITHIN_S)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
