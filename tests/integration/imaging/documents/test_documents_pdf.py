"""PDF/A-1b as others judge and render it: qpdf and pikepdf's validator, poppler and MuPDF."""

from __future__ import annotations

import dataclasses
import io
import re
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pikepdf
import pytest
from pikepdf.pdfa import validate_written
from PIL import Image, ImageChops, ImageStat

from dsm_device.errors import SpoolError
from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.documents import DocumentInfo, DocumentPage, compose

BW1, GRAY8, RGB24 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24
MakePage = Callable[..., DocumentPage]
Foreign = Callable[..., bytes]
Mutool = Callable[..., Image.Image]
Write = Callable[..., Path]


@pytest.fixture
def mixed(make_page: MakePage) -> list[DocumentPage]:
    """Sizes, colours and resolutions that differ; at 72 times a whole number a page is whole points wide."""
    return [
        make_page(1, "tiff-single-g4", BW1, (180, 250), 144),
        make_page(2, "jfif", RGB24, (120, 90), 72),
        make_page(3, "tiff-single-g4", BW1, (61, 16), 72, 144),
        make_page(4, "jfif", GRAY8, (300, 330), 216),
    ]


def rendered(foreign: Foreign, document: Path, page: DocumentPage, number: int) -> Image.Image:
    """By poppler, at the page's own resolution."""
    resolution = ("-rx", page.x_dpi, "-ry", page.y_dpi, "-f", number, "-l", number)
    return Image.open(io.BytesIO(foreign("pdftoppm", *resolution, document)))


def assert_shows(image: Image.Image, page: DocumentPage) -> None:
    """Bilevel to the pixel; JPEG decoders differ by a little in few pixels."""
    with Image.open(page.path) as own:
        expected = own.convert("RGB")
    assert image.size == expected.size
    difference = ImageStat.Stat(ImageChops.difference(image.convert("RGB"), expected))
    limit = 0.0 if page.color is BW1 else 2.0
    assert max(difference.mean) <= limit


def test_every_page_is_rendered_as_it_was_scanned(
    mixed: list[DocumentPage], write: Write, foreign: Foreign
) -> None:
    document = write("pdf-a", mixed)
    for number, page in enumerate(mixed, 1):
        assert_shows(rendered(foreign, document, page, number), page)


def test_mupdf_renders_the_same(mixed: list[DocumentPage], write: Write, mutool: Mutool) -> None:
    document = write("pdf-a", mixed)
    for number in (1, 2, 4):  # it has one resolution for both axes
        page = mixed[number - 1]
        assert_shows(mutool(document, ".pdf", number, page.x_dpi), page)


def test_it_conforms_to_pdf_a_1b(mixed: list[DocumentPage], write: Write, foreign: Foreign) -> None:
    document = write("pdf-a", mixed)
    assert validate_written(document, "1b").findings == []
    assert b"No syntax or stream encoding errors" in foreign("qpdf", "--check", document)


@pytest.mark.parametrize("title", ["", "Plain (title) \\", "a\x00\x0bb\ufffe]]>", "😀" * 40_000])
def test_it_conforms_whatever_the_title(
    title: str, make_page: MakePage, info: DocumentInfo, tmp_path: Path
) -> None:
    pages = [make_page(1, "tiff-single-g4", BW1)]
    (document,) = compose("pdf-a", pages, dataclasses.replace(info, title=title))
    (tmp_path / "document").write_bytes(document.open().read())
    assert validate_written(tmp_path / "document", "1b").findings == []


def test_what_it_says_about_itself(mixed: list[DocumentPage], write: Write, foreign: Foreign) -> None:
    told = foreign("pdfinfo", "-isodates", "-l", 9, write("pdf-a", mixed)).decode()
    assert re.findall(r"Page +\d size: +(.+?) pts", told) == ["90 x 125", "120 x 90", "61 x 8", "100 x 110"]
    assert "Title:           Rechnung № 5 <Grün & Söhne>\n" in told
    assert "CreationDate:    2026-11-30T01:50:07Z\n" in told
    assert "PDF version:     1.4\n" in told


def test_the_time_is_told_in_utc(make_page: MakePage, info: DocumentInfo, tmp_path: Path) -> None:
    created = datetime(2026, 11, 30, 23, 30, tzinfo=timezone(timedelta(hours=-3, minutes=-30, seconds=-10)))
    pages = [make_page(1, "jfif", GRAY8)]
    (document,) = compose("pdf-a", pages, dataclasses.replace(info, created=created))
    (tmp_path / "document").write_bytes(document.open().read())
    with pikepdf.open(tmp_path / "document") as pdf:
        assert str(pdf.docinfo["/CreationDate"]) == "D:20261201030010Z"
    assert validate_written(tmp_path / "document", "1b").findings == []


