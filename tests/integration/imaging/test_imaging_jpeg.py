"""jfif, exif and tiff-single-jpeg-tn2, by their encoders alone: pixels, marker segments, tags, foreign readers."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging import tiff_jpeg, turbojpeg
from dsm_device.imaging.color_profile import profile_of
from dsm_device.imaging.encoders import ENCODERS
from dsm_device.imaging.formats import PageSpec

GRAY8, RGB24 = ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24
JPEG_FILES = ("jfif", "exif")
TN2 = "tiff-single-jpeg-tn2"
EVERY_FORMAT = pytest.mark.parametrize("name", (*JPEG_FILES, TN2))
EVERY_COLOR = pytest.mark.parametrize("color", [GRAY8, RGB24])


LIBRARIES = ("turbojpeg", "pillow")


@contextmanager
def compressing_with(library: str) -> Iterator[None]:
    """With libturbojpeg, or as where it is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        if library == "pillow":
            patch.setattr(turbojpeg, "LIBRARIES", ("libnothing.so.0", "libc.so.6"))
        turbojpeg.load.cache_clear()
        assert (turbojpeg.load() is None) == (library == "pillow")
        yield
    turbojpeg.load.cache_clear()


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Iterator[None]:
    with compressing_with(request.param):
        yield


@dataclass(frozen=True)
class Page:
    """A page of noise whose file was promised ``missing`` lines more than come."""

    name: str
    color: ColorProcessing
    width: int
    lines: int
    quality: int
    missing: int = 0
    strip_lines: int = 16
    seed: int = 0

    @property
    def spec(self) -> PageSpec:
        return PageSpec(self.name, self.color, self.width, self.lines + self.missing, 300, 200, self.quality)

    @property
    def rows(self) -> bytes:
        return random.Random(self.seed).randbytes(self.color.bytes_per_line(self.width) * self.lines)

    def strips(self) -> Iterator[tuple[bytes, int]]:
        line = self.color.bytes_per_line(self.width)
        rows = self.rows
        for at in range(0, self.lines, self.strip_lines):
            lines = min(self.strip_lines, self.lines - at)
            yield rows[at * line : (at + lines) * line], lines

    def write(self, path: Path) -> Path:
        """By the encoder, from one buffer that each strip overwrites."""
        buffer = bytearray(self.strip_lines * self.color.bytes_per_line(self.width))
        with path.open("w+b") as file:
            encoder = ENCODERS[self.name](file, self.spec, self.strip_lines)
            for strip, lines in self.strips():
                buffer[: len(strip)] = strip
                encoder.encode(memoryview(buffer)[: len(strip)], lines)
            encoder.finish(self.lines)
            encoder.close()
        return path

    def by_pillow(self, rows: bytes, lines: int) -> bytes:
        """The file that Pillow makes of ``rows`` at once."""
        sampling = 2 if self.quality < 90 else 1 if self.name == "exif" else 0
        if self.color is GRAY8:
            sampling = 0
        file = io.BytesIO()
        mode = "RGB" if self.color is RGB24 else "L"
        image = Image.frombytes(mode, (self.width, lines), rows)
        image.save(file, "JPEG", quality=self.quality, subsampling=sampling)
        return file.getvalue()

    def expected(self) -> bytes:
        """The decoded pixels; the strips of a TIFF are decoded one by one."""
        if self.name != TN2:
            return pixels(self.by_pillow(self.rows, self.lines))
        return b"".join(pixels(self.by_pillow(strip, lines)) for strip, lines in self.strips())


def pixels(file: bytes) -> bytes:
    with Image.open(io.BytesIO(file)) as image:
        return image.tobytes()


@st.composite
def pages(draw: st.DrawFn) -> Page:
    return Page(
        draw(st.sampled_from([*JPEG_FILES, TN2])),
        draw(st.sampled_from([GRAY8, RGB24])),
        width=draw(st.integers(1, 70)),
        lines=draw(st.integers(1, 180)),
        quality=draw(st.integers(1, 100)),
        missing=draw(st.just(0) | st.integers(1, 3000)),
        strip_lines=draw(st.sampled_from([16, 16, 32, 48])),
        seed=draw(st.integers(0, 1000)),
    )


