"""Whether a file is what its declared format says: first octets, header, size, end.

Reads headers only and seeks over the rest, so that memory does not depend on the file. Not a decoder: pixels
may still be wrong. Formats without a header of their own to check (vendor formats) pass.
Sources: WS-Scan Format; ITU-T T.81 B; PNG (third edition) 5, 11.2; TIFF 6.0; BMP (BITMAPINFOHEADER).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

_MAX_SIDE_PX: Final = 200_000
_METRES_PER_INCH: Final = 0.0254

#: Format: its file extension and its media type.
FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    "dib": ("bmp", "image/bmp"),
    "exif": ("jpg", "image/jpeg"),
    "jbig": ("jbg", "image/x-jbig"),
    "jfif": ("jpg", "image/jpeg"),
    "jpeg2k": ("jp2", "image/jp2"),
    "pdf-a": ("pdf", "application/pdf"),
    "png": ("png", "image/png"),
    "tiff-single-uncompressed": ("tif", "image/tiff"),
    "tiff-single-g4": ("tif", "image/tiff"),
    "tiff-single-g3mh": ("tif", "image/tiff"),
    "tiff-single-jpeg-tn2": ("tif", "image/tiff"),
    "tiff-multi-uncompressed": ("tif", "image/tiff"),
    "tiff-multi-g4": ("tif", "image/tiff"),
    "tiff-multi-g3mh": ("tif", "image/tiff"),
    "tiff-multi-jpeg-tn2": ("tif", "image/tiff"),
    "xps": ("xps", "application/vnd.ms-xpsdocument"),
}


class ImageError(ValueError):
    """Not a whole file of the declared format; ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the header tells; 0 where it does not."""

    width_px: int = 0
    height_px: int = 0
    dpi: float = 0
    pages: int = 1


def inspect(path: Path, image_format: str) -> ImageFacts:
    """The facts of a file that is declared as ``image_format``. Raises :class:`ImageError`."""
    reader = _READERS.get(image_format)
    if reader is None:
        return ImageFacts()
    try:
        with path.open("rb") as file:
            facts = reader(file, image_format)
    except (struct.error, IndexError) as error:
        raise ImageError("the file ends too early") from error
    _check_size(facts)
    return facts


def _check_size(facts: ImageFacts) -> None:
    sides = (facts.width_px, facts.height_px)
    if any(sides) and not all(0 < side <= _MAX_SIDE_PX for side in sides):
        raise ImageError(f"{facts.width_px} by {facts.height_px} pixels")


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise ImageError("the file ends too early")
    return data


def _expect(file: BinaryIO, start: bytes, what: str) -> None:
    found = file.read(len(start))
    if found != start:
        raise ImageError(f"no {what}: it starts with {found[:8].hex(' ') or 'nothing'}")


# ----------------------------------------------------------------------------------------------- JPEG


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment up to the first scan."""
    while True:
        lead, marker = _exactly(file, 2)
        if lead != 0xFF:
            raise ImageError("a JPEG marker is missing")
        if marker == 0xFF:  # fill octets may precede a marker
            file.seek(-1, 1)
            continue
        (length,) = struct.unpack(">H", _exactly(file, 2))
        yield marker, _exactly(file, max(0, length - 2))
        if marker == 0xDA:
            return


def _jpeg(file: BinaryIO, image_format: str) -> ImageFacts:
    _expect(file, b"\xff\xd8\xff", "JPEG file")
    file.seek(2)
    segments = list(_segments(file))
    wanted = {"jfif": (0xE0, b"JFIF\0"), "exif": (0xE1, b"Exif\0")}[image_format]
    application = next(
        (data for marker, data in segments if marker == wanted[0] and data.startswith(wanted[1])), None
    )
    if application is None:
        raise ImageError(f"a JPEG file without {wanted[1][:4].decode()} segment")
    frame = next(
        (data for marker, data in segments if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}), None
    )
    if frame is None:
        raise ImageError("a JPEG file without frame header")
    file.seek(-2, 2)
    _expect(file, b"\xff\xd9", "end of image")
    height, width = struct.unpack_from(">HH", frame, 1)
    if not (width and height):
        raise ImageError(f"{width} by {height} pixels")
    return ImageFacts(width, height, _jfif_dpi(application) if image_format == "jfif" else 0)


