"""The life of a page file: created, finished, given up, and failing."""

from __future__ import annotations

import dataclasses
import io
import os
import random
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from dsm_device.errors import ScannerMismatch, SpoolError
from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging.encoders import ENCODERS
from dsm_device.imaging.formats import FORMATS, PageFile, PageSpec
from dsm_device.imaging.page import PageWriter, open_page

GRAY8, RGB24 = ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24
WIDTH, HEIGHT = 700, 1500
FRAME = Frame(RGB24, WIDTH, HEIGHT, WIDTH * 3, 300, 300)
UNKNOWN_HEIGHT = Frame(RGB24, WIDTH, None, WIDTH * 3, 300, 300)
EVERY_FORMAT = pytest.mark.parametrize("name", ENCODERS)


def spec(name: str) -> PageSpec:
    return PageSpec(name, FORMATS[name].colors[-1], WIDTH, HEIGHT, 300, 300, 85)


def frame(name: str, height_px: int | None = HEIGHT) -> Frame:
    color = FORMATS[name].colors[-1]
    return Frame(color, WIDTH, height_px, color.bytes_per_line(WIDTH), 300, 300)


def open_formatted(path: Path, name: str, height_px: int | None = HEIGHT) -> PageWriter:
    return open_page(path, spec(name), frame(name, height_px))


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@EVERY_FORMAT
def test_a_page_file_is_readable_by_its_owner_only(name: str, tmp_path: Path, no_umask: None) -> None:
    open_formatted(tmp_path / "page", name)
    assert stat.S_IMODE((tmp_path / "page").stat().st_mode) == 0o600


@EVERY_FORMAT
def test_a_page_given_up_leaves_nothing_however_often_it_is_said(name: str, tmp_path: Path) -> None:
    page = open_formatted(tmp_path / "page", name)
    page.write(bytes(frame(name).bytes_per_line * 1000))
    page.discard()
    page.discard()
    assert list(tmp_path.iterdir()) == []


@EVERY_FORMAT
def test_a_finished_page_is_not_given_up_any_more(name: str, tmp_path: Path) -> None:
    page = open_formatted(tmp_path / "page", name)
    file = page.finish()
    page.discard()
    assert file.path.stat().st_size == file.size_bytes