@settings(max_examples=150, deadline=None)
@given(page=pages(), compressed_with=st.sampled_from(LIBRARIES))
@example(Page("jfif", RGB24, 1, 1, 1), "turbojpeg")
@example(Page("exif", RGB24, 1, 1, 100), "turbojpeg")
@example(Page(TN2, GRAY8, 1, 1, 100), "turbojpeg")
@example(Page(TN2, RGB24, 33, 17, 95, missing=1), "turbojpeg")
def test_pages_decode_to_the_pixels_of_pages_that_libjpeg_compressed_whole(
    page: Page, compressed_with: str
) -> None:
    with tempfile.TemporaryDirectory() as folder, compressing_with(compressed_with):
        file = page.write(Path(folder) / "page").read_bytes()
    with Image.open(io.BytesIO(file)) as image:
        assert (image.size, image.mode) == ((page.width, page.lines), "RGB" if page.color is RGB24 else "L")
        # Pillow takes Exif's horizontal resolution for both.
        assert image.info["dpi"] == (300, 300 if page.name == "exif" else 200)
        assert image.info["icc_profile"] == profile_of(page.color.channels)
        assert image.tobytes() == page.expected()


@EVERY_FORMAT
@pytest.mark.parametrize(("width", "lines"), [(65_500, 40), (14_031, 40), (1, 65_500)])
def test_pages_of_extreme_sizes(name: str, width: int, lines: int, tmp_path: Path) -> None:
    page = Page(name, RGB24, width, lines, 95, strip_lines=4096 if width == 1 else 16)
    file = page.write(tmp_path / "page").read_bytes()
    assert pixels(file) == page.expected()


@EVERY_COLOR
@pytest.mark.parametrize("quality", [1, 89, 90, 100])
@pytest.mark.parametrize("name", JPEG_FILES)
def test_djpeg_reads_pages_without_a_warning(
    name: str, quality: int, color: ColorProcessing, tmp_path: Path, foreign: Callable[..., bytes]
) -> None:
    page = Page(name, color, 61, 177, quality, missing=50)
    page.write(tmp_path / "ours")
    (tmp_path / "whole").write_bytes(page.by_pillow(page.rows, page.lines))
    assert foreign("djpeg", "-pnm", tmp_path / "ours") == foreign("djpeg", "-pnm", tmp_path / "whole")