def _jfif_dpi(segment: bytes) -> float:
    unit, x_density = struct.unpack_from(">BH", segment, 7)
    return float({1: x_density, 2: round(x_density * 2.54, 1)}.get(unit, 0))


# ------------------------------------------------------------------------------------------------ PNG


def _png(file: BinaryIO, _format: str) -> ImageFacts:
    _expect(file, b"\x89PNG\r\n\x1a\n", "PNG file")
    length, kind = struct.unpack(">I4s", _exactly(file, 8))
    if (length, kind) != (13, b"IHDR"):
        raise ImageError("a PNG file without IHDR")
    header = _exactly(file, 13)
    if struct.unpack(">I", _exactly(file, 4))[0] != zlib.crc32(kind + header):
        raise ImageError("the check sum of IHDR is wrong")
    width, height = struct.unpack_from(">II", header)
    if not (width and height):
        raise ImageError(f"{width} by {height} pixels")
    return ImageFacts(width, height, _png_chunks(file))


def _png_chunks(file: BinaryIO) -> float:
    """Walks to IEND; returns the resolution in dpi, 0 without pHYs."""
    dpi, has_data = 0.0, False
    while True:
        length, kind = struct.unpack(">I4s", _exactly(file, 8))
        if kind == b"IEND":
            _exactly(file, 4)
            if file.read(1):
                raise ImageError("octets after IEND")
            if not has_data:
                raise ImageError("a PNG file without IDAT")
            return dpi
        has_data |= kind == b"IDAT"
        if kind == b"pHYs" and length == 9:
            x_per_metre, _, unit = struct.unpack(">IIB", _exactly(file, 9))
            dpi = round(x_per_metre * _METRES_PER_INCH, 1) if unit == 1 else 0
            length = 0
        file.seek(length + 4, 1)


# ----------------------------------------------------------------------------------------------- TIFF

_TIFF_COMPRESSIONS: Final = {"uncompressed": {1}, "g4": {4}, "g3mh": {2, 3}, "jpeg-tn2": {7}}
_TIFF_SIZES: Final = {3: "H", 4: "I", 5: "II"}
_WIDTH, _LENGTH, _COMPRESSION, _STRIP_OFFSETS, _STRIP_COUNTS, _X_RESOLUTION, _UNIT = (
    256,
    257,
    259,
    273,
    279,
    282,
    296,
)
_TILE_OFFSETS, _TILE_COUNTS = 324, 325


def _tiff(file: BinaryIO, image_format: str) -> ImageFacts:
    _, arity, compression = image_format.split("-", 2)
    order = {b"II": "<", b"MM": ">"}.get(file.read(2), "")
    if not order or struct.unpack(f"{order}H", _exactly(file, 2))[0] != 42:
        raise ImageError("no TIFF file")
    size = file.seek(0, 2)
    file.seek(4)
    (offset,) = struct.unpack(f"{order}I", _exactly(file, 4))
    pages: list[ImageFacts] = []
    visited: set[int] = set()
    while offset:
        if offset in visited:
            raise ImageError("its pages form a circle")
        visited.add(offset)
        page, offset = _tiff_page(file, order, offset, _TIFF_COMPRESSIONS[compression], size)
        pages.append(page)
    if not pages or (arity == "single" and len(pages) != 1):
        raise ImageError(f"{len(pages)} pages in a {image_format}")
    return ImageFacts(pages[0].width_px, pages[0].height_px, pages[0].dpi, len(pages))