@EVERY_FORMAT
def test_no_descriptor_stays_open(name: str, tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    open_formatted(tmp_path / "first", name).finish()  # whatever is loaded once is loaded now
    before = descriptors()
    open_formatted(tmp_path / "finished", name).finish()
    open_formatted(tmp_path / "discarded", name).discard()
    with pytest.raises(SpoolError):
        open_formatted(tmp_path / "finished", name)
    assert descriptors() == before


@EVERY_FORMAT
def test_the_file_grows_while_rows_come(name: str, tmp_path: Path) -> None:
    """Some write each strip at once, others by their own rows of tiles or stripes."""
    long = dataclasses.replace(spec(name), height_px=60_000)
    page = open_page(tmp_path / "page", long, frame(name, None))
    sizes = []
    for seed in range(12):
        page.write(random.Random(seed).randbytes(page.strip_bytes))
        sizes.append((tmp_path / "page").stat().st_blocks)  # a bitmap begins with a hole
    assert sizes == sorted(sizes)
    assert sizes[3] < sizes[7] < sizes[11]
    page.discard()


def test_strips_of_their_usual_size_join_to_the_page(
    tmp_path: Path, write_page: Callable[..., PageFile], foreign: Callable[..., bytes]
) -> None:
    rows = random.Random(7).randbytes(WIDTH * 3 * HEIGHT)
    for name in ("png", "tiff-single-uncompressed"):
        page = PageSpec(name, RGB24, WIDTH, HEIGHT, 300, 300, 85)
        file = write_page(tmp_path / name, page, FRAME, rows, [100, 700, 1])
        with Image.open(file.path) as image:
            assert image.tobytes() == rows
    read = foreign("tiffinfo", tmp_path / "tiff-single-uncompressed")
    assert b"Resolution: 300, 300 pixels/inch" in read
    assert b"Bits/Sample: 8" in read


@pytest.mark.parametrize("width", [65_500, 14_031, 1])
def test_jpegs_of_extreme_widths_decode_as_if_compressed_whole(
    width: int, tmp_path: Path, write_page: Callable[..., PageFile]
) -> None:
    lines = 40
    rows = random.Random(width).randbytes(width * 3 * lines)
    page = PageSpec("jfif", RGB24, width, lines, 1200, 1200, 95)
    write_page(tmp_path / "ours", page, Frame(RGB24, width, lines, width * 3, 1200, 1200), rows)
    Image.frombytes("RGB", (width, lines), rows).save(tmp_path / "whole", "JPEG", quality=95, subsampling=0)
    with Image.open(tmp_path / "ours") as ours, Image.open(tmp_path / "whole") as whole:
        assert ours.tobytes() == whole.tobytes()


@EVERY_FORMAT
def test_rows_that_do_not_come_are_white_and_counted(
    name: str, tmp_path: Path, foreign: Callable[..., bytes]
) -> None:
    page = open_formatted(tmp_path / "page", name)
    page.write(bytes(frame(name).bytes_per_line * 16))
    file = page.finish()
    assert (file.height_px, file.rows_received, file.missing_rows) == (HEIGHT, 16, HEIGHT - 16)
    readable = io.BytesIO(foreign("jbgtopbm", file.path)) if name == "jbig" else file.path
    with Image.open(readable) as image:
        assert image.size == (WIDTH, HEIGHT)
        gray = image.convert("RGB").convert("L")
        assert gray.crop((0, 16, WIDTH, HEIGHT)).getextrema() == (255, 255)


@EVERY_FORMAT
def test_rows_beyond_the_promise_are_counted_and_dropped(name: str, tmp_path: Path) -> None:
    page = open_formatted(tmp_path / "page", name, height_px=None)
    page.write(bytes(frame(name).bytes_per_line * (HEIGHT + 900)))
    page.write(bytes(frame(name).bytes_per_line))
    file = page.finish()
    assert (file.height_px, file.rows_received, file.missing_rows) == (HEIGHT, HEIGHT + 901, 0)


@EVERY_FORMAT
def test_where_the_size_is_exact_a_page_of_unknown_length_is_white_to_its_end(name: str, tmp_path: Path) -> None:
    exact = dataclasses.replace(spec(name), exact=True)
    page = open_page(tmp_path / "page", exact, frame(name, None))
    page.write(bytes(frame(name).bytes_per_line))
    file = page.finish()
    assert (file.width_px, file.height_px, file.rows_received, file.missing_rows) == (WIDTH, HEIGHT, 1, 0)


@EVERY_FORMAT
def test_a_page_of_unknown_height_without_a_line_is_none(name: str, tmp_path: Path) -> None:
    page = open_formatted(tmp_path / "page", name, height_px=None)
    with pytest.raises(ScannerMismatch, match="without a single line"):
        page.finish()
    page.discard()
    assert list(tmp_path.iterdir()) == []


def test_torn_lines_are_not_accepted(tmp_path: Path) -> None:
    page = open_page(tmp_path / "page", spec("jfif"), FRAME)
    with pytest.raises(ValueError, match="no whole lines"):
        page.write(bytes(WIDTH * 3 + 1))


@EVERY_FORMAT
def test_a_page_never_overwrites_a_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"precious")
    with pytest.raises(SpoolError, match="page"):
        open_formatted(tmp_path / "page", name)
    assert (tmp_path / "page").read_bytes() == b"precious"


@EVERY_FORMAT
def test_a_missing_folder_is_named_with_its_remedy(name: str, tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="gone/page: No such file") as refusal:
        open_formatted(tmp_path / "gone" / "page", name)
    assert "folder" in refusal.value.remedy


