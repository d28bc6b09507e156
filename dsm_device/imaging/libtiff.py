"""libtiff through ctypes: just what writing takes.

Pillow is itself linked against libtiff, so the copy that came with it is used where its symbols can be
reached; it costs no memory beyond Pillow's own and needs no further package. Else the system's library is loaded.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import cache
from typing import Final

from PIL import _imaging

from dsm_device.errors import TicketRefused
from dsm_device.imaging.available import LIBTIFF
from dsm_device.imaging.c_library import address, declare
from dsm_device.imaging.strips import Strip


class Tag(IntEnum):
    """TIFF 6.0, part 1; those whose values libtiff takes as integers."""

    IMAGE_WIDTH = 256
    IMAGE_LENGTH = 257
    BITS_PER_SAMPLE = 258
    COMPRESSION = 259
    PHOTOMETRIC_INTERPRETATION = 262
    ORIENTATION = 274
    SAMPLES_PER_PIXEL = 277
    ROWS_PER_STRIP = 278
    PLANAR_CONFIGURATION = 284
    T4_OPTIONS = 292
    RESOLUTION_UNIT = 296


_X_RESOLUTION: Final = 282
_Y_RESOLUTION: Final = 283
_SOFTWARE: Final = 305
_ICC_PROFILE: Final = 34675
#: Where libtiff is looked for, in this order.
LIBRARIES: Final = (_imaging.__file__, *LIBTIFF)
#: A handler gets the module, a printf format and a va_list. On every ABI of Linux a va_list is passed as one
#: pointer-sized word, so it can be handed on to vsnprintf unseen.
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, use_errno=True)
_libc = ctypes.CDLL(None)
_libc.vsnprintf.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p)
#: libtiff has one error handler a process, and so its last failure stands here: errno and text.
_failures: list[tuple[int, str]] = []


class TiffFile:
    """A TIFF file being written to an open descriptor, which stays the caller's.

    Every method but :meth:`close` raises ``OSError`` with libtiff's own message where it fails.
    """

    def __init__(self, descriptor: int) -> None:
        self._library = load()
        self._handle: int | None = _call(self._library.TIFFFdOpen, descriptor, b"page", b"w")

    def set(self, tag: Tag, value: int) -> None:
        # Behind the declared arguments come variadic ones: their types must be spelled out.
        _call(self._library.TIFFSetField, self._handle, tag, ctypes.c_uint32(value))

    def set_resolution(self, x_dpi: int, y_dpi: int) -> None:
        for tag, value in ((_X_RESOLUTION, x_dpi), (_Y_RESOLUTION, y_dpi)):
            _call(self._library.TIFFSetField, self._handle, tag, ctypes.c_double(value))

    def set_software(self, name: str) -> None:
        _call(self._library.TIFFSetField, self._handle, _SOFTWARE, ctypes.c_char_p(name.encode("ascii")))

    def set_icc_profile(self, profile: bytes) -> None:
        size = ctypes.c_uint32(len(profile))
        _call(self._library.TIFFSetField, self._handle, _ICC_PROFILE, size, ctypes.c_char_p(profile))

    def write_strip(self, index: int, strip: Strip) -> None:
        """Encode a strip; libtiff reads it where it lies."""
        _call(self._library.TIFFWriteEncodedStrip, self._handle, index, address(strip), len(strip))

    def append(self, index: int, code: bytes) -> None:
        """Write bytes that are encoded already; further ones for the same strip continue it."""
        _call(self._library.TIFFWriteRawStrip, self._handle, index, code, len(code))

    def end_page(self) -> None:
        """Write out what is pending and the page's directory."""
        _call(self._library.TIFFWriteDirectory, self._handle)

    def close(self) -> None:
        """Let go of libtiff's memory, but not of the descriptor."""
        if self._handle is not None:
            self._library.TIFFCleanup(self._handle)
            self._handle = None


@cache
def load() -> ctypes.CDLL:
    """The library with its handlers installed. Raises ``TicketRefused`` where there is none."""
    library = next(_candidates(), None)
    if library is None:
        raise TicketRefused("TIFF files cannot be written without libtiff", "`apt install libtiff6`")
    pointer, integer, size = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_ssize_t
    declare(
        library,
        (
            ("TIFFFdOpen", pointer, (ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)),
            ("TIFFSetField", ctypes.c_int, (pointer, integer)),
            ("TIFFWriteEncodedStrip", size, (pointer, integer, pointer, size)),
            ("TIFFWriteRawStrip", size, (pointer, integer, ctypes.c_char_p, size)),
            ("TIFFWriteDirectory", ctypes.c_int, (pointer,)),
            ("TIFFCleanup", None, (pointer,)),
            ("TIFFSetErrorHandler", pointer, (pointer,)),
            ("TIFFSetWarningHandler", pointer, (pointer,)),
        ),
    )
    library.TIFFSetErrorHandler(_remember_failure)
    library.TIFFSetWarningHandler(None)
    return library


def _candidates() -> Iterator[ctypes.CDLL]:
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name, use_errno=True)
            library.TIFFFdOpen  # noqa: B018 - looking a symbol up tells whether it is there
        except (OSError, AttributeError):
            continue
        yield library


@_Handler  # type: ignore[untyped-decorator] # ctypes has no type for it
def _remember_failure(_module: bytes, template: bytes, arguments: int) -> None:
    code = ctypes.get_errno()
    text = ctypes.create_string_buffer(500)
    _libc.vsnprintf(text, len(text), template, arguments)
    _failures.append((code, text.value.decode(errors="replace")))


def _call(function: Callable[..., int | None], *arguments: object) -> int:
    """Call, and raise ``OSError`` where libtiff reports a failure, by its result or to its handler."""
    _failures.clear()
    ctypes.set_errno(0)
    result = function(*arguments)
    if _failures or result in (None, 0, -1):
        code, text = _failures[0] if _failures else (0, "failed without a message")
        cause = os.strerror(code) if code else "libtiff"
        raise OSError(code or errno.EIO, f"{cause}: {text}")
    return result
