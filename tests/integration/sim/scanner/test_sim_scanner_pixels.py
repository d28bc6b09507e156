"""What becomes of a picture: modes, depths, resolutions, areas, and what the options do to it."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from dsm_sim.scanner import Sheet, SimulatedScanner

GOOD, EOF, IO_ERROR = 0, 5, 9
CARD = {"width_mm": 85.0, "height_mm": 54.0}
#: The card at 75 dpi.
CARD_PX = (251, 159)
CARD_AREA = {"br_x": 85.0, "br_y": 54.0}


@pytest.fixture
def scanned(make_scanner: Any, opened: Any, tmp_path: Path) -> Any:
    """``scanned(sheet, option=value, …)``: the bytes of the first side, and its parameters."""

    def scan(sheet: Sheet, *, source: str = "ADF", **options: Any) -> tuple[bytes, dict[str, Any]]:
        scanner: SimulatedScanner = make_scanner()
        scanner.empty_feeder()
        scanner.load([sheet])
        program = opened(scanner, source=source, **{**CARD_AREA, **options})
        page = program.page(str(tmp_path / "page.raw"))
        program.kill()
        assert page["status"] == EOF
        return (tmp_path / "page.raw").read_bytes(), page

    return scan


def plain(front: Path, **more: Any) -> Sheet:
    return Sheet(front=front, is_marked=False, **{**CARD, **more})


def levels(folder: Path, width_px: int = CARD_PX[0], height_px: int = CARD_PX[1]) -> Path:
    """A gray ramp from left to right."""
    row = bytes(x * 255 // (width_px - 1) for x in range(width_px))
    path = folder / "ramp.pgm"
    path.write_bytes(b"P5\n%d %d\n255\n" % (width_px, height_px) + row * height_px)
    return path


@pytest.mark.parametrize("kind", ["RGB", "L", "1"])
@pytest.mark.parametrize("mode", ["Color", "Gray"])
def test_pixels_that_fit_are_copied_or_converted(scanned: Any, photo: Any, kind: str, mode: str) -> None:
    picture = photo(*CARD_PX, kind)
    data, page = scanned(plain(picture), mode=mode)
    wanted = Image.open(picture).convert("RGB" if mode == "Color" else "L")
    assert (page["pixels_per_line"], page["lines"], page["depth"]) == (*CARD_PX, 8)
    delivered = Image.frombytes(wanted.mode, CARD_PX, data)
    assert all(high <= 1 for _, high in _extremes(ImageChops.difference(delivered, wanted)))
    if kind != "RGB" or mode == "Color":
        assert delivered.tobytes() == wanted.tobytes()


def _extremes(image: Image.Image) -> list[tuple[int, int]]:
    return [band.getextrema() for band in image.split()]  # type: ignore[misc]  # bands of 8 bits have whole numbers


@pytest.mark.parametrize("maximum", [1, 100, 255, 1023, 65_535])
def test_any_maximum_of_pnm_is_read(scanned: Any, tmp_path: Path, maximum: int) -> None:
    values = [min(x * maximum // 250, maximum) for x in range(251)]
    row = struct.pack(f">{251}H", *values) if maximum > 255 else bytes(values)
    path = tmp_path / "deep.pgm"
    path.write_bytes(b"P5\n# a comment\n251 159 %d\n" % maximum + row * 159)
    data, page = scanned(plain(path), mode="Gray", depth=16)
    assert page["depth"] == 16
    order = "<" if sys.byteorder == "little" else ">"
    delivered = struct.unpack(f"{order}{251 * 159}H", data)
    assert list(delivered[:251]) == [value * 65_535 // maximum for value in values]
    assert delivered[-251:] == delivered[:251]


def test_lineart_is_black_where_it_is_darker_than_the_threshold(scanned: Any, tmp_path: Path) -> None:
    ramp = levels(tmp_path)
    for percent in (30, 50, 80):
        data, page = scanned(plain(ramp), mode="Lineart", threshold=percent)
        assert (page["depth"], page["bytes_per_line"]) == (1, 32)
        black = Image.frombytes("1", CARD_PX, data, "raw", "1")  # SANE: 1 is black
        share = sum(bool(black.getpixel((x, 80))) for x in range(251)) / 251
        assert share == pytest.approx(percent / 100, abs=0.01)
    assert all(data[line * 32 + 31] & 0x1F == 0 for line in range(159)), "bits after the line are white"


def test_gray_of_one_bit_is_lineart(scanned: Any, tmp_path: Path) -> None:
    ramp = levels(tmp_path)
    assert scanned(plain(ramp), mode="Gray", depth=1) == scanned(plain(ramp), mode="Lineart")


def test_halftone_keeps_the_mean(scanned: Any, tmp_path: Path) -> None:
    data, _ = scanned(plain(levels(tmp_path)), mode="Halftone")
    black = Image.frombytes("1", CARD_PX, data, "raw", "1").convert("L")
    for left in (16, 120, 200):
        part = black.crop((left, 16, left + 16, 144))
        assert ImageStat.Stat(part).mean[0] == pytest.approx(255 - (left + 7.5) * 255 / 250, abs=8)
        assert {level for _, level in part.getcolors() or []} == {0, 255}, "a pattern, not a threshold"


@pytest.mark.parametrize(("option", "value"), [("brightness", 40), ("brightness", -40), ("contrast", 60)])
def test_brightness_and_contrast_change_the_levels(scanned: Any, tmp_path: Path, option: str, value: int) -> None:
    before, _ = scanned(plain(levels(tmp_path)), mode="Gray")
    after, _ = scanned(plain(levels(tmp_path)), mode="Gray", **{option: value})
    dark, middle, light = (after[at] - before[at] for at in (60, 125, 190))
    if option == "brightness":
        assert dark == middle == light == pytest.approx(value / 200 * 255, abs=1)
    else:
        assert dark < -10
        assert abs(middle) < 3
        assert light > 10


def test_sharpness_changes_edges_only(scanned: Any, tmp_path: Path) -> None:
    row = bytes([80] * 125 + [170] * 126)
    path = tmp_path / "edge.pgm"
    path.write_bytes(b"P5 251 159 255\n" + row * 159)
    at_edge = {}
    for percent in (-100, 0, 100):
        data, _ = scanned(plain(path), mode="Gray", sharpness=percent)
        line = data[251 * 80 : 251 * 81]
        assert (line[20], line[230]) == (80, 170)
        at_edge[percent] = line[125] - line[124]
    assert at_edge[-100] < at_edge[0] == 90 < at_edge[100]


# -------------------------------------------------------------------------------------------- size and place


@pytest.mark.parametrize("dpi", [100, 150, 200, 300])
def test_other_resolutions_are_resampled(scanned: Any, tmp_path: Path, dpi: int) -> None:
    """Against Pillow, from 150 dpi: the same resampling up to rounding, and never off by a pixel."""
    size = (502, 319)
    picture = tmp_path / "smooth.ppm"
    Image.linear_gradient("L").resize(size).convert("RGB").save(picture)
    data, page = scanned(plain(picture), resolution=dpi)
    found = (page["pixels_per_line"], page["lines"])
    assert found == (round(85 * dpi / 25.4), round(54 * dpi / 25.4))
    way = Image.Resampling.BOX if dpi < 150 else Image.Resampling.BILINEAR
    wanted = Image.open(picture).resize(found, way)
    difference = ImageChops.difference(Image.frombytes("RGB", found, data), wanted)
    assert max(high for _, high in _extremes(difference)) <= 3


@pytest.mark.parametrize("dpi", [150, 240, 600])
def test_enlarging_interpolates_between_neighbours(scanned: Any, photo: Any, dpi: int) -> None:
    """Noise, in which half a pixel beside the place is a very different value."""
    picture = photo(*CARD_PX, "L")
    data, page = scanned(plain(picture), mode="Gray", resolution=dpi)
    found = (page["pixels_per_line"], page["lines"])
    wanted = Image.open(picture).resize(found, Image.Resampling.BILINEAR)
    assert (
        max(high for _, high in _extremes(ImageChops.difference(Image.frombytes("L", found, data), wanted))) <= 2
    )


def test_shrinking_takes_the_mean_of_the_area(scanned: Any, photo: Any) -> None:
    """A whole number of pixels makes one: the area's mean, as Pillow reduces."""
    picture = photo(1000, 600, "L")
    sheet = plain(picture, width_mm=127.0, height_mm=76.2)
    data, _ = scanned(sheet, mode="Gray", resolution=100, br_x=127.0, br_y=76.2)
    wanted = Image.open(picture).reduce(2)
    difference = ImageChops.difference(Image.frombytes("L", wanted.size, data), wanted)
    assert max(high for _, high in _extremes(difference)) <= 1