WRITE_UNTIL_FULL = """
import random, resource, sys
from pathlib import Path
from dsm_device.errors import SpoolError
from dsm_device.hardware import Frame
from dsm_device.imaging.formats import FORMATS, PageSpec
from dsm_device.imaging.page import open_page

name, path, height = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
color = FORMATS[name].colors[-1]
line = color.bytes_per_line(700)
spec, frame = PageSpec(name, color, 700, height, 300, 300, 85), Frame(color, 700, None, line, 300, 300)
rows = random.Random(1).randbytes(line * 800)

def write_page():
    page = open_page(path, spec, frame)
    try:
        page.write(rows)
        return page.finish()
    except SpoolError:
        page.discard()
        raise

size = write_page().size_bytes
path.unlink()
for limit in sorted({0, 1, 7, 8, 9, 100, 700, 5000, 8192, size // 2, size - 8193, size - 100, size - 1}):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write_page()
    except SpoolError as error:
        assert str(path) in error.message and "File too large" in error.message, error
        assert "free space" in error.remedy, error
    else:
        raise AssertionError(f"{limit} of {size} bytes sufficed")
    assert not path.exists(), limit
if name == "dib":  # written upwards from where the promised height ends
    size_needed = size + (height - 800) * FORMATS[name].bytes_per_line(color, 700)
else:
    size_needed = size
resource.setrlimit(resource.RLIMIT_FSIZE, (size_needed, resource.RLIM_INFINITY))
assert write_page().size_bytes == size
"""


@EVERY_FORMAT
@pytest.mark.parametrize("promised_height", [800, 900])  # 900: 800 come, so the height is set at the end
def test_a_full_disk_at_any_byte_is_one_error_and_leaves_no_file(
    name: str, promised_height: int, tmp_path: Path, python: Callable[..., str]
) -> None:
    """A file size limit fails the write like a full disk; the process says nothing by itself."""
    python(WRITE_UNTIL_FULL, name, tmp_path / "page", promised_height)


WITHOUT_LIBJBIG = """
import sys
from pathlib import Path
from dsm_device.errors import TicketRefused
from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging import available
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.page import open_page

available.LIBJBIG = ("libnothing.so.1", "libc.so.6")
color = ColorProcessing.BLACK_AND_WHITE_1
path = Path(sys.argv[1])
try:
    open_page(path, PageSpec("jbig", color, 16, 40, 200, 100, 1), Frame(color, 16, None, 2, 1, 1))
except TicketRefused as refusal:
    assert not path.exists()
    print(refusal)
"""


def test_without_libjbig_the_remedy_is_its_package(tmp_path: Path, python: Callable[..., str]) -> None:
    assert "apt install libjbig0" in python(WITHOUT_LIBJBIG, tmp_path / "page")


WITH_LIBRARIES = """
import sys
from pathlib import Path
from dsm_device.errors import TicketRefused
from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging import libtiff
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.page import open_page

libtiff.LIBRARIES = tuple(sys.argv[2:])
color = ColorProcessing.BLACK_AND_WHITE_1
path = Path(sys.argv[1])
try:
    page = open_page(path, PageSpec("tiff-single-g4", color, 16, 40, 200, 100, 1), Frame(color, 16, None, 2, 1, 1))
except TicketRefused as refusal:
    assert not path.exists()
    print(refusal)
else:
    page.write(b"\\x0f\\xf1" * 33)
    print(page.finish().height_px)
"""


def test_without_libtiff_the_remedy_is_its_package(tmp_path: Path, python: Callable[..., str]) -> None:
    said = python(WITH_LIBRARIES, tmp_path / "page", "libnothing.so.1", "libc.so.6")
    assert "apt install libtiff6" in said


def test_the_systems_libtiff_serves_where_pillows_cannot_be_reached(
    tmp_path: Path, python: Callable[..., str]
) -> None:
    said = python(WITH_LIBRARIES, tmp_path / "page", "libnothing.so.1", "libtiff.so.6", "libtiff.so.5")
    if "apt install" in said:
        pytest.skip("libtiff6 is not installed")
    assert said.strip() == "33"
    with Image.open(tmp_path / "page") as image:
        assert image.convert("L").crop((0, 32, 16, 33)).tobytes() == bytes(
            255 * (bit == "0") for bit in f"{0x0FF1:016b}"
        )
