"""libsane, reached in two ways at once.

python-sane lists and opens devices and reads and sets their options. Pixels do not go through it: its
``snap`` holds a page several times over and mangles 16-bit, three-pass and padded frames. Those calls are
made with ctypes on the very library that python-sane is linked with, and on the handle that it opened.
"""

from __future__ import annotations

import atexit
import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from types import ModuleType
from typing import Any

from dsm_device.errors import DriverError, ScannerInvalid, ScannerNotFound
from dsm_device.hardware import ScannerInfo

from .status import KNOWN_CODES, error_for


class Parameters(ctypes.Structure):
    """SANE_Parameters (SANE standard 1.06, 4.3.8)."""

    _fields_ = (
        ("format", ctypes.c_int),
        ("last_frame", ctypes.c_int),
        ("bytes_per_line", ctypes.c_int),
        ("pixels_per_line", ctypes.c_int),
        ("lines", ctypes.c_int),
        ("depth", ctypes.c_int),
    )
    format: int
    last_frame: int
    bytes_per_line: int
    pixels_per_line: int
    lines: int
    depth: int


class Library:
    """libsane after sane_init."""

    def __init__(self, sane: ModuleType, error: type[Exception], calls: ctypes.CDLL) -> None:
        self._sane = sane
        self._error = error
        self.start = _prototype(calls.sane_start, ctypes.c_void_p)
        self.parameters = _prototype(calls.sane_get_parameters, ctypes.c_void_p, ctypes.POINTER(Parameters))
        self.read = _prototype(
            calls.sane_read, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int)
        )
        self.cancel = _prototype(calls.sane_cancel, ctypes.c_void_p)
        self.cancel.restype = None
        self._codes = _codes_by_text(calls)
        with self.translating("sane_init"):
            sane.init()
        atexit.register(sane.exit)

    def scanners(self) -> list[ScannerInfo]:
        with self.translating("sane_get_devices"):
            listed = self._sane.get_devices()
        return [ScannerInfo(*(field or "" for field in entry)) for entry in listed]

    def open(self, device: str) -> Any:
        """python-sane's own object of an opened device."""
        try:
            with self.translating(f"sane_open of {device}"):
                return self._sane.open(device).dev
        except ScannerInvalid as error:
            # SANE has no other status for a device that is not there (SANE standard 1.06, 4.3.3).
            raise ScannerNotFound(f"there is no scanner {device} ({error.message})") from error

    @contextmanager
    def translating(self, doing: str) -> Iterator[None]:
        """Turn what python-sane raises into our errors. It tells the status by its text alone."""
        try:
            yield
        except self._error as error:
            code = self._codes.get(str(error))
            if code is None:
                raise DriverError(f"{doing} failed in python-sane ({error})") from error
            raise error_for(code, doing) from error
        except ValueError as error:
            raise DriverError(f"{doing}: a text that python-sane cannot pass on ({error})") from error


@cache
def load() -> Library:
    """libsane, initialised once in this process and left with sane_exit at its end."""
    try:
        import _sane  # noqa: PLC0415 - a machine without SANE can still use another driver
        import sane  # noqa: PLC0415

        _load_unwinder()
        # Names are looked up in the extension and then in what it is linked with: the same libsane.
        return Library(sane, _sane.error, ctypes.CDLL(_sane.__file__))
    except (ImportError, OSError, AttributeError) as error:
        raise DriverError(
            f"python-sane or libsane cannot be loaded ({error})",
            "install libsane1 and python-sane (`make setup`)",
        ) from error


def _load_unwinder() -> None:
    """Have glibc load libgcc_s now, in peace.

    Backends end their reader threads with pthread_cancel, at any instruction (sanei_thread). The first thread that
    ends in a process loads libgcc_s; cancelled in the middle of that, it leaves the dynamic linker locked, and the
    next sane_start waits for ever to start its thread. backtrace() loads the library as pthread_exit does.
    """
    with suppress(AttributeError):  # another C library may do without
        ctypes.CDLL(None).backtrace((ctypes.c_void_p * 1)(), 1)


def _prototype(function: Any, *arguments: Any) -> Any:
    function.argtypes = arguments
    function.restype = ctypes.c_int
    return function


def _codes_by_text(calls: ctypes.CDLL) -> dict[str, int]:
    text = _prototype(calls.sane_strstatus, ctypes.c_int)
    text.restype = ctypes.c_char_p
    return {text(code).decode("latin-1"): code for code in KNOWN_CODES}
