"""Pages on their way from the acquisition process into the spool, and what is said of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from dsm_device.acquisition.messages import PageAcquired, PageStarted, Progress
from dsm_device.acquisition.process import PageReport
from dsm_device.errors import ScannerCoverOpen, ScannerError, ScannerJammed, ScannerNoDocuments
from dsm_device.hardware import InputSource, ScanSettings
from dsm_device.imaging.formats import FORMATS, PageSpec
from dsm_device.job.states import JobState
from dsm_device.spool import JobFolder, Spool

from .attendant import Attendant, Choice
from .events import Listener, PageArriving, PageLeftOut, PageSpooled, StateChanged, Warned

#: Which page of the job an image of the scanner is, both counted from 1; None: one that nobody wants.
Numbering = Callable[[int], int | None]
#: So long it is tried to go on without a page.
PATIENCE_S: Final = 600.0
#: The device's state meanwhile.
WAITING: Final = "waiting"
#: What a person can clear in the middle of a stack, so that the next sheet can be scanned.
OBSTACLES = (ScannerJammed, ScannerCoverOpen)

_T = TypeVar("_T")


class UntilCancelled(Protocol):
    """Gives what the coroutine gives; raises ``Cancelled`` if the user cancels first."""

    def __call__(self, waiting: Coroutine[Any, Any, _T], /) -> Coroutine[Any, Any, _T]: ...


class ImageSource(Protocol):
    """Where images come from: :meth:`~.scanner_keeper.Lent.scan`."""

    def scan(
        self, settings: ScanSettings, sides: tuple[PageSpec, ...], folder: Path
    ) -> AsyncGenerator[PageReport]: ...


@dataclass(slots=True)
class _Images:
    """Those of one stack: how many came, and what is still to come of it."""

    settings: ScanSettings
    sides: tuple[PageSpec, ...]
    number: Numbering
    done: int = 0

    def rest(self) -> ScanSettings:
        """What to ask the scanner for now."""
        limit = self.settings.images
        return replace(self.settings, images=limit - self.done) if limit else self.settings

    @property
    def ends_with_front(self) -> bool:
        """Whether the last sheet is there without its back."""
        return self.settings.source is InputSource.ADF_DUPLEX and self.done % 2 == 1


class Intake:
    """Takes images for one job. Each is synced, renamed and recorded before it is told to anyone."""

    def __init__(
        self,
        source: ImageSource,
        folder: JobFolder,
        spool: Spool,
        listener: Listener,
        *,
        on_page: Callable[[], Awaitable[None]],
        attendant: Attendant,
        until_cancelled: UntilCancelled,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._clock = clock
        self._folder = folder
        self._spool = spool
        self._listener = listener
        self._on_page = on_page
        self._attendant = attendant
        self._until_cancelled = until_cancelled
        self._trouble_since_s: float | None = None
        self._told: type[ScannerError] | None = None
        self._before: PageAcquired | None = None
        self._told_alike = False
        self._half_sheet = 0

    async def take(
        self, settings: ScanSettings, sides: tuple[PageSpec, ...], number: Numbering = lambda image: image
    ) -> int:
        """Acquire images until the source is done and return how many there were.

        Image ``n`` becomes page ``number(n)``, treated as one of ``sides`` in turn. After an obstacle in the
        feeder it goes on with the next sheet, if the attendant says so.
        """
        images = _Images(settings, sides, number)
        self._trouble_since_s = None
        while True:
            try:
                await self._take_on(images)
            except ScannerNoDocuments:
                if not images.done:
                    raise
            except OBSTACLES as error:
                choice = await self._answer(error, images.done) if images.done else Choice.GIVE_UP
                if choice is Choice.GIVE_UP:
                    raise
                if choice is Choice.GO_ON:
                    self._warn_of_half_sheet(images, error)
                    continue
            return images.done

    async def _take_on(self, images: _Images) -> None:
        """Take those that are still to come. Each sheet begins with its front, also the one after a jam.

        Nobody knows whether the sheet that jammed at its back is fed again or set aside, so no image is dropped.
        """
        before = images.done
        height_px: int | None = None
        async with aclosing(self._source.scan(images.rest(), images.sides, self._folder.path)) as reports:
            async for report in reports:
                match report:
                    case PageStarted():
                        height_px = report.frame.height_px
                        self._tell_end_of_trouble()
                    case Progress() if (n := images.number(before + report.n)) is not None:
                        self._listener(PageArriving(n, report.rows, height_px))
                    case PageAcquired():
                        image = before + report.n
                        side = images.sides[(report.n - 1) % len(images.sides)]
                        await self._keep(report, images.number(image), FORMATS[side.format].suffix)
                        images.done, self._trouble_since_s = image, None

    async def _answer(self, error: ScannerError, pages: int) -> Choice:
        """What the attendant says to ``error``; told to the listener once, however often it is asked."""
        now_s = self._clock()
        if self._trouble_since_s is None:
            self._trouble_since_s = now_s
        elif now_s - self._trouble_since_s > PATIENCE_S:
            return Choice.GIVE_UP
        if self._told is not type(error):  # each call of the driver's words it in another way
            self._told = type(error)
            self._listener(StateChanged("device", WAITING, str(error)))
        return await self._until_cancelled(self._attendant.obstacle(error, pages))

    def _warn_of_half_sheet(self, images: _Images, error: ScannerError) -> None:
        if images.ends_with_front and self._half_sheet != images.done and isinstance(error, ScannerJammed):
            self._half_sheet = images.done
            self._listener(
                Warned(f"page {images.done} is a front without its back; fed again, its sheet is in the job twice")
            )

    def _tell_end_of_trouble(self) -> None:
        if self._told:
            self._told = None
            self._listener(StateChanged("device", JobState.ACQUIRING))

    async def _keep(self, image: PageAcquired, n: int | None, suffix: str) -> None:
        if n is None:
            await asyncio.to_thread(self._folder.drop, image.path)
        else:
            await self._commit(image, n, suffix)

    async def _commit(self, image: PageAcquired, n: int, suffix: str) -> None:
        page = await asyncio.to_thread(
            self._folder.commit_page, n, image.path, suffix, image.crc32, left_out=bool(image.blank)
        )
        if page.left_out:
            self._listener(PageLeftOut(n, page.bytes))
        else:
            self._listener(PageSpooled(n, page.bytes, self._folder.job.format, image.times))
        self._warn(image, n)
        self._before = image
        await self._on_page()
        await asyncio.to_thread(self._spool.check_room)

    def _warn(self, image: PageAcquired, n: int) -> None:
        if image.missing_rows:
            self._listener(Warned(f"page {n} came short: its last {image.missing_rows} lines are left white"))
        before = self._before
        alike = before is not None and (before.crc32, before.bytes) == (image.crc32, image.bytes)
        if alike and not image.blank and not self._told_alike:
            self._told_alike = True
            self._listener(
                Warned(f"page {n} and the one before are identical to the last bit: look whether both were fed")
            )
