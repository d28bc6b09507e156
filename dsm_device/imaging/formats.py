"""The file formats that pages can have, and what a page file is to be and has become. Pure data.

Names and colours are those of WS-Scan (wscn:Format, wscn:ColorProcessing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dsm_device.errors import TicketRefused
from dsm_device.hardware import ColorProcessing

_BILEVEL = (ColorProcessing.BLACK_AND_WHITE_1,)
_EIGHT_BIT = (ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24)
_SIXTEEN_BIT = (ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_48)

#: libjpeg's JPEG_MAX_DIMENSION, a little below the 65,535 that ISO/IEC 10918-1 B.2.2 can express.
_JPEG_SIDE_PX: Final = 65_500
#: PNG (Third Edition) 11.2.1 and libtiff both keep sizes within a signed 32-bit integer.
_INT32_MAX: Final = 2**31 - 1
#: A classic TIFF addresses 4 GiB (TIFF 6.0 section 2); the rest is room for its directory.
_TIFF_BYTES: Final = 2**32 - 2**20
_RESOLUTION_MAX_DPI: Final = 65_535  # JFIF 1.02 has 16 bits for it


@dataclass(frozen=True, slots=True)
class Format:
    """What a format is and holds.

    ``colors`` is what a file of it may have, ``max_side_px`` the longest width and height.
    ``max_raster_bytes`` bounds the uncompressed samples where the file cannot address more.
    """

    media_type: str
    suffix: str
    colors: tuple[ColorProcessing, ...]
    max_side_px: int = _INT32_MAX
    max_raster_bytes: int | None = None


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "jfif": Format("image/jpeg", ".jpg", _EIGHT_BIT, max_side_px=_JPEG_SIDE_PX),
        "png": Format("image/png", ".png", _BILEVEL + _EIGHT_BIT + _SIXTEEN_BIT),
        "tiff-single-uncompressed": Format(
            "image/tiff", ".tif", _BILEVEL + _EIGHT_BIT + _SIXTEEN_BIT, max_raster_bytes=_TIFF_BYTES
        ),
        "tiff-single-g4": Format("image/tiff", ".tif", _BILEVEL),
    }
)

#: From which delivered colours a file's colour can be made, the best first.
MADE_FROM: Final[Mapping[ColorProcessing, tuple[ColorProcessing, ...]]] = MappingProxyType(
    {
        ColorProcessing.BLACK_AND_WHITE_1: (*_BILEVEL, *_EIGHT_BIT),
        ColorProcessing.GRAYSCALE_8: _EIGHT_BIT,
        ColorProcessing.RGB_24: (ColorProcessing.RGB_24,),
        ColorProcessing.GRAYSCALE_16: (ColorProcessing.GRAYSCALE_16,),
        ColorProcessing.RGB_48: (ColorProcessing.RGB_48,),
    }
)


@dataclass(frozen=True, slots=True)
class PageSpec:
    """What the file of a page is to be. One that no file can fulfil raises :class:`TicketRefused`.

    ``width_px`` and ``height_px`` (>= 1) are the promised size. ``quality`` is 1 to 100 and counts for jfif
    only; resolutions are 1 to 65,535 pixels per inch.
    """

    format: str
    color: ColorProcessing
    width_px: int
    height_px: int
    x_dpi: int
    y_dpi: int
    quality: int

    def __post_init__(self) -> None:
        known = FORMATS.get(self.format)
        if known is None:
            raise TicketRefused(f"pages cannot be written as {self.format!r}", f"choose {_one_of(FORMATS)}")
        if self.color not in known.colors:
            raise TicketRefused(f"{self.format} cannot hold {self.color}", f"choose {_one_of(known.colors)}")
        self._check_range("CompressionQualityFactor", (self.quality,), 100)
        self._check_range("resolution", (self.x_dpi, self.y_dpi), _RESOLUTION_MAX_DPI)
        self._check_range("page size in pixels", (self.width_px, self.height_px), known.max_side_px)
        raster_bytes = self.color.bytes_per_line(self.width_px) * self.height_px
        if known.max_raster_bytes is not None and raster_bytes > known.max_raster_bytes:
            raise TicketRefused(
                f"a page of {self.width_px} x {self.height_px} pixels is too large for {self.format}",
                "choose a smaller area, a lower resolution or a compressed format",
            )

    def _check_range(self, what: str, values: tuple[int, ...], maximum: int) -> None:
        if not all(1 <= value <= maximum for value in values):
            given = " x ".join(map(str, values))
            raise TicketRefused(f"{self.format} cannot have a {what} of {given}", f"choose 1 to {maximum}")


@dataclass(frozen=True, slots=True)
class PageFile:
    """A complete page file.

    ``rows_received`` counts all rows that the scanner delivered, also those beyond the promised height;
    ``missing_rows`` those that it announced and did not deliver (the file has white in their place).
    """

    path: Path
    size_bytes: int
    width_px: int
    height_px: int
    rows_received: int
    missing_rows: int


def _one_of(names: Mapping[str, Format] | tuple[ColorProcessing, ...]) -> str:
    return ", ".join(map(str, names))
