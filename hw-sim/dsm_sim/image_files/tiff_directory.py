"""Image file directories of TIFF 6.0 (section 2), which Exif uses as well."""

from __future__ import annotations

import struct
from typing import Final

from .facts import Data, ImageError, part

Tags = dict[int, tuple[int, ...]]

_SIZES: Final = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 7: "B"}
_MOST_VALUES: Final = 1_000_000


def byte_order(data: Data, at: int = 0) -> tuple[str, int]:
    """``<`` or ``>``, and where the first directory is. Raises :class:`ImageError`."""
    order = {b"II": "<", b"MM": ">"}.get(data[at : at + 2], "")
    if not order:
        raise ImageError("no TIFF file")
    magic, first = struct.unpack(f"{order}HI", part(data, at + 2, 6))
    if magic != 42:
        raise ImageError("no TIFF file")
    return order, first


def read_directory(data: Data, order: str, offset: int, base: int = 0) -> tuple[Tags, int]:
    """The tags whose values are numbers or octets, and the offset of the next directory; all from ``base``.

    Raises :class:`ImageError`.
    """
    (count,) = struct.unpack(f"{order}H", part(data, base + offset, 2))
    block = part(data, base + offset + 2, count * 12 + 4)
    (following,) = struct.unpack_from(f"{order}I", block, count * 12)
    tags: Tags = {}
    last = -1
    for tag, kind, values, field in struct.iter_unpack(f"{order}HHI4s", block[:-4]):
        if tag <= last:
            raise ImageError(f"tag {tag} behind tag {last}")
        last = tag
        if kind in _SIZES:
            tags[tag] = _values(data, order, (kind, values, field), base)
    return tags, following


def _values(data: Data, order: str, entry: tuple[int, int, bytes], base: int) -> tuple[int, ...]:
    kind, count, field = entry
    if count > _MOST_VALUES:
        raise ImageError(f"a tag with {count} values")
    layout = f"{order}{_SIZES[kind] * count}" if len(_SIZES[kind]) > 1 else f"{order}{count}{_SIZES[kind]}"
    length = struct.calcsize(layout)
    if length <= 4:
        return struct.unpack(layout, field[:length])
    (offset,) = struct.unpack(f"{order}I", field)
    return struct.unpack(layout, part(data, base + offset, length))


def resolution(tags: Tags) -> tuple[float, float]:
    """Across and down in dpi, 0 where it is not said (XResolution, YResolution, ResolutionUnit)."""
    per_inch = {2: 1.0, 3: 2.54}.get(tags.get(296, (2,))[0], 0.0)
    return _ratio(tags.get(282, ())) * per_inch, _ratio(tags.get(283, ())) * per_inch


def _ratio(values: tuple[int, ...]) -> float:
    return round(values[0] / values[1], 1) if len(values) >= 2 and values[1] else 0
