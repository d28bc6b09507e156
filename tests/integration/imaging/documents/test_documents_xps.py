"""XPS as MuPDF and libgxps read it, and the archive as zipfile does."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree
from PIL import Image, ImageChops, ImageStat

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.documents import DocumentInfo, DocumentPage, compose

BW1, GRAY8, RGB24 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24
MakePage = Callable[..., DocumentPage]
Foreign = Callable[..., bytes]
Write = Callable[..., Path]


@pytest.fixture
def mixed(make_page: MakePage) -> list[DocumentPage]:
    return [
        make_page(1, "tiff-single-g4", BW1, (192, 288), 192),
        make_page(2, "jfif", RGB24, (120, 90), 96),
        make_page(3, "tiff-single-g4", BW1, (64, 48), 96),
        make_page(4, "jfif", GRAY8, (300, 330), 288),
    ]


def assert_shows(image: Image.Image, page: DocumentPage) -> None:
    """Bilevel to the pixel; JPEG decoders differ by a little in few pixels."""
    with Image.open(page.path) as own:
        assert image.size == own.size
        difference = ImageStat.Stat(ImageChops.difference(image.convert("RGB"), own.convert("RGB")))
    assert max(difference.mean) <= (0.0 if page.color is BW1 else 2.0)


def test_mupdf_renders_every_page_as_it_was_scanned(
    mixed: list[DocumentPage], write: Write, mutool: Callable[..., Image.Image]
) -> None:
    document = write("xps", mixed)
    for number, page in enumerate(mixed, 1):
        assert_shows(mutool(document, ".xps", number, page.x_dpi), page)


def test_libgxps_renders_every_page_as_it_was_scanned(
    mixed: list[DocumentPage], write: Write, foreign: Foreign, tmp_path: Path
) -> None:
    document = write("xps", mixed)
    for number, page in enumerate(mixed, 1):
        foreign("xpstopng", "-r", page.x_dpi, "-f", number, "-l", number, document, tmp_path / "gxps")
        (png,) = tmp_path.glob("gxps*.png")
        with Image.open(png) as image:
            assert_shows(image, page)
        png.unlink()


def test_the_archive_holds_the_page_files(mixed: list[DocumentPage], write: Write, foreign: Foreign) -> None:
    document = write("xps", mixed)
    foreign("unzip", "-tq", document)
    with zipfile.ZipFile(document) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())
        images = [name for name in archive.namelist() if name.startswith("Resources/")]
        assert [archive.read(name) for name in images] == [page.path.read_bytes() for page in mixed]
        assert {entry.date_time for entry in archive.infolist()} == {(2026, 11, 30, 1, 50, 6)}
        for name in archive.namelist():
            if name not in images:
                etree.fromstring(archive.read(name))


def test_every_part_has_a_type_and_every_relationship_a_part(mixed: list[DocumentPage], write: Write) -> None:
    """OPC (ECMA-376-2) 10.1.2 and 9.3."""
    with zipfile.ZipFile(write("xps", mixed)) as archive:
        types = etree.fromstring(archive.read("[Content_Types].xml"))
        known = {element.get("Extension") for element in types}
        parts = [name for name in archive.namelist() if name != "[Content_Types].xml"]
        assert {name.rpartition(".")[2] for name in parts} == known
        for name in parts:
            if name.endswith(".rels"):
                for relationship in etree.fromstring(archive.read(name)):
                    assert relationship.get("Target", "").removeprefix("/") in parts


def test_it_says_title_and_time(mixed: list[DocumentPage], write: Write) -> None:
    with zipfile.ZipFile(write("xps", mixed)) as archive:
        core = etree.fromstring(archive.read("docProps/core.xml"))
    assert [element.text for element in core] == [
        "Rechnung № 5 <Grün & Söhne>",
        "job-20261130-1",
        "2026-11-30T01:50:07Z",
    ]


def test_fifty_pages_in_order(make_page: MakePage, write: Write, foreign: Foreign, tmp_path: Path) -> None:
    pages = [make_page(number, "tiff-single-g4", BW1, (60, 30), 96) for number in range(1, 51)]
    foreign("xpstopng", "-r", 96, write("xps", pages), tmp_path / "gxps")
    drawn = sorted(tmp_path.glob("gxps*.png"))
    for png, page in zip(drawn, pages, strict=True):
        with Image.open(png) as image:
            assert_shows(image, page)


@pytest.mark.parametrize("title", ["", "a\x00\x0bb\ufffe]]>", "€" * 70_000])
def test_it_is_well_formed_whatever_the_title(
    title: str, make_page: MakePage, info: DocumentInfo, tmp_path: Path
) -> None:
    (document,) = compose("xps", [make_page(1, "jfif", RGB24)], dataclasses.replace(info, title=title))
    (tmp_path / "document").write_bytes(document.open().read())
    with zipfile.ZipFile(tmp_path / "document") as archive:
        core = etree.fromstring(archive.read("docProps/core.xml"))
    held = "".join(letter for letter in title if letter not in "\x00\x0b\ufffe")
    assert (core[0].text or "") == held[:1000]
