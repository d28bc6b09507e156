"""The one owner of the scanner: opens it for a job, keeps it open for the next, and finds it again.

Jobs take turns. After a job the scanner stays open for a while, so that the next one starts at once; then its
process is ended, so that the scanner can sleep and other programs can have it. A process that crashed, hung or
lost its device is ended, and the next job gets another: backends that look for devices only when they are loaded
see what was plugged in meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

from dsm_device.acquisition.patience import OPENING, Patience
from dsm_device.acquisition.process import Acquisition, Limits, PageReport
from dsm_device.errors import (
    Cancelled,
    ScannerBusy,
    ScannerError,
    ScannerInvalid,
    ScannerIoError,
    ScannerNoDocuments,
    ScannerNotFound,
)
from dsm_device.hardware import Capabilities, OptionValue, ScannerInfo, ScanSettings, Sensors
from dsm_device.imaging.formats import PageSpec
from dsm_device.spool import Spool

from .scanner_memory import Remembered, ScannerMemory

WARM_S: Final = 60.0
#: How long listing all devices may take where it only serves to remember one.
LEARN_WITHIN_S: Final = 10.0
#: What opening or starting gives when the device went away, or got another address.
_GONE = (ScannerNotFound, ScannerInvalid, ScannerIoError)
_NOT_THIS_ONE = (ScannerBusy, *_GONE)


@dataclass(frozen=True, slots=True)
class ScannerChoice:
    """Which scanner to use, as in the section ``scanner`` of the configuration."""

    driver: str
    device: str
    options: Mapping[str, OptionValue]


class _Worker:
    """One acquisition process and the folder for its driver's temporary files."""

    def __init__(self, choice: ScannerChoice, acquisition: Acquisition) -> None:
        self.acquisition = acquisition
        self.capabilities: Capabilities | None = None
        self.patience = OPENING
        #: Its backends may know only of what was plugged in when they were loaded.
        self.is_stale = False
        self._choice = choice
        self._scratch: TemporaryDirectory[str] | None = None

    async def open(self, device: str, state_dir: Path | None) -> Capabilities:
        if self._scratch is None:
            self._scratch = await asyncio.to_thread(_scratch, state_dir)
        self.capabilities = await self.acquisition.open(
            self._choice.driver, device, self._choice.options, Path(self._scratch.name), self.patience
        )
        return self.capabilities

    async def scanners(self) -> tuple[ScannerInfo, ...]:
        return await self.acquisition.scanners(self._choice.driver)

    async def end(self) -> None:
        """Release the scanner and end the process, by force if need be."""
        try:
            await self.acquisition.__aexit__(None, None, None)
        finally:
            if self._scratch is not None:
                await asyncio.to_thread(self._scratch.cleanup)


class Lent:
    """The scanner, as long as one job has it."""

    def __init__(self, keeper: ScannerKeeper, worker: _Worker, *, was_warm: bool) -> None:
        self._keeper = keeper
        self._worker = worker
        self._was_warm = was_warm
        self._is_cancelled = False
        self.is_well = True

    @property
    def acquisition(self) -> Acquisition:
        return self._worker.acquisition

    @property
    def capabilities(self) -> Capabilities:
        assert self._worker.capabilities is not None  # noqa: S101 - what is lent is open
        return self._worker.capabilities

    def cancel(self) -> None:
        """Stop the scan that runs; it and all later ones of this job raise ``Cancelled``."""
        self._is_cancelled = True
        self.acquisition.cancel()

    async def scan(
        self, settings: ScanSettings, sides: tuple[PageSpec, ...], folder: Path
    ) -> AsyncGenerator[PageReport]:
        """As :meth:`Acquisition.scan`.

        A scanner that was kept open and has another address by now is opened there.
        """
        may_be_stale, self._was_warm = self._was_warm, False
        try:
            async with aclosing(self._reports(settings, sides, folder)) as reports:
                async for report in reports:
                    may_be_stale = False
                    yield report
            return
        except _GONE as error:
            if not may_be_stale or not await self._found_elsewhere(error):
                raise
        async with aclosing(self._reports(settings, sides, folder)) as reports:
            async for report in reports:
                yield report

    async def _reports(
        self, settings: ScanSettings, sides: tuple[PageSpec, ...], folder: Path
    ) -> AsyncGenerator[PageReport]:
        try:
            async for report in self.acquisition.scan(settings, sides, folder):
                yield report
        except ScannerError as error:
            # After these the device is as good as before; whatever else happened, a new process is the safe way.
            self.is_well = error.clears_by_hand or isinstance(error, ScannerNoDocuments)
            raise

    async def _found_elsewhere(self, error: ScannerError) -> bool:
        """No sheet has moved if the scanner is not where it was: then it may be asked again."""
        before = self.capabilities.scanner.device
        try:
            self._worker = await self._keeper.replace(self._worker)
        except ScannerError as gone:
            raise gone from error
        self.is_well = True
        if self._is_cancelled:
            raise Cancelled("the scan was cancelled")
        return self.capabilities.scanner.device != before


