"""What is decided by the page as a whole: straightened, cropped to its sheet, exposed, blank."""

from __future__ import annotations

import random
import tempfile
import zlib
from collections.abc import Callable, Sequence
from math import cos, radians, sin
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont

from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging.formats import PageFile, PageSpec
from dsm_device.imaging.overview import Overview
from dsm_device.imaging.page import open_page
from dsm_device.imaging.raster import Raster
from dsm_device.imaging.skew import skew_degrees
from dsm_device.imaging.treatment import Box, Treatment
from dsm_sim.paper import SIZES, draw

BW1, GRAY8, RGB24 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24
GRAY16, RGB48 = ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_48
DELIVERED = {"1": BW1, "L": GRAY8, "RGB": RGB24}


def rows_of(page: Image.Image) -> bytes:
    return page.tobytes("raw", "1;I") if page.mode == "1" else page.tobytes()


def written(path: Path, page: Image.Image, dpi: int, treatment: Treatment, **more: object) -> PageFile:
    """The page as png, delivered in its own colour, in portions of 100 lines."""
    color = DELIVERED[page.mode]
    size = page.size[::-1] if treatment.on_its_side else page.size
    frame = Frame(color, *page.size, color.bytes_per_line(page.width), dpi, dpi)
    writer = open_page(path, PageSpec("png", color, *size, dpi, dpi, 80, treatment), frame)
    rows, step = memoryview(rows_of(page)), frame.bytes_per_line * 100
    for at in range(0, len(rows), step):
        writer.write(rows[at : at + step])
    return writer.finish()


def treated(folder: Path, page: Image.Image, dpi: int, treatment: Treatment) -> Image.Image:
    file = written(folder / "page", page, dpi, treatment)
    with Image.open(file.path) as image:
        image.load()
        assert image.size == (file.width_px, file.height_px)
    file.path.unlink()
    return image


def askew(page: Image.Image, degrees: float, fill: int = 255) -> Image.Image:
    """Turned clockwise."""
    return page.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=fill)


def difference(one: Image.Image, other: Image.Image) -> int:
    return max(high for _, high in _pairs(ImageChops.difference(one, other).getextrema()))


def _pairs(extrema: Sequence[object]) -> list[tuple[int, int]]:
    return list(extrema) if isinstance(extrema[0], tuple) else [extrema]  # type: ignore[arg-type, list-item]


# ----------------------------------------------------------------------------------------------- skew


@pytest.mark.parametrize("kind", ["text", "form"])
@pytest.mark.parametrize("degrees", [-4.3, -0.6, 2.0])
def test_a_page_is_straightened_as_if_it_were_turned_whole(kind: str, degrees: float, tmp_path: Path) -> None:
    page = askew(draw(kind, SIZES["A5"], 150, "gray", 3), degrees)
    straight = treated(tmp_path, page, 150, Treatment(deskew=True))
    # White all round, so that the whole page is not cut off at its border either.
    padded = Image.new("L", (page.width + 20, page.height + 20), 255)
    padded.paste(page, (10, 10))
    found = min(
        (difference(straight, turned_whole(padded, page.size, -degrees + tenth / 10)), tenth)
        for tenth in range(-2, 3)
    )
    assert found[0] <= 1
    assert abs(found[1]) <= 1, "a tenth of a degree"


