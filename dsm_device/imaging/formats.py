"""The file formats that pages can have, and what a page file is to be and has become. Pure data.

Names and colours are those of WS-Scan (wscn:Format, wscn:ColorProcessing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from dsm_device.errors import TicketRefused
from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.treatment import NOTHING, Treatment

_BILEVEL = (ColorProcessing.BLACK_AND_WHITE_1,)
_FOUR_BIT = (ColorProcessing.GRAYSCALE_4,)
_EIGHT_BIT = (ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24)
_SIXTEEN_BIT = (ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_48)
_ALL = _BILEVEL + _FOUR_BIT + _EIGHT_BIT + _SIXTEEN_BIT

#: libjpeg's JPEG_MAX_DIMENSION, a little below the 65,535 that ISO/IEC 10918-1 B.2.2 can express.
_JPEG_SIDE_PX: Final = 65_500
#: PNG (Third Edition) 11.2.1, libtiff and JPEG 2000 all keep sizes within a signed 32-bit integer.
_INT32_MAX: Final = 2**31 - 1
#: A classic TIFF and a BMP address 4 GiB (TIFF 6.0 section 2); the rest is room for directories and headers.
_FOUR_GIGABYTES: Final = 2**32 - 2**20
_RESOLUTION_MAX_DPI: Final = 65_535  # JFIF 1.02 has 16 bits for it


@dataclass(frozen=True, slots=True)
class Format:
    """What a wscn:Format is and holds.

    ``colors`` is what a file of it may have, ``max_side_px`` the longest width and height.
    ``max_raster_bytes`` bounds the uncompressed samples where the file cannot address more. ``lossy``: it has a
    use for CompressionQualityFactor. ``line_multiple_bytes`` is what lines of an uncompressed format are padded
    to, 0 for compressed ones. ``page_format`` and ``bilevel_page_format`` are set for documents that hold all
    pages of a job: the formats of the page files that they are made of.
    """

    media_type: str
    suffix: str
    colors: tuple[ColorProcessing, ...]
    max_side_px: int = _INT32_MAX
    max_raster_bytes: int | None = None
    lossy: bool = False
    line_multiple_bytes: int = 0
    page_format: str = ""
    bilevel_page_format: str = ""

    @property
    def is_document(self) -> bool:
        """Whether all pages of a job go into one file."""
        return bool(self.page_format or self.bilevel_page_format)

    def bytes_per_line(self, color: ColorProcessing, width_px: int) -> int:
        """WS-Scan's BytesPerLine: 0 for compressed formats (WS-DSD, ImageInformation)."""
        if not self.line_multiple_bytes:
            return 0
        return -(-color.bytes_per_line(width_px) // self.line_multiple_bytes) * self.line_multiple_bytes


def _tiff(colors: tuple[ColorProcessing, ...], **more: Any) -> Format:
    return Format("image/tiff", ".tif", colors, **more)


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "dib": Format(
            "image/bmp",
            ".bmp",
            _BILEVEL + _FOUR_BIT + _EIGHT_BIT,
            max_raster_bytes=_FOUR_GIGABYTES,
            line_multiple_bytes=4,
        ),
        "exif": Format("image/jpeg", ".jpg", _EIGHT_BIT, max_side_px=_JPEG_SIDE_PX, lossy=True),
        "jbig": Format("image/x-jbig", ".jbg", _BILEVEL),
        "jfif": Format("image/jpeg", ".jpg", _EIGHT_BIT, max_side_px=_JPEG_SIDE_PX, lossy=True),
        "jpeg2k": Format("image/jp2", ".jp2", (*_EIGHT_BIT, ColorProcessing.GRAYSCALE_16), lossy=True),
        "pdf-a": Format(
            "application/pdf",
            ".pdf",
            _BILEVEL + _EIGHT_BIT,
            max_side_px=_JPEG_SIDE_PX,
            lossy=True,
            page_format="jfif",
            bilevel_page_format="tiff-single-g4",
        ),
        "png": Format("image/png", ".png", _ALL),
        "tiff-single-uncompressed": _tiff(_ALL, max_raster_bytes=_FOUR_GIGABYTES, line_multiple_bytes=1),
        "tiff-single-g4": _tiff(_BILEVEL),
        "tiff-single-g3mh": _tiff(_BILEVEL),
        "tiff-single-jpeg-tn2": _tiff(_EIGHT_BIT, max_side_px=_JPEG_SIDE_PX, lossy=True),
        "tiff-multi-uncompressed": _tiff(
            _ALL,
            max_raster_bytes=_FOUR_GIGABYTES,
            line_multiple_bytes=1,
            page_format="tiff-single-uncompressed",
            bilevel_page_format="tiff-single-uncompressed",
        ),
        "tiff-multi-g4": _tiff(_BILEVEL, bilevel_page_format="tiff-single-g4"),
        "tiff-multi-g3mh": _tiff(_BILEVEL, bilevel_page_format="tiff-single-g3mh"),
        "tiff-multi-jpeg-tn2": _tiff(
            _EIGHT_BIT, max_side_px=_JPEG_SIDE_PX, lossy=True, page_format="tiff-single-jpeg-tn2"
        ),
        "xps": Format(
            "application/vnd.ms-xpsdocument",
            ".xps",
            _BILEVEL + _EIGHT_BIT,
            max_side_px=_JPEG_SIDE_PX,
            lossy=True,
            page_format="jfif",
            bilevel_page_format="tiff-single-g4",
        ),
    }
)


