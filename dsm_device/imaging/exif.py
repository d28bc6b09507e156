"""What the APP1 segment of an Exif file says: Exif 2.3 (CIPA DC-008), the tags that it demands and Software.

Those of the camera, the exposure and the time are left out: nobody knows them here.
"""

from __future__ import annotations

import struct
from typing import Final

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.ifd import (
    BYTE_ORDER_AND_VERSION,
    ascii_text,
    directory,
    longs,
    rationals,
    shorts,
    size_bytes,
    undefined,
)

_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
_SOFTWARE, _YCBCR_POSITIONING, _EXIF_DIRECTORY = 0x0131, 0x0213, 0x8769
_EXIF_VERSION, _COMPONENTS, _FLASHPIX_VERSION = 0x9000, 0x9101, 0xA000
_COLOR_SPACE, _PIXEL_X, _PIXEL_Y = 0xA001, 0xA002, 0xA003
_TOP_LEFT, _INCH, _CENTERED, _SRGB = 1, 2, 1, 1
_YCBCR, _Y = b"\1\2\3\0", b"\1\0\0\0"
_FIRST_DIRECTORY: Final = 8


def attributes(spec: PageSpec, height_px: int) -> bytes:
    """What the segment holds; as long for every height."""
    first = {
        _ORIENTATION: shorts(_TOP_LEFT),
        _X_RESOLUTION: rationals(spec.x_dpi),
        _Y_RESOLUTION: rationals(spec.y_dpi),
        _RESOLUTION_UNIT: shorts(_INCH),
        _SOFTWARE: ascii_text("dsm-device"),
        _YCBCR_POSITIONING: shorts(_CENTERED),  # where libjpeg's halving puts the colours
        _EXIF_DIRECTORY: longs([0]),
    }
    exif_at = _FIRST_DIRECTORY + size_bytes(first)
    first[_EXIF_DIRECTORY] = longs([exif_at])
    exif = {
        _EXIF_VERSION: undefined(b"0230"),
        _COMPONENTS: undefined(_YCBCR if spec.color is ColorProcessing.RGB_24 else _Y),
        _FLASHPIX_VERSION: undefined(b"0100"),
        _COLOR_SPACE: shorts(_SRGB),
        _PIXEL_X: longs([spec.width_px]),
        _PIXEL_Y: longs([height_px]),
    }
    tiff = BYTE_ORDER_AND_VERSION + struct.pack("<I", _FIRST_DIRECTORY)
    tiff += directory(first, _FIRST_DIRECTORY) + directory(exif, exif_at)
    return b"Exif\0\0" + tiff
