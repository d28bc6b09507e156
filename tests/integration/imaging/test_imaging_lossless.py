"""Every lossless encoder by itself: foreign programs read the very samples that went in, whatever the size."""

from __future__ import annotations

import random
import re
import sys
import tempfile
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging import jbig
from dsm_device.imaging.encoders import ENCODERS
from dsm_device.imaging.formats import FORMATS, PageSpec

BW1, GRAY4, GRAY8 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_4, ColorProcessing.GRAYSCALE_8
LOSSLESS_QUALITY = 100
LOSSLESS = [name for name in ENCODERS if not FORMATS[name].lossy or name == "jpeg2k"]
EVERY_KIND = [(name, color) for name in LOSSLESS for color in FORMATS[name].colors]


@dataclass(frozen=True)
class Page:
    """A page of noise, runs and equal lines whose file was promised ``missing`` lines more than come."""

    name: str
    color: ColorProcessing
    width: int
    lines: int
    missing: int = 0
    strip_lines: int = 16
    seed: int = 0

    @property
    def spec(self) -> PageSpec:
        return PageSpec(self.name, self.color, self.width, self.lines + self.missing, 300, 200, LOSSLESS_QUALITY)

    def rows(self) -> list[bytes]:
        noise = random.Random(self.seed)
        size = self.color.bytes_per_line(self.width)
        unused_bits = size * 8 - self.width * self.color.channels * self.color.bits_per_sample
        rows: list[bytes] = []
        while len(rows) < self.lines:
            row = noise.choice([noise.randbytes(size), bytes((noise.choice(b"\0\xff\x5a"),)) * size])
            row = row[:-1] + bytes((row[-1] >> unused_bits << unused_bits,))
            rows += [row] * noise.choice([1, 1, 1, 5])
        return rows[: self.lines]

    def write(self, path: Path) -> Path:
        """From one buffer that each strip overwrites."""
        rows = self.rows()
        buffer = bytearray(self.strip_lines * len(rows[0]))
        with path.open("w+b") as file:
            encoder = ENCODERS[self.name](file, self.spec, self.strip_lines)
            for at in range(0, self.lines, self.strip_lines):
                strip = b"".join(rows[at : at + self.strip_lines])
                buffer[: len(strip)] = strip
                encoder.encode(memoryview(buffer)[: len(strip)], len(strip) // len(rows[0]))
            encoder.finish(self.lines)
            encoder.close()
        return path

    def samples(self) -> bytes:
        """As raw PNM has them: bilevel packed with 1 as black, 4 bit one a byte, 16 bit big-endian."""
        rows = self.rows()
        if self.color is GRAY4:
            return b"".join(
                bytes(sample for byte in row for sample in divmod(byte, 16))[: self.width] for row in rows
            )
        samples = b"".join(rows)
        if self.color.bits_per_sample == 16 and sys.byteorder == "little":
            swapped = array("H", samples)
            swapped.byteswap()
            return swapped.tobytes()
        return samples


def of_pnm(data: bytes, color: ColorProcessing) -> tuple[int, int, bytes]:
    """Width, height and samples of a raw PNM, in the depth of ``color``."""
    number = rb"\s+(?:#[^\n]*\n\s*)*(\d+)"
    match = re.match(rb"P4" + number * 2 + rb"\s", data) or re.match(rb"P[56]" + number * 3 + rb"\s", data)
    assert match, data[:50]
    samples = data[match.end() :]
    if color is GRAY4 and match[3] == b"255":
        assert all(sample % 17 == 0 for sample in samples)
        samples = bytes(sample // 17 for sample in samples)
    elif color is not BW1:
        assert int(match[3]) == 2**color.bits_per_sample - 1
    return int(match[1]), int(match[2]), samples


def jp2_to_pnm(foreign: Callable[..., bytes], path: Path, color: ColorProcessing) -> bytes:
    pnm = path.with_suffix(".ppm" if color.channels == 3 else ".pgm")
    said = foreign("opj_decompress", "-i", path, "-o", pnm)
    assert b"WARN" not in said and b"ERROR" not in said
    return pnm.read_bytes()


def read_by(foreign: Callable[..., bytes], page: Page, path: Path) -> list[bytes]:
    """The page as PNM, by each program that reads it."""
    match page.name:
        case "dib":
            return [foreign("bmptopnm", "-quiet", path)]
        case "jbig":
            return [foreign("jbgtopbm", path), foreign("jbgtopbm85", "-x", 1 << 16, path)]
        case "jpeg2k":
            return [jp2_to_pnm(foreign, path, page.color)]
        case "png":
            assert foreign("pngcheck", "-q", path) == b""
            return [foreign("pngtopnm", path)]
    return [foreign("tifftopnm", "-quiet", "-byrow", path)]


def check(page: Page, folder: Path, foreign: Callable[..., bytes]) -> None:
    path = page.write(folder / f"page{FORMATS[page.name].suffix}")
    for pnm in read_by(foreign, page, path):
        assert of_pnm(pnm, page.color) == (page.width, page.lines, page.samples())


@st.composite
def pages(draw: st.DrawFn) -> Page:
    name, color = draw(st.sampled_from(EVERY_KIND))
    return Page(
        name,
        color,
        width=draw(st.integers(1, 70)),
        lines=draw(st.integers(1, 300)),
        missing=draw(st.just(0) | st.integers(1, 3000)),
        strip_lines=draw(st.sampled_from([16, 16, 64, 4096])),
        seed=draw(st.integers(0, 1000)),
    )


@settings(max_examples=250, deadline=None)
@given(page=pages())
@example(page=Page("jpeg2k", ColorProcessing.GRAYSCALE_16, 1, 1))
@example(page=Page("jpeg2k", ColorProcessing.RGB_24, 2, 257, missing=1))
@example(page=Page("dib", ColorProcessing.RGB_24, 1, 1, missing=2999))
@example(page=Page("jbig", BW1, 1, 129))
@example(page=Page("tiff-single-g3mh", BW1, 9, 1))
def test_foreign_programs_read_the_samples_that_went_in(page: Page, foreign: Callable[..., bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(page, Path(folder), foreign)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 31])
@pytest.mark.parametrize(("name", "color"), EVERY_KIND)
def test_odd_widths_short_pages_and_torn_strips(
    name: str, color: ColorProcessing, width: int, tmp_path: Path, foreign: Callable[..., bytes]
) -> None:
    check(Page(name, color, width, lines=131, missing=width - 1, seed=width), tmp_path, foreign)


@pytest.mark.parametrize("color", FORMATS["jpeg2k"].colors)
@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (512, 256),  # one tile
        (513, 257),  # tiles of a single column and line at the edges
        (1500, 600),
        (35_000, 20),  # beyond the first precinct, which has 2**15 columns
    ],
)
def test_tiles_of_jpeg2k_join(
    color: ColorProcessing, width: int, lines: int, tmp_path: Path, foreign: Callable[..., bytes]
) -> None:
    page = Page("jpeg2k", color, width, lines, missing=300)
    check(page, tmp_path, foreign)
    with Image.open(tmp_path / "page.jp2") as image:
        assert image.size == (width, lines)
        assert image.tobytes() == b"".join(page.rows())


@pytest.mark.parametrize("lines", [127, 128, 129, 256, 257, 1000])
@pytest.mark.parametrize("missing", [0, 500])
def test_batches_of_jbig_join(
    lines: int, missing: int, tmp_path: Path, foreign: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jbig, "_BATCH_BYTES", 1)  # a stripe a batch
    page = Page("jbig", BW1, 333, lines, missing, strip_lines=48)
    check(page, tmp_path, foreign)
    ends = re.findall(rb"\xff([\x02\x03])", (tmp_path / "page.jbg").read_bytes())
    assert ends == [b"\x03"] * (-(-lines // 128) - 1) + [b"\x02"]  # SDRST, and at last SDNORM


def test_a_wide_page_of_jbig_has_batches_of_its_own_accord(tmp_path: Path, foreign: Callable[..., bytes]) -> None:
    check(Page("jbig", BW1, 20_001, 700, strip_lines=200), tmp_path, foreign)
    assert (tmp_path / "page.jbg").read_bytes().count(b"\xff\x03") == 5  # 128 lines of 2,501 bytes a batch
