"""What the bindings of C libraries share: how functions are declared, and how a strip is passed."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

from dsm_device.imaging.strips import Strip


def declare(library: ctypes.CDLL, functions: Iterable[tuple[str, Any, tuple[Any, ...]]]) -> None:
    """Give each function, by name, the type of its result and those of its arguments.

    Raises ``AttributeError`` where the library lacks one.
    """
    for name, result, arguments in functions:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


def address(strip: Strip) -> object:
    """Something that ctypes passes as the address of the strip's first byte; copied only where it is read-only."""
    if isinstance(strip, bytes):
        return strip
    if memoryview(strip).readonly:
        return bytes(strip)
    return (ctypes.c_char * len(strip)).from_buffer(strip)
