"""jfif: baseline JPEG (ISO/IEC 10918-1) in a JFIF 1.01 wrapper, made of strips joined by restart markers.

libjpeg resets its DC prediction at every restart marker, so the entropy-coded data of strips compressed one by
one, with RST0 to RST7 between them, is the data of one scan whose restart interval is a strip. The file decodes
to the same pixels as a page compressed whole. All strips share their tables: the quantisation follows from the
quality, the Huffman tables are the standard ones (Annex K.3).
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, Final

import PIL.JpegImagePlugin  # noqa: F401 - enters JPEG in Image.save's registry, which else loads every plugin

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.strips import Strip, picture

_SOF0: Final = 0xC0
_SOS: Final = 0xDA
_RST0: Final = 0xD0
_EOI: Final = b"\xff\xd9"
#: From here up colour keeps its full resolution (4:4:4), as in ImageMagick; below it is halved both ways
#: (4:2:0), the default of libjpeg and so of cjpeg and scanimage.
_FULL_COLOR_QUALITY: Final = 90
_PILLOW_444, _PILLOW_420 = 0, 2


class JpegEncoder:
    """Writes one page. Every strip but the last has ``strip_lines`` lines, a multiple of 16."""

    def __init__(self, file: BinaryIO, spec: PageSpec, strip_lines: int) -> None:
        self._file = file
        self._spec = spec
        self._mode = "RGB" if spec.color is ColorProcessing.RGB_24 else "L"
        full_color = self._mode == "L" or spec.quality >= _FULL_COLOR_QUALITY
        self._subsampling = _PILLOW_444 if full_color else _PILLOW_420
        block_px = 8 if full_color else 16
        self._restart_interval = -(-spec.width_px // block_px) * (strip_lines // block_px)
        self._strips = 0
        self._header_bytes = 0
        self._height_offset = 0
        # Pillow lets go of the interpreter lock only while it writes to a file descriptor.
        self._scratch = os.fdopen(os.memfd_create("jpeg-strip"), "w+b", buffering=0)

    def encode(self, strip: Strip, lines: int) -> None:
        stream = self._compress(strip, lines)
        if self._strips == 0:
            self._file.write(self._header(stream))
        else:
            self._file.write(bytes((0xFF, _RST0 + (self._strips - 1) % 8)))
        self._file.write(memoryview(stream)[self._header_bytes : -len(_EOI)])
        self._strips += 1

    def finish(self, height_px: int) -> None:
        self._file.write(_EOI)
        if height_px != self._spec.height_px:
            self._file.seek(self._height_offset)
            self._file.write(struct.pack(">H", height_px))

    def close(self) -> None:
        self._scratch.close()

    def _compress(self, strip: Strip, lines: int) -> bytes:
        """The strip as a JPEG file of its own."""
        image = picture(strip, self._mode, self._spec.width_px, lines)
        self._scratch.seek(0)
        image.save(
            self._scratch,
            "JPEG",
            quality=self._spec.quality,
            subsampling=self._subsampling,
            dpi=(self._spec.x_dpi, self._spec.y_dpi),
        )
        return os.pread(self._scratch.fileno(), self._scratch.tell(), 0)

    def _header(self, stream: bytes) -> bytes:
        """The first strip's header, now with the page's height and the restart interval (DRI)."""
        offsets, scan = _segments(stream)
        self._header_bytes = scan + 2 + struct.unpack_from(">H", stream, scan + 2)[0]
        self._height_offset = offsets[_SOF0] + 5
        header = bytearray(stream[: self._header_bytes])
        struct.pack_into(">H", header, self._height_offset, self._spec.height_px)
        header[scan:scan] = struct.pack(">HHH", 0xFFDD, 4, self._restart_interval)
        return bytes(header)


def _segments(stream: bytes) -> tuple[dict[int, int], int]:
    """Where each marker segment of the header begins, by marker code, and where the scan (SOS) does."""
    offsets: dict[int, int] = {}
    at = 2
    while (marker := stream[at + 1]) != _SOS:
        offsets[marker] = at
        at += 2 + struct.unpack_from(">H", stream, at + 2)[0]
    return offsets, at