def _tiff_page(
    file: BinaryIO, order: str, offset: int, compressions: set[int], size: int
) -> tuple[ImageFacts, int]:
    tags, following = _tiff_directory(file, order, offset)
    found = tags.get(_COMPRESSION, (1,))[0]
    if found not in compressions:
        raise ImageError(f"compression {found} instead of {' or '.join(map(str, sorted(compressions)))}")
    if _WIDTH not in tags or _LENGTH not in tags:
        raise ImageError("no image size")
    offsets = tags.get(_STRIP_OFFSETS) or tags.get(_TILE_OFFSETS) or ()
    counts = tags.get(_STRIP_COUNTS) or tags.get(_TILE_COUNTS) or ()
    if not offsets or len(offsets) != len(counts):
        raise ImageError("no strips")
    if any(start + count > size for start, count in zip(offsets, counts, strict=True)):
        raise ImageError("a strip lies beyond the end of the file")
    width, height = int(tags[_WIDTH][0]), int(tags[_LENGTH][0])
    if not (width and height):
        raise ImageError(f"{width} by {height} pixels")
    return ImageFacts(width, height, _tiff_dpi(tags)), following


def _tiff_directory(file: BinaryIO, order: str, offset: int) -> tuple[dict[int, tuple[int, ...]], int]:
    file.seek(offset)
    (count,) = struct.unpack(f"{order}H", _exactly(file, 2))
    block = _exactly(file, count * 12)
    (following,) = struct.unpack(f"{order}I", _exactly(file, 4))
    tags = {}
    for number, kind, values, field in struct.iter_unpack(f"{order}HHI4s", block):
        if kind in _TIFF_SIZES:
            tags[number] = _tiff_values(file, order, kind, values, field)
    return tags, following


def _tiff_values(file: BinaryIO, order: str, kind: int, count: int, field: bytes) -> tuple[int, ...]:
    layout = f"{order}{_TIFF_SIZES[kind] * min(count, 1_000_000)}"
    length = struct.calcsize(layout)
    if length <= 4:
        return struct.unpack(layout, field[:length])
    file.seek(struct.unpack(f"{order}I", field)[0])
    return struct.unpack(layout, _exactly(file, length))


def _tiff_dpi(tags: Mapping[int, tuple[int, ...]]) -> float:
    numerator, denominator = tags.get(_X_RESOLUTION, (0, 1))[:2]
    per_unit = numerator / denominator if denominator else 0
    return round(per_unit * (2.54 if tags.get(_UNIT, (2,))[0] == 3 else 1), 1)


# --------------------------------------------------------------------------------------------- others


def _dib(file: BinaryIO, _format: str) -> ImageFacts:
    _expect(file, b"BM", "BMP file")
    file.seek(0)
    header = _exactly(file, 46)
    size, width, height = struct.unpack_from("<I12xii", header, 2)
    if size > file.seek(0, 2):
        raise ImageError("the file is shorter than its header says")
    (per_metre,) = struct.unpack_from("<i", header, 38)
    return ImageFacts(width, abs(height), round(per_metre * _METRES_PER_INCH, 1))


def _starting(*starts: bytes) -> Callable[[BinaryIO, str], ImageFacts]:
    def read(file: BinaryIO, image_format: str) -> ImageFacts:
        head = file.read(16)
        if not head.startswith(starts):
            raise ImageError(f"no {image_format} file: it starts with {head[:8].hex(' ') or 'nothing'}")
        return ImageFacts()

    return read


def _jbig(file: BinaryIO, _format: str) -> ImageFacts:
    """The header of a bi-level image entity (ISO/IEC 11544, 6.2)."""
    header = _exactly(file, 20)
    planes, fill = header[2], header[3]
    width, height = struct.unpack_from(">II", header, 4)
    if planes != 1 or fill != 0:
        raise ImageError("no JBIG header")
    return ImageFacts(width, height)


_READERS: Final[Mapping[str, Callable[[BinaryIO, str], ImageFacts]]] = {
    "jfif": _jpeg,
    "exif": _jpeg,
    "png": _png,
    "dib": _dib,
    "jbig": _jbig,
    "jpeg2k": _starting(b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    "pdf-a": _starting(b"%PDF-1."),
    "xps": _starting(b"PK\x03\x04"),
    **{name: _tiff for name in FORMATS if name.startswith("tiff-")},
}
