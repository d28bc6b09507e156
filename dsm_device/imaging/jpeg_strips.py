"""A strip as a JPEG file of its own (ISO/IEC 10918-1, baseline), and the parts of such a file.

All strips of a page share their tables: the quantisation follows from the quality, the Huffman tables are the
standard ones (Annex K.3). So their data can be joined, in one scan by restart markers (:mod:`.jpeg`) or in the
strips of a TIFF (:mod:`.tiff_jpeg`).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Final, Protocol

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging import turbojpeg
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.strips import Strip, picture
from dsm_device.imaging.turbojpeg import Sampling

SOI: Final = b"\xff\xd8"
EOI: Final = b"\xff\xd9"
_DQT, _DHT, _SOF0, _SOS = 0xDB, 0xC4, 0xC0, 0xDA
#: From here up colour keeps its full resolution (4:4:4), as in ImageMagick; below it is halved both ways
#: (4:2:0), the default of libjpeg and so of cjpeg and scanimage.
_FULL_COLOR_QUALITY: Final = 90


class Compressor(Protocol):
    """``compress`` gives the strip's JPEG file, good until the next call; all have the same tables."""

    def compress(self, strip: Strip, lines: int) -> memoryview: ...

    def close(self) -> None: ...


def sampling_of(spec: PageSpec) -> Sampling:
    """How the page's colour is sampled. Exif knows no 4:4:4 (Exif 2.3, 4.4.3)."""
    if spec.color is not ColorProcessing.RGB_24:
        return Sampling.GRAY
    if spec.quality < _FULL_COLOR_QUALITY:
        return Sampling.QUARTER
    return Sampling.HALF if spec.format == "exif" else Sampling.FULL


def compressor(spec: PageSpec, strip_lines: int) -> Compressor:
    """TurboJPEG's, or Pillow's where that library is not installed: the same pixels, only slower."""
    library = turbojpeg.load()
    if library is None:
        return PillowCompressor(spec)
    return turbojpeg.TurboCompressor(library, spec.width_px, strip_lines, sampling_of(spec), spec.quality)


class PillowCompressor:
    """Compresses strips with Pillow's own libjpeg."""

    def __init__(self, spec: PageSpec) -> None:
        import PIL.JpegImagePlugin  # noqa: F401, PLC0415 - enters JPEG in Image.save's registry; else not needed

        self._width_px = spec.width_px
        sampling = sampling_of(spec)
        self._mode = "L" if sampling is Sampling.GRAY else "RGB"
        self._options = {"quality": spec.quality, "subsampling": 0 if self._mode == "L" else int(sampling)}
        # Pillow lets go of the interpreter lock only while it writes to a file descriptor.
        self._scratch = os.fdopen(os.memfd_create("jpeg-strip"), "w+b", buffering=0)

    def compress(self, strip: Strip, lines: int) -> memoryview:
        self._scratch.seek(0)
        picture(strip, self._mode, self._width_px, lines).save(self._scratch, "JPEG", **self._options)
        return memoryview(os.pread(self._scratch.fileno(), self._scratch.tell(), 0))

    def close(self) -> None:
        self._scratch.close()


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What stands before the entropy-coded data: marker segments, and where that data begins in the file."""

    tables: bytes
    """Quantisation and Huffman tables (DQT, DHT)."""
    frame: bytes
    """The frame header (SOF0)."""
    scan: bytes
    """The scan header (SOS)."""
    size_bytes: int

    def frame_of(self, height_px: int) -> bytes:
        """The frame header of an image of ``height_px`` lines (B.2.2: behind marker, length and precision)."""
        return self.frame[:5] + struct.pack(">H", height_px) + self.frame[7:]


def segment(marker: int, data: bytes) -> bytes:
    """A marker segment (B.1.1.4)."""
    return struct.pack(">BBH", 0xFF, marker, 2 + len(data)) + data


def read_header(stream: memoryview) -> JpegHeader:
    """The header of a strip's file. What else it says of itself (JFIF) is left out."""
    segments: dict[int, bytes] = {}
    at, marker = len(SOI), 0
    while marker != _SOS:
        marker = stream[at + 1]
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        segments[marker] = segments.get(marker, b"") + bytes(stream[at:end])
        at = end
    return JpegHeader(segments[_DQT] + segments[_DHT], segments[_SOF0], segments[_SOS], at)