class ScannerKeeper:
    """Lends the scanner of ``choice`` to one job after the other.

    ``state_dir`` is where it is remembered which scanner that is; None: nowhere. ``warm_s``: how long the scanner
    stays open after a job, in seconds; 0: not at all.
    """

    def __init__(
        self,
        choice: ScannerChoice,
        state_dir: Path | None,
        *,
        warm_s: float = WARM_S,
        limits: Limits | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._choice = choice
        self._state_dir = state_dir
        self._warm_s = warm_s
        self._limits = limits
        self._environment = environment
        self._turn = asyncio.Lock()  # first come, first served
        self._worker: _Worker | None = None
        self._memory: ScannerMemory | None = None
        self._sleeping: asyncio.Task[None] | None = None
        self._open_until = 0.0
        self._unlisted: set[str] = set()
        #: Hears what the scanner can do whenever it has been opened.
        self.on_opened: Callable[[Capabilities], None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def prepare(self) -> None:
        """Start a process, so that it is there when the scanner is asked for. The scanner is not touched."""
        async with self._turn:
            await self._started()

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Lent]:
        """The opened scanner, for one job alone. Raises ``ScannerError`` where it cannot be opened."""
        async with self._turn:
            self._stay_awake()
            before = self._worker if self._worker and self._worker.capabilities else None
            worker = await self._opened()
            lent = Lent(self, worker, was_warm=worker is before)
            try:
                yield lent
            finally:
                await self._take_back(lent)

    @property
    def choice(self) -> ScannerChoice:
        return self._choice

    @property
    def is_open(self) -> bool:
        """Whether it was opened and has not been released, as far as is known."""
        worker = self._worker
        return worker is not None and worker.capabilities is not None and worker.acquisition.is_running

    async def look(
        self, patience: Patience | None = None, *, hold_s: float = 0, anew: bool = False
    ) -> Sensors | None:
        """What the sensors say; None while a job has the scanner.

        A scanner that is closed is opened for it where there is ``patience``, and is kept open for ``hold_s`` more
        seconds; else None. ``anew``: it is opened by a process that finds what was plugged in lately. A job that
        comes meanwhile goes on with what has been opened. Raises ``ScannerError``.
        """
        if self._turn.locked() or not (self.is_open or patience):
            return None
        async with self._turn:
            worker = self._worker if self.is_open else None
            if worker is None:
                worker = await self._opened_to_look(patience or OPENING, anew=anew)
            try:
                sensors = await worker.acquisition.sensors()
            except BaseException:
                await self._end()
                raise
            if patience:
                self._stay_open(hold_s)
            return sensors

    async def aclose(self) -> None:
        """Release the scanner and end its process, after the job that has it."""
        async with self._turn:
            self._stay_awake()
            await self._end()

    async def replace(self, worker: _Worker) -> _Worker:
        """For the job that has the scanner: open it in another process instead of ``worker``."""
        assert worker is self._worker  # noqa: S101 - there is one
        await self._end()
        return await self._opened()

    # ------------------------------------------------------------------------------------ the process

    async def _started(self) -> _Worker:
        if self._worker is not None and not self._worker.acquisition.is_running:
            await self._end()
        if self._worker is None:
            acquisition = await Acquisition(self._limits, self._environment).__aenter__()
            self._worker = _Worker(self._choice, acquisition)
        return self._worker

    async def _opened(self) -> _Worker:
        worker = await self._started()
        if worker.capabilities is None:
            if worker.is_stale:
                await self._end()
                worker = await self._started()
            worker.patience = OPENING
            try:
                await self._open(worker)
            except BaseException:
                await self._end()
                raise
        return worker

    async def _opened_to_look(self, patience: Patience, *, anew: bool) -> _Worker:
        """As :meth:`_opened`, but the process stays for the next look where there is nothing to be opened."""
        if anew and self._worker is not None and self._worker.is_stale:
            await self._end()
        worker = await self._started()
        worker.patience, worker.is_stale = patience, True
        try:
            await self._open(worker)
        except BaseException as error:
            # One that has opened another scanner, or hangs in opening, is not kept.
            if worker.capabilities is not None or not isinstance(error, ScannerError):
                await self._end()
            raise
        worker.is_stale = False
        return worker

    async def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.end()

    # ------------------------------------------------------------------------------- after a job

    async def _take_back(self, lent: Lent) -> None:
        try:
            if not lent.is_well:
                await self._end()
                return
            await lent.acquisition.reset()
            await self._learn(lent)
            if self._warm_s <= 0:
                await self._end()
            else:
                self._stay_open(self._warm_s)
        except (ScannerError, Cancelled, TimeoutError):
            await self._end()
        except BaseException:
            await self._end()
            raise

    def _stay_open(self, for_s: float) -> None:
        """The scanner may not sleep before that time is over, nor before a longer one that was given before."""
        self._open_until = max(self._open_until, asyncio.get_running_loop().time() + for_s)
        if self._sleeping is None:
            self._sleeping = asyncio.create_task(self._sleep())

    async def _sleep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._open_until - loop.time())
            async with self._turn:
                if loop.time() >= self._open_until:
                    self._sleeping = None
                    await self._end()
                    return

    def _stay_awake(self) -> None:
        """The caller's turn it is: whoever waits for it to put the scanner to sleep has come too late."""
        self._open_until = 0.0
        if self._sleeping is not None:
            self._sleeping.cancel()
            self._sleeping = None

    # --------------------------------------------------------------------------- which scanner it is

    async def _remembered(self) -> ScannerMemory:
        if self._memory is None:
            self._memory = await asyncio.to_thread(ScannerMemory, self._state_dir)
        return self._memory

    async def _open(self, worker: _Worker) -> None:
        """Under its name, or where the same scanner is now."""
        memory = await self._remembered()
        known = memory.recall(self._choice.device)
        try:
            found = await self._at_name(worker, known)
        except _GONE as error:
            if known is None or not known.is_known:
                raise
            found = await self._elsewhere(worker, known, error)
        info = found.scanner
        if known is None or info.vendor or info.model or not known.may_be(info):
            await self._remember(info)
        self._tell(worker, found, memory.recall(info.device))

    async def _at_name(self, worker: _Worker, known: Remembered | None) -> Capabilities:
        """Raises ``ScannerNotFound`` where another scanner has the name now."""
        name = known.device if known else self._choice.device
        found = await worker.open(name, self._state_dir)
        if known and not known.may_be(found.scanner):
            raise ScannerNotFound(f"{name} is another scanner now: {_named(found.scanner)}")
        return found

    async def _elsewhere(self, worker: _Worker, known: Remembered, error: ScannerError) -> Capabilities:
        """The scanner that is the remembered one. Raises ``ScannerNotFound`` where that cannot be said of one."""
        listed = await worker.scanners()
        alike = known.among(listed)
        unsure: list[ScannerInfo] = []
        if len(alike) > 1 and not known.serial:
            raise _ambiguous(alike)
        for info in alike:
            with suppress(*(_NOT_THIS_ONE if len(alike) > 1 else ())):
                found = await worker.open(info.device, self._state_dir)
                if not known.serial or found.scanner.serial == known.serial:
                    return found
                if not found.scanner.serial:
                    unsure.append(found.scanner)
        if len(unsure) > 1:
            raise _ambiguous(unsure)
        if unsure:
            return await worker.open(unsure[0].device, self._state_dir)
        return await self._in_its_place(worker, listed, known, error)

    async def _in_its_place(
        self, worker: _Worker, listed: Sequence[ScannerInfo], known: Remembered, error: ScannerError
    ) -> Capabilities:
        """The scanner of old is gone. What is configured by its name is used, if there is one of that name."""
        name = self._choice.device
        if name and any(info.device == name for info in listed):
            return await worker.open(name, self._state_dir)
        raise ScannerNotFound(
            f"the scanner {known.vendor} {known.model} is not there ({error.message})",
            "connect it and switch it on, then see `dsm-device scanners`",
        ) from error

    async def _learn(self, lent: Lent) -> None:
        """After the first job with a scanner, when nobody waits any more: which vendor's and model it is."""
        memory, info = await self._remembered(), lent.capabilities.scanner
        known = memory.recall(info.device)
        if known is None or known.is_known or info.device in self._unlisted:
            return
        self._unlisted.add(info.device)
        async with asyncio.timeout(LEARN_WITHIN_S):
            listed = await lent.acquisition.scanners(self._choice.driver)
        for each in listed:
            if each.device == info.device:
                await self._remember(
                    ScannerInfo(each.device, each.vendor, each.model, each.kind, each.serial or info.serial)
                )
                if self._worker is not None:
                    self._tell(self._worker, lent.capabilities, memory.recall(info.device))

    def _tell(self, worker: _Worker, found: Capabilities, known: Remembered | None) -> None:
        """What is open can do that, and is who it is known to be."""
        if known is not None and known.may_be(found.scanner):
            found = replace(found, scanner=known.completed(found.scanner))
        worker.capabilities = found
        if self.on_opened is not None:
            self.on_opened(found)

    async def _remember(self, info: ScannerInfo) -> None:
        memory = await self._remembered()
        await asyncio.to_thread(memory.remember, (self._choice.device, info.device), info)


def _scratch(state_dir: Path | None) -> TemporaryDirectory[str]:
    if state_dir is None:
        return TemporaryDirectory()
    return Spool(state_dir, 0).scratch()


def _named(info: ScannerInfo) -> str:
    return " ".join(filter(None, (info.vendor, info.model, info.serial))) or info.device


def _ambiguous(alike: Sequence[ScannerInfo]) -> ScannerNotFound:
    names = ", ".join(info.device for info in alike)
    return ScannerNotFound(
        f"there are several scanners {_named(alike[0])}: {names}", "set scanner.device to the one that is meant"
    )