def test_jpeg_files_come_out_byte_for_byte(
    make_page: MakePage, write: Write, foreign: Foreign, tmp_path: Path
) -> None:
    pages = [make_page(number, "jfif", (GRAY8, RGB24)[number % 2]) for number in range(1, 51)]
    foreign("pdfimages", "-all", write("pdf-a", pages), tmp_path / "image")
    images = sorted(tmp_path.glob("image-*.jpg"))
    assert [image.read_bytes() for image in images] == [page.path.read_bytes() for page in pages]


def test_black_stays_black_in_both_of_tiffs_ways(make_page: MakePage, write: Write, foreign: Foreign) -> None:
    page = make_page(1, "tiff-single-g4", BW1)
    with Image.open(page.path) as image:
        image.load()
        image.convert("1").save(page.path, "TIFF", compression="group4")  # Pillow writes BlackIsZero
    assert b"min-is-black" in foreign("tiffinfo", page.path)
    other = dataclasses.replace(page, size_bytes=page.path.stat().st_size)
    assert_shows(rendered(foreign, write("pdf-a", [other]), other, 1), other)


@pytest.mark.parametrize("dpi", [72, 97, 150, 204, 300, 600])
def test_a_page_is_one_image_and_exact_at_any_resolution(
    dpi: int, make_page: MakePage, write: Write, foreign: Foreign, mutool: Mutool
) -> None:
    """The page has 14 strips when it is written."""
    page = make_page(1, "tiff-single-g4", BW1, (160, 220), dpi)
    document = write("pdf-a", [page])
    assert len(foreign("pdfimages", "-list", document).splitlines()) == 2 + 1
    assert_shows(rendered(foreign, document, page, 1), page)
    assert_shows(mutool(document, ".pdf", 1, dpi), page)


@pytest.mark.parametrize("dpi", [37, 50, 72, 97, 150, 204, 600])
def test_nothing_shows_between_the_strips_of_a_foreign_file(
    dpi: int, make_page: MakePage, write: Write, foreign: Foreign
) -> None:
    """Black from edge to edge in 14 strips: every pixel but those at the very edges is black."""
    page = make_page(1, "tiff-single-g4", BW1, (160, 220), 204)
    strips = page.path.with_suffix(".strips")
    Image.new("1", (160, 220), 0).save(page.path, "TIFF", compression="group4")
    foreign("tiffcp", "-c", "g4", "-r", 16, page.path, strips)
    page = dataclasses.replace(page, path=strips, size_bytes=strips.stat().st_size)
    document = write("pdf-a", [page])
    assert len(foreign("pdfimages", "-list", document).splitlines()) == 2 + 14
    image = Image.open(io.BytesIO(foreign("pdftoppm", "-gray", "-r", dpi, document)))
    assert image.crop((1, 1, image.width - 1, image.height - 1)).getextrema() == (0, 0)


def test_a_page_beyond_the_largest_is_shown_smaller(make_page: MakePage, write: Write, foreign: Foreign) -> None:
    page = make_page(1, "tiff-single-g4", BW1, (100, 800), 2)
    told = foreign("pdfinfo", write("pdf-a", [page])).decode()
    assert "Page size:       1800 x 14400 pts" in told


def test_the_identifier_is_that_of_these_pages(
    mixed: list[DocumentPage], info: DocumentInfo, tmp_path: Path
) -> None:
    def identifier(pages: list[DocumentPage], job: str) -> bytes:
        (document,) = compose("pdf-a", pages, dataclasses.replace(info, identifier=job))
        with pikepdf.open(io.BytesIO(document.open().read())) as pdf:
            first, second = pdf.trailer["/ID"]
            assert first == second
            return bytes(first)

    assert len(identifier(mixed, "a")) == 16
    assert identifier(mixed, "a") == identifier(mixed, "a")
    assert len({identifier(mixed, "a"), identifier(mixed, "b"), identifier(mixed[:2], "a")}) == 3


def test_a_file_that_is_no_g4_is_refused(make_page: MakePage, info: DocumentInfo, tmp_path: Path) -> None:
    page = make_page(1, "tiff-single-g4", BW1)
    subprocess.run(["tiffcp", "-c", "g3", page.path, tmp_path / "g3"], check=True)
    other = dataclasses.replace(page, path=tmp_path / "g3", size_bytes=(tmp_path / "g3").stat().st_size)
    with pytest.raises(SpoolError, match="is no G4 file"):
        compose("pdf-a", [other], info)
