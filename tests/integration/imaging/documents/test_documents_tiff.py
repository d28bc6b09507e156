"""Multi-page TIFF as libtiff reads it: every page with the pixels and the fields of its own file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, TiffImagePlugin

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.documents import DocumentPage
from dsm_device.imaging.formats import page_format

BW1, GRAY8, GRAY16, RGB24 = (
    ColorProcessing.BLACK_AND_WHITE_1,
    ColorProcessing.GRAYSCALE_8,
    ColorProcessing.GRAYSCALE_16,
    ColorProcessing.RGB_24,
)
MakePage = Callable[..., DocumentPage]
STRIP_OFFSETS, ICC_PROFILE = 273, 34675
JOBS = {
    "tiff-multi-uncompressed": [BW1, GRAY8, RGB24],
    "tiff-multi-g4": [BW1, BW1, BW1],
    "tiff-multi-g3mh": [BW1, BW1, BW1],
    "tiff-multi-jpeg-tn2": [GRAY8, RGB24, RGB24],
}


@pytest.mark.parametrize("name", JOBS)
def test_each_page_is_that_of_its_file(
    name: str, make_page: MakePage, write: Callable[..., Path], foreign: Callable[..., bytes]
) -> None:
    sizes = [(121, 90), (33, 201), (7, 5)]  # torn bytes, odd lengths, a single strip
    pages = [
        make_page(number, page_format(name, color), color, size, 150 * number, 300)
        for number, (color, size) in enumerate(zip(JOBS[name], sizes, strict=True), 1)
    ]
    document = write(name, pages)
    told = foreign("tiffinfo", "-D", document).decode()  # -D reads every strip
    assert re.findall(r"Page Number: (\d)-3", told) == ["0", "1", "2"]
    assert told.count("multi-page document") == 3
    assert re.findall(r"Resolution: (\d+), 300 pixels/inch", told) == ["150", "300", "450"]
    with Image.open(document) as together:
        assert together.n_frames == 3
        for index, page in enumerate(pages):
            together.seek(index)
            with Image.open(page.path) as alone:
                assert (together.size, together.mode) == ((page.width_px, page.height_px), alone.mode)
                assert together.tobytes() == alone.tobytes()
                assert fields(together) == fields(alone)


def fields(image: Image.Image) -> dict[int, object]:
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    return {tag: value for tag, value in image.tag_v2.items() if tag not in (STRIP_OFFSETS, 254, 297)}


def test_a_colour_profile_comes_along(make_page: MakePage, write: Callable[..., Path], tmp_path: Path) -> None:
    profile = bytes(range(255)) * 3
    pages = []
    for number in (1, 2):
        page = make_page(number, "tiff-single-uncompressed", RGB24)
        with Image.open(page.path) as image:
            image.load()
            image.save(page.path, "TIFF", icc_profile=profile, dpi=(72, 72))
        size = page.path.stat().st_size
        pages.append(DocumentPage(page.path, page.format, size, 120, 90, 72, 72, RGB24, 0))
    with Image.open(write("tiff-multi-uncompressed", pages)) as image:
        for index in (0, 1):
            image.seek(index)
            assert image.info["icc_profile"] == profile


def test_pages_of_the_other_byte_order(
    make_page: MakePage, write: Callable[..., Path], foreign: Callable[..., bytes]
) -> None:
    """As a big-endian machine has them: libtiff's tool makes them here."""
    pages = []
    for number in (1, 2):
        page = make_page(number, "tiff-single-uncompressed", RGB24)
        swapped = page.path.with_suffix(".big")
        foreign("tiffcp", "-B", "-r", "16", page.path, swapped)
        pages.append(DocumentPage(swapped, page.format, swapped.stat().st_size, 120, 90, 72, 72, RGB24, 0))
    document = write("tiff-multi-uncompressed", pages)
    assert document.read_bytes()[:4] == b"MM\0*"
    foreign("tiffinfo", "-D", document)
    with Image.open(document) as together:
        for index, page in enumerate(pages):
            together.seek(index)
            with Image.open(page.path) as alone:
                assert together.tobytes() == alone.tobytes()


def test_the_directories_can_be_taken_apart_again(
    make_page: MakePage, write: Callable[..., Path], foreign: Callable[..., bytes], tmp_path: Path
) -> None:
    pages = [make_page(number, "tiff-single-g4", BW1) for number in range(1, 51)]
    foreign("tiffsplit", write("tiff-multi-g4", pages), tmp_path / "split-")
    split = sorted(tmp_path.glob("split-*"))
    assert len(split) == 50
    for alone, page in zip(split, pages, strict=True):
        with Image.open(alone) as image, Image.open(page.path) as own:
            assert image.tobytes() == own.tobytes()
