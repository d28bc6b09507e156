"""Taking pages from a device that has been set up (SANE standard 1.06, 4.4)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from dsm_device.errors import (
    DriverError,
    MultipleFeed,
    ScannerInvalid,
    ScannerJammed,
    ScannerMismatch,
    ScannerNoDocuments,
)
from dsm_device.hardware import Frame, InputSource, ScanSettings

from .device import Device
from .frames import MergedPlanes, Rows, SingleFrame
from .library import Parameters
from .modes import PLANES, color_of
from .setup import Prepared, Setup

_DRAIN_BYTES = 1 << 15


class SanePage:
    """One image. The device may end it early: then it has fewer lines than its frame says.

    ``explain`` may make a better error of one that reading raised.
    """

    def __init__(
        self, device: Device, frame: Frame, rows: Rows, explain: Callable[[BaseException], BaseException]
    ) -> None:
        self.frame = frame
        self._device = device
        self._rows = rows
        self._explain = explain
        self._left = None if frame.height_px is None else frame.height_px * frame.bytes_per_line
        self._ended = False
        self._failure: BaseException | None = None

    def read_into(self, buffer: memoryview) -> int:
        """As the port says. Part of a line at the end, and lines beyond the frame's height, are left out."""
        line = self.frame.bytes_per_line
        view = memoryview(buffer).cast("B")
        room = len(view) // line * line
        if not room:
            raise DriverError(f"a buffer of {len(view)} bytes does not hold a line of {line}")
        if self._left is not None:
            room = min(room, self._left)
        with self._failing():
            self._device.check()
            got = self._fill(view[:room]) // line * line
        if self._left is not None:
            self._left -= got
        if not got:
            self.finish()
        return got

    def finish(self) -> None:
        """Read what is left to the end of the frame, without which SANE starts no other."""
        line = self.frame.bytes_per_line
        rest = memoryview(bytearray(max(1, _DRAIN_BYTES // line) * line))
        with self._failing():
            while self._fill(rest):
                pass
        self._rows.close()

    def close(self) -> None:
        """The job is over; a page that was kept gives nothing any more."""
        self._failure = self._failure or DriverError("a page was read after its job had ended")
        self._rows.close()

    def _fill(self, view: memoryview) -> int:
        if self._failure:
            raise self._failure
        got = 0 if self._ended else self._rows.fill(view)
        self._ended = got < len(view) or self._ended
        return got

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Let go of the scanner as soon as anything fails."""
        try:
            yield
        except BaseException as error:
            self._failure = self._explain(error)
            self._rows.close()
            self._device.finish()
            raise self._failure from error.__cause__


def pages(device: Device, setup: Setup, settings: ScanSettings, scratch: Path) -> Generator[SanePage, None, None]:
    """One job: sane_start for each page without sane_cancel between; after a page NO_DOCS is the end."""
    feeder = _Feeder(device, setup, scratch)
    limit = settings.images if settings.source.is_feeder else 1
    page: SanePage | None = None
    try:
        prepared = setup.prepare(settings)
        for number in itertools.count(1):
            page = feeder.next_page(prepared)
            if page is None:
                return
            yield page
            page.finish()
            device.check()
            if number == limit or (prepared.fronts_only and not feeder.skip_page(prepared)):
                return
    finally:
        if page:
            page.close()
        device.finish()


class _Feeder:
    """Brings pages to move, on whatever source; the first has to be there."""

    def __init__(self, device: Device, setup: Setup, scratch: Path) -> None:
        self._device = device
        self._setup = setup
        self._scratch = scratch
        self._images = 0

    def next_page(self, prepared: Prepared) -> SanePage | None:
        """The page that has begun to move; None where the feeder is empty after a page."""
        explain = self._explainer(prepared, self._images + 1)
        try:
            parameters, single = self._feed()
        except ScannerNoDocuments:
            if self._images:
                return None
            raise
        except ScannerJammed as error:
            raise explain(error) from error.__cause__
        self._images += 1
        frame = _frame(parameters, prepared.settings)
        prepared.verify(frame)
        return SanePage(self._device, frame, self._rows(parameters, single), explain)

    def skip_page(self, prepared: Prepared) -> bool:
        page = self.next_page(prepared)
        if page:
            page.finish()
        return page is not None

    def _rows(self, parameters: Parameters, single: SingleFrame) -> Rows:
        if parameters.format not in PLANES:
            return single
        return MergedPlanes(self._device, parameters, single, self._scratch, self._start)

    def _feed(self) -> tuple[Parameters, SingleFrame]:
        """Start, and again for as long as patience lasts while a sensor sees the paper that the feeder does not.

        Some feeders say that they are empty when the next sheet is asked for before they have got hold of it.
        """
        for delay_s in self._device.delays.feeding_s:
            try:
                return self._start_page()
            except ScannerNoDocuments:
                if not self._setup.has_paper():
                    raise
            self._device.pause(delay_s)
        return self._start_page()

    def _start_page(self) -> tuple[Parameters, SingleFrame]:
        single = SingleFrame(self._device)
        parameters = self._start()
        single.look_ahead()
        return parameters, single

    def _explainer(self, prepared: Prepared, image: int) -> Callable[[BaseException], BaseException]:
        sides = 2 if prepared.fronts_only or prepared.settings.source is InputSource.ADF_DUPLEX else 1
        sheet = (image + sides - 1) // sides

        def explain(error: BaseException) -> BaseException:
            # One status for two things; asked before sane_cancel, which may clear the sensor.
            if not isinstance(error, ScannerJammed) or not self._setup.saw_multifeed():
                return error
            return MultipleFeed(f"{MultipleFeed.text}, at sheet {sheet}{error.message.removeprefix(error.text)}")

        return explain

    def _start(self) -> Parameters:
        try:
            self._device.start()
        except ScannerInvalid:
            # Some backends change their options in between and want them to be read first.
            self._setup.reload()
            self._device.start()
        return self._device.parameters()


def _frame(parameters: Parameters, settings: ScanSettings) -> Frame:
    color = color_of(parameters)
    if color is None:
        raise ScannerMismatch(
            f"the scanner delivers frames of a kind that is not known "
            f"(format {parameters.format}, depth {parameters.depth})"
        )
    planes = 3 if parameters.format in PLANES else 1
    frame = Frame(
        color=color,
        width_px=parameters.pixels_per_line,
        height_px=parameters.lines if parameters.lines > 0 else None,
        bytes_per_line=parameters.bytes_per_line * planes,
        x_dpi=settings.x_dpi,
        y_dpi=settings.y_dpi,
    )
    if frame.width_px < 1 or frame.bytes_per_line < color.bytes_per_line(frame.width_px):
        raise ScannerMismatch(
            f"the scanner delivers lines of {parameters.bytes_per_line} bytes for {frame.width_px} pixels"
        )
    if color.bits_per_sample == 16 and parameters.bytes_per_line % 2:
        raise ScannerMismatch(f"the scanner delivers 16-bit lines of {parameters.bytes_per_line} bytes")
    return frame
