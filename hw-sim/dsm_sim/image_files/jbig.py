"""A bi-level image entity of JBIG (ITU-T T.82, 6.2; the profile for facsimile, T.85)."""

from __future__ import annotations

import re
import struct
from typing import Final

from .facts import Data, ImageError, PageFacts, part

_HEADER_OCTETS: Final = 20
_PRIVATE_TABLE_OCTETS: Final = 1728
_VARIABLE_LENGTH: Final = 0x20
_PRIVATE_TABLE: Final = (0x04 | 0x02 | 0x01, 0x04 | 0x02)
_STRIPE_ENDS: Final = (0x02, 0x03)
#: NEWLEN and ATMOVE: their octets after the marker. COMMENT says its own.
_NEWLEN, _ATMOVE, _COMMENT = 0x05, 0x06, 0x07
_LENGTHS: Final = {_NEWLEN: 4, _ATMOVE: 6}
#: FF 00 is stuffed and stands for an octet of the code.
_MARKER: Final = re.compile(rb"\xff([^\x00])", re.DOTALL)


def jbig_facts(data: Data) -> PageFacts:
    """Raises :class:`ImageError`."""
    header = part(data, 0, _HEADER_OCTETS)
    lowest, highest, planes, fill, width, height, lines = struct.unpack_from(">BBBBIII", header)
    order, options = header[18], header[19]
    if planes != 1 or fill or lowest > highest or order & 0xF0 or options & 0x80 or not lines:
        raise ImageError("no JBIG header")
    at = _HEADER_OCTETS
    if options & _PRIVATE_TABLE[0] == _PRIVATE_TABLE[1]:
        at += _PRIVATE_TABLE_OCTETS
    stripes, new_height = _walk(data, at)
    if new_height is not None and not options & _VARIABLE_LENGTH:
        raise ImageError("a new length that the header does not announce")
    height = height if new_height is None else new_height
    # A stripe has so many lines in the lowest layer of all, and twice as many in each one above it.
    wanted = -(-height // (lines << min(highest, 32))) * (highest - lowest + 1)
    # T.82 6.2.6.2: a new length may come after the last stripe, and is followed by one without lines.
    if stripes != wanted and not (new_height is not None and stripes == wanted + 1):
        raise ImageError(f"{stripes} stripes instead of {wanted}")
    return PageFacts(width, height, 0, 0, 1, 1)


def _walk(data: Data, at: int) -> tuple[int, int | None]:
    """The number of stripes, and the height that replaces the header's; the file ends with the end of a stripe."""
    stripes, height = 0, None
    while at < len(data):
        match = _MARKER.search(data, at)
        if not match:
            break
        marker, at = match[1][0], match.end()
        if marker in _STRIPE_ENDS:
            stripes += 1
            if at == len(data):
                return stripes, height
        elif marker in _LENGTHS or marker == _COMMENT:
            count = _LENGTHS.get(marker) or 4 + int.from_bytes(part(data, at, 4), "big")
            content = part(data, at, count)
            height = int.from_bytes(content, "big") if marker == _NEWLEN else height
            at += count
        else:
            raise ImageError(f"a marker {marker:#04x} in the code")
    raise ImageError("the file ends too early")
