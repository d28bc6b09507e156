"""tiff-single-uncompressed, -g4 and -g3mh: TIFF 6.0, chunky, in strips, written by libtiff.

Group 3 with Modified Huffman is compression 3 with T4Options 0, not compression 2: that has no EOLs and aligns
lines to bytes, so it is no fax data (TIFF 6.0, sections 10 and 11), and Internet fax knows compression 3 only
(RFC 2306, RFC 3949). libtiff writes it without RTC, which ends a page on the telephone line.
"""

from __future__ import annotations

from typing import BinaryIO, Final

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.color_profile import profile_of
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.libtiff import Tag, TiffFile
from dsm_device.imaging.strips import Strip

_GROUP_3: Final = 3
_COMPRESSIONS: Final = {"tiff-single-uncompressed": 1, "tiff-single-g3mh": _GROUP_3, "tiff-single-g4": 4}
_ONE_DIMENSIONAL: Final = 0
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_TOP_LEFT: Final = 1
_CHUNKY: Final = 1
_INCH: Final = 2
_SOFTWARE: Final = "dsm-device"


class TiffEncoder:
    """Writes one page. Every strip but the last has ``strip_lines`` lines."""

    def __init__(self, file: BinaryIO, spec: PageSpec, strip_lines: int) -> None:
        self._strips = 0
        self._lines = 0
        self._tiff = TiffFile(file.fileno())
        for tag, value in (
            (Tag.IMAGE_WIDTH, spec.width_px),
            (Tag.BITS_PER_SAMPLE, spec.color.bits_per_sample),
            (Tag.SAMPLES_PER_PIXEL, spec.color.channels),
            (Tag.COMPRESSION, _COMPRESSIONS[spec.format]),
            (Tag.PHOTOMETRIC_INTERPRETATION, _photometric(spec.color)),
            (Tag.ORIENTATION, _TOP_LEFT),
            (Tag.PLANAR_CONFIGURATION, _CHUNKY),
            (Tag.ROWS_PER_STRIP, strip_lines),
            (Tag.RESOLUTION_UNIT, _INCH),
        ):
            self._tiff.set(tag, value)
        if _COMPRESSIONS[spec.format] == _GROUP_3:
            self._tiff.set(Tag.T4_OPTIONS, _ONE_DIMENSIONAL)
        self._tiff.set_resolution(spec.x_dpi, spec.y_dpi)
        self._tiff.set_software(_SOFTWARE)
        if spec.color is not ColorProcessing.BLACK_AND_WHITE_1:
            self._tiff.set_icc_profile(profile_of(spec.color.channels))

    def encode(self, strip: Strip, lines: int) -> None:
        self._lines += lines
        # The page grows strip by strip, so its height need not be known before its end.
        self._tiff.set(Tag.IMAGE_LENGTH, self._lines)
        self._tiff.write_strip(self._strips, strip)
        self._strips += 1

    def finish(self, height_px: int) -> None:  # noqa: ARG002 - known by now from the strips
        self._tiff.end_page()

    def close(self) -> None:
        self._tiff.close()


def _photometric(color: ColorProcessing) -> int:
    """Bilevel lines stay as they are delivered, 1 is black, which is also what fax decoders expect."""
    if color is ColorProcessing.BLACK_AND_WHITE_1:
        return _WHITE_IS_ZERO
    return _RGB if color.channels == 3 else _BLACK_IS_ZERO
