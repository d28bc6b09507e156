"""jbig: a bare bi-level image entity of ISO/IEC 11544 (ITU-T T.82) in the application profile of ITU-T T.85.

One layer, one plane, stripes of 128 lines. libjbig compresses an image in one call, so the page goes there in
batches of stripes, each an image of its own to the library. A stripe that ends with SDRST instead of SDNORM makes
the decoder begin the next one afresh (T.82, 6.2): joined by SDRST the stripes of all batches are one page's. (The
library's T.85 encoder, which keeps its state from strip to strip, takes one call a line.)
"""

from __future__ import annotations

import ctypes
import struct
from functools import cache
from typing import BinaryIO, Final

from dsm_device.errors import TicketRefused
from dsm_device.imaging import available
from dsm_device.imaging.c_library import declare
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.strips import Strip

#: L0 of T.85's basic capability.
_STRIPE_LINES: Final = 128
#: The statistics are learnt anew in each batch: so large that this does not show in the file's size.
_BATCH_BYTES: Final = 512 * 1024
#: MX: how far to the left the adaptive pixel may move; all that T.85 allows.
_MX: Final = 127
_TPBON: Final = 0x08  # lines that equal the one above take one decision
_SDRST: Final = b"\x03"
_BIH_BYTES: Final = 20
_HEIGHT_OFFSET: Final = 8
#: struct jbg_enc_state is seen by the library alone; in jbig-kit 2.1 it takes less than a tenth of this.
_STATE_BYTES: Final = 4096
_DataOut = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int
_FUNCTIONS: Final = (
    ("jbg_enc_init", None, (_POINTER, _SIZE, _SIZE, _INT, _POINTER, _DataOut, _POINTER)),
    ("jbg_enc_options", None, (_POINTER, _INT, _INT, _SIZE, _INT, _INT)),
    ("jbg_enc_out", None, (_POINTER,)),
    ("jbg_enc_free", None, (_POINTER,)),
)


class JbigEncoder:
    """Writes one page. Raises ``TicketRefused`` where libjbig is missing."""

    def __init__(self, file: BinaryIO, spec: PageSpec, strip_lines: int) -> None:  # noqa: ARG002 - any will do
        load()
        self._file = file
        self._width_px = spec.width_px
        self._line_bytes = spec.color.bytes_per_line(spec.width_px)
        batch_lines = max(1, _BATCH_BYTES // self._line_bytes // _STRIPE_LINES) * _STRIPE_LINES
        self._batch_bytes = batch_lines * self._line_bytes
        self._held = bytearray()
        file.write(_header(spec.width_px, spec.height_px))

    def encode(self, strip: Strip, lines: int) -> None:  # noqa: ARG002 - its bytes say it
        self._held += strip
        while len(self._held) > self._batch_bytes:  # so the last batch is known to be it
            stripes = self._compress(self._held[: self._batch_bytes])
            self._file.write(stripes[:-1] + _SDRST)
            del self._held[: self._batch_bytes]

    def finish(self, height_px: int) -> None:
        self._file.write(self._compress(self._held))
        self._file.seek(_HEIGHT_OFFSET)
        self._file.write(struct.pack(">I", height_px))

    def close(self) -> None:
        self._held.clear()

    def _compress(self, batch: bytearray) -> bytes:
        return compress(bytes(batch), self._width_px, len(batch) // self._line_bytes)[_BIH_BYTES:]


def compress(lines: bytes, width_px: int, height_px: int) -> bytes:
    """The bi-level image entity of packed lines with 1 as black; their padding bits are 0."""
    library, entity = load(), bytearray()

    def take(start: int, size: int, _file: None) -> None:
        entity.extend(ctypes.string_at(start, size))

    data_out = _DataOut(take)
    state = ctypes.create_string_buffer(_STATE_BYTES)
    planes = (ctypes.c_char_p * 1)(lines)
    library.jbg_enc_init(state, width_px, height_px, 1, planes, data_out, None)
    library.jbg_enc_options(state, 0, _TPBON, _STRIPE_LINES, _MX, 0)
    library.jbg_enc_out(state)
    library.jbg_enc_free(state)
    return bytes(entity)


def _header(width_px: int, height_px: int) -> bytes:
    """The bi-level image header (T.82, 6.2.1): layers 0 to 0, one plane, sizes, L0, MX, MY, order, options."""
    return struct.pack(">4B3I4B", 0, 0, 1, 0, width_px, height_px, _STRIPE_LINES, _MX, 0, 0, _TPBON)


@cache
def load() -> ctypes.CDLL:
    """The library. Raises ``TicketRefused`` where there is none."""
    for name in available.LIBJBIG:
        try:
            library = ctypes.CDLL(name)
            declare(library, _FUNCTIONS)
        except (OSError, AttributeError):
            continue
        return library
    raise TicketRefused("JBIG files cannot be written without libjbig", "`apt install libjbig0`")
