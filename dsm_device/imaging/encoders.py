"""What writes page files: the seam between strips and formats, and who writes which."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final, Protocol

from dsm_device.imaging.bmp import BmpEncoder
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.g4 import G4Encoder
from dsm_device.imaging.jbig import JbigEncoder
from dsm_device.imaging.jpeg import JpegEncoder
from dsm_device.imaging.jpeg2000 import Jpeg2000Encoder
from dsm_device.imaging.png import PngEncoder
from dsm_device.imaging.strips import Strip
from dsm_device.imaging.tiff import TiffEncoder
from dsm_device.imaging.tiff_jpeg import TiffJpegEncoder


class Encoder(Protocol):
    """Writes the file of one page; made with the file, the page's spec and the lines of a strip.

    ``encode`` gets packed lines of the file's width and colour from a buffer that may change after the call:
    bilevel with 1 as black, 4 bit with the left pixel in the high half, 16 bit in the host's byte order. All
    strips but the last have as many lines as was said.
    """

    def encode(self, strip: Strip, lines: int) -> None: ...

    def finish(self, height_px: int) -> None:
        """Complete the file, which now has ``height_px`` lines (>= 1)."""
        ...

    def close(self) -> None:
        """Let go of everything but the file. Raises nothing."""
        ...


ENCODERS: Final[dict[str, Callable[[BinaryIO, PageSpec, int], Encoder]]] = {
    "dib": BmpEncoder,
    "exif": JpegEncoder,
    "jbig": JbigEncoder,
    "jfif": JpegEncoder,
    "jpeg2k": Jpeg2000Encoder,
    "png": PngEncoder,
    "tiff-single-uncompressed": TiffEncoder,
    "tiff-single-g3mh": TiffEncoder,
    "tiff-single-g4": G4Encoder,
    "tiff-single-jpeg-tn2": TiffJpegEncoder,
}
