"""A page's file while its rows come in.

``PageWriter`` takes rows in any portions and cuts them into strips. Where the scanner delivers what the file is to
hold, strips go to the encoder as they lie; else through the stages of :mod:`.pipeline`. Its memory does not grow
with the page.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from dsm_device.errors import ScannerMismatch, SpoolError
from dsm_device.hardware import Frame
from dsm_device.imaging.blank import is_blank
from dsm_device.imaging.checksum import crc32_of
from dsm_device.imaging.encoders import ENCODERS
from dsm_device.imaging.formats import PageFile, PageSpec
from dsm_device.imaging.overview import Overview
from dsm_device.imaging.pipeline import region_of, stages
from dsm_device.imaging.raster import Raster, pack, unpack, working_color
from dsm_device.imaging.stages import Chain
from dsm_device.imaging.stages.exposure import NEGATIVE, applied
from dsm_device.imaging.strips import Cutter, Strip, check, columns, lines_per_strip, white_byte

_FULL_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def open_page(
    path: Path, spec: PageSpec, frame: Frame, on_lines: Callable[[], object] = lambda: None
) -> PageWriter:
    """Begin the file of a page, which must not exist yet, readable by this user only (mode 0600).

    Raises ``SpoolError`` where it cannot be written, ``ScannerMismatch`` or ``DriverError`` where the frame
    does not serve the spec, ``TicketRefused`` where this installation lacks the format's library. A page that
    must be whole before it can be written waits in an unnamed file in the folder of ``path``; ``on_lines`` is
    called whenever some of its lines are written: that may take long, and all of it is done at the end.
    """
    check(frame, spec.color)
    with _as_spool_error(path):
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w+b")
    try:
        with _as_spool_error(path):
            return PageWriter(path, spec, frame, file, on_lines)
    except BaseException:
        _remove(path, file)
        raise


def lines_per_block(spec: PageSpec, frame: Frame) -> int:
    """How many delivered lines are encoded at once; blocks of this size are encoded where they lie."""
    return lines_per_strip(max(frame.bytes_per_line, spec.color.bytes_per_line(spec.width_px)))


class PageWriter:
    """Takes the rows of one page. Ends with :meth:`finish`, or with :meth:`discard` also after any error."""

    def __init__(
        self, path: Path, spec: PageSpec, frame: Frame, file: BinaryIO, on_lines: Callable[[], object]
    ) -> None:
        self._path = path
        self._spec = spec
        self._frame = frame
        self._file = file
        self._region = region_of(spec)
        strip_lines = lines_per_block(spec, frame)
        self._output = _Output(file, spec, strip_lines, on_lines)
        try:
            self._lines = _Lines(spec, frame, path.parent, self._output)
        except BaseException:
            self._output.close()
            raise
        self._cutter = Cutter(frame.bytes_per_line, strip_lines, self._lines.push)
        self._rows_received = 0
        self._rows_taken = 0
        self._finished = False

    @property
    def strip_bytes(self) -> int:
        """The size of a strip of delivered rows; blocks of this size are encoded where they lie."""
        return self._cutter.strip_bytes

    def write(self, rows: Strip) -> None:
        """Take whole lines; ``rows`` may be reused afterwards. Lines beyond the promised height are dropped."""
        line_bytes = self._frame.bytes_per_line
        lines, torn_bytes = divmod(len(rows), line_bytes)
        if torn_bytes:
            raise ValueError(f"{len(rows)} bytes are no whole lines of {line_bytes}")
        above = min(lines, max(0, self._region.y_px - self._rows_received))
        self._rows_received += lines
        self._take(memoryview(rows)[above * line_bytes :], lines - above)

    def finish(self) -> PageFile:
        """Complete the file. Lines that were announced and did not come are white.

        Where the scanner announced no height the file ends with the last line that came, unless its size is to be
        exact; without any line there is no page, and ``ScannerMismatch`` is raised.
        """
        announced = self._frame.height_px
        if announced is None and self._rows_received == 0:
            raise ScannerMismatch("the scanner delivered a page without a single line")
        if announced is not None or self._spec.exact:
            self._fill_with_white(self._region.height_px)
        self._fill_with_white(1)
        with _as_spool_error(self._path):
            self._cutter.finish()
            blank = self._lines.finish()
            width_px, height_px = self._output.finish()
            self._file.flush()
            crc32 = crc32_of(self._file.fileno())
            self._close()
            size_bytes = self._path.stat().st_size
        self._finished = True
        missing = max(0, (announced or 0) - self._rows_received)
        return PageFile(
            self._path, size_bytes, width_px, height_px, self._rows_received, missing, crc32=crc32, blank=blank
        )

    def discard(self) -> None:
        """Give the page up and remove its file. Does nothing after :meth:`finish` has returned."""
        if not self._finished:
            self._lines.close()
            self._output.close()
            _remove(self._path, self._file)

    def _take(self, rows: memoryview, lines: int) -> None:
        lines = min(lines, self._region.height_px - self._rows_taken)
        self._rows_taken += lines
        with _as_spool_error(self._path):
            self._cutter.push(rows[: lines * self._frame.bytes_per_line])

    def _fill_with_white(self, height_px: int) -> None:
        """Make the region ``height_px`` high at least."""
        if self._rows_taken >= height_px:
            return
        strip_lines = self.strip_bytes // self._frame.bytes_per_line
        white = memoryview(bytes((_white_byte(self._spec, self._frame),)) * self.strip_bytes)
        while (missing := height_px - self._rows_taken) > 0:
            lines = min(missing, strip_lines)
            self._take(white[: lines * self._frame.bytes_per_line], lines)

    def _close(self) -> None:
        self._lines.close()
        self._output.close()
        self._file.close()


class _Lines:
    """From strips of delivered lines to the output, past whoever judges the page."""

    def __init__(self, spec: PageSpec, frame: Frame, folder: Path, output: _Output) -> None:
        self._spec = spec
        self._delivered = frame.color
        self._working = working_color(frame.color, spec.color)
        self._output = output
        region = region_of(spec)
        self._width_px = region.width_px
        self._columns = columns(frame, region.x_px, region.width_px, _white_byte(spec, frame))
        chosen = stages(spec, frame, folder)
        self._chain = Chain(chosen)
        self._as_it_lies = not chosen and not spec.treatment.negative and frame.color is spec.color
        self._overview = Overview(frame.x_dpi, frame.y_dpi, darkest=True) if spec.treatment.judge_blank else None

    def push(self, strip: memoryview, lines: int) -> None:
        packed = self._columns(strip, lines) if self._columns else strip
        if self._as_it_lies:
            self._output.encode(packed, lines)
        if self._as_it_lies and not self._overview:
            return
        raster = unpack(packed, self._delivered, self._working, self._width_px, lines)
        if self._spec.treatment.negative:
            raster = applied(raster, NEGATIVE)
        if self._overview:
            self._overview.push(raster)
        if not self._as_it_lies:
            self._output.write_all(self._chain.push(raster))

    def finish(self) -> bool | None:
        """The page has ended; tells whether it is blank, or None where nobody asks."""
        self._output.write_all(self._chain.finish())
        if not self._overview:
            return None
        self._overview.end()
        return is_blank(self._overview)

    def close(self) -> None:
        self._chain.close()


class _Output:
    """The encoder, which gets strips of equal height and learns the page's size when it is known."""

    def __init__(self, file: BinaryIO, spec: PageSpec, strip_lines: int, on_lines: Callable[[], object]) -> None:
        self._on_lines = on_lines
        self._file = file
        self._spec = spec
        self._strip_lines = strip_lines
        self._encoder = ENCODERS[spec.format](file, spec, strip_lines)
        self._cutter: Cutter | None = None
        self._lines = 0

    def encode(self, strip: Strip, lines: int) -> None:
        """Packed lines, as many as a strip has, or the last ones."""
        self._lines += lines
        self._encoder.encode(strip, lines)

    def write_all(self, rasters: Iterable[Raster]) -> None:
        for raster in rasters:
            if self._cutter is None:
                self._cutter = self._begin(raster.width_px)
            # A few lines at a time: packing 16-bit colour takes several times the memory of what is packed.
            for top in range(0, raster.height_px, self._strip_lines):
                lines = raster.lines(top, min(top + self._strip_lines, raster.height_px))
                self._cutter.push(memoryview(pack(lines, self._spec.color)))
                self._on_lines()

    def finish(self) -> tuple[int, int]:
        """Complete the file; gives its width and height."""
        if self._cutter:
            self._cutter.finish()
        self._encoder.finish(self._lines)
        return self._spec.width_px, self._lines

    def close(self) -> None:
        self._encoder.close()

    def _begin(self, width_px: int) -> Cutter:
        """A sheet may turn out smaller than promised: then the file begins anew."""
        if width_px != self._spec.width_px:
            self._encoder.close()
            self._file.seek(0)
            self._file.truncate()
            self._spec = replace(self._spec, width_px=width_px)
            self._encoder = ENCODERS[self._spec.format](self._file, self._spec, self._strip_lines)
        return Cutter(self._spec.color.bytes_per_line(width_px), self._strip_lines, self.encode)


def _white_byte(spec: PageSpec, frame: Frame) -> int:
    """Of which white consists that is added before the samples are inverted, if they are."""
    white = white_byte(frame.color)
    return white ^ 0xFF if spec.treatment.negative else white


@contextmanager
def _as_spool_error(path: Path) -> Iterator[None]:
    """The edge where failures of the file system, libtiff's among them, become ours."""
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL_DISK
        raise SpoolError(
            f"cannot write the page file {path}: {error.strerror or error}",
            "free space on its disk" if full else "check that its folder exists and this user may write to it",
        ) from error


def _remove(path: Path, file: BinaryIO) -> None:
    """Close and unlink, even where what is still buffered cannot be written any more."""
    with suppress(OSError):
        file.close()
    with suppress(OSError):
        path.unlink()
