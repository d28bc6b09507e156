"""dib: a Windows bitmap file with BITMAPV5HEADER (wingdi.h), not compressed, the last line first.

Lines lie bottom-up because readers exist that take nothing else. So the first strip goes to the end of the file as
the promised height makes it, and the file has a hole until the rest has come. Where the page ends short, what
there is moves up to the headers.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

from PIL import ImageChops

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.formats import FORMATS, PageSpec
from dsm_device.imaging.strips import Strip, picture

_METRES_PER_INCH: Final = 0.0254
_FILE_HEADER_BYTES: Final = 14
_INFO_HEADER_BYTES: Final = 124
_BI_RGB: Final = 0
_LCS_SRGB: Final = 0x73524742
_LCS_GM_IMAGES: Final = 4
#: No endpoints, no gammas: they count for calibrated colour only.
_NO_CALIBRATION: Final = bytes(36 + 12)
_COPIED_AT_ONCE_BYTES: Final = 512 * 1024
_BOTTOM_UP: Final = -1


class BmpEncoder:
    """Writes one page."""

    def __init__(self, file: BinaryIO, spec: PageSpec, strip_lines: int) -> None:  # noqa: ARG002 - any will do
        self._file = file
        self._spec = spec
        self._line_bytes = FORMATS["dib"].bytes_per_line(spec.color, spec.width_px)
        self._palette = _palette(spec.color)
        self._data_offset = _FILE_HEADER_BYTES + _INFO_HEADER_BYTES + len(self._palette)
        self._lines_missing = spec.height_px
        file.write(self._headers(spec.height_px))

    def encode(self, strip: Strip, lines: int) -> None:
        self._lines_missing -= lines
        self._file.seek(self._data_offset + self._lines_missing * self._line_bytes)
        self._file.write(self._bottom_up(strip, lines))

    def finish(self, height_px: int) -> None:
        if self._lines_missing:
            self._close_gap(height_px * self._line_bytes)
            self._file.seek(0)
            self._file.write(self._headers(height_px))

    def close(self) -> None:
        """Nothing to let go of."""

    def _bottom_up(self, strip: Strip, lines: int) -> bytes:
        """Reversed lines of padded B, G, R or palette indexes, of which 0 is black."""
        color = self._spec.color
        if color is ColorProcessing.RGB_24:
            image = picture(strip, "RGB", self._spec.width_px, lines)
            return image.tobytes("raw", "BGR", self._line_bytes, _BOTTOM_UP)
        image = picture(strip, "L", color.bytes_per_line(self._spec.width_px), lines)
        if color is ColorProcessing.BLACK_AND_WHITE_1:
            image = ImageChops.invert(image)
        return image.tobytes("raw", "L", self._line_bytes, _BOTTOM_UP)

    def _close_gap(self, kept_bytes: int) -> None:
        """Move the lines that came up to the headers, the lowest first, and cut the file behind them."""
        gap_bytes = self._lines_missing * self._line_bytes
        for at in range(0, kept_bytes, _COPIED_AT_ONCE_BYTES):
            self._file.seek(self._data_offset + gap_bytes + at)
            part = self._file.read(min(_COPIED_AT_ONCE_BYTES, kept_bytes - at))
            self._file.seek(self._data_offset + at)
            self._file.write(part)
        self._file.truncate(self._data_offset + kept_bytes)

    def _headers(self, height_px: int) -> bytes:
        """BITMAPFILEHEADER, BITMAPV5HEADER and the palette."""
        spec, data_bytes = self._spec, height_px * self._line_bytes
        bits = spec.color.channels * spec.color.bits_per_sample
        metre = [round(dpi / _METRES_PER_INCH) for dpi in (spec.x_dpi, spec.y_dpi)]
        colors = len(self._palette) // 4
        return (
            struct.pack("<2sI4xI", b"BM", self._data_offset + data_bytes, self._data_offset)
            + struct.pack("<IiiHH", _INFO_HEADER_BYTES, spec.width_px, height_px, 1, bits)
            + struct.pack("<IIiiII", _BI_RGB, data_bytes, *metre, colors, 0)
            + struct.pack("<16xI", _LCS_SRGB)  # no masks
            + _NO_CALIBRATION
            + struct.pack("<I12x", _LCS_GM_IMAGES)
            + self._palette
        )


def _palette(color: ColorProcessing) -> bytes:
    """Blue, green, red and a zero for each value of an index: black to white in equal steps."""
    if color.channels == 3:
        return b""
    grays = 2**color.bits_per_sample
    return b"".join(
        bytes((gray, gray, gray, 0)) for gray in (255 * index // (grays - 1) for index in range(grays))
    )
