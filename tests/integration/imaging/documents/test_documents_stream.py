"""Documents as streams: size, repetition, seeking, volumes, and page files that are not as they were."""

from __future__ import annotations

import dataclasses
import io
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dsm_device.errors import SpoolError
from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.documents import Document, DocumentInfo, DocumentPage, compose
from dsm_device.imaging.formats import FORMATS

BW1, GRAY8, RGB24 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24
MakePage = Callable[..., DocumentPage]
DOCUMENTS = [name for name, known in FORMATS.items() if known.is_document]
EVERY_DOCUMENT = pytest.mark.parametrize("name", DOCUMENTS)


@pytest.fixture
def job(make_page: MakePage) -> Callable[..., list[DocumentPage]]:
    """So many pages for a format, of every colour that it can have and this device's tools can write."""

    def make(name: str, count: int) -> list[DocumentPage]:
        known = FORMATS[name]
        colors = [color for color in (BW1, GRAY8, RGB24) if color in known.colors]
        pages = []
        for number in range(1, count + 1):
            color = colors[number % len(colors)]
            page_name = known.bilevel_page_format if color is BW1 else known.page_format
            pages.append(make_page(number, page_name, color, (40 + number, 60)))
        return pages

    return make


def content(document: Document) -> bytes:
    with document.open() as reader:
        return reader.read()


@EVERY_DOCUMENT
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_way_of_reading_gives_the_same_bytes(
    name: str, data: st.DataObject, job: Callable[..., list[DocumentPage]], info: DocumentInfo
) -> None:
    (document,) = compose(name, _once(name, job), info)
    whole = content(document)
    assert len(whole) == document.size_bytes
    with document.open() as reader:
        at = 0
        for _ in range(data.draw(st.integers(1, 12))):
            if data.draw(st.booleans()):
                at = reader.seek(data.draw(st.integers(0, document.size_bytes + 9)))
            read = reader.read(data.draw(st.integers(0, 5000)))
            assert read == whole[at : at + len(read)]
            at += len(read)
            assert reader.tell() == at
        reader.seek(-7, os.SEEK_END)
        assert reader.read() == whole[-7:]
        reader.seek(0)
        assert reader.read() == whole
        assert reader.read() == b""


_MADE: dict[str, list[DocumentPage]] = {}


def _once(name: str, job: Callable[..., list[DocumentPage]]) -> list[DocumentPage]:
    """The fixture's folder lives as long as all examples of a format."""
    if name not in _MADE or not _MADE[name][0].path.exists():
        _MADE[name] = job(name, 4)
    return _MADE[name]


@EVERY_DOCUMENT
def test_reading_fills_the_buffer_across_files(
    name: str, job: Callable[..., list[DocumentPage]], info: DocumentInfo
) -> None:
    (document,) = compose(name, job(name, 3), info)
    buffer = bytearray(document.size_bytes + 1)
    assert document.open().readinto(buffer) == document.size_bytes


@EVERY_DOCUMENT
def test_a_second_composition_is_the_same(
    name: str, job: Callable[..., list[DocumentPage]], info: DocumentInfo
) -> None:
    pages = job(name, 3)
    assert content(*compose(name, pages, info)) == content(*compose(name, list(pages), info))


@EVERY_DOCUMENT
def test_volumes_keep_within_the_limit_and_hold_all_pages(
    name: str, job: Callable[..., list[DocumentPage]], info: DocumentInfo
) -> None:
    pages = job(name, 7)
    (whole,) = compose(name, pages, info)
    limit_bytes = whole.size_bytes - 1
    documents = compose(name, pages, info, limit_bytes)
    assert len(documents) > 1
    starts = [sum(document.page_count for document in documents[:index]) for index in range(len(documents))]
    assert [document.first_page for document in documents] == starts
    assert sum(document.page_count for document in documents) == 7
    for document in documents:
        data = content(document)
        assert len(data) == document.size_bytes <= limit_bytes
        assert pages_in(name, data) == document.page_count


def pages_in(name: str, data: bytes) -> int:
    if name == "pdf-a":
        with pikepdf.open(io.BytesIO(data)) as pdf:
            return len(pdf.pages)
    if name == "xps":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            return archive.read("Documents/1/FixedDocument.fdoc").count(b"<PageContent")
    with Image.open(io.BytesIO(data)) as image:
        return int(getattr(image, "n_frames", 1))


@EVERY_DOCUMENT
def test_a_page_too_large_by_itself_is_named(
    name: str, job: Callable[..., list[DocumentPage]], info: DocumentInfo
) -> None:
    pages = job(name, 1)
    with pytest.raises(SpoolError, match="page-00001 is too large"):
        compose(name, pages, info, 100)


def test_single_formats_give_the_files(make_page: MakePage, info: DocumentInfo) -> None:
    pages = [make_page(number, "jfif", GRAY8) for number in (1, 2, 3)]
    documents = compose("jfif", pages, info)
    assert [(document.first_page, document.page_count) for document in documents] == [(0, 1), (1, 1), (2, 1)]
    assert [content(document) for document in documents] == [page.path.read_bytes() for page in pages]


