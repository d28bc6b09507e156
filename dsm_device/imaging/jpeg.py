"""jfif and exif: baseline JPEG (ISO/IEC 10918-1), made of strips joined by restart markers.

libjpeg resets its DC prediction at every restart marker, so the entropy-coded data of strips compressed one by
one, with RST0 to RST7 between them, is the data of one scan whose restart interval is a strip. The file decodes
to the same pixels as a page compressed whole.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

from dsm_device.imaging import exif
from dsm_device.imaging.color_profile import profile_of
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.jpeg_strips import EOI, SOI, JpegHeader, compressor, read_header, sampling_of, segment
from dsm_device.imaging.strips import Strip

_APP0, _APP1, _APP2, _DRI, _RST0 = 0xE0, 0xE1, 0xE2, 0xDD, 0xD0
_INCH: Final = 1
_PROFILE_NAME: Final = b"ICC_PROFILE\0"
#: What a segment's 16-bit length leaves for a part of a profile, behind its name, number and count.
_PROFILE_PART_BYTES: Final = 65_533 - len(_PROFILE_NAME) - 2


class JpegEncoder:
    """Writes one page. Every strip but the last has ``strip_lines`` lines, a multiple of 16."""

    def __init__(self, file: BinaryIO, spec: PageSpec, strip_lines: int) -> None:
        self._file = file
        self._spec = spec
        self._compressor = compressor(spec, strip_lines)
        width_px, height_px = sampling_of(spec).mcu_px
        self._restart_interval = -(-spec.width_px // width_px) * (strip_lines // height_px)
        self._strips = 0
        self._header: JpegHeader

    def encode(self, strip: Strip, lines: int) -> None:
        stream = self._compressor.compress(strip, lines)
        if self._strips == 0:
            self._header = read_header(stream)
            self._file.write(self._before_the_data(self._spec.height_px))
        else:
            self._file.write(bytes((0xFF, _RST0 + (self._strips - 1) % 8)))
        self._file.write(stream[self._header.size_bytes : -len(EOI)])
        self._strips += 1

    def finish(self, height_px: int) -> None:
        self._file.write(EOI)
        if height_px != self._spec.height_px:
            self._file.seek(0)
            self._file.write(self._before_the_data(height_px))

    def close(self) -> None:
        self._compressor.close()

    def _before_the_data(self, height_px: int) -> bytes:
        """The file up to its entropy-coded data: as long for every height."""
        spec, header = self._spec, self._header
        return b"".join(
            (
                SOI,
                self._kind(height_px),
                _profile(profile_of(spec.color.channels)),
                header.tables,
                header.frame_of(height_px),
                segment(_DRI, struct.pack(">H", self._restart_interval)),
                header.scan,
            )
        )

    def _kind(self, height_px: int) -> bytes:
        """What makes it Exif, or JFIF 1.01: the first segment, with the resolution. Without a thumbnail."""
        spec = self._spec
        if spec.format == "exif":
            return segment(_APP1, exif.attributes(spec, height_px))
        return segment(_APP0, struct.pack(">5sHBHHxx", b"JFIF", 0x0101, _INCH, spec.x_dpi, spec.y_dpi))


def _profile(profile: bytes) -> bytes:
    """ICC.1:2010, B.4: in as many segments as it takes, each with its number and their count."""
    starts = range(0, len(profile), _PROFILE_PART_BYTES)
    return b"".join(
        segment(_APP2, _PROFILE_NAME + bytes((number, len(starts))) + profile[at : at + _PROFILE_PART_BYTES])
        for number, at in enumerate(starts, start=1)
    )
