"""Pages on their way from the acquisition process into the spool, and what is said of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from dsm_device.acquisition.messages import PageAcquired, PageStarted, Progress
from dsm_device.acquisition.process import Acquisition
from dsm_device.hardware import ScanSettings
from dsm_device.imaging.formats import FORMATS, PageSpec
from dsm_device.spool import JobFolder, Spool

from .events import Listener, PageArriving, PageLeftOut, PageSpooled, Warned

#: Which page of the job an image of the scanner is, both counted from 1; None: one that nobody wants.
Numbering = Callable[[int], int | None]


class Intake:
    """Takes images for one job. Each is synced, renamed and recorded before it is told to anyone."""

    def __init__(
        self,
        acquisition: Acquisition,
        folder: JobFolder,
        spool: Spool,
        listener: Listener,
        on_page: Callable[[], Awaitable[None]],
    ) -> None:
        self._acquisition = acquisition
        self._folder = folder
        self._spool = spool
        self._listener = listener
        self._on_page = on_page
        self._before: PageAcquired | None = None
        self._told_alike = False

    async def take(
        self, settings: ScanSettings, sides: tuple[PageSpec, ...], number: Numbering = lambda image: image
    ) -> int:
        """Acquire images until the source is done and return how many there were.

        Image ``n`` becomes page ``number(n)``, treated as one of ``sides`` in turn.
        """
        height_px: int | None = None
        images = 0
        async for report in self._acquisition.scan(settings, sides, self._folder.path):
            match report:
                case PageStarted():
                    height_px = report.frame.height_px
                case Progress() if (n := number(report.n)) is not None:
                    self._listener(PageArriving(n, report.rows, height_px))
                case PageAcquired():
                    images = report.n
                    side = sides[(images - 1) % len(sides)]
                    await self._keep(report, number(images), FORMATS[side.format].suffix)
        return images

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
