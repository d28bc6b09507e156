"""Page files as the device writes them, each with a picture of its own, and what the documents' tests share."""

from __future__ import annotations

import random
import subprocess
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging import strips
from dsm_device.imaging.documents import DocumentInfo, DocumentPage, compose
from dsm_device.imaging.encoders import ENCODERS
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.page import open_page

BW1, GRAY8, RGB24 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24
_MODES = {BW1: ("1", "1;I"), GRAY8: ("L", "L"), RGB24: ("RGB", "RGB")}
#: Page files that libtiff's own tools make of an uncompressed one.
_TIFFCP = {"tiff-single-g3mh": "g3:1d", "tiff-single-jpeg-tn2": "jpeg:r:85"}


@pytest.fixture(autouse=True, scope="module")
def smallest_strips() -> Iterator[None]:
    """16 lines a strip, so that small pages have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "STRIP_BYTES", 1)
        yield


def picture(number: int, color: ColorProcessing, width_px: int, height_px: int) -> Image.Image:
    """Lines in all directions, a field of noise, a frame, and the page's number as bars at the top."""
    ink: int | tuple[int, ...] = (20, 60, 150) if color is RGB24 else 0
    image = Image.new(_MODES[color][0], (width_px, height_px), "white")
    draw = ImageDraw.Draw(image)
    for y in range(0, height_px, 11):
        draw.line((0, y, width_px, height_px - y), fill=ink)
    noise = random.Random(number).randbytes(width_px * height_px // 4)
    image.paste(Image.frombytes("L", (width_px // 2, height_px // 2), noise), (width_px // 4, height_px // 4))
    draw.rectangle((0, 0, width_px - 1, height_px - 1), outline=ink)
    for bar in range(number):
        draw.rectangle((3 + 4 * bar, 2, 4 + 4 * bar, 8), fill=ink)
    return image


@pytest.fixture
def make_page(tmp_path: Path) -> Callable[..., DocumentPage]:
    def make(
        number: int,
        name: str,
        color: ColorProcessing,
        size_px: tuple[int, int] = (120, 90),
        dpi: int = 72,
        y_dpi: int = 0,
    ) -> DocumentPage:
        path = tmp_path / f"page-{number:05d}"
        width, height = size_px
        spec_name = name if name in ENCODERS and name not in _TIFFCP else "tiff-single-uncompressed"
        frame = Frame(color, width, height, color.bytes_per_line(width), dpi, y_dpi or dpi)
        page = open_page(path, PageSpec(spec_name, color, width, height, dpi, y_dpi or dpi, 90), frame)
        raw = _MODES[color][1]
        page.write(picture(number, color, width, height).tobytes("raw", raw))
        page.finish()
        if name in _TIFFCP:
            compressed = path.with_suffix(".tiffcp")
            subprocess.run(["tiffcp", "-c", _TIFFCP[name], "-r", "16", path, compressed], check=True)
            compressed.rename(path)
        data = path.read_bytes()
        return DocumentPage(path, name, len(data), width, height, dpi, y_dpi or dpi, color, zlib.crc32(data))

    return make


@pytest.fixture
def info() -> DocumentInfo:
    return DocumentInfo(
        "Rechnung № 5 <Grün & Söhne>", datetime(2026, 11, 30, 1, 50, 7, tzinfo=UTC), "job-20261130-1"
    )


@pytest.fixture
def write(tmp_path: Path, info: DocumentInfo) -> Callable[..., Path]:
    """The one document of these pages, in a file."""

    def write_document(name: str, pages: list[DocumentPage]) -> Path:
        (document,) = compose(name, pages, info)
        assert (document.first_page, document.page_count) == (0, len(pages))
        path = tmp_path / "document"
        with document.open() as reader:
            path.write_bytes(reader.read())
        assert path.stat().st_size == document.size_bytes
        return path

    return write_document


@pytest.fixture
def mutool(tmp_path: Path) -> Callable[..., Image.Image]:
    """A page drawn by MuPDF without smoothing. Debian builds it without colour profiles, and it says so."""

    def draw(document: Path, suffix: str, number: int, dpi: int) -> Image.Image:
        named = document.with_suffix(suffix)
        named.unlink(missing_ok=True)
        named.hardlink_to(document)
        command = [
            "mutool",
            "draw",
            "-q",
            "-A",
            "0",
            "-r",
            str(dpi),
            "-o",
            str(tmp_path / "drawn.png"),
            str(named),
        ]
        done = subprocess.run([*command, str(number)], capture_output=True, text=True, check=True)
        assert set(done.stderr.splitlines()) <= {"warning: ICC support is not available"}
        with Image.open(tmp_path / "drawn.png") as image:
            image.load()
            return image

    return draw
