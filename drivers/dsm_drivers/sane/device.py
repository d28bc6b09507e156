"""One opened SANE device: which thread may call what, and when (SANE standard 1.06, 4.3 and 4.4)."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dsm_device.errors import (
    Cancelled,
    DriverError,
    ScannerBusy,
    ScannerError,
    ScannerWarmingUp,
)

from .library import Library, Parameters
from .status import EOF, GOOD, error_for

_FORMATS = {"gray": 0, "color": 1, "red": 2, "green": 3, "blue": 4}


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds to wait before each further try to start a page.

    While others use the device, while its lamp warms up, and when it says that there is no paper while its sensor
    says that there is.
    """

    busy_s: Sequence[float] = (1, 2, 4, 8, 15)
    warming_up_s: Sequence[float] = (1,) * 60
    feeding_s: Sequence[float] = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


class Device:
    """A SANE handle. One thread uses it; :meth:`interrupt` alone may be called from another.

    sane_cancel is the only call that SANE allows beside a running one. It is made beside one only to
    interrupt it; otherwise the using thread makes it, when an acquisition is over.
    """

    def __init__(self, library: Library, name: str, delays: Delays) -> None:
        self.name = name
        self.delays = delays
        self._library = library
        self._stop = threading.Event()
        self._cancelling = threading.Lock()
        self._in_call = False
        self._started = False
        self._opened = library.open(name)
        self._handle: int | None = None
        try:
            self._handle = self._checked_handle()
        except BaseException:
            self._opened.close()  # an object that is only forgotten would keep the device busy
            raise

    # ------------------------------------------------------------------------------------- options

    def descriptors(self) -> list[tuple[Any, ...]]:
        """python-sane's tuples: index, name, title, description, type, unit, size, capabilities, constraint."""
        with self._library.translating(f"reading the options of {self.name}"):
            return list(self._opened.get_options())

    def option(self, index: int, name: str) -> Any:
        with self._library.translating(f"reading option {name} of {self.name}"):
            return self._opened.get_option(index)

    def set_option(self, index: int, name: str, value: object) -> int:
        """Set and return the info bits."""
        with self._library.translating(f"setting option {name} of {self.name} to {value}"):
            return int(self._opened.set_option(index, value))

    # --------------------------------------------------------------------------------- acquisition

    def begin(self) -> None:
        """A new acquisition: what was cancelled before is past."""
        self._stop.clear()

    def start(self) -> None:
        """sane_start, with patience while the device is busy or warming up."""
        self._patiently(self._start_once)

    def parameters(self) -> Parameters:
        """sane_get_parameters; exact only between sane_start and the end of the frame."""
        found = Parameters()
        status = self._library.parameters(self._handle_or_error(), ctypes.byref(found))
        if status != GOOD:
            raise error_for(status, f"sane_get_parameters of {self.name}")
        return found

    def read(self, address: int, length: int) -> int | None:
        """Up to ``length`` bytes to ``address``: how many (0 is possible), None at the frame's end."""
        if not self._started:
            raise DriverError(f"a page of {self.name} was read after its job had ended")
        got = ctypes.c_int(0)
        status = self._call("sane_read", self._library.read, address, length, ctypes.byref(got))
        return None if status == EOF else got.value

    def pause(self, delay_s: float) -> None:
        """Wait, but not longer than until the job is cancelled."""
        if self._stop.wait(delay_s):
            raise self._cancelled()

    def check(self) -> None:
        """Raise ``Cancelled`` after :meth:`interrupt`. Made around every call: waiting for no time is not free."""
        if self._stop.is_set():
            raise self._cancelled()

    def finish(self) -> None:
        """End the acquisition with sane_cancel, once however often this is called."""
        if self._started:
            self._started = False
            with self._cancelling:
                self._library.cancel(self._handle)

    def interrupt(self) -> None:
        """From any thread: the running call and all later ones of this acquisition end as cancelled."""
        self._stop.set()
        # A lock that is taken means that the using thread is in sane_cancel or sane_close already.
        if self._in_call and self._cancelling.acquire(blocking=False):
            try:
                if self._handle is not None:
                    self._library.cancel(self._handle)
            finally:
                self._cancelling.release()

    def close(self) -> None:
        if self._handle is None:
            return
        self.finish()
        with self._cancelling:
            self._handle = None
            self._opened.close()

    # -------------------------------------------------------------------------------------- inside

    def _start_once(self) -> None:
        self._started = True
        self._call("sane_start", self._library.start, accept=(GOOD,))

    def _call(self, what: str, function: Any, *arguments: object, accept: tuple[int, ...] = (GOOD, EOF)) -> int:
        handle = self._handle_or_error()
        # First the mark, then the look at the flag: interrupt() does both the other way round, so that
        # one of the two threads always sees the other.
        self._in_call = True
        try:
            self.check()
            status = int(function(handle, *arguments))
        finally:
            self._in_call = False
        self.check()  # an interrupted call may end with any status, even GOOD
        if status not in accept:
            raise error_for(status, f"{what} of {self.name}")
        return status

    def _patiently(self, attempt: Callable[[], None]) -> None:
        waits = {ScannerBusy: iter(self.delays.busy_s), ScannerWarmingUp: iter(self.delays.warming_up_s)}
        while True:
            try:
                return attempt()
            except (ScannerBusy, ScannerWarmingUp) as error:
                delay_s = next(waits[type(error)], None)
                if delay_s is None:
                    raise
            self.pause(delay_s)

    def _checked_handle(self) -> int:
        """The SANE_Handle behind python-sane's object.

        That it lies right behind the object's header is an assumption about a foreign C structure: before
        the handle is used, the size must fit it, and then both ways must give the same parameters.
        """
        header = object.__basicsize__
        if type(self._opened).__basicsize__ == header + ctypes.sizeof(ctypes.c_void_p):
            handle = ctypes.c_void_p.from_address(id(self._opened) + header).value
            # More than once, since the estimates of some backends waver before the first start.
            if handle and any(self._agrees(handle) for _ in range(3)):
                return handle
        raise DriverError(
            "this version of python-sane keeps its SANE handle elsewhere than the driver expects",
            "install python-sane 2.9.2, with which dsm-device is tested",
        )

    def _agrees(self, handle: int) -> bool:
        ours, doing = Parameters(), f"sane_get_parameters of {self.name}"
        status = self._library.parameters(handle, ctypes.byref(ours))
        try:
            with self._library.translating(doing):
                form, last, (pixels, lines), depth, stride = self._opened.get_parameters()
        except ScannerError as error:
            # Some backends know nothing before an option is set; then both ways have to say so.
            return status != GOOD and type(error) is type(error_for(status, doing))
        theirs = _FORMATS.get(form, ours.format), last, stride, pixels, lines, depth
        return status == GOOD and theirs == (
            ours.format,
            ours.last_frame,
            ours.bytes_per_line,
            ours.pixels_per_line,
            ours.lines,
            ours.depth,
        )

    def _cancelled(self) -> Cancelled:
        return Cancelled(f"the scan at {self.name} was cancelled")

    def _handle_or_error(self) -> int:
        if self._handle is None:
            raise DriverError(f"the scanner {self.name} has been closed")
        return self._handle
