"""libjpeg-turbo's TurboJPEG API (2.x) through ctypes: compresses a strip where it lies, nothing is copied.

ctypes lets go of the interpreter lock during the call.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from enum import IntEnum
from functools import cache
from typing import Final

from dsm_device.imaging.c_library import address, declare
from dsm_device.imaging.strips import Strip

#: Debian's libturbojpeg0.
LIBRARIES: Final = ("libturbojpeg.so.0",)
_PIXELS_RGB, _PIXELS_GRAY = 0, 6  # TJPF
#: TJFLAG: never reallocate the output; the accurate DCT (libjpeg's default, ISLOW) at every quality.
_NO_REALLOC, _ACCURATE_DCT = 1024, 4096


class Sampling(IntEnum):
    """How colour is sampled, numbered as in TJSAMP."""

    FULL = 0
    """Like brightness (4:4:4)."""
    HALF = 1
    """At half the width (4:2:2)."""
    QUARTER = 2
    """At half the width and height (4:2:0)."""
    GRAY = 3
    """Not at all."""

    @property
    def mcu_px(self) -> tuple[int, int]:
        """Width and height of the minimum coded unit, the area that is compressed at once."""
        return (16 if self in (self.HALF, self.QUARTER) else 8), (16 if self is self.QUARTER else 8)


class TurboCompressor:
    """Compresses strips of up to ``strip_lines`` lines to JPEG files of their own. ``quality`` is 1 to 100.

    Raises ``OSError`` with the library's own message where it fails.
    """

    def __init__(
        self, library: ctypes.CDLL, width_px: int, strip_lines: int, sampling: Sampling, quality: int
    ) -> None:
        self._library = library
        self._width_px = width_px
        self._line_bytes = width_px if sampling is Sampling.GRAY else width_px * 3
        self._strip_lines = strip_lines
        self._sampling = sampling
        self._quality = quality
        self._pixels = _PIXELS_GRAY if sampling is Sampling.GRAY else _PIXELS_RGB
        # Made for the worst case; of the pages that are never touched none takes memory.
        size_bytes = library.tjBufSize(width_px, strip_lines, sampling)
        self._buffer = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._output = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(self._buffer)))
        self._handle: int | None = library.tjInitCompress()
        if self._handle is None:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    def compress(self, strip: Strip, lines: int) -> memoryview:
        """The JPEG file of the strip, good until the next call."""
        # The library trusts what it is told: it would read and write beyond.
        if lines > self._strip_lines or len(strip) < lines * self._line_bytes:
            raise ValueError(f"{len(strip)} bytes are no strip of {lines} lines of {self._line_bytes}")
        size = ctypes.c_ulong()
        failed = self._library.tjCompress2(
            self._handle,
            address(strip),
            *(self._width_px, 0, lines, self._pixels),
            *(ctypes.byref(self._output), ctypes.byref(size)),
            *(self._sampling, self._quality, _NO_REALLOC | _ACCURATE_DCT),
        )
        if failed:
            text = self._library.tjGetErrorStr2(self._handle).decode(errors="replace")
            raise OSError(errno.EIO, f"libturbojpeg: {text}")
        return memoryview(self._buffer)[: size.value]

    def close(self) -> None:
        if self._handle is not None:
            self._library.tjDestroy(self._handle)
            self._handle = None


@cache
def load() -> ctypes.CDLL | None:
    """The library, or None where there is none."""
    for name in LIBRARIES:
        try:
            return _declared(ctypes.CDLL(name))
        except (OSError, AttributeError):
            continue
    return None


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, integer, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_ulong
    output = (ctypes.POINTER(pointer), ctypes.POINTER(size))
    declare(
        library,
        (
            ("tjBufSize", size, (integer,) * 3),
            ("tjInitCompress", pointer, ()),
            ("tjCompress2", integer, (pointer, pointer, *(integer,) * 4, *output, *(integer,) * 3)),
            ("tjGetErrorStr2", ctypes.c_char_p, (pointer,)),
            ("tjDestroy", integer, (pointer,)),
        ),
    )
    return library
