"""A page's file while its rows come in.

``PageWriter`` takes rows in any portions, cuts them into strips, brings the strips to the promised width and
colour and hands them to the encoder of the format. It holds one strip at most, whatever the page's size.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from dsm_device.errors import ScannerMismatch, SpoolError
from dsm_device.hardware import Frame
from dsm_device.imaging.encoders import ENCODERS, Encoder
from dsm_device.imaging.formats import PageFile, PageSpec
from dsm_device.imaging.strips import Step, Strip, lines_per_strip, steps, white_byte

_FULL_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def open_page(path: Path, spec: PageSpec, frame: Frame) -> PageWriter:
    """Begin the file of a page, which must not exist yet, readable by this user only (mode 0600).

    Raises ``SpoolError`` where it cannot be written, ``ScannerMismatch`` or ``DriverError`` where the frame
    does not serve the spec, ``TicketRefused`` where this installation lacks the format's library.
    """
    strip_steps = steps(frame, spec.width_px, spec.color)
    strip_lines = lines_per_block(spec, frame)
    with _as_spool_error(path):
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w+b")
    try:
        with _as_spool_error(path):
            encoder = ENCODERS[spec.format](file, spec, strip_lines)
    except BaseException:
        _remove(path, file)
        raise
    return PageWriter(
        path=path,
        spec=spec,
        frame=frame,
        file=file,
        encoder=encoder,
        strip_steps=strip_steps,
        strip_lines=strip_lines,
    )


def lines_per_block(spec: PageSpec, frame: Frame) -> int:
    """How many delivered lines are encoded at once; blocks of this size are encoded where they lie."""
    return lines_per_strip(max(frame.bytes_per_line, spec.color.bytes_per_line(spec.width_px)))


class PageWriter:
    """Takes the rows of one page. Ends with :meth:`finish`, or with :meth:`discard` also after any error."""

    def __init__(
        self,
        *,
        path: Path,
        spec: PageSpec,
        frame: Frame,
        file: BinaryIO,
        encoder: Encoder,
        strip_steps: list[Step],
        strip_lines: int,
    ) -> None:
        self._path = path
        self._spec = spec
        self._frame = frame
        self._file = file
        self._encoder = encoder
        self._steps = strip_steps
        self._strip = bytearray(strip_lines * frame.bytes_per_line)
        self._filled_bytes = 0
        self._rows_received = 0
        self._rows_taken = 0
        self._finished = False

    @property
    def strip_bytes(self) -> int:
        """The size of a strip of delivered rows; blocks of this size are encoded where they lie."""
        return len(self._strip)

    def write(self, rows: Strip) -> None:
        """Take whole lines; ``rows`` may be reused afterwards. Lines beyond the promised height are dropped."""
        lines, torn_bytes = divmod(len(rows), self._frame.bytes_per_line)
        if torn_bytes:
            raise ValueError(f"{len(rows)} bytes are no whole lines of {self._frame.bytes_per_line}")
        self._rows_received += lines
        self._take(memoryview(rows), lines)

    def finish(self) -> PageFile:
        """Complete the file. Lines that were announced and did not come are white.

        Where the scanner announced no height the file ends with the last line that came; without any line
        there is no page, and ``ScannerMismatch`` is raised.
        """
        announced = self._frame.height_px
        if announced is not None:
            self._fill_with_white()
        elif self._rows_taken == 0:
            raise ScannerMismatch("the scanner delivered a page without a single line")
        with _as_spool_error(self._path):
            self._encode(memoryview(self._strip)[: self._filled_bytes])
            self._encoder.finish(self._rows_taken)
            self._encoder.close()
            self._file.close()
            size_bytes = self._path.stat().st_size
        self._finished = True
        missing = max(0, (announced or 0) - self._rows_received)
        return PageFile(
            self._path, size_bytes, self._spec.width_px, self._rows_taken, self._rows_received, missing
        )

    def discard(self) -> None:
        """Give the page up and remove its file. Does nothing after :meth:`finish` has returned."""
        if not self._finished:
            self._encoder.close()
            _remove(self._path, self._file)

    def _take(self, rows: memoryview, lines: int) -> None:
        """Encode whole strips where they lie and keep the rest; only torn strips are copied."""
        lines = min(lines, self._spec.height_px - self._rows_taken)
        self._rows_taken += lines
        rest = rows[: lines * self._frame.bytes_per_line]
        with _as_spool_error(self._path):
            while self._filled_bytes + len(rest) >= self.strip_bytes:
                if self._filled_bytes:
                    rest = self._keep(rest)
                    self._encode(memoryview(self._strip))
                    self._filled_bytes = 0
                else:
                    self._encode(rest[: self.strip_bytes])
                    rest = rest[self.strip_bytes :]
        self._keep(rest)

    def _keep(self, rows: memoryview) -> memoryview:
        """Copy rows into the torn strip; gives those that no longer fit."""
        fitting = rows[: self.strip_bytes - self._filled_bytes]
        end = self._filled_bytes + len(fitting)
        self._strip[self._filled_bytes : end] = fitting
        self._filled_bytes = end
        return rows[len(fitting) :]

    def _encode(self, strip: memoryview) -> None:
        lines = len(strip) // self._frame.bytes_per_line
        if lines:
            converted: Strip = strip
            for step in self._steps:
                converted = step(converted, lines)
            self._encoder.encode(converted, lines)

    def _fill_with_white(self) -> None:
        white = memoryview(bytes((white_byte(self._frame.color),)) * self.strip_bytes)
        strip_lines = self.strip_bytes // self._frame.bytes_per_line
        while missing := self._spec.height_px - self._rows_taken:
            lines = min(missing, strip_lines)
            self._take(white[: lines * self._frame.bytes_per_line], lines)


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
