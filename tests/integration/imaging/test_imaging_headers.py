"""What the files of encoders say about themselves, as foreign programs read it; and what JPEG 2000 loses."""

from __future__ import annotations

import io
import json
import math
import random
import re
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat

from dsm_device.errors import TicketRefused
from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.color_profile import profile_of
from dsm_device.imaging.encoders import ENCODERS
from dsm_device.imaging.formats import FORMATS, PageSpec

BW1, GRAY4, GRAY8 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_4, ColorProcessing.GRAYSCALE_8
GRAY16, RGB24, RGB48 = ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_24, ColorProcessing.RGB_48
X_DPI, Y_DPI = 300, 200
MODES = {GRAY8: "L", GRAY16: "I;16", RGB24: "RGB"}
Foreign = Callable[..., bytes]


def write(spec: PageSpec, rows: bytes, path: Path, strip_lines: int = 64) -> Path:
    """A page file of the lines that ``rows`` hold, which may be fewer than promised."""
    line_bytes = spec.color.bytes_per_line(spec.width_px)
    with path.open("w+b") as file:
        encoder = ENCODERS[spec.format](file, spec, strip_lines)
        for at in range(0, len(rows), strip_lines * line_bytes):
            strip = rows[at : at + strip_lines * line_bytes]
            encoder.encode(strip, len(strip) // line_bytes)
        encoder.finish(len(rows) // line_bytes)
        encoder.close()
    return path


def page(
    folder: Path,
    name: str,
    color: ColorProcessing,
    size: tuple[int, int] = (31, 100),
    promised: int = 100,
    dpi: tuple[int, int] = (X_DPI, Y_DPI),
) -> Path:
    """A page of noise, ``size`` in pixels."""
    width, lines = size
    rows = random.Random(width).randbytes(color.bytes_per_line(width) * lines)
    spec = PageSpec(name, color, width, promised, *dpi, 100)
    return write(spec, rows, folder / f"page{FORMATS[name].suffix}")


def exif(foreign: Foreign, path: Path) -> dict[str, object]:
    values: dict[str, object] = json.loads(foreign("exiftool", "-json", "-n", "-a", path))[0]
    assert "Warning" not in values
    assert "Error" not in values
    return values


# ---------------------------------------------------------------------------------------------- dib


@pytest.mark.parametrize("promised", [100, 5000])
@pytest.mark.parametrize("color", FORMATS["dib"].colors)
def test_a_bitmap_says_its_sizes_resolution_and_colour_space(
    color: ColorProcessing, promised: int, tmp_path: Path, foreign: Foreign
) -> None:
    path = page(tmp_path, "dib", color, promised=promised)
    values = exif(foreign, path)
    assert (values["FileType"], values["BMPVersion"]) == ("BMP", 124)
    assert (values["ImageWidth"], values["ImageHeight"]) == (31, 100)
    assert values["BitDepth"] == color.channels * color.bits_per_sample
    assert (values["PixelsPerMeterX"], values["PixelsPerMeterY"]) == (11811, 7874)
    assert values["ColorSpace"] == "sRGB"
    line_bytes = FORMATS["dib"].bytes_per_line(color, 31)
    size, data_offset = struct.unpack_from("<I4xI", path.read_bytes(), 2)
    assert size == path.stat().st_size == data_offset + line_bytes * 100
    assert values["ImageLength"] == line_bytes * 100


@pytest.mark.parametrize("color", [BW1, GRAY4, GRAY8])
def test_a_bitmaps_index_0_is_black_and_its_last_one_white(color: ColorProcessing, tmp_path: Path) -> None:
    values = 2**color.bits_per_sample
    data = page(tmp_path, "dib", color).read_bytes()
    assert struct.unpack_from("<I", data, 14 + 32)[0] == values
    palette = data[14 + 124 : 14 + 124 + values * 4]
    grays = [255 * index // (values - 1) for index in range(values)]
    assert list(struct.iter_unpack("4B", palette)) == [(gray, gray, gray, 0) for gray in grays]


def test_a_bitmap_pads_its_lines_with_zeros(tmp_path: Path) -> None:
    line = bytes(range(1, 16))
    path = write(PageSpec("dib", RGB24, 5, 3, X_DPI, Y_DPI, 100), line * 3, tmp_path / "page.bmp")
    swapped = bytes(line[at - at % 3 + 2 - at % 3] for at in range(15))
    assert path.read_bytes()[14 + 124 :] == (swapped + b"\0") * 3


# --------------------------------------------------------------------------------------------- jbig


@pytest.mark.parametrize("promised", [100, 5000])
def test_a_bi_level_image_header_is_that_of_t85(promised: int, tmp_path: Path) -> None:
    header = page(tmp_path, "jbig", BW1, promised=promised).read_bytes()[:20]
    lowest, highest, planes, fill, width, height, stripe, mx, my, order, options = struct.unpack(">4B3I4B", header)
    assert (lowest, highest, planes, fill) == (0, 0, 1, 0)
    assert (width, height, stripe) == (31, 100, 128)
    assert (mx, my, order) == (127, 0, 0)
    assert options & ~0x08 == 0  # TPBON; neither VLENGTH nor a private table


def test_batches_of_jbig_cost_next_to_nothing(tmp_path: Path, foreign: Foreign) -> None:
    """A page of text at 600 dpi beside the encoder of jbig-kit, which codes it in one piece."""
    image = text_page(4960, 3000).convert("1", dither=Image.Dither.NONE)
    image.save(tmp_path / "page.pbm")
    rows = image.tobytes("raw", "1;I")
    ours = write(PageSpec("jbig", BW1, 4960, 3000, 600, 600, 1), rows, tmp_path / "page.jbg")
    foreign("pbmtojbg85", tmp_path / "page.pbm", tmp_path / "theirs.jbg")
    assert ours.stat().st_size < 1.02 * (tmp_path / "theirs.jbg").stat().st_size


# ------------------------------------------------------------------------------------------- jpeg2k


@pytest.mark.parametrize("dpi", [(300, 200), (1201, 75), (65_535, 1)])
@pytest.mark.parametrize("color", FORMATS["jpeg2k"].colors)
def test_jp2_says_its_resolution_and_colour_space(
    color: ColorProcessing, dpi: tuple[int, int], tmp_path: Path, foreign: Foreign
) -> None:
    path = page(tmp_path, "jpeg2k", color, promised=700, dpi=dpi)
    values = exif(foreign, path)
    assert (values["FileType"], values["MIMEType"]) == ("JP2", "image/jp2")
    assert (values["ImageWidth"], values["ImageHeight"]) == (31, 100)
    assert values["NumberOfComponents"] == color.channels
    assert values["ColorSpace"] == (16 if color is RGB24 else 17)  # sRGB, greyscale (I.5.3.3)
    boxes = re.findall(rb"res([cd])(.{10})", path.read_bytes()[:200], re.DOTALL)
    assert [kind for kind, _ in boxes] == [b"c", b"d"]
    for _, box in boxes:
        y, y_below, x, x_below, *powers = struct.unpack(">4H2b", box)
        metre = [Fraction(x, x_below) * 10 ** powers[1], Fraction(y, y_below) * 10 ** powers[0]]
        assert [pixels * Fraction(254, 10_000) for pixels in metre] == list(dpi)
    with Image.open(path) as image:
        assert image.info["dpi"] == pytest.approx(dpi)


def test_the_codestream_has_tiles_of_the_page_and_edges_of_fewer_levels(tmp_path: Path, foreign: Foreign) -> None:
    dump = foreign("opj_dump", "-i", page(tmp_path, "jpeg2k", GRAY8, (1030, 300), promised=900)).decode()
    for line in ("x1=1030, y1=300", "tdx=512, tdy=256", "tw=3, th=2", "numresolutions=6"):
        assert line in dump


def test_colour_is_transformed_before_it_is_compressed(tmp_path: Path, foreign: Foreign) -> None:
    for color, transformed in ((GRAY8, "mct=0"), (RGB24, "mct=1")):
        assert transformed in foreign("opj_dump", "-i", page(tmp_path, "jpeg2k", color)).decode()


@pytest.mark.parametrize("color", FORMATS["jpeg2k"].colors)
def test_quality_sets_what_jpeg2k_loses(color: ColorProcessing, tmp_path: Path, foreign: Foreign) -> None:
    image = photograph(700, 400, color)
    rows = image.tobytes()
    reached, sizes = [], []
    for quality in (10, 50, 90):
        spec = PageSpec("jpeg2k", color, 700, 900, X_DPI, Y_DPI, quality)
        path = write(spec, rows, tmp_path / f"{quality}.jp2")
        pnm = tmp_path / ("page.ppm" if color is RGB24 else "page.pgm")
        assert b"WARN" not in foreign("opj_decompress", "-i", path, "-o", pnm)
        psnr = [psnr_db(image, Image.open(file)) for file in (path, pnm)]
        assert psnr[0] == pytest.approx(psnr[1], abs=0.2)
        reached.append(psnr[0])
        sizes.append(path.stat().st_size)
    for psnr_reached, asked in zip(reached, (28.9, 33.5, 41.9), strict=True):
        assert asked - 1.5 < psnr_reached < asked + 5
    assert sizes == sorted(sizes)
    assert sizes[1] < len(rows) / 10


@pytest.mark.parametrize("color", FORMATS["jpeg2k"].colors)
@pytest.mark.parametrize("paper", [3, 30, 200, 243, 255])
@pytest.mark.parametrize(("quality", "wanted_db"), [(30, 30.9), (75, 38.1)])
def test_blank_paper_keeps_its_brightness_in_every_tile(
    color: ColorProcessing, paper: int, quality: int, wanted_db: float, tmp_path: Path
) -> None:
    """Bare, with the noise of a sensor, and in the tiles of a single column at the right edge."""
    for noise in (0, 1):
        image = Image.effect_noise((1025, 40), noise).point(
            [max(0, min(255, v + paper - 128)) for v in range(256)]
        )
        image = {"RGB": Image.merge("RGB", [image] * 3), "L": image, "I;16": in_16_bits(image)}[MODES[color]]
        spec = PageSpec("jpeg2k", color, 1025, 40, X_DPI, Y_DPI, quality)
        with Image.open(write(spec, image.tobytes(), tmp_path / "page.jp2")) as decoded:
            assert psnr_db(image, decoded) > wanted_db - 2.5
            edge = (1024, 0, 1025, 40)
            assert psnr_db(image.crop(edge), decoded.crop(edge)) > wanted_db - 2.5


def test_a_page_of_more_tiles_than_jpeg2k_can_number_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "page").open("w+b") as file, pytest.raises(TicketRefused, match="too large"):
        ENCODERS["jpeg2k"](file, PageSpec("jpeg2k", GRAY8, 1, 256 * 65_536, X_DPI, Y_DPI, 90), 16)


# ---------------------------------------------------------------------------------------------- png


@pytest.mark.parametrize("color", FORMATS["png"].colors)
def test_a_png_says_that_it_is_srgb_and_its_resolution(
    color: ColorProcessing, tmp_path: Path, foreign: Foreign
) -> None:
    path = page(tmp_path, "png", color, promised=700)
    assert b"No errors detected" in foreign("pngcheck", "-v", path)
    values = exif(foreign, path)
    assert (values["ImageWidth"], values["ImageHeight"]) == (31, 100)
    assert (values["BitDepth"], values["ColorType"]) == (color.bits_per_sample, 2 if color.channels == 3 else 0)
    assert (values["PixelsPerUnitX"], values["PixelsPerUnitY"], values["PixelUnits"]) == (11811, 7874, 1)
    toned = color is not BW1
    assert values.get("SRGBRendering") == (0 if toned else None)
    assert values.get("Gamma") == (pytest.approx(2.2, abs=0.001) if toned else None)


# --------------------------------------------------------------------------------------------- tiff


@pytest.mark.parametrize("name", ["tiff-single-uncompressed", "tiff-single-g3mh", "tiff-single-g4"])
def test_a_tiff_says_how_it_is_made(name: str, tmp_path: Path, foreign: Foreign) -> None:
    for color in FORMATS[name].colors:
        path = page(tmp_path, name, color)
        values = exif(foreign, path)
        assert (values["ImageWidth"], values["ImageHeight"]) == (31, 100)
        assert (values["XResolution"], values["YResolution"], values["ResolutionUnit"]) == (X_DPI, Y_DPI, 2)
        assert (values["Orientation"], values["Software"]) == (1, "dsm-device")
        compressions = {"tiff-single-uncompressed": 1, "tiff-single-g3mh": 3, "tiff-single-g4": 4}
        assert values["Compression"] == compressions[name]
        assert values["PhotometricInterpretation"] == (0 if color is BW1 else 2 if color.channels == 3 else 1)
        foreign("tiffcp", "-c", "lzw", path, tmp_path / "copy.tif")


@pytest.mark.parametrize("color", [GRAY4, GRAY8, GRAY16, RGB24, RGB48])
def test_littlecms_opens_the_profile_in_a_tiff(color: ColorProcessing, tmp_path: Path, foreign: Foreign) -> None:
    path = page(tmp_path, "tiff-single-uncompressed", color)
    profile = foreign("exiftool", "-icc_profile", "-b", path)
    assert profile == profile_of(color.channels)
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    assert opened.xcolor_space.strip() == ("RGB" if color.channels == 3 else "GRAY")


def test_a_bilevel_tiff_has_no_profile(tmp_path: Path, foreign: Foreign) -> None:
    assert foreign("exiftool", "-icc_profile", "-b", page(tmp_path, "tiff-single-g4", BW1)) == b""


def test_modified_huffman_has_an_eol_before_each_line_and_no_rtc(tmp_path: Path) -> None:
    """T.4, 4.1: EOL is eleven zeros and a one; a white line of 64 is the codes 11011 and 00110101."""
    spec = PageSpec("tiff-single-g3mh", BW1, 64, 100, 200, 200, 1)
    data = write(spec, bytes(8 * 100), tmp_path / "page.tif", strip_lines=16).read_bytes()
    with Image.open(tmp_path / "page.tif") as image:
        tags = dict(image.tag_v2)  # type: ignore[attr-defined]
    assert tags[292] == 0
    for offset, size, lines in zip(tags[273], tags[279], [16] * 6 + [4], strict=True):
        bits = "".join(f"{byte:08b}" for byte in data[offset : offset + size])
        assert re.fullmatch(f"(00000000000111011{0b00110101:08b}){{{lines}}}0{{0,7}}", bits)


# ------------------------------------------------------------------------------------------ pictures


def text_page(width: int, lines: int) -> Image.Image:
    noise = random.Random(1)
    image = Image.new("L", (width, lines), 255)
    draw = ImageDraw.Draw(image)
    for top in range(100, lines - 100, 60):
        draw.text(
            (100, top), "".join(noise.choices("abcdefghi klmno stuvw ", k=width // 20)), fill=0, font_size=40
        )
    return image


def photograph(width: int, lines: int, color: ColorProcessing) -> Image.Image:
    """Smooth shades of all sizes."""
    noise = random.Random(2)
    planes = []
    for _ in range(color.channels):
        plane = Image.new("L", (width, lines), 128)
        for cells in (3, 12, 48):
            grain = Image.frombytes("L", (cells, cells), noise.randbytes(cells * cells))
            plane = Image.blend(plane, grain.resize((width, lines), Image.Resampling.BICUBIC), 0.4)
        planes.append(plane)
    if color is GRAY16:
        return in_16_bits(planes[0])
    return Image.merge("RGB", planes) if color is RGB24 else planes[0]


def in_16_bits(image: Image.Image) -> Image.Image:
    return image.convert("I").point(lambda value: value * 257).convert("I;16")


def psnr_db(original: Image.Image, decoded: Image.Image) -> float:
    statistics = ImageStat.Stat(ImageChops.difference(in_8_bits(original), in_8_bits(decoded)))
    error = sum(statistics.sum2) / sum(statistics.count)
    return 10 * math.log10(255**2 / error) if error else math.inf


def in_8_bits(image: Image.Image) -> Image.Image:
    deep = image.mode.startswith("I")
    return image.convert("I").point(lambda value: value / 257).convert("L") if deep else image
