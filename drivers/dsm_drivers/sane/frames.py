"""The bytes of a page, out of the frames in which SANE delivers them (SANE standard 1.06, 3.2.1)."""

from __future__ import annotations

import ctypes
import gzip
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, Protocol

from dsm_device.errors import ScannerMismatch, SpoolError

from .device import Device
from .library import Parameters
from .modes import PLANES

_AHEAD_BYTES = 4096
_CHUNK_BYTES = 1 << 16
_NOTHING_YET_S = 0.005


class Rows(Protocol):
    """A page as a stream of bytes, line after line."""

    def fill(self, view: memoryview) -> int:
        """Fill ``view``, a multiple of a line, and return its length, or less where the page ends before."""
        ...

    def close(self) -> None:
        """Give up what is held for the page."""
        ...


class SingleFrame:
    """The frame that has just been started, read straight into the caller's memory."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._ahead = b""
        self._ended = False

    def look_ahead(self) -> None:
        """Make the first read: some backends find only then that there is no page."""
        first = ctypes.create_string_buffer(_AHEAD_BYTES)
        length = self._read_some(ctypes.addressof(first), _AHEAD_BYTES)
        self._ahead = first.raw[:length]

    def fill(self, view: memoryview) -> int:
        if not view:
            return 0
        filled = len(self._ahead[: len(view)])
        view[:filled] = self._ahead[:filled]
        self._ahead = self._ahead[filled:]
        start = ctypes.c_char.from_buffer(view)  # holds the memory while it is written to
        address = ctypes.addressof(start)
        while filled < len(view) and not self._ended:
            filled += self._read_some(address + filled, len(view) - filled)
        return filled

    def close(self) -> None:
        self._ended = True

    def _read_some(self, address: int, length: int) -> int:
        """One sane_read that brings something; 0 at the end."""
        while (got := self._device.read(address, length)) == 0:
            self._device.pause(_NOTHING_YET_S)  # GOOD without data: a backend that does not block
        self._ended = got is None
        return got or 0


class MergedPlanes:
    """Three frames, each a colour in whatever order, made into R, G, B.

    The first two are put by, compressed, in unlinked files in ``scratch`` and merged in while the last one
    is read: neither memory nor disk ever holds an uncompressed page. Padding of the planes becomes padding
    of the merged line.
    """

    def __init__(
        self,
        device: Device,
        shape: Parameters,
        frame: SingleFrame,
        scratch: Path,
        restart: Callable[[], Parameters],
    ) -> None:
        self._device = device
        self._shape = shape
        self._frame = frame
        self._scratch = scratch
        self._restart = restart
        lines = max(1, _CHUNK_BYTES // shape.bytes_per_line)
        self._chunk = memoryview(bytearray(lines * shape.bytes_per_line))
        self._sample: Literal["H", "B"] = "H" if shape.depth == 16 else "B"
        self._put_by: dict[int, gzip.GzipFile] = {}
        self._last_plane = shape.format
        self._files = ExitStack()

    def fill(self, view: memoryview) -> int:
        with _disk_errors(self._scratch):
            return self._fill(view)

    def _fill(self, view: memoryview) -> int:
        if not self._put_by:
            self._put_by_two()
        filled = 0
        while filled < len(view):
            strip = view[filled : filled + 3 * len(self._chunk)]
            merged = self._merge_into(strip)
            filled += merged
            if merged < len(strip):
                break
        return filled

    def close(self) -> None:
        self._frame.close()
        self._files.close()

    def _put_by_two(self) -> None:
        for _ in range(2):
            self._put_by[self._last_plane] = self._spill()
            self._last_plane = self._next_plane()

    def _spill(self) -> gzip.GzipFile:
        file = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115 - closed with the page
        self._files.callback(file.close)
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as compressed:
            while got := self._frame.fill(self._chunk):
                compressed.write(self._chunk[:got])
        file.seek(0)
        return self._files.enter_context(gzip.GzipFile(fileobj=file, mode="rb"))

    def _next_plane(self) -> int:
        found, shape = self._restart(), self._shape
        self._frame = SingleFrame(self._device)
        if (found.pixels_per_line, found.bytes_per_line, found.depth) != (
            shape.pixels_per_line,
            shape.bytes_per_line,
            shape.depth,
        ):
            raise ScannerMismatch("the colour planes of a page differ in size")
        if found.format not in PLANES or found.format in self._put_by:
            raise ScannerMismatch("a page has not one plane of each colour")
        return found.format

    def _merge_into(self, strip: memoryview) -> int:
        plane_bytes = self._shape.bytes_per_line
        got = self._frame.fill(self._chunk[: len(strip) // 3])
        planes = {plane: memoryview(file.read(got)) for plane, file in self._put_by.items()}
        planes[self._last_plane] = self._chunk
        whole = min(got, *(len(each) for each in planes.values())) // plane_bytes * plane_bytes
        merged = strip[: 3 * whole].cast(self._sample)
        for offset, plane in enumerate(PLANES):
            merged[offset::3] = planes[plane][:whole].cast(self._sample)
        while whole < got and self._frame.fill(self._chunk):
            pass  # the planes differ in length: the page ends with the shortest, the frame has to be read up
        return 3 * whole


@contextmanager
def _disk_errors(scratch: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpoolError(
            f"colour planes cannot be kept in {scratch} ({error.strerror})", "free space on that disk"
        ) from error
