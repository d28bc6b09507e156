"""Image file directories, of which TIFF 6.0 (section 2) and with it Exif consist. Little-endian."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: The header of a file or of an Exif block; behind it goes the offset of the first directory.
BYTE_ORDER_AND_VERSION: Final = b"II*\0"
_ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 2, 3, 4, 5, 7
_INLINE_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a field: its TIFF type, how many of them, and their bytes."""

    kind: int
    count: int
    data: bytes


def ascii_text(text: str) -> Value:
    return Value(_ASCII, len(text) + 1, text.encode("ascii") + b"\0")


def shorts(*numbers: int) -> Value:
    return Value(_SHORT, len(numbers), struct.pack(f"<{len(numbers)}H", *numbers))


def longs(numbers: Sequence[int]) -> Value:
    return Value(_LONG, len(numbers), struct.pack(f"<{len(numbers)}I", *numbers))


def rationals(*numbers: int) -> Value:
    """Whole numbers as fractions of 1."""
    return Value(_RATIONAL, len(numbers), b"".join(struct.pack("<II", number, 1) for number in numbers))


def undefined(data: bytes) -> Value:
    return Value(_UNDEFINED, len(data), data)


def size_bytes(fields: Mapping[int, Value]) -> int:
    """How long the directory of these fields is."""
    return _table_bytes(fields) + sum(len(_outlying(value)) for value in fields.values())


def directory(fields: Mapping[int, Value], at: int) -> bytes:
    """The directory for offset ``at`` (even): the fields by their tags, no next one, then the longer values."""
    entries, outlying = b"", b""
    for tag, value in sorted(fields.items()):
        place = value.data.ljust(_INLINE_BYTES, b"\0")
        if len(value.data) > _INLINE_BYTES:
            place = struct.pack("<I", at + _table_bytes(fields) + len(outlying))
        entries += struct.pack("<HHI", tag, value.kind, value.count) + place
        outlying += _outlying(value)
    return struct.pack("<H", len(fields)) + entries + bytes(4) + outlying


def _table_bytes(fields: Mapping[int, Value]) -> int:
    return 2 + 12 * len(fields) + 4


def _outlying(value: Value) -> bytes:
    """What does not fit into the entry, filled up so that the next begins at a word (TIFF 6.0)."""
    return value.data + bytes(len(value.data) % 2) if len(value.data) > _INLINE_BYTES else b""
