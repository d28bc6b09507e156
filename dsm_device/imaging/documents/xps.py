"""xps: an XML Paper Specification package (XPS 1.0, in essence ECMA-388; OPC: ECMA-376-2), a page an image.

The page files are the images as they are: JPEG, or TIFF with G4 (ECMA-388 9.1.5). The archive stores its parts
uncompressed, which is what is most of it already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import ClassVar, Final
from xml.sax.saxutils import escape

from dsm_device.imaging.formats import FORMATS

from . import jpeg_file
from .layout import Item, Layout
from .model import DocumentPage, whole_file
from .tiff_directory import read_directory
from .zip_entry import ENTRY_BYTES, MAX_BYTES, MAX_ENTRIES, ZipEntry, end

_XPS: Final = "http://schemas.microsoft.com/xps/2005/06"
_OPC: Final = "http://schemas.openxmlformats.org/package/2006"
_XML: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_UNITS_PER_INCH: Final = 96
_DECIMALS: Final = 5
_LONGEST_NAME: Final = 64
_CONTENT_TYPES: Final = f"""{_XML}<Types xmlns="{_OPC}/content-types">\
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>\
<Default Extension="fdseq" ContentType="application/vnd.ms-package.xps-fixeddocumentsequence+xml"/>\
<Default Extension="fdoc" ContentType="application/vnd.ms-package.xps-fixeddocument+xml"/>\
<Default Extension="fpage" ContentType="application/vnd.ms-package.xps-fixedpage+xml"/>\
<Default Extension="jpg" ContentType="image/jpeg"/><Default Extension="tif" ContentType="image/tiff"/>\
<Default Extension="xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>"""
_SEQUENCE: Final = f"""{_XML}<FixedDocumentSequence xmlns="{_XPS}">\
<DocumentReference Source="/Documents/1/FixedDocument.fdoc"/></FixedDocumentSequence>"""
_CORE: Final = f"""{_XML}<cp:coreProperties xmlns:cp="{_OPC}/metadata/core-properties" \
xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><dc:title>%s</dc:title>\
<dc:identifier>%s</dc:identifier><dcterms:created xsi:type="dcterms:W3CDTF">%s</dcterms:created>\
</cp:coreProperties>"""
_PAGE: Final = f"""{_XML}<FixedPage xmlns="{_XPS}" Width="%(width)s" Height="%(height)s" xml:lang="und">\
<Path Data="M 0,0 L %(width)s,0 %(width)s,%(height)s 0,%(height)s Z"><Path.Fill>\
<ImageBrush ImageSource="%(image)s" Viewbox="0,0,%(width)s,%(height)s" Viewport="0,0,%(width)s,%(height)s" \
ViewboxUnits="Absolute" ViewportUnits="Absolute" TileMode="None"/></Path.Fill></Path></FixedPage>"""


class Xps(Layout):
    """Items are the archive's entries."""

    LIMIT_BYTES: ClassVar[int] = MAX_BYTES
    MAX_PAGES: ClassVar[int] = MAX_ENTRIES
    MAX_ITEMS: ClassVar[int] = MAX_ENTRIES - 1
    # FixedDocument.fdoc comes with the tail; it has a line for each page.
    TAIL_BYTES: ClassVar[tuple[int, int, int]] = (1000, ENTRY_BYTES + _LONGEST_NAME, 100)

    def head(self) -> list[Item]:
        return [entry.local() for entry in self._head_entries()]

    def part(self, page: DocumentPage, index: int) -> list[Item]:
        if _suffix(page) == ".jpg":
            jpeg_file.check(page)
        else:
            read_directory(page)
        return [entry.local() for entry in self._page_entries(page, index)]

    def tail(self) -> Iterator[bytes]:
        document = self._document_entry()
        local = b"".join(part for part in document.local() if isinstance(part, bytes))
        yield local
        directory_bytes = 0
        for entry, start in zip(self._entries(document), self.starts, strict=True):
            header = entry.central(start)
            directory_bytes += len(header)
            yield header
        yield end(len(self.starts), self.starts[-1] + len(local), directory_bytes)

    def _entries(self, document: ZipEntry) -> Iterator[ZipEntry]:
        """All, in the order in which they lie in the archive."""
        pages = (self._page_entries(page, index) for index, page in enumerate(self.pages))
        return chain(self._head_entries(), chain.from_iterable(pages), (document,))

    def _head_entries(self) -> list[ZipEntry]:
        info = self.info
        core = _CORE % (
            escape(info.xml_title),
            escape(info.identifier),
            info.created_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        relationships = _relationships(
            (f"{_XPS}/fixedrepresentation", "/FixedDocumentSequence.fdseq"),
            (f"{_OPC}/relationships/metadata/core-properties", "/docProps/core.xml"),
        )
        return [
            self._text("[Content_Types].xml", _CONTENT_TYPES),
            self._text("_rels/.rels", relationships),
            self._text("docProps/core.xml", core),
            self._text("FixedDocumentSequence.fdseq", _SEQUENCE),
        ]

    def _page_entries(self, page: DocumentPage, index: int) -> list[ZipEntry]:
        number = index + 1
        image = f"Resources/Images/{number}{_suffix(page)}"
        width, height = _units(page.width_px, page.x_dpi), _units(page.height_px, page.y_dpi)
        folder = "Documents/1/Pages"
        relationships = _relationships((f"{_XPS}/required-resource", f"/{image}"))
        return [
            self._text(
                f"{folder}/{number}.fpage", _PAGE % {"width": width, "height": height, "image": f"/{image}"}
            ),
            self._text(f"{folder}/_rels/{number}.fpage.rels", relationships),
            ZipEntry(image, whole_file(page), page.crc32, self.info.created_utc),
        ]

    def _document_entry(self) -> ZipEntry:
        pages = "".join(f'<PageContent Source="/Documents/1/Pages/{number}.fpage"/>' for number in self._numbers())
        return self._text(
            "Documents/1/FixedDocument.fdoc", f'{_XML}<FixedDocument xmlns="{_XPS}">{pages}</FixedDocument>'
        )

    def _numbers(self) -> Iterable[int]:
        return range(1, len(self.pages) + 1)

    def _text(self, name: str, text: str) -> ZipEntry:
        return ZipEntry.generated(name, text.encode(), self.info.created_utc)


def _suffix(page: DocumentPage) -> str:
    return FORMATS[page.format].suffix


def _units(length_px: int, dpi: int) -> str:
    """In 1/96 inch, as XPS measures pages, and images by their own resolution."""
    return f"{length_px * _UNITS_PER_INCH / dpi:.{_DECIMALS}f}".rstrip("0").rstrip(".")


def _relationships(*targets: tuple[str, str]) -> str:
    entries = "".join(
        f'<Relationship Id="R{number}" Type="{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'{_XML}<Relationships xmlns="{_OPC}/relationships">{entries}</Relationships>'
