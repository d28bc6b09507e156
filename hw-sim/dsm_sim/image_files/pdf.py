"""PDF/A of scanned pages: the marker, the page tree, and the images on each page (ISO 19005-1 6.1, 6.2, 6.7)."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from .facts import Data, ImageError, PageFacts, expect
from .pdf_objects import Name, PdfObjects, Reference, Stream
from .placed import DocumentPage, PlacedImage, document_page

_POINTS_PER_INCH: Final = 72
_MOST_PAGES: Final = 100_000
_INHERITED: Final[tuple[str, ...]] = ("Resources", "MediaBox", "Rotate")
_SPACES: Final = {"DeviceGray": 1, "CalGray": 1, "DeviceRGB": 3, "CalRGB": 3}
#: An image drawn with the matrix in force; q and Q keep and give back the one before.
_OPERATORS: Final = re.compile(rb"((?:[-+.\d]+\s+){6})cm\b|\b([qQ])\b|/([^\s/]+)\s+Do\b")
_PART: Final = re.compile(r"pdfaid:part(?:>|\s*=\s*[\"'])\s*([1-4])\b")
_CONFORMANCE: Final = re.compile(r"pdfaid:conformance(?:>|\s*=\s*[\"'])\s*([ABUabu])\b")
_Matrix = tuple[float, float, float, float, float, float]


def pdf_facts(data: Data) -> tuple[PageFacts, ...]:
    """Raises :class:`ImageError`."""
    expect(data, b"%PDF-1.", "PDF file")
    if not re.match(rb"%PDF-1\.\d[\r\n]+%[\x80-\xff]{4}", data[:32]):
        raise ImageError("no comment of octets above 127 in its second line")
    objects = PdfObjects(data)
    objects.check()
    _check_marker(objects)
    return tuple(read().facts for read in _pages(objects))


def pdf_pages(data: Data) -> Sequence[Callable[[], DocumentPage]]:
    """The pages of a PDF file whose images are such as scanning makes, each to be read when it is called.

    Raises :class:`ImageError`.
    """
    return _pages(PdfObjects(data))


def _check_marker(objects: PdfObjects) -> None:
    if "ID" not in objects.trailer:
        raise ImageError("a trailer without ID")
    catalog = objects.dictionary(objects.trailer.get("Root"), "catalog")
    metadata = objects.stream(catalog.get("Metadata"), "metadata")
    if "Filter" in metadata.dictionary:
        raise ImageError("metadata that is packed")
    text = metadata.data.decode("utf-8", "replace")
    if not _PART.search(text) or not _CONFORMANCE.search(text):
        raise ImageError("metadata that does not call it PDF/A (pdfaid:part, pdfaid:conformance)")
    intents = objects.get(catalog.get("OutputIntents"))
    kinds = [objects.dictionary(each, "output intent").get("S") for each in intents or []]
    if Name("GTS_PDFA1") not in kinds:
        raise ImageError("no output intent for PDF/A")


# ---------------------------------------------------------------------------------------------- pages


def _pages(objects: PdfObjects) -> Sequence[Callable[[], DocumentPage]]:
    catalog = objects.dictionary(objects.trailer.get("Root"), "catalog")
    root = objects.dictionary(catalog.get("Pages"), "page tree")
    leaves = list(_leaves(objects, catalog.get("Pages"), {}, set()))
    if root.get("Count") != len(leaves) or not leaves:
        raise ImageError(f"a page tree that counts {root.get('Count')} and has {len(leaves)} pages")
    return [functools.partial(_page, objects, leaf) for leaf in leaves]


def _leaves(
    objects: PdfObjects, node: Any, inherited: dict[str, Any], visited: set[int]
) -> Iterator[dict[str, Any]]:
    if isinstance(node, Reference):
        if node.number in visited or len(visited) > _MOST_PAGES:
            raise ImageError("a page tree that forms a circle")
        visited.add(node.number)
    found = {**inherited, **objects.dictionary(node, "page")}
    if found.get("Type") == Name("Page"):
        yield found
        return
    passed_on = {key: found[key] for key in _INHERITED if key in found}
    for kid in objects.get(found.get("Kids")) or []:
        yield from _leaves(objects, kid, passed_on, visited)


def _page(objects: PdfObjects, page: dict[str, Any]) -> DocumentPage:
    box = objects.get(page.get("MediaBox"))
    if not isinstance(box, list) or len(box) != 4:
        raise ImageError("a page without MediaBox")
    if page.get("Rotate"):
        raise ImageError("a page that is shown turned")
    resources = objects.dictionary(page.get("Resources"), "resources")
    images = objects.dictionary(resources.get("XObject"), "images on a page")
    placed = [
        _placed(objects, objects.stream(images.get(name), "image"), matrix, box)
        for name, matrix in _drawn(_content(objects, page))
    ]
    return document_page(placed)


def _content(objects: PdfObjects, page: dict[str, Any]) -> bytes:
    contents = objects.get(page.get("Contents"))
    parts = contents if isinstance(contents, list) else [contents]
    return b"\n".join(objects.stream(each, "content of a page").unpacked() for each in parts)


def _drawn(content: bytes) -> Iterator[tuple[str, _Matrix]]:
    """Each image that is drawn, and the matrix that takes the unit square to its place."""
    matrix: _Matrix = (1, 0, 0, 1, 0, 0)
    kept: list[_Matrix] = []
    for match in _OPERATORS.finditer(content):
        if match[1]:
            a, b, c, d, e, f = map(float, match[1].split())
            matrix = _product((a, b, c, d, e, f), matrix)
        elif match[2] == b"q":
            kept.append(matrix)
        elif match[2] == b"Q":
            matrix = kept.pop() if kept else matrix
        else:
            yield match[3].decode("latin-1"), matrix


def _product(one: _Matrix, other: _Matrix) -> _Matrix:
    a, b, c, d, e, f = one
    A, B, C, D, E, F = other  # noqa: N806 - as in PDF 1.4, 4.2.3
    return a * A + b * C, a * B + b * D, c * A + d * C, c * B + d * D, e * A + f * C + E, e * B + f * D + F


# ---------------------------------------------------------------------------------------------- images


def _placed(objects: PdfObjects, image: Stream, matrix: _Matrix, box: list[float]) -> PlacedImage:
    about = {key: objects.get(value) for key, value in image.dictionary.items()}
    a, b, c, d, e, f = matrix
    if b or c:
        raise ImageError("an image that is drawn turned")
    width, height = about.get("Width"), about.get("Height")
    if about.get("Subtype") != Name("Image") or not isinstance(width, int) or not isinstance(height, int):
        raise ImageError("an image without size")
    channels = _channels(objects, about.get("ColorSpace"))
    coding, data, is_black_1 = _coding(objects, about, image)
    return PlacedImage(
        coding,
        data,
        width,
        height,
        channels,
        1 if about.get("ImageMask") else int(about.get("BitsPerComponent") or 0),
        (e - box[0]) / _POINTS_PER_INCH,
        (box[3] - f - d) / _POINTS_PER_INCH,
        a / _POINTS_PER_INCH,
        d / _POINTS_PER_INCH,
        is_black_1,
    )


def _channels(objects: PdfObjects, space: Any) -> int:
    if isinstance(space, list) and space:
        kind = objects.get(space[0])
        if kind == Name("ICCBased"):
            return int(objects.dictionary(space[1], "colour profile").get("N") or 0)
        space = kind
    return _SPACES.get(space.text, 0) if isinstance(space, Name) else 1


def _coding(objects: PdfObjects, about: dict[str, Any], image: Stream) -> tuple[Any, bytes, bool]:
    filters = about.get("Filter")
    kind = filters[0] if isinstance(filters, list) and len(filters) == 1 else filters
    is_inverted = objects.get(about.get("Decode")) == [1, 0]
    if kind == Name("DCTDecode"):
        return "file", image.data, False
    if kind == Name("CCITTFaxDecode"):
        given = about.get("DecodeParms")
        parms = objects.dictionary(given[0] if isinstance(given, list) else given, "DecodeParms")
        if parms.get("K", 0) >= 0 or parms.get("Columns", 1728) != about["Width"]:
            raise ImageError("an image in fax code that is not Group 4, or of another width")
        return "g4", image.data, bool(parms.get("BlackIs1", False)) != is_inverted
    if kind in (None, Name("FlateDecode")) and "DecodeParms" not in about:
        return "raw", image.unpacked(), is_inverted
    raise ImageError(f"an image with the filter {kind}")
