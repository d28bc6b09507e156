"""XPS of scanned pages: the package, its parts, and the images on each page (XML Paper Specification 1.0)."""

from __future__ import annotations

import functools
import io
import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import unquote

from lxml import etree

from .facts import Data, ImageError, PageFacts, expect
from .jpeg import read_jpeg
from .placed import DocumentPage, PlacedImage, document_page
from .png import png_facts
from .tiff import tiff_facts
from .tiff_directory import byte_order, read_directory

_XPS: Final = "{http://schemas.microsoft.com/xps/2005/06}"
_TYPES: Final = "{http://schemas.openxmlformats.org/package/2006/content-types}"
_RELATIONS: Final = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_START: Final = "http://schemas.microsoft.com/xps/2005/06/fixedrepresentation"
_REQUIRED: Final = "http://schemas.microsoft.com/xps/2005/06/required-resource"
_MARKUP: Final = "application/vnd.ms-package.xps-"
_UNITS_PER_INCH: Final = 96
_MOST_OCTETS: Final = 10_000_000
_STRAIGHT: Final = {"", "1,0,0,1,0,0", "Identity"}


def xps_facts(data: Data) -> tuple[PageFacts, ...]:
    """Raises :class:`ImageError`; every octet of the package is held against its check sum."""
    with _opened(data) as package:
        if damaged := package.testzip():
            raise ImageError(f"the check sum of {damaged} is wrong")
        return tuple(read().facts for read in _Package(package).pages())


@contextmanager
def xps_pages(data: Data) -> Iterator[Sequence[Callable[[], DocumentPage]]]:
    """The pages, each to be read when it is called. Raises :class:`ImageError`, then as well."""
    with _opened(data) as package:
        yield _Package(package).pages()


@contextmanager
def _opened(data: Data) -> Iterator[zipfile.ZipFile]:
    expect(data, b"PK\x03\x04", "XPS package")
    try:
        with zipfile.ZipFile(_file(data)) as package:
            yield package
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as error:
        raise ImageError(f"no whole ZIP package: {error}") from error


def _file(data: Data) -> io.BufferedIOBase:
    """A map of a file is a file, too; zipfile asks it whether it can be sought."""
    return io.BytesIO(data) if isinstance(data, bytes) else io.BufferedReader(_Mapped(data))


class _Mapped(io.RawIOBase):
    def __init__(self, data: Data) -> None:
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + {0: 0, 1: self._at, 2: len(self._data)}[whence]
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        found = self._data[self._at : self._at + len(view)]
        view[: len(found)] = found
        self._at += len(found)
        return len(found)


