"""Pages of any size, padding, portions, colours and formats: the file shows exactly what was promised.

Strips are as small as they can be here (16 lines), so that small pages have many of them.
"""

from __future__ import annotations

import io
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging import strips
from dsm_device.imaging.formats import FORMATS, MADE_FROM, PageFile, PageSpec

BW1, GRAY8, RGB24 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24
GRAY16, RGB48 = ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_48
#: The conversions between colours that are tested here; encoders have their own tests.
DELIVERED = {BW1: (BW1, GRAY8, RGB24), GRAY8: (GRAY8, RGB24), RGB24: (RGB24,), GRAY16: (GRAY16,), RGB48: (RGB48,)}
LOSSLESS = ["png", "tiff-single-uncompressed", "tiff-single-g4"]


@pytest.fixture(autouse=True, scope="module")
def smallest_strips() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "STRIP_BYTES", 1)
        yield


@dataclass(frozen=True)
class Case:
    spec: PageSpec
    frame: Frame
    rows: bytes
    portions: list[int]

    @property
    def lines(self) -> int:
        return len(self.rows) // self.frame.bytes_per_line


@st.composite
def cases(draw: st.DrawFn, formats: list[str]) -> Case:
    name = draw(st.sampled_from(formats))
    color = draw(st.sampled_from([each for each in FORMATS[name].colors if each in DELIVERED]))
    delivered = draw(st.sampled_from([each for each in MADE_FROM[color] if each in DELIVERED[color]]))
    width = draw(st.integers(1, 41))
    padding = draw(st.sampled_from([0, 0, 1, 2, 7]))
    lines = draw(st.integers(1, 70))
    announced = draw(st.sampled_from([lines, None, lines + draw(st.integers(0, 40)), max(1, lines - 3)]))
    promised = st.integers(1, 80)
    spec = PageSpec(
        name,
        color,
        draw(st.just(width) | st.integers(1, 50)),
        draw(st.just(announced or lines) | promised),
        draw(st.integers(1, 1200)),
        draw(st.integers(1, 1200)),
        draw(st.integers(1, 100)),
    )
    frame = Frame(delivered, width, announced, delivered.bytes_per_line(width) + padding, 300, 300)
    noise = random.Random(draw(st.integers(0, 2**32)))
    size = lines * frame.bytes_per_line
    flat = bytes((noise.choice(b"\x00\x7f\x80\xff"),)) * size
    rows = draw(st.sampled_from([flat, noise.randbytes(size)]))
    return Case(spec, frame, rows, draw(st.lists(st.integers(0, 40), max_size=6)))


def single_lines(name: str, color: ColorProcessing, width: int) -> Case:
    """50 lines that come one by one, their padding (bits and bytes) full of junk."""
    frame = Frame(color, width, 50, color.bytes_per_line(width) + 3, 300, 300)
    rows = random.Random(width).randbytes(50 * frame.bytes_per_line)
    return Case(PageSpec(name, color, width, 50, 300, 300, 80), frame, rows, [1] * 50)


