"""The mark is read back after everything that a job does to an image, and never where there is none."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from dsm_sim.scanner import Mark, read_mark

_FINDER = ["#######", "#     #", "# ### #", "# ### #", "# ### #", "#     #", "#######"]
_TURNS: dict[int, Image.Transpose] = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
sheets = st.tuples(st.integers(0, 1023), st.integers(0, 16_383), st.sampled_from(["front", "back"]))


def crc24(octets: bytes) -> int:
    """Another way than the reader's: by polynomial division of one long number."""
    number = int.from_bytes(octets, "big") << 24
    number ^= 0xB704CE << 8 * len(octets)
    for bit in reversed(range(24, 24 + 8 * len(octets))):
        if number >> bit & 1:
            number ^= 0x1864CFB << bit - 24
    return number


def page(load: int, sheet: int, side: str, dpi: int, size_mm: tuple[int, int] = (105, 74)) -> Image.Image:
    """The mark as it is described, drawn without the backend."""
    told = load << 15 | sheet << 1 | (side == "back")
    bits = f"{told << 24 | crc24(told.to_bytes(4, 'big')):049b}"
    image = Image.new("L", tuple(round(mm * dpi / 25.4) for mm in size_mm), 255)  # type: ignore[arg-type]  # two
    draw = ImageDraw.Draw(image)
    for row in range(7):
        cells = _FINDER[row] + " " + bits[7 * row : 7 * row + 7].replace("1", "#").replace("0", " ")
        for column, cell in enumerate(cells):
            if cell == "#":
                left, top, right, bottom = (
                    round(mm * dpi / 25.4) for mm in (6 + 2 * column, 6 + 2 * row, 8 + 2 * column, 8 + 2 * row)
                )
                draw.rectangle((left, top, right - 1, bottom - 1), fill=0)
    return image


@settings(deadline=None, max_examples=60)
@given(
    sheet=sheets,
    dpi=st.sampled_from([75, 100, 150, 200, 300]),
    rotation=st.sampled_from([0, 90, 180, 270]),
    form=st.sampled_from(["JPEG", "JPEG-gray", "G4", "PNG", "16", "half"]),
)
def test_it_survives_formats_turns_and_scaling(sheet: Any, dpi: int, rotation: int, form: str) -> None:
    image = page(*sheet, dpi)
    if rotation:
        image = image.transpose(_TURNS[rotation])
    found = read_mark(through(image, form if dpi > 75 or form != "half" else "PNG"))
    assert found == Mark(*sheet, rotation)  # type: ignore[arg-type]  # rotation is one of the four


def through(image: Image.Image, form: str) -> Image.Image:
    file = io.BytesIO()
    if form == "JPEG":
        image.convert("RGB").save(file, "JPEG", quality=20)
    elif form == "JPEG-gray":
        image.save(file, "JPEG", quality=20)
    elif form == "G4":
        image.convert("1").save(file, "TIFF", compression="group4")
    elif form == "16":
        return image.convert("I").point(lambda level: level * 257).convert("I;16")
    elif form == "half":
        return image.resize((image.width // 2, image.height // 2), Image.Resampling.BILINEAR)
    else:
        image.save(file, "PNG")
    return Image.open(file)


@settings(deadline=None, max_examples=15)
@given(sheet=sheets, x_dpi=st.sampled_from([100, 150]), y_dpi=st.sampled_from([75, 200]))
def test_each_axis_may_have_its_resolution(sheet: Any, x_dpi: int, y_dpi: int) -> None:
    image = page(*sheet, 300)
    found = read_mark(image.resize((image.width * x_dpi // 300, image.height * y_dpi // 300)))
    assert found == Mark(*sheet, 0)


@pytest.mark.parametrize("size_mm", [(105, 74), (210, 297), (297, 420), (297, 1000)])
@pytest.mark.parametrize("dpi", [75, 200])
def test_it_is_found_on_paper_of_any_size(size_mm: tuple[int, int], dpi: int) -> None:
    assert read_mark(page(3, 77, "back", dpi, size_mm)) == Mark(3, 77, "back", 0)


def test_it_is_found_beside_the_paper_and_among_dirt() -> None:
    sheet = page(1, 2, "front", 100)
    grey = Image.new("L", (900, 900), 192)
    grey.paste(sheet, (300, 200))
    dirt = random.Random(7)
    for _ in range(300):
        at = dirt.randrange(900), dirt.randrange(520, 900)
        grey.putpixel(at, 0)
    assert read_mark(grey) == Mark(1, 2, "front", 0)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1 << 30), mode=st.sampled_from(["L", "1", "RGB"]))
def test_noise_has_no_mark(seed: int, mode: str) -> None:
    size = (200, 150)
    noise = random.Random(seed).randbytes(size[0] * size[1])
    assert read_mark(Image.frombytes("L", size, noise).convert(mode)) is None


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_plain_page_has_no_mark(level: int) -> None:
    assert read_mark(Image.new("L", (620, 877), level)) is None
    assert read_mark(Image.new("L", (1, 1), level)) is None


@settings(deadline=None, max_examples=40)
@given(sheet=sheets, row=st.integers(0, 6), column=st.integers(0, 6))
def test_a_mark_with_a_wrong_cell_is_never_read_as_another(sheet: Any, row: int, column: int) -> None:
    """At another stretch the reader may look past the edge of the wrong cell and be right all the same."""
    image = page(*sheet, 100)
    x, y = round((23 + 2 * column) * 100 / 25.4), round((7 + 2 * row) * 100 / 25.4)
    other = 255 - image.getpixel((x, y))  # type: ignore[operator]  # a gray level
    ImageDraw.Draw(image).rectangle((x - 4, y - 4, x + 3, y + 3), fill=other)
    assert read_mark(image) in (None, Mark(*sheet, 0))