def test_each_axis_has_its_resolution(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(model={"separate_resolutions": True})
    program = opened(scanner, x_resolution=300, y_resolution=100, br_x=25.4, br_y=25.4)
    started = program("start")
    assert (started["pixels_per_line"], started["lines"]) == (300, 100)
    program("cancel")
    program("set", "resolution", 150)
    assert [program("get", f"{axis}-resolution")["value"] for axis in "xy"] == [150, 150]


def test_an_area_is_cut_out_at_its_place(scanned: Any, photo: Any) -> None:
    picture = photo(*CARD_PX)
    inch = 25.4
    area = {"tl_x": inch, "tl_y": inch / 3, "br_x": 2 * inch, "br_y": inch}
    data, page = scanned(plain(picture), **area)
    assert (page["pixels_per_line"], page["lines"]) == (75, 50)
    assert data == Image.open(picture).crop((75, 25, 150, 75)).tobytes()


@pytest.mark.parametrize(("source", "level"), [("ADF", 192), ("Flatbed", 255)])
def test_beside_the_paper_is_the_scanners_background(
    make_scanner: Any, opened: Any, photo: Any, tmp_path: Path, source: str, level: int
) -> None:
    scanner, picture = make_scanner(), photo(*CARD_PX)
    scanner.load([plain(picture)])
    scanner.place_on_glass(plain(picture))
    program = opened(scanner, source=source, br_x=101.6, br_y=76.2)
    program.page(str(tmp_path / "raw"))
    image = Image.frombytes("RGB", (300, 225), (tmp_path / "raw").read_bytes())
    assert image.crop((0, 0, *CARD_PX)).tobytes() == Image.open(picture).tobytes()
    for beside in ((251, 0, 300, 225), (0, 159, 300, 225)):
        assert set(image.crop(beside).tobytes()) == {level}


def test_long_paper_and_a3_fit_the_feeder(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner()
    scanner.load([Sheet(width_mm=297, height_mm=1000)])
    program = opened(scanner, source="ADF", mode="Gray", br_x=297.0, br_y=1000.0)
    page = program.page()
    assert (page["pixels_per_line"], page["lines"]) == (877, 2953)
    assert page["bytes"] == 877 * 2953


def test_a_film_holder_is_smaller_than_the_glass(make_scanner: Any, opened: Any) -> None:
    program = opened(make_scanner(), source="Transparency Unit")
    assert program("option", "br-x")["maximum"] == 106
    assert program("get", "br-x")["value"] == 106
    assert program.page()["status"] == EOF


def test_a_drawn_page_shows_a_missing_row_or_column(scanned: Any) -> None:
    """Every row and every column has something of its own: the diagonal and the rulers."""
    data, _ = scanned(Sheet(**CARD), mode="Gray")
    image = Image.frombytes("L", CARD_PX, data)
    lines = [image.crop((0, y, CARD_PX[0], y + 1)).tobytes() for y in range(CARD_PX[1])]
    assert all(min(line) < 255 for line in lines[75:])
    assert len(set(lines[75:])) == len(lines[75:])


def test_a_picture_that_is_gone_or_cut_short_is_an_io_error(make_scanner: Any, opened: Any, photo: Any) -> None:
    scanner, gone, short = make_scanner(), photo(*CARD_PX, name="gone"), photo(*CARD_PX, name="short")
    scanner.load([plain(gone), plain(short), plain(photo(*CARD_PX))])
    gone.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    program = opened(scanner, source="ADF", **CARD_AREA)
    assert [program("start")["status"] for _ in range(3)] == [IO_ERROR, IO_ERROR, GOOD]


def test_a_picture_cut_short_while_it_is_scanned_is_an_io_error(
    make_scanner: Any, opened: Any, photo: Any
) -> None:
    scanner, picture = make_scanner(), photo(*CARD_PX)
    scanner.load([plain(picture)])
    program = opened(scanner, source="ADF", **CARD_AREA)
    program("start")
    program("read", "/dev/null", 1000)
    picture.write_bytes(b"")
    assert program("read")["status"] == IO_ERROR
