"""Entries of a ZIP archive without compression, their CRC and size known before their data. (APPNOTE.TXT 4.3)"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .model import Segment

#: An archive without ZIP64: its size, and the number of its entries (APPNOTE.TXT 4.4.21 ff.).
MAX_BYTES: Final = 2**32 - 1
MAX_ENTRIES: Final = 2**16 - 1
_VERSION: Final = 20  # 4.4.3.2: folders in names
_STORED: Final = 0
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
#: An entry costs this and twice its name, beside its data.
ENTRY_BYTES: Final = _LOCAL.size + _CENTRAL.size


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """``name`` is ASCII; with ``data`` of 4 GiB or more there is no archive."""

    name: str
    data: Segment
    crc32: int
    modified: datetime

    @classmethod
    def generated(cls, name: str, data: bytes, modified: datetime) -> ZipEntry:
        return cls(name, data, zlib.crc32(data), modified)

    def local(self) -> tuple[Segment, ...]:
        """The local header and the data."""
        header = _LOCAL.pack(b"PK\3\4", _VERSION, 0, *self._common(), 0)
        return (header + self.name.encode("ascii"), self.data)

    def central(self, offset: int) -> bytes:
        """The header in the central directory; ``offset`` is that of the local one."""
        header = _CENTRAL.pack(b"PK\1\2", _VERSION, _VERSION, 0, *self._common(), 0, 0, 0, 0, 0, offset)
        return header + self.name.encode("ascii")

    def _common(self) -> tuple[int, ...]:
        time, date = _dos_time(self.modified)
        size_bytes = min(len(self.data), MAX_BYTES)  # larger ones are only measured, and not taken
        return _STORED, time, date, self.crc32, size_bytes, size_bytes, len(self.name)


def end(entries: int, directory_offset: int, directory_bytes: int) -> bytes:
    """The end of the archive, behind the central directory."""
    return _END.pack(b"PK\5\6", 0, 0, entries, entries, directory_bytes, directory_offset, 0)


def _dos_time(moment: datetime) -> tuple[int, int]:
    """MS-DOS time and date (4.4.6), which reach from 1980 to 2107."""
    year = min(max(moment.year - 1980, 0), 127)
    return (
        moment.hour << 11 | moment.minute << 5 | moment.second // 2,
        year << 9 | moment.month << 5 | moment.day,
    )