class _Package:
    def __init__(self, package: zipfile.ZipFile) -> None:
        self._package = package
        names = [info.filename for info in package.infolist() if not info.is_dir()]
        self._names = {name.casefold(): name for name in names}
        if len(self._names) != len(names):
            raise ImageError("two parts of one name")
        types = self._markup("[Content_Types].xml")
        self._of_extension = {each.get("Extension", "").casefold(): each.get("ContentType", "")
                              for each in types.iter(f"{_TYPES}Default")}  # fmt: skip
        self._of_name = {each.get("PartName", "").casefold(): each.get("ContentType", "")
                         for each in types.iter(f"{_TYPES}Override")}  # fmt: skip
        for name in names:
            if name != "[Content_Types].xml" and not self._type(f"/{name}"):
                raise ImageError(f"part {name} without content type")

    def pages(self) -> Sequence[Callable[[], DocumentPage]]:
        sequence = self._related("/", _START)
        if len(sequence) != 1:
            raise ImageError("no fixed representation")
        documents = self._sources(sequence[0], "fixeddocumentsequence", "DocumentReference")
        pages = [page for each in documents for page in self._sources(each, "fixeddocument", "PageContent")]
        if not pages:
            raise ImageError("a document without pages")
        return [functools.partial(self._page, page) for page in pages]

    def _sources(self, part: str, kind: str, element: str) -> list[str]:
        root = self._typed(part, f"{_MARKUP}{kind}+xml")
        return [_resolved(part, each.get("Source", "")) for each in root.iter(f"{_XPS}{element}")]

    # ------------------------------------------------------------------------------------------ a page

    def _page(self, part: str) -> DocumentPage:
        root = self._typed(part, f"{_MARKUP}fixedpage+xml")
        if root.tag != f"{_XPS}FixedPage" or not (_length(root, "Width") > 0 and _length(root, "Height") > 0):
            raise ImageError(f"{part} is no page of a size")
        required = self._related(part, _REQUIRED)
        placed = []
        for brush in root.iter(f"{_XPS}ImageBrush"):
            source = _resolved(part, brush.get("ImageSource", ""))
            if source not in required:
                raise ImageError(f"{part} does not say that it requires {source}")
            placed.append(self._placed(brush, source))
        return document_page(placed)

    def _placed(self, brush: etree._Element, source: str) -> PlacedImage:
        transforms = [
            brush.get("Transform", ""),
            *(each.get("RenderTransform", "") for each in brush.iterancestors()),
        ]
        if any(each.replace(" ", "") not in _STRAIGHT for each in transforms):
            raise ImageError("an image that is drawn turned")
        try:
            left, top, width, height = (
                float(each) / _UNITS_PER_INCH for each in brush.get("Viewport", "").split(",")
            )
        except ValueError:
            raise ImageError("an image without viewport") from None
        data = self._read(source)
        facts = _image_facts(data, self._type(source))
        return PlacedImage(
            "file",
            data,
            *(facts.width_px, facts.height_px, facts.channels, facts.bits),
            *(left, top, width, height),
        )

    # ------------------------------------------------------------------------------------------- parts

    def _type(self, part: str) -> str:
        extension = part.rpartition("/")[2].rpartition(".")[2]
        return self._of_name.get(part.casefold()) or self._of_extension.get(extension.casefold(), "")

    def _related(self, part: str, kind: str) -> list[str]:
        folder, name = posixpath.split(part)
        relations = posixpath.join(folder, "_rels", f"{name}.rels")
        if relations.lstrip("/").casefold() not in self._names:
            return []
        root = self._markup(relations)
        return [
            _resolved(part, each.get("Target", ""))
            for each in root.iter(f"{_RELATIONS}Relationship")
            if each.get("Type") == kind
        ]

    def _typed(self, part: str, content_type: str) -> etree._Element:
        if self._type(part) != content_type:
            raise ImageError(f"{part} is {self._type(part) or 'of no type'} instead of {content_type}")
        return self._markup(part)

    def _markup(self, part: str) -> etree._Element:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
        try:
            return etree.fromstring(self._read(part, _MOST_OCTETS), parser)
        except etree.XMLSyntaxError as error:
            raise ImageError(f"{part} is no XML: {error}") from error

    def _read(self, part: str, limit: int | None = None) -> bytes:
        name = self._names.get(part.lstrip("/").casefold())
        if name is None:
            raise ImageError(f"there is no part {part}")
        if limit and self._package.getinfo(name).file_size > limit:
            raise ImageError(f"{part} is too large")
        return self._package.read(name)


def _resolved(base: str, target: str) -> str:
    """A part's name from a reference in ``base``."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(target)))


def _length(element: etree._Element, name: str) -> float:
    try:
        return float(element.get(name, "0"))
    except ValueError:
        return 0


def _image_facts(data: bytes, content_type: str) -> PageFacts:
    if content_type == "image/jpeg":
        return read_jpeg(data).facts(0, 0)
    if content_type == "image/png":
        return png_facts(data)
    if content_type == "image/tiff":
        order, first = byte_order(data)
        compression = read_directory(data, order, first)[0].get(259, (1,))[0]
        coding = {1: "uncompressed", 3: "g3mh", 4: "g4", 7: "jpeg-tn2"}.get(compression)
        if coding is None:
            raise ImageError(f"a TIFF image with compression {compression}")
        return tiff_facts(data, f"tiff-single-{coding}")[0]
    raise ImageError(f"an image of the type {content_type or 'of nothing'}")