@pytest.mark.parametrize("name", ["jfif", *DOCUMENTS])
def test_no_page_is_no_document(name: str, info: DocumentInfo) -> None:
    assert compose(name, [], info) == ()


def test_pages_of_another_format_are_refused(make_page: MakePage, info: DocumentInfo) -> None:
    with pytest.raises(SpoolError, match="page 1 is stored as jfif in RGB24, which tiff-multi-g4 cannot take"):
        compose("tiff-multi-g4", [make_page(1, "jfif", RGB24)], info)


# ------------------------------------------------------------------------------------------------ damage

SPOILERS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "shorter": lambda path: os.truncate(path, path.stat().st_size - 1),
    "longer": lambda path: path.open("ab").write(b"x"),
    "empty": lambda path: os.truncate(path, 0),
}


@pytest.mark.parametrize("spoil", SPOILERS)
@pytest.mark.parametrize("name", ["jfif", *DOCUMENTS])
def test_a_file_that_changed_is_named_whenever_it_did(
    name: str, spoil: str, job: Callable[..., list[DocumentPage]], make_page: MakePage, info: DocumentInfo
) -> None:
    pages = job(name, 3) if name in DOCUMENTS else [make_page(number, "jfif", GRAY8) for number in (1, 2, 3)]
    documents = compose(name, pages, info)
    SPOILERS[spoil](pages[1].path)
    with pytest.raises(SpoolError, match=r"the page file \S*page-00002 "):
        [content(document) for document in documents]
    with pytest.raises(SpoolError, match=r"the page file \S*page-00002 "):
        compose(name, pages, info)


@EVERY_DOCUMENT
def test_a_file_cut_off_while_it_is_read(
    name: str, job: Callable[..., list[DocumentPage]], info: DocumentInfo
) -> None:
    """The reader has it open already."""
    pages = job(name, 2)
    (document,) = compose(name, pages, info)
    with document.open() as reader:
        step = 16
        while reader._opened is not pages[1]:
            reader.read(step)
        os.truncate(pages[1].path, 20)
        with pytest.raises(SpoolError, match="has become shorter"):
            reader.read()


@EVERY_DOCUMENT
def test_another_file_of_the_same_size(
    name: str, job: Callable[..., list[DocumentPage]], info: DocumentInfo
) -> None:
    pages = job(name, 2)
    documents = compose(name, pages, info)
    pages[1].path.write_bytes(random.Random(1).randbytes(pages[1].size_bytes))
    with pytest.raises(SpoolError, match="page-00002 is no "):
        [content(document) for document in documents]


def test_a_page_of_another_size_than_said(make_page: MakePage, info: DocumentInfo) -> None:
    page = dataclasses.replace(make_page(1, "tiff-single-g4", BW1), height_px=91)
    with pytest.raises(SpoolError, match="is no image of 120 x 91 pixels"):
        compose("tiff-multi-g4", [page], info)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_only_one_page_file_is_open(job: Callable[..., list[DocumentPage]], info: DocumentInfo) -> None:
    (document,) = compose("pdf-a", job("pdf-a", 5), info)
    before = _open_files()
    reader = document.open()
    while reader.read(4096):
        assert _open_files() <= before + 1
    reader.close()
    assert _open_files() == before
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)


# ------------------------------------------------------------------------------------------------ memory

BYTES_A_PAGE = """
import os, sys, tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.documents import DocumentInfo, DocumentPage, compose

name, page_format, path, width, height = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
color = ColorProcessing(sys.argv[6])
info = DocumentInfo("Title", datetime(2026, 11, 30, tzinfo=UTC), "job")
size = os.path.getsize(path)

def peak_bytes(count):
    tracemalloc.start()
    pages = []
    for number in range(count):
        linked = f"{path}-{number:05d}"
        if not os.path.exists(linked):
            os.link(path, linked)
        pages.append(DocumentPage(Path(linked), page_format, size, width, height, 72, 72, color, 1))
    (document,) = compose(name, pages, info)
    buffer = bytearray(65536)
    with document.open() as reader:
        while reader.readinto(buffer):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak

peak_bytes(5)
few, many = peak_bytes(100), peak_bytes(600)
assert not {"PIL", "ctypes"} & set(sys.modules), "the agent must not load these"
print((many - few) / 500)
"""


@EVERY_DOCUMENT
def test_memory_for_a_page_more(
    name: str,
    job: Callable[..., list[DocumentPage]],
    python: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """At the peak, the pages' own records and paths among it, and nothing of Pillow or libtiff is loaded."""
    page = job(name, 1)[0]
    bytes_a_page = float(
        python(BYTES_A_PAGE, name, page.format, page.path, page.width_px, page.height_px, page.color)
    )
    with capsys.disabled():
        print(f"\n{name}: {bytes_a_page:.0f} bytes a page")
    assert bytes_a_page < 1500
