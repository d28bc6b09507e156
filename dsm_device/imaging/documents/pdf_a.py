"""pdf-a: PDF 1.4 that conforms to PDF/A-1b (ISO 19005-1:2005), each page one scanned image.

A JPEG page is the file as it is, a G4 page the code in the strip of its file. A file of several strips gives
as many images, since one PDF image is one code; most readers then round at their edges.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from dsm_device import __version__
from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.color_profile import SRGB

from . import jpeg_file, xmp
from .layout import Item, Layout
from .model import DocumentPage, FileSlice, Segment, whole_file
from .tiff_directory import (
    BITS_PER_SAMPLE,
    COMPRESSION,
    FILL_ORDER,
    PHOTOMETRIC_INTERPRETATION,
    T6_OPTIONS,
    Directory,
    read_directory,
)

PRODUCER: Final = f"dsm-device {__version__}"
#: The numbers of the objects that others refer to. That of Pages stands behind the pages, the rest before them.
_PAGES, _CATALOG, _INFO, _METADATA, _PROFILE = range(1, 6)
#: Lengths are whole units, the five decimals of a real number (PDF Reference 1.4, appendix C).
_UNITS_PER_POINT: Final = 10**5
_UNITS_PER_INCH: Final = 72 * _UNITS_PER_POINT
#: The same place: the longest side, about 5 m. Longer pages are shown smaller.
_MAX_SIDE: Final = 14_400 * _UNITS_PER_POINT
#: ISO 19005-1 6.1.12: elements of an array (here Kids), entries of a dictionary (XObject), the largest integer
#: (Length), indirect objects.
_MAX_ELEMENTS, _MAX_ENTRIES, _MAX_INTEGER, _MAX_OBJECTS = 8191, 4095, 2**31 - 1, 8_388_607
_XREF_PORTION: Final = 256
_CCITT_G4: Final = 4
_BLACK_IS_ZERO: Final = 1


class PdfA(Layout):
    """Items are the indirect objects, behind the file's header: item n is object n + 1."""

    LIMIT_BYTES: ClassVar[int] = 10**10 - 1  # ten digits in the cross-reference table
    MAX_PAGES: ClassVar[int] = _MAX_ELEMENTS
    MAX_ITEMS: ClassVar[int] = _MAX_OBJECTS - 1
    TAIL_BYTES: ClassVar[tuple[int, int, int]] = (1000, 20, 16)

    def head(self) -> list[Item]:
        info = self.info
        time = info.created_utc.strftime("D:%Y%m%d%H%M%SZ")
        title = f"/Title {_text(info.xml_title)}" if info.xml_title else ""
        return [
            (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n",),  # 6.1.2: four bytes above 127
            _dictionary(
                _CATALOG,
                f"/Type/Catalog/Pages {_PAGES} 0 R/Metadata {_METADATA} 0 R/OutputIntents[<</Type/OutputIntent"
                "/S/GTS_PDFA1/OutputConditionIdentifier(sRGB IEC61966-2.1)/Info(sRGB IEC61966-2.1)"
                f"/RegistryName(http://www.color.org)/DestOutputProfile {_PROFILE} 0 R>>]",
            ),
            _dictionary(
                _INFO, f"{title}/Creator({PRODUCER})/Producer({PRODUCER})/CreationDate({time})/ModDate({time})"
            ),
            _stream(_METADATA, "/Type/Metadata/Subtype/XML", xmp.packet(info, PRODUCER)),
            _stream(_PROFILE, "/N 3/Alternate/DeviceRGB", SRGB),
        ]

    def part(self, page: DocumentPage, index: int) -> list[Item]:
        number = self.first_items[index] + 1
        images = _images(page)
        width, height = _size(page)
        names = "".join(f"/I{at} {number + 2 + at} 0 R" for at in range(len(images)))
        return [
            _dictionary(
                number,
                f"/Type/Page/Parent {_PAGES} 0 R/MediaBox[0 0 {_points(width)} {_points(height)}]"
                f"/Resources<</XObject<<{names}>>>>/Contents {number + 1} 0 R",
            ),
            _stream(number + 1, "", _drawing(images, width, height)),
            *(image.item(number + 2 + at) for at, image in enumerate(images)),
        ]

    def tail(self) -> Iterator[bytes]:
        kids = " ".join(f"{first + 1} 0 R" for first in self.first_items[:-1])
        pages = f"{_PAGES} 0 obj\n<</Type/Pages/Count {len(self.pages)}/Kids[{kids}]>>\nendobj\n".encode()
        yield pages
        objects = len(self.starts)
        yield b"xref\n0 %d\n0000000000 65535 f \n%010d 00000 n \n" % (objects, self.starts[-1])
        for at in range(1, objects - 1, _XREF_PORTION):
            portion = self.starts[at : min(at + _XREF_PORTION, objects - 1)]
            yield b"".join(b"%010d 00000 n \n" % start for start in portion)
        identifier = self._identifier()
        yield (
            f"trailer\n<</Size {objects}/Root {_CATALOG} 0 R/Info {_INFO} 0 R/ID[<{identifier}><{identifier}>]>>\n"
            f"startxref\n{self.starts[-1] + len(pages)}\n%%EOF\n"
        ).encode()

    def _identifier(self) -> str:
        """6.1.3: /ID, here the same for the same pages of the same job."""
        digest = hashlib.sha256(self.info.identifier.encode())
        for page in self.pages:
            digest.update(b"%d %d;" % (page.crc32, page.size_bytes))
        return digest.hexdigest()[:32]


def _dictionary(number: int, entries: str) -> Item:
    return (f"{number} 0 obj\n<<{entries}>>\nendobj\n".encode(),)


def _stream(number: int, entries: str, data: Segment) -> Item:
    """6.1.7: line ends round the data, and the exact length."""
    head = f"{number} 0 obj\n<<{entries}/Length {len(data)}>>\nstream\n"
    return (head.encode(), data, b"\nendstream\nendobj\n")


@dataclass(frozen=True, slots=True)
class _Image:
    """``lines`` of the page, from ``top`` on, as ``data``; ``entries`` say how that is coded."""

    data: FileSlice
    top: int
    lines: int
    entries: str

    def item(self, number: int) -> Item:
        size = f"/Width {self.data.page.width_px}/Height {self.lines}"
        return _stream(number, f"/Type/XObject/Subtype/Image{size}{self.entries}", self.data)


def _images(page: DocumentPage) -> list[_Image]:
    """What the page consists of, from top to bottom."""
    images = _strips(page) if page.color is ColorProcessing.BLACK_AND_WHITE_1 else [_jpeg(page)]
    if len(images) > _MAX_ENTRIES or any(len(image.data) > _MAX_INTEGER for image in images):
        raise page.too_large()
    return images


def _jpeg(page: DocumentPage) -> _Image:
    jpeg_file.check(page)
    space = "DeviceRGB" if page.color.channels == 3 else "DeviceGray"
    entries = f"/BitsPerComponent 8/ColorSpace/{space}/Filter/DCTDecode"
    return _Image(whole_file(page), 0, page.height_px, entries)


def _strips(page: DocumentPage) -> list[_Image]:
    directory = read_directory(page)
    _check_is_g4(page, directory)
    # What fax calls black is 1 under TIFF's WhiteIsZero; PDF makes it 0, hence black, unless BlackIs1 is true.
    black_is_1 = str(directory.number(PHOTOMETRIC_INTERPRETATION, 0) == _BLACK_IS_ZERO).lower()
    images = []
    for at, (offset, length) in enumerate(zip(directory.strip_offsets, directory.strip_byte_counts, strict=True)):
        top = at * directory.rows_per_strip
        lines = min(directory.rows_per_strip, page.height_px - top)
        entries = (
            "/BitsPerComponent 1/ColorSpace/DeviceGray/Filter/CCITTFaxDecode"
            f"/DecodeParms<</K -1/Columns {page.width_px}/Rows {lines}/BlackIs1 {black_is_1}>>"
        )
        images.append(_Image(FileSlice(page, offset, length), top, lines, entries))
    return images


def _check_is_g4(page: DocumentPage, directory: Directory) -> None:
    expected = {COMPRESSION: _CCITT_G4, BITS_PER_SAMPLE: 1, FILL_ORDER: 1, T6_OPTIONS: 0}
    if any(directory.number(tag, value) != value for tag, value in expected.items()):
        raise page.damage("is no G4 file as PDF takes it")


def _size(page: DocumentPage) -> tuple[int, int]:
    """Width and height in units, rounded down: what renders at the page's resolution gets no further pixel."""
    width = page.width_px * _UNITS_PER_INCH // page.x_dpi
    height = page.height_px * _UNITS_PER_INCH // page.y_dpi
    longest = max(width, height, _MAX_SIDE)
    return width * _MAX_SIDE // longest, height * _MAX_SIDE // longest


def _drawing(images: Sequence[_Image], width: int, height: int) -> bytes:
    """The page's content: its images, each as wide as the page.

    All edges lie one unit further in than they are: poppler gives an image one more pixel where an edge falls on
    a pixel's border, which at the page's own resolution they all do, and so scales what it need not.
    """
    page_px = images[0].data.page.height_px
    operators = []
    for at, image in enumerate(images):
        top, bottom = (height * (page_px - line) // page_px for line in (image.top, image.top + image.lines))
        matrix = f"{_points(width - 2)} 0 0 {_points(top - bottom - 2)} {_points(1)} {_points(bottom + 1)}"
        operators.append(f"q {matrix} cm /I{at} Do Q\n")
    return "".join(operators).encode()


def _points(units: int) -> str:
    points, rest = divmod(units, _UNITS_PER_POINT)
    return f"{points}.{rest:05}".rstrip("0").rstrip(".")


def _text(text: str) -> str:
    """A text string (PDF Reference 1.4, 3.8.1) in hexadecimal, which needs no escapes."""
    data = text.encode("ascii") if text.isascii() else b"\xfe\xff" + text.encode("utf-16-be")
    return f"<{data.hex()}>"
