"""The path of the rows inside the acquisition process: scanner thread → a few buffers → encoder thread.

The scanner's thread reads straight into one buffer while the encoder works on another, and it starts the next
page while the encoder still finishes the last one. There are :data:`BUFFERS` buffers, each of a strip of the
encoder's, whatever the page's size: that, and what the encoder makes of one, is all the memory there is.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dsm_device.errors import Cancelled, DsmError
from dsm_device.hardware import Frame, Page
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.page import PageWriter, lines_per_block, open_page

from .messages import PageAcquired, PageTimes

BUFFERS = 4


@dataclass(frozen=True, slots=True)
class _Begin:
    n: int
    frame: Frame
    at_s: float


@dataclass(frozen=True, slots=True)
class _Block:
    buffer: bytearray
    length: int


@dataclass(frozen=True, slots=True)
class _End:
    at_s: float


class _Stop:
    pass


_Item = _Begin | _Block | _End | _Stop


class PageFlow:
    """Encodes the pages that the scanner's thread feeds to it, in a thread of its own.

    ``on_page`` is called in that thread for each complete page, ``on_lines`` with the image's number whenever
    something of one that was held is written, ``on_error`` once if encoding fails; after that :meth:`feed` raises
    the same error.
    """

    def __init__(
        self,
        sides: Sequence[PageSpec],
        folder: Path,
        on_page: Callable[[PageAcquired], None],
        on_lines: Callable[[int], None],
        on_error: Callable[[], None],
    ) -> None:
        self._sides = sides
        self._folder = folder
        self._on_page = on_page
        self._on_lines = on_lines
        self._on_error = on_error
        self._items: queue.Queue[_Item] = queue.Queue()
        self._free: queue.Queue[bytearray] = queue.Queue()
        self._error: Exception | None = None
        self._buffer_bytes = 0
        self._thread = threading.Thread(target=self._encode, name="encoder", daemon=True)

    def __enter__(self) -> PageFlow:
        self._thread.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Wait until everything fed so far is encoded; a page without its end is discarded.

        A scan that was cancelled because the encoder failed ends with the encoder's error.
        """
        self._items.put(_Stop())
        self._thread.join()
        if isinstance(error, Cancelled):
            self._raise_error()

    def feed(self, n: int, page: Page) -> Iterator[int]:
        """Read ``page`` to its end, in the scanner's thread; yields the number of lines after each block."""
        frame = page.frame
        self._fit_buffers(self._spec(n), frame)
        self._items.put(_Begin(n, frame, time.monotonic()))
        lines = 0
        while True:
            buffer = self._take_buffer()
            length = page.read_into(memoryview(buffer))
            if not length:
                self._free.put(buffer)
                break
            lines += length // frame.bytes_per_line
            self._items.put(_Block(buffer, length))
            yield lines
        self._items.put(_End(time.monotonic()))

    def finish(self) -> None:
        """Wait for the encoder and raise what went wrong there."""
        self._items.put(_Stop())
        self._thread.join()
        self._raise_error()

    def _spec(self, n: int) -> PageSpec:
        return self._sides[(n - 1) % len(self._sides)]

    def _take_buffer(self) -> bytearray:
        buffer = self._free.get()
        self._raise_error()
        return buffer

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _fit_buffers(self, spec: PageSpec, frame: Frame) -> None:
        """Give the buffers a size for this frame; those in use are collected first."""
        lines = lines_per_block(spec, frame)
        size = lines * frame.bytes_per_line
        if size == self._buffer_bytes:
            return
        for _ in range(BUFFERS if self._buffer_bytes else 0):
            self._take_buffer()
        for _ in range(BUFFERS):
            self._free.put(bytearray(size))
        self._buffer_bytes = size

    # ------------------------------------------------------------------------------ encoder's thread

    def _encode(self) -> None:
        try:
            while not isinstance(item := self._items.get(), _Stop):
                if isinstance(item, _Begin):
                    self._encode_page(item)
        except Exception as error:
            self._error = error
            self._on_error()
            self._release_scanner_thread()

    def _encode_page(self, begin: _Begin) -> None:
        path = self._folder / f"page-{begin.n:05d}.part"
        writer = open_page(path, self._spec(begin.n), begin.frame, lambda: self._on_lines(begin.n))
        try:
            end = self._write_blocks(writer)
            if end:
                file = writer.finish()
        except BaseException:
            with suppress(DsmError):
                writer.discard()
            raise
        if not end:
            writer.discard()
            self._items.put(_Stop())
            return
        times = PageTimes(begin.at_s, end.at_s, time.monotonic())
        self._on_page(
            PageAcquired(
                begin.n,
                path,
                file.size_bytes,
                file.width_px,
                file.height_px,
                file.missing_rows,
                file.crc32,
                file.blank,
                times,
            )
        )

    def _write_blocks(self, writer: PageWriter) -> _End | None:
        """None if the flow stops in the middle of the page."""
        while isinstance(item := self._items.get(), _Block):
            writer.write(memoryview(item.buffer)[: item.length])
            self._free.put(item.buffer)
        return item if isinstance(item, _End) else None

    def _release_scanner_thread(self) -> None:
        """It may wait for a buffer; give it one, so that it looks at the error."""
        self._free.put(bytearray(0))