@pytest.mark.parametrize(("x_dpi", "y_dpi"), [(300, 150), (150, 300), (200, 100), (150, 200)])
def test_paper_is_straightened_not_pixels(x_dpi: int, y_dpi: int, tmp_path: Path) -> None:
    """With unlike resolutions; what comes out shows no skew any more once its pixels are square."""
    page = askew(draw("text", SIZES["A5"], 300, "gray", 3), -3.0)
    squeezed = page.resize((page.width * x_dpi // 300, page.height * y_dpi // 300))
    color = DELIVERED["L"]
    frame = Frame(color, *squeezed.size, squeezed.width, x_dpi, y_dpi)
    spec = PageSpec("png", color, *squeezed.size, x_dpi, y_dpi, 80, Treatment(deskew=True))
    writer = open_page(tmp_path / "page", spec, frame)
    writer.write(squeezed.tobytes())
    with Image.open(writer.finish().path) as image:
        assert abs(found_skew(image.resize(page.size), 300)) < 0.2
    assert abs(found_skew(page, 300)) > 2.5


def found_skew(page: Image.Image, dpi: int) -> float:
    overview = Overview(dpi, dpi)
    overview.push(Raster((page,)))
    overview.end()
    return skew_degrees(overview)


def turned_whole(padded: Image.Image, size: tuple[int, int], degrees: float) -> Image.Image:
    c, s = cos(radians(degrees)), sin(radians(degrees))
    middle = size[0] / 2, size[1] / 2
    matrix = (
        c, s, middle[0] - middle[0] * c - middle[1] * s + 10,
        -s, c, middle[1] + middle[0] * s - middle[1] * c + 10,
    )  # fmt: skip
    return padded.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=255)


@pytest.mark.parametrize(
    ("kind", "degrees"), [("text", 0.0), ("text", 0.1), ("text", 9.0), ("dusty-blank", 2.0), ("blank", 0.0)]
)
def test_a_page_of_which_nothing_is_certain_stays_as_it_is(kind: str, degrees: float, tmp_path: Path) -> None:
    page = askew(draw(kind, SIZES["A5"], 100, "gray", 3), degrees)
    assert treated(tmp_path, page, 100, Treatment(deskew=True)).tobytes() == page.tobytes()


@pytest.mark.parametrize("color", ["rgb", "bilevel"])
def test_every_color_is_straightened_and_turned(color: str, tmp_path: Path) -> None:
    upright = draw("text", SIZES["A5"], 150, color, 3)
    page = askew(
        upright.convert("L" if color == "bilevel" else "RGB"), 1.7, (255, 255, 255) if color == "rgb" else 255
    )
    page = page.convert(upright.mode, dither=Image.Dither.NONE)
    found = treated(tmp_path, page, 150, Treatment(deskew=True, rotation=90)).convert("L")
    wanted = upright.transpose(Image.Transpose.ROTATE_270).convert("L")
    assert found.size == wanted.size
    near = ImageChops.difference(found.reduce(4), wanted.reduce(4)).histogram()
    assert sum(near[100:]) < sum(near) / 200


# ----------------------------------------------------------------------------------------------- edges


@pytest.mark.parametrize("beside", [0, 192])
@pytest.mark.parametrize("kind", ["text", "colored", "photo"])
@pytest.mark.parametrize("place", [(0, 0), (90, 130)])
def test_a_sheet_is_cut_out_of_what_lies_beside_it(
    beside: int, kind: str, place: tuple[int, int], tmp_path: Path
) -> None:
    sheet = draw(kind, SIZES["A6"], 100, "rgb", 2)
    page = Image.new("RGB", (827, 1169), (beside,) * 3)
    page.paste(sheet, place)
    found = treated(tmp_path, page, 100, Treatment(find_edges=True))
    assert found.size == sheet.size
    assert found.tobytes() == sheet.tobytes()
    turned = treated(tmp_path, page, 100, Treatment(find_edges=True, rotation=90))
    assert turned.tobytes() == sheet.transpose(Image.Transpose.ROTATE_270).tobytes()


def test_a_sheet_that_lies_askew_is_straightened_and_cut_out(tmp_path: Path) -> None:
    sheet = draw("text", SIZES["A6"], 150, "gray", 2)
    page = Image.new("L", (1240, 1754), 40)
    mask = Image.new("L", page.size)
    mask.paste(255, (200, 300, 200 + sheet.width, 300 + sheet.height))
    page.paste(sheet, (200, 300))
    page = askew(page, 2.4, 40)
    found = treated(tmp_path, page, 150, Treatment(find_edges=True, deskew=True))
    assert abs(found.width - sheet.width) <= 3
    assert abs(found.height - sheet.height) <= 3
    border = Image.new("L", found.size)
    border.paste(255, (0, 0, found.width, 1))
    assert found.crop((0, 0, found.width, 1)).getextrema()[0] > 150, "nothing of what lay beside it"


@pytest.mark.parametrize(("kind", "beside"), [("text", 255), ("dusty-blank", 255), ("text", 250)])
def test_a_sheet_as_white_as_the_lid_is_kept_with_everything(kind: str, beside: int, tmp_path: Path) -> None:
    page = Image.new("L", (827, 1169), beside)
    page.paste(draw(kind, SIZES["A5"], 100, "gray", 2), (60, 60))
    assert treated(tmp_path, page, 100, Treatment(find_edges=True)).tobytes() == page.tobytes()


def test_a_cropped_sheet_is_scaled_with_the_page(tmp_path: Path) -> None:
    page = Image.new("L", (800, 1000), 0)
    page.paste(255, (100, 200, 501, 601))
    frame = Frame(GRAY8, 800, 1000, 800, 100, 100)
    spec = PageSpec("png", GRAY8, 400, 500, 50, 50, 80, Treatment(region=Box(0, 0, 800, 1000), find_edges=True))
    writer = open_page(tmp_path / "page", spec, frame)
    writer.write(page.tobytes())
    file = writer.finish()
    assert (file.width_px, file.height_px) == (200, 200)


# ----------------------------------------------------------------------------------------------- exposure


@pytest.mark.parametrize("kind", ["text", "faint", "form"])
def test_paper_becomes_white(kind: str, tmp_path: Path) -> None:
    page = draw(kind, SIZES["A5"], 100, "rgb", 2).point(lambda level: level * 85 // 100 + 20)
    found = treated(tmp_path, page, 100, Treatment(auto_exposure=True))
    assert [high for _, high in _pairs(found.getextrema())] == [255] * 3
    for channel in found.split():
        assert channel.histogram()[255] > 0.8 * found.width * found.height
    again = treated(tmp_path, page, 100, Treatment(auto_exposure=True))
    assert again.tobytes() == found.tobytes()


def test_dust_on_a_blank_page_is_not_made_ink(tmp_path: Path) -> None:
    page = draw("dusty-blank", SIZES["A5"], 100, "gray", 2)
    found = treated(tmp_path, page, 100, Treatment(auto_exposure=True))
    brighter = ImageChops.subtract(page, found).getextrema()
    assert brighter[1] == 0, "nothing is darker than it was"


# ----------------------------------------------------------------------------------------------- blank


def judged(page: Image.Image, dpi: int) -> bool | None:
    with tempfile.TemporaryDirectory() as folder:
        return written(Path(folder) / "page", page, dpi, Treatment(judge_blank=True)).blank


COLORS = ["rgb", "gray", "bilevel"]


@pytest.mark.parametrize("dpi", [100, 200, 300])
@pytest.mark.parametrize("color", COLORS)
def test_no_page_with_anything_on_it_is_blank(color: str, dpi: int) -> None:
    seeds = range(2) if dpi < 200 else range(1)
    kinds = ("text", "form", "invoice", "photo", "faint", "colored") if dpi < 300 else ("faint", "colored")
    for kind in kinds:
        if (kind, color) == ("colored", "bilevel"):
            continue  # white in every pixel
        for seed in seeds:
            assert judged(draw(kind, SIZES["A4"], dpi, color, seed), dpi) is False, (kind, seed)


@pytest.mark.parametrize("dpi", [100, 200, 300])
@pytest.mark.parametrize("color", COLORS)
def test_empty_pages_are_blank_whatever_dust_is_on_them(color: str, dpi: int) -> None:
    seeds = range(20) if (dpi, color) == (100, "gray") else range(2)
    pages = [draw("dusty-blank", SIZES["A4"], dpi, color, seed) for seed in seeds]
    assert sum(judged(page, dpi) is True for page in pages) >= 0.95 * len(pages)
    assert judged(draw("blank", SIZES["A4"], dpi, color, 1), dpi) is True


def on_dusty_paper(dpi: int, write: Callable[[ImageDraw.ImageDraw, Callable[[float], int]], None]) -> Image.Image:
    page = draw("dusty-blank", SIZES["A4"], dpi, "gray", 4)
    write(ImageDraw.Draw(page), lambda mm: round(mm * dpi / 25.4))
    return page


@pytest.mark.parametrize("dpi", [75, 100, 150, 300])
def test_a_single_short_line_or_a_signature_is_not_blank(dpi: int) -> None:
    font = ImageFont.load_default(max(6, dpi * 9 // 72))

    def line(pen: ImageDraw.ImageDraw, px: Callable[[float], int]) -> None:
        pen.text((px(150), px(280)), "see over", 60, font)

    def signature(pen: ImageDraw.ImageDraw, px: Callable[[float], int]) -> None:
        places = [(px(120 + step), px(240 + 4 * sin(step))) for step in range(30)]
        pen.line(places, 150, max(1, px(0.35)))

    assert judged(on_dusty_paper(dpi, line), dpi) is False
    assert judged(on_dusty_paper(dpi, signature), dpi) is False


@pytest.mark.parametrize("dpi", [100, 150, 300])
@pytest.mark.parametrize(("text", "points"), [("7", 12), ("12", 9), ("x", 11), ("17", 11)])
def test_a_page_number_is_no_dust(text: str, points: int, dpi: int) -> None:
    page = draw("blank", SIZES["A4"], dpi, "gray", 1)
    ImageDraw.Draw(page).text((dpi * 4, dpi * 5), text, 0, ImageFont.load_default(points * dpi / 72))
    assert judged(page, dpi) is False


def test_yellow_on_white_is_something() -> None:
    page = draw("blank", SIZES["A4"], 100, "rgb", 1)
    ImageDraw.Draw(page).rectangle((100, 100, 220, 140), (255, 255, 120))
    assert judged(page, 100) is False


def test_a_noisy_sensor_and_black_holes_make_no_page(tmp_path: Path) -> None:
    noise = random.Random(3)
    grain = Image.frombytes("L", (827, 1169), bytes(round(128 + noise.gauss(0, 2.5)) for _ in range(827 * 1169)))
    page = ImageChops.add(draw("blank", SIZES["A4"], 100, "gray", 1).point(lambda level: 244), grain, 1, -128)
    pen = ImageDraw.Draw(page)
    for y in (428, 743):
        pen.ellipse((36, y - 12, 60, y + 12), 20)
    assert judged(page, 100) is True


def test_nobody_is_told_of_blank_pages_who_does_not_ask(tmp_path: Path) -> None:
    page = draw("blank", SIZES["A6"], 100, "gray", 1)
    assert written(tmp_path / "page", page, 100, Treatment()).blank is None


# ----------------------------------------------------------------------------------------------- the file


@pytest.mark.parametrize("treatment", [Treatment(), Treatment(rotation=90, brightness=100)])
@pytest.mark.parametrize("name", ["jfif", "png", "tiff-single-uncompressed"])
def test_the_checksum_is_that_of_the_file(name: str, treatment: Treatment, tmp_path: Path) -> None:
    size = (90, 300) if treatment.on_its_side else (300, 90)
    frame = Frame(GRAY8, 300, 90, 300, 100, 100)
    writer = open_page(tmp_path / "page", PageSpec(name, GRAY8, *size, 100, 100, 80, treatment), frame)
    writer.write(random.Random(1).randbytes(300 * 90))
    file = writer.finish()
    assert file.crc32 == zlib.crc32(file.path.read_bytes()) != 0


def test_a_held_page_given_up_leaves_nothing(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    frame = Frame(RGB24, 700, 900, 2100, 300, 300)
    spec = PageSpec("png", RGB24, 900, 700, 300, 300, 80, Treatment(rotation=270, deskew=True))
    writer = open_page(tmp_path / "page", spec, frame)
    writer.write(bytes(2100 * 500))
    writer.discard()
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before