def marker_segments(file: bytes) -> list[tuple[int, bytes]]:
    """Those before the entropy-coded data."""
    found, at = [], 2
    while not found or found[-1][0] != 0xDA:
        length = struct.unpack_from(">H", file, at + 2)[0]
        found.append((file[at + 1], file[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


@pytest.mark.parametrize(
    ("name", "color", "quality", "blocks"),
    [
        ("jfif", GRAY8, 75, 6 * 4),  # MCUs of 8 x 8 in 41 x 32 pixels
        ("jfif", RGB24, 75, 3 * 2),  # 16 x 16
        ("jfif", RGB24, 90, 6 * 4),  # 8 x 8
        ("exif", RGB24, 90, 3 * 4),  # 16 x 8
    ],
)
def test_each_strip_is_a_restart_interval(
    library: None, name: str, color: ColorProcessing, quality: int, blocks: int, tmp_path: Path
) -> None:
    page = Page(name, color, 41, 32 * 11 + 5, quality, strip_lines=32)
    file = page.write(tmp_path / "page").read_bytes()
    assert dict(marker_segments(file))[0xDD] == struct.pack(">H", blocks)
    markers = re.findall(rb"\xff([^\x00])", file[file.rindex(b"\xff\xda") + 2 :])
    assert markers == [bytes((0xD0 + n % 8,)) for n in range(11)] + [b"\xd9"]


@EVERY_COLOR
def test_jfif_begins_with_its_density_and_then_names_its_colours(color: ColorProcessing, tmp_path: Path) -> None:
    file = Page("jfif", color, 20, 20, 75).write(tmp_path / "page").read_bytes()
    (first, jfif), (second, profile), *others = marker_segments(file)
    assert (first, jfif) == (0xE0, b"JFIF\0" + struct.pack(">HBHHBB", 0x0101, 1, 300, 200, 0, 0))
    assert (second, profile) == (0xE2, b"ICC_PROFILE\0\1\1" + profile_of(color.channels))
    assert {0xDB, 0xC4, 0xC0, 0xDD, 0xDA} == {marker for marker, _ in others}


@EVERY_COLOR
def test_exif_begins_with_its_attributes_and_has_no_jfif(color: ColorProcessing, tmp_path: Path) -> None:
    file = Page("exif", color, 20, 20, 75).write(tmp_path / "page").read_bytes()
    assert [marker for marker, _ in marker_segments(file)][:2] == [0xE1, 0xE2]
    assert 0xE0 not in dict(marker_segments(file))


@EVERY_COLOR
@pytest.mark.parametrize("quality", [75, 95])
@pytest.mark.parametrize("missing", [0, 31])
def test_exiftool_finds_exif_valid(
    missing: int, quality: int, color: ColorProcessing, tmp_path: Path, foreign: Callable[..., bytes]
) -> None:
    page = Page("exif", color, 41, 100, quality, missing)
    page.write(tmp_path / "page.jpg")
    read = foreign("exiftool", "-json", "-n", "-validate", "-warning", "-all", tmp_path / "page.jpg")
    values = json.loads(read)[0]
    assert values["Validate"] == "0 0 0"  # errors, warnings, minor ones
    assert "Warning" not in values
    assert values["ExifVersion"] == "0230"
    assert (values["XResolution"], values["YResolution"], values["ResolutionUnit"]) == (300, 200, 2)
    assert (values["ExifImageWidth"], values["ExifImageHeight"]) == (41, 100)
    assert (values["Orientation"], values["ColorSpace"], values["YCbCrPositioning"]) == (1, 1, 1)
    assert values["ColorComponents"] == color.channels
    if color is RGB24:
        assert values["YCbCrSubSampling"] == ("2 2" if quality < 90 else "2 1")


def test_exiv2_reads_exif_without_a_complaint(tmp_path: Path, foreign: Callable[..., bytes]) -> None:
    Page("exif", RGB24, 41, 100, 75, missing=7).write(tmp_path / "page.jpg")
    read = foreign("exiv2", "-Pkt", tmp_path / "page.jpg").decode()
    values = dict(re.findall(r"^(\S+)\s+(.*?)\s*$", read, re.MULTILINE))
    assert values["Exif.Photo.PixelXDimension"] == "41"
    assert values["Exif.Photo.PixelYDimension"] == "100"
    assert values["Exif.Photo.ComponentsConfiguration"] == "YCbCr"
    assert values["Exif.Image.Software"] == "dsm-device"


@EVERY_FORMAT
@EVERY_COLOR
def test_the_profile_makes_colours_that_littlecms_takes_for_srgb(
    name: str, color: ColorProcessing, tmp_path: Path
) -> None:
    with Image.open(Page(name, color, 64, 64, 100).write(tmp_path / "page")) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        seen = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        assert seen is not None
        differences = (abs(a - b) for a, b in zip(seen.tobytes(), image.convert("RGB").tobytes(), strict=True))
        assert max(differences) <= 1


# ------------------------------------------------------------------------------------------------ TIFF


def directory_of(file: bytes) -> tuple[int, dict[int, tuple[int, ...]]]:
    """Where the first directory is, and its numbers (SHORT and LONG)."""
    assert file[:4] == b"II*\0"
    at = struct.unpack_from("<I", file, 4)[0]
    numbers = {}
    for entry in range(struct.unpack_from("<H", file, at)[0]):
        tag, kind, count = struct.unpack_from("<HHI", file, place := at + 2 + 12 * entry)
        if kind in (3, 4):
            layout = f"<{count}{' HI'[kind - 2]}"
            outside = struct.calcsize(layout) > 4
            start = struct.unpack_from("<I", file, place + 8)[0] if outside else place + 8
            numbers[tag] = struct.unpack_from(layout, file, start)
    assert list(numbers) == sorted(numbers)
    return at, numbers


@EVERY_COLOR
def test_strips_stand_one_behind_the_other_and_the_directory_at_the_end(
    library: None, color: ColorProcessing, tmp_path: Path
) -> None:
    file = Page(TN2, color, 41, 77, 80).write(tmp_path / "page").read_bytes()
    at, numbers = directory_of(file)
    offsets, sizes = numbers[273], numbers[279]
    assert len(offsets) == 5
    assert offsets == tuple(8 + sum(sizes[:n]) for n in range(5))
    assert at == sum(sizes) + 8 + sum(sizes) % 2
    for offset, size in zip(offsets, sizes, strict=True):
        strip = file[offset : offset + size]
        assert (strip[:4], strip[-2:]) == (b"\xff\xd8\xff\xc0", b"\xff\xd9")  # abbreviated: no tables


def test_tiffinfo_says_what_technical_note_2_asks(tmp_path: Path, foreign: Callable[..., bytes]) -> None:
    Page(TN2, RGB24, 41, 77, 80, missing=9).write(tmp_path / "color")
    said = foreign("tiffinfo", tmp_path / "color").decode()
    for line in (
        "Image Width: 41 Image Length: 77",
        "Resolution: 300, 200 pixels/inch",
        "Compression Scheme: JPEG",
        "Photometric Interpretation: YCbCr",
        "YCbCr Subsampling: 2, 2",
        "YCbCr Positioning: centered",
        "Orientation: row 0 top, col 0 lhs",
        "Software: dsm-device",
        "ICC Profile: <present>",
        "JPEG Tables: (574 bytes)",
    ):
        assert line in said
    assert re.search(r"0: +0 +255\s+1: +128 +255\s+2: +128 +255", said)
    Page(TN2, RGB24, 41, 77, 90).write(tmp_path / "full")
    assert b"YCbCr Subsampling: 1, 1" in foreign("tiffinfo", tmp_path / "full")
    Page(TN2, GRAY8, 41, 77, 80).write(tmp_path / "gray")
    said = foreign("tiffinfo", tmp_path / "gray").decode()
    assert "Photometric Interpretation: min-is-black" in said
    assert "YCbCr" not in said


@EVERY_COLOR
@pytest.mark.parametrize("quality", [75, 95])
def test_libtiff_decodes_pages_without_a_complaint(
    library: None, quality: int, color: ColorProcessing, tmp_path: Path, foreign: Callable[..., bytes]
) -> None:
    page = Page(TN2, color, 41, 77, quality)
    page.write(tmp_path / "page")
    foreign("tiff2rgba", "-c", "none", "-n", tmp_path / "page", tmp_path / "decoded")
    with Image.open(tmp_path / "decoded") as decoded:
        mode = "RGB" if color is RGB24 else "L"
        assert decoded.convert("RGB").convert(mode).tobytes() == page.expected()
    foreign("tiffcp", tmp_path / "page", tmp_path / "copied")  # JPEG again, by libtiff itself
    assert b"Compression Scheme: JPEG" in foreign("tiffinfo", tmp_path / "copied")


def test_what_offsets_cannot_reach_is_refused_like_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff_jpeg, "_LAST_OFFSET", 5000)
    with pytest.raises(OSError, match="File too large"):
        Page(TN2, RGB24, 100, 200, 100).write(tmp_path / "page")


# ------------------------------------------------------------------------------------------- libraries


@EVERY_FORMAT
@EVERY_COLOR
@pytest.mark.parametrize("quality", [1, 50, 90, 96, 100])
def test_both_libraries_write_the_same_file(
    name: str, color: ColorProcessing, quality: int, tmp_path: Path
) -> None:
    page = Page(name, color, 41, 77, quality, missing=3)
    files = []
    for library in LIBRARIES:
        with compressing_with(library):
            files.append(page.write(tmp_path / library).read_bytes())
    assert files[0] == files[1]


def gray_compressor(quality: int = 80) -> turbojpeg.TurboCompressor:
    library = turbojpeg.load()
    assert library is not None
    return turbojpeg.TurboCompressor(library, 100, 16, turbojpeg.Sampling.GRAY, quality)


def test_a_failure_of_libturbojpeg_carries_its_own_words() -> None:
    compressor = gray_compressor(quality=-1)
    with pytest.raises(OSError, match=r"libturbojpeg: .*Invalid argument"):
        compressor.compress(bytes(100 * 16), 16)
    compressor.close()
    compressor.close()


@pytest.mark.parametrize(("size", "lines"), [(100 * 17, 17), (100 * 16 - 1, 16)])
def test_memory_beyond_a_strip_is_neither_read_nor_written(size: int, lines: int) -> None:
    compressor = gray_compressor()
    with pytest.raises(ValueError, match="strip"):
        compressor.compress(bytes(size), lines)
    compressor.close()


def test_strips_are_compressed_wherever_they_lie() -> None:
    rows = random.Random(1).randbytes(16 * 100)
    compressor = gray_compressor()
    around = bytearray(b"\0" * 7 + rows + b"\0" * 9)
    found = {
        bytes(compressor.compress(strip, 16))
        for strip in (rows, bytearray(rows), memoryview(rows), memoryview(around)[7:1607])
    }
    assert len(found) == 1
    compressor.close()
