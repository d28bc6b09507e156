"""tiff-single-jpeg-tn2: TIFF 6.0 with JPEG data (Compression 7) as in TIFF Technical Note 2.

Each strip is an abbreviated JPEG stream; the tables that all share stand once, in JPEGTables. The strips come
first, one behind the other, the directory with everything else at the end: no height need be known before.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import BinaryIO, Final

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.color_profile import profile_of
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.ifd import (
    BYTE_ORDER_AND_VERSION,
    Value,
    ascii_text,
    directory,
    longs,
    rationals,
    shorts,
    undefined,
)
from dsm_device.imaging.jpeg_strips import EOI, SOI, JpegHeader, compressor, read_header, sampling_of
from dsm_device.imaging.strips import Strip

_IMAGE_WIDTH, _IMAGE_LENGTH, _BITS_PER_SAMPLE, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES_PER_PIXEL, _ROWS_PER_STRIP, _STRIP_BYTE_COUNTS = 273, 274, 277, 278, 279
_X_RESOLUTION, _Y_RESOLUTION, _PLANAR_CONFIGURATION, _RESOLUTION_UNIT = 282, 283, 284, 296
_JPEG_TABLES, _YCBCR_SUBSAMPLING, _YCBCR_POSITIONING, _REFERENCE_BLACK_WHITE = 347, 530, 531, 532
_SOFTWARE, _ICC_PROFILE = 305, 34675
_JPEG, _BLACK_IS_ZERO, _YCBCR = 7, 1, 6
_TOP_LEFT, _CHUNKY, _INCH, _CENTERED = 1, 1, 2, 1
#: Y from 0 to 255, both colour differences from 128 to 255: JPEG uses the full range.
_FULL_RANGE: Final = (0, 255, 128, 255, 128, 255)
_MCU_PX: Final = 8
#: Offsets have 32 bits (TIFF 6.0, section 2).
_LAST_OFFSET: Final = 2**32 - 1


class TiffJpegEncoder:
    """Writes one page. Every strip but the last has ``strip_lines`` lines, a multiple of 16."""

    def __init__(self, file: BinaryIO, spec: PageSpec, strip_lines: int) -> None:
        self._file = file
        self._spec = spec
        self._strip_lines = strip_lines
        self._compressor = compressor(spec, strip_lines)
        self._header: JpegHeader
        self._offsets: list[int] = []
        file.write(BYTE_ORDER_AND_VERSION + bytes(4))
        self._end = 8

    def encode(self, strip: Strip, lines: int) -> None:
        stream = self._compressor.compress(strip, lines)
        if not self._offsets:
            self._header = read_header(stream)
        self._offsets.append(self._end)
        self._write(SOI + self._header.frame_of(lines) + self._header.scan)
        self._write(stream[self._header.size_bytes :])

    def finish(self, height_px: int) -> None:
        ends = [*self._offsets[1:], self._end]
        self._write(bytes(self._end % 2))
        fields = {
            **self._image(height_px),
            _STRIP_OFFSETS: longs(self._offsets),
            _STRIP_BYTE_COUNTS: longs([end - at for at, end in zip(self._offsets, ends, strict=True)]),
        }
        at = self._end
        self._write(directory(fields, at))
        self._file.seek(len(BYTE_ORDER_AND_VERSION))
        self._file.write(struct.pack("<I", at))

    def close(self) -> None:
        self._compressor.close()

    def _write(self, data: bytes | memoryview) -> None:
        if self._end + len(data) > _LAST_OFFSET:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        self._file.write(data)
        self._end += len(data)

    def _image(self, height_px: int) -> dict[int, Value]:
        spec = self._spec
        channels = spec.color.channels
        fields = {
            _IMAGE_WIDTH: longs([spec.width_px]),
            _IMAGE_LENGTH: longs([height_px]),
            _BITS_PER_SAMPLE: shorts(*(spec.color.bits_per_sample,) * channels),
            _COMPRESSION: shorts(_JPEG),
            _PHOTOMETRIC: shorts(_BLACK_IS_ZERO),
            _ORIENTATION: shorts(_TOP_LEFT),
            _SAMPLES_PER_PIXEL: shorts(channels),
            _ROWS_PER_STRIP: longs([self._strip_lines]),
            _X_RESOLUTION: rationals(spec.x_dpi),
            _Y_RESOLUTION: rationals(spec.y_dpi),
            _PLANAR_CONFIGURATION: shorts(_CHUNKY),
            _RESOLUTION_UNIT: shorts(_INCH),
            _SOFTWARE: ascii_text("dsm-device"),
            _JPEG_TABLES: undefined(SOI + self._header.tables + EOI),
            _ICC_PROFILE: undefined(profile_of(channels)),
        }
        return fields | self._chroma() if spec.color is ColorProcessing.RGB_24 else fields

    def _chroma(self) -> dict[int, Value]:
        width_px, height_px = sampling_of(self._spec).mcu_px
        return {
            _PHOTOMETRIC: shorts(_YCBCR),
            _YCBCR_SUBSAMPLING: shorts(width_px // _MCU_PX, height_px // _MCU_PX),
            _YCBCR_POSITIONING: shorts(_CENTERED),
            _REFERENCE_BLACK_WHITE: rationals(*_FULL_RANGE),
        }