def page_format(name: str, color: ColorProcessing) -> str:
    """The format of a page's own file in a job whose wscn:Format is ``name``."""
    known = FORMATS[name]
    if not known.is_document:
        return name
    return known.bilevel_page_format if color is ColorProcessing.BLACK_AND_WHITE_1 else known.page_format


#: From which delivered colours a file's colour can be made, the best first.
MADE_FROM: Final[Mapping[ColorProcessing, tuple[ColorProcessing, ...]]] = MappingProxyType(
    {
        ColorProcessing.BLACK_AND_WHITE_1: (*_BILEVEL, *_EIGHT_BIT, *_SIXTEEN_BIT),
        ColorProcessing.GRAYSCALE_4: (*_EIGHT_BIT, *_SIXTEEN_BIT),
        ColorProcessing.GRAYSCALE_8: (*_EIGHT_BIT, *_SIXTEEN_BIT),
        ColorProcessing.RGB_24: (ColorProcessing.RGB_24, ColorProcessing.RGB_48),
        ColorProcessing.GRAYSCALE_16: _SIXTEEN_BIT,
        ColorProcessing.RGB_48: (ColorProcessing.RGB_48,),
    }
)


@dataclass(frozen=True, slots=True)
class PageSpec:
    """What the file of a page is to be. One that no file can fulfil raises :class:`TicketRefused`.

    ``format`` is one that holds a single page. ``width_px`` and ``height_px`` (>= 1) are the promised size, after
    everything that ``treatment`` says. ``quality`` is 1 to 100 and counts for lossy formats only; resolutions are
    1 to 65,535 pixels per inch. A page whose length the scanner does not announce ends with its last line or,
    where the size is ``exact``, is white from there on.
    """

    format: str
    color: ColorProcessing
    width_px: int
    height_px: int
    x_dpi: int
    y_dpi: int
    quality: int
    treatment: Treatment = NOTHING
    exact: bool = False

    def __post_init__(self) -> None:
        known = FORMATS.get(self.format)
        if known is None or known.is_document:
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

    @property
    def upright_px(self) -> tuple[int, int]:
        """Width and height before the rotation."""
        size = self.width_px, self.height_px
        return size[::-1] if self.treatment.on_its_side else size

    def _check_range(self, what: str, values: tuple[int, ...], maximum: int) -> None:
        if not all(1 <= value <= maximum for value in values):
            given = " x ".join(map(str, values))
            raise TicketRefused(f"{self.format} cannot have a {what} of {given}", f"choose 1 to {maximum}")


@dataclass(frozen=True, slots=True)
class PageFile:
    """A complete page file.

    ``rows_received`` counts all rows that the scanner delivered, also those beyond the promised height;
    ``missing_rows`` those that it announced and did not deliver (the file has white in their place). ``crc32`` is
    that of the whole file. ``blank`` is None unless the treatment says that it be judged.
    """

    path: Path
    size_bytes: int
    width_px: int
    height_px: int
    rows_received: int
    missing_rows: int
    crc32: int = 0
    blank: bool | None = None


def _one_of(names: Mapping[str, Format] | tuple[ColorProcessing, ...]) -> str:
    return ", ".join(map(str, names))