def pixels_of_pnm(data: bytes) -> list[list[tuple[int, ...]]]:
    """A PBM, PGM or PPM file, raw, with 0 as black."""
    kind, size, rest = data.split(b"\n", 2)
    width, height = map(int, size.split())
    if kind == b"P4":
        line_bytes = (width + 7) // 8
        return [
            [(1 - (rest[y * line_bytes + x // 8] >> (7 - x % 8) & 1),) for x in range(width)]
            for y in range(height)
        ]
    maximum, samples = rest.split(b"\n", 1)
    channels, sample_bytes = (3 if kind == b"P6" else 1), (2 if int(maximum) > 255 else 1)
    step = channels * sample_bytes
    pixels = [samples[i : i + step] for i in range(0, width * height * step, step)]
    unpacked = [
        tuple(int.from_bytes(pixel[i : i + sample_bytes], "big") for i in range(0, step, sample_bytes))
        for pixel in pixels
    ]
    return [unpacked[y * width : (y + 1) * width] for y in range(height)]


def read_by(foreign: Callable[..., bytes], path: Path, name: str) -> list[list[tuple[int, ...]]]:
    if name == "png":
        return pixels_of_pnm(foreign("pngtopnm", path))
    return pixels_of_pnm(foreign("tifftopnm", "-quiet", "-byrow", path))


def check_report(case: Case, file: PageFile, height: int) -> None:
    assert (file.width_px, file.height_px) == (case.spec.width_px, height)
    assert file.size_bytes == file.path.stat().st_size
    assert file.rows_received == case.lines
    assert file.missing_rows == max(0, (case.frame.height_px or 0) - case.lines)


@settings(max_examples=150, deadline=None)
@given(case=cases(LOSSLESS))
@example(case=single_lines("png", BW1, 13))
@example(case=single_lines("tiff-single-g4", BW1, 9))
@example(case=single_lines("tiff-single-uncompressed", RGB24, 5))
def test_a_lossless_page_is_read_back_as_promised_by_foreign_programs(
    case: Case,
    promised: Callable[..., list[list[tuple[int, ...]]]],
    write_page: Callable[..., PageFile],
    foreign: Callable[..., bytes],
) -> None:
    expected = promised(case.rows, case.frame, case.spec)
    with tempfile.TemporaryDirectory() as folder:
        file = write_page(Path(folder) / "page", case.spec, case.frame, case.rows, case.portions)
        assert read_by(foreign, file.path, case.spec.format) == expected
        check_report(case, file, len(expected))


@settings(max_examples=150, deadline=None)
@given(case=cases(LOSSLESS))
def test_pillow_reads_size_and_resolution_of_a_lossless_page(
    case: Case, write_page: Callable[..., PageFile]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = write_page(Path(folder) / "page", case.spec, case.frame, case.rows, case.portions)
        with Image.open(file.path) as image:
            image.load()
            assert image.size == (file.width_px, file.height_px)
            assert image.info["dpi"] == pytest.approx((case.spec.x_dpi, case.spec.y_dpi), abs=0.02)


@settings(max_examples=150, deadline=None)
@given(case=cases(["jfif"]))
@example(case=single_lines("jfif", GRAY8, 1))
@example(case=single_lines("jfif", RGB24, 17))
def test_a_jpeg_page_decodes_to_the_pixels_of_a_page_compressed_whole(
    case: Case, promised: Callable[..., list[list[tuple[int, ...]]]], write_page: Callable[..., PageFile]
) -> None:
    expected = promised(case.rows, case.frame, case.spec)
    mode = "RGB" if case.spec.color is RGB24 else "L"
    raw = bytes(sample for line in expected for pixel in line for sample in pixel)
    whole = io.BytesIO()
    Image.frombytes(mode, (case.spec.width_px, len(expected)), raw).save(
        whole, "JPEG", quality=case.spec.quality, subsampling=0 if case.spec.quality >= 90 else 2
    )
    with tempfile.TemporaryDirectory() as folder:
        file = write_page(Path(folder) / "page", case.spec, case.frame, case.rows, case.portions)
        check_report(case, file, len(expected))
        with Image.open(file.path) as image, Image.open(whole) as reference:
            assert (image.format, image.mode, image.size) == ("JPEG", mode, reference.size)
            assert (image.info["jfif_unit"], image.info["jfif_density"]) == (
                1,
                (case.spec.x_dpi, case.spec.y_dpi),
            )
            assert image.tobytes() == reference.tobytes()


@pytest.mark.parametrize("width", range(1, 18))
@pytest.mark.parametrize("color", [GRAY8, RGB24])
@pytest.mark.parametrize("quality", [89, 90])
def test_djpeg_reads_our_pages_without_a_warning_and_as_it_reads_a_whole_one(
    width: int,
    color: ColorProcessing,
    quality: int,
    tmp_path: Path,
    write_page: Callable[..., PageFile],
    foreign: Callable[..., bytes],
) -> None:
    rows = random.Random(width).randbytes(color.bytes_per_line(width) * 177)
    frame = Frame(color, width, None, color.bytes_per_line(width), 300, 300)
    spec = PageSpec("jfif", color, width, 500, 300, 300, quality)
    write_page(tmp_path / "ours", spec, frame, rows)
    image = Image.frombytes("RGB" if color is RGB24 else "L", (width, 177), rows)
    image.save(tmp_path / "whole", "JPEG", quality=quality, subsampling=0 if quality >= 90 else 2)
    assert foreign("djpeg", "-pnm", tmp_path / "ours") == foreign("djpeg", "-pnm", tmp_path / "whole")
