"""A SANE program that does what it is told: a JSON list a line in, a JSON object a line out.

In a process of its own, since libsane keeps its state in one, and since some scanners crash or hang.
"""

from __future__ import annotations

import ctypes
import json
import resource
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CHUNK_BYTES = 32 * 1024
_FIXED = 2
_STRING = 3


class _Parameters(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_int)
        for name in ("format", "last_frame", "bytes_per_line", "pixels_per_line", "lines", "depth")
    )


class _Range(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int) for name in ("minimum", "maximum", "quant"))


class _Descriptor(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("title", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("unit", ctypes.c_int),
        ("size", ctypes.c_int),
        ("capabilities", ctypes.c_int),
        ("constraint_type", ctypes.c_int),
        ("constraint", ctypes.c_void_p),
    )


class _Device(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_char_p) for name in ("name", "vendor", "model", "type"))


class Program:
    """Each public method is a step."""

    def __init__(self) -> None:
        self._sane = ctypes.CDLL("libsane.so.1")
        self._sane.sane_get_option_descriptor.restype = ctypes.POINTER(_Descriptor)
        self._sane.sane_cancel.restype = self._sane.sane_close.restype = self._sane.sane_exit.restype = None
        self._handle = ctypes.c_void_p()
        self._kept: list[object] = []
        self.init()

    def init(self) -> dict[str, Any]:
        return {"status": self._sane.sane_init(ctypes.byref(ctypes.c_int()), None)}

    def exit(self) -> dict[str, Any]:
        self._sane.sane_exit()
        return {}

    def devices(self) -> dict[str, Any]:
        listed = ctypes.POINTER(ctypes.POINTER(_Device))()
        status = self._sane.sane_get_devices(ctypes.byref(listed), 1)
        names, number = [], 0
        while listed[number]:
            names.append(listed[number].contents.name.decode())
            number += 1
        return {"status": status, "names": names}

    def open(self, name: str) -> dict[str, Any]:
        return {"status": self._sane.sane_open(name.encode(), ctypes.byref(self._handle))}

    def close(self) -> dict[str, Any]:
        self._sane.sane_close(self._handle)
        return {}

    def set(self, name: str, value: Any) -> dict[str, Any]:
        number, descriptor = self._option(name)
        raw: Any = ctypes.c_int(round(value * 65536) if descriptor.type == _FIXED else 0)
        if descriptor.type == _STRING:
            raw = ctypes.create_string_buffer(value.encode(), max(descriptor.size, len(value) + 1))
        elif descriptor.type != _FIXED:
            raw = ctypes.c_int(int(value))
        info = ctypes.c_int()
        status = self._control(number, 1, raw, info)
        return {"status": status, "info": info.value}

    def get(self, name: str) -> dict[str, Any]:
        number, descriptor = self._option(name)
        raw: Any = ctypes.create_string_buffer(max(descriptor.size, 4))
        status = self._control(number, 0, raw, ctypes.c_int())
        if descriptor.type == _STRING:
            return {"status": status, "value": raw.value.decode()}
        word = int.from_bytes(raw.raw[:4], sys.byteorder, signed=True)
        return {"status": status, "value": word / 65536 if descriptor.type == _FIXED else word}

    def option(self, name: str) -> dict[str, Any]:
        """None in place of an option that does not exist."""
        found = self._find(name)
        if found is None:
            return {"option": None}
        descriptor = found[1]
        limits = None
        if descriptor.constraint_type == 1:
            limits = ctypes.cast(descriptor.constraint, ctypes.POINTER(_Range)).contents.maximum
        return {
            "option": name,
            "capabilities": descriptor.capabilities,
            "type": descriptor.type,
            "unit": descriptor.unit,
            "maximum": limits / 65536 if limits is not None and descriptor.type == _FIXED else limits,
        }

    def start(self) -> dict[str, Any]:
        status = self._sane.sane_start(self._handle)
        return {"status": status, **(self.parameters() if status == 0 else {})}

    def parameters(self) -> dict[str, Any]:
        found = _Parameters()
        self._sane.sane_get_parameters(self._handle, ctypes.byref(found))
        return {name: getattr(found, name) for name, _ in _Parameters._fields_}

    def read(self, path: str = "/dev/null", limit: int = sys.maxsize) -> dict[str, Any]:
        """Up to ``limit`` bytes into a file; ends with a status other than GOOD or at the limit."""
        buffer, got, total, status = ctypes.create_string_buffer(_CHUNK_BYTES), ctypes.c_int(), 0, 0
        with Path(path).open("wb") as out:
            while total < limit and status == 0:
                room = min(_CHUNK_BYTES, limit - total)
                status = self._sane.sane_read(self._handle, buffer, room, ctypes.byref(got))
                out.write(buffer.raw[: got.value])
                total += got.value
        return {"status": status, "bytes": total}

    def cancel(self) -> dict[str, Any]:
        self._sane.sane_cancel(self._handle)
        return {}

    def cancel_after(self, delay_s: float) -> dict[str, Any]:
        """From another thread."""
        threading.Timer(delay_s, self.cancel).start()
        return {}

    def cancel_by_signal_after(self, delay_s: float) -> dict[str, Any]:
        """From a signal handler in C's sense: while the interrupted call is still on the stack."""
        handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda _number: self._sane.sane_cancel(self._handle))
        self._kept.append(handler)
        ctypes.CDLL(None).signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, delay_s)
        return {}

    def io_mode(self, is_non_blocking: bool) -> dict[str, Any]:
        return {"status": self._sane.sane_set_io_mode(self._handle, int(is_non_blocking))}

    def memory(self) -> dict[str, Any]:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        return {"bytes": resident}

    def _find(self, name: str) -> tuple[int, _Descriptor] | None:
        number = 1
        while descriptor := self._sane.sane_get_option_descriptor(self._handle, number):
            if descriptor.contents.name == name.encode():
                return number, descriptor.contents
            number += 1
        return None

    def _option(self, name: str) -> tuple[int, _Descriptor]:
        found = self._find(name)
        if found is None:
            raise LookupError(name)
        return found

    def _control(self, number: int, action: int, raw: Any, info: ctypes.c_int) -> int:
        status: int = self._sane.sane_control_option(
            self._handle, number, action, ctypes.byref(raw), ctypes.byref(info)
        )
        return status


def main() -> None:
    program = Program()
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        step: Callable[..., dict[str, Any]] = getattr(program, name)
        sys.stdout.write(json.dumps(step(*arguments)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
