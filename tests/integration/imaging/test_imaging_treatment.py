"""Whatever is done to a page: it comes out as if it had been treated whole, however its rows are portioned.

The reference treats the whole page with Pillow. Strips, tiles and portions are as small as they can be here.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging import held_page, strips
from dsm_device.imaging.formats import MADE_FROM, PageFile, PageSpec
from dsm_device.imaging.stages import resampling
from dsm_device.imaging.treatment import RIGHT_ANGLES, Bilevel, Box, Treatment

BW1, GRAY4, GRAY8 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_4, ColorProcessing.GRAYSCALE_8
GRAY16, RGB24, RGB48 = ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_24, ColorProcessing.RGB_48
#: PNG has them all; what netpbm makes of it is compared.
COLORS = [BW1, GRAY8, GRAY16, RGB24, RGB48]
DPI = 72


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "STRIP_BYTES", 1)
        patch.setattr(resampling, "_OUTPUT_BYTES", 1000)
        patch.setattr(held_page, "_TILE_PX", dict.fromkeys(held_page._TILE_PX, 8))
        yield


@dataclass(frozen=True)
class Case:
    spec: PageSpec
    frame: Frame
    rows: bytes
    portions: tuple[int, ...] = ()

    @property
    def region(self) -> Box:
        return self.spec.treatment.region or Box(0, 0, *self.spec.upright_px)

    @property
    def scale(self) -> tuple[Fraction, Fraction]:
        width, height = self.spec.upright_px
        return Fraction(self.region.width_px, width), Fraction(self.region.height_px, height)

    @property
    def is_scaled(self) -> bool:
        return self.scale != (1, 1)


# ----------------------------------------------------------------------------------------------- the reference


def channels_of(line: bytes, frame: Frame, samples: list[int]) -> list[list[int]]:
    """Samples 0 to 255 or 65535 of each channel."""
    if frame.color is BW1:
        return [[255 * sample for sample in samples]]
    return [samples[channel :: frame.color.channels] for channel in range(frame.color.channels)]


def in_working_color(channels: list[int], case: Case) -> list[int]:
    """One pixel with the file's channels and depth; bilevel and 4 bit still as gray of 8."""
    if case.frame.color.bits_per_sample == 16 and case.spec.color.bits_per_sample < 16:
        channels = [sample >> 8 for sample in channels]
    if len(channels) == 3 and case.spec.color.channels == 1:
        red, green, blue = channels
        if case.spec.color.bits_per_sample == 16:
            return [(red * 9798 + green * 19235 + blue * 3735 + 0x4000) >> 15]
        return [(red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16]
    return channels


def slope(treatment: Treatment) -> float:
    contrast = treatment.contrast / 1000
    return 1 + contrast if contrast < 0 else 1 / (1 - contrast) if contrast < 1 else 32767


def exposed(sample: int, white: int, spec: PageSpec) -> int:
    """Of black and white brightness moves the level, half as far as samples."""
    moved = spec.treatment.brightness / (2000 if spec.color is BW1 else 1000)
    level = (sample / white - 0.5) * slope(spec.treatment) + 0.5 + moved
    return round(min(1.0, max(0.0, level)) * white)


def plane(rows: list[list[int]], deep: bool) -> Image.Image:
    size = (len(rows[0]), len(rows))
    if deep:
        return Image.frombytes("I;16", size, b"".join(s.to_bytes(2, "little") for row in rows for s in row))
    return Image.frombytes("L", size, bytes(sample for row in rows for sample in row))


def page_planes(case: Case, samples_of_line: Callable[[bytes, Frame], list[int]]) -> list[Image.Image]:
    """The region of the page, up to the lines that came, inverted and exposed, a plane a channel."""
    treatment, region, frame = case.spec.treatment, case.region, case.frame
    white = 65535 if case.spec.color.bits_per_sample == 16 else 255
    page: list[list[list[int]]] = []
    for at in range(0, len(case.rows), frame.bytes_per_line):
        line = case.rows[at : at + frame.bytes_per_line]
        channels = channels_of(line, frame, samples_of_line(line, frame))
        pixels = [in_working_color(list(pixel), case) for pixel in zip(*channels, strict=True)]
        if treatment.negative:
            pixels = [[white - sample for sample in pixel] for pixel in pixels]
        page.append(pixels)
    height = region.height_px
    if frame.height_px is None:
        height = max(1, min(height, len(page) - region.y_px))
    blank = [white] * case.spec.color.channels

    def pixel(x: int, y: int) -> list[int]:
        found = page[y][x] if y < len(page) and x < frame.width_px else blank
        return found if frame.color is BW1 else [exposed(sample, white, case.spec) for sample in found]

    lines = [[pixel(region.x_px + x, region.y_px + y) for x in range(region.width_px)] for y in range(height)]
    return [
        plane([[pixel[channel] for pixel in line] for line in lines], white > 255)
        for channel in range(case.spec.color.channels)
    ]


def scaled(image: Image.Image, x: Fraction, y: Fraction) -> Image.Image:
    if (x, y) == (1, 1):
        return image
    least = max(image.width, ceil(x)), max(image.height, ceil(y))
    padded = Image.new(image.mode, least, 65535 if image.mode == "I;16" else 255)
    padded.paste(image, (0, 0))
    width, height = max(1, floor(image.width / x)), max(1, floor(image.height / y))
    across = padded.resize(
        (width, padded.height), Image.Resampling.BICUBIC, (0, 0, float(width * x), padded.height)
    )
    return across.resize((width, height), Image.Resampling.BICUBIC, (0, 0, width, float(height * y)))


def sharpened(image: Image.Image, case: Case) -> Image.Image:
    amount = case.spec.treatment.sharpness / 100
    if not amount or case.frame.color is BW1:
        return image
    share = amount * 2 if amount > 0 else amount
    row = (1, 4, 6, 4, 1)
    weights = [-share * a * b / 256 for a in row for b in row]
    weights[12] += 1 + share
    kernel = ImageFilter.Kernel((5, 5), weights, 1)
    return image.convert("I").filter(kernel).convert("I;16") if image.mode == "I;16" else image.filter(kernel)


def turned(image: Image.Image, case: Case) -> Image.Image:
    return image.rotate(-case.spec.treatment.rotation, expand=True)


def geometry(image: Image.Image, case: Case) -> Image.Image:
    """A page that grows is turned first, which is another order of rounding."""
    x, y = case.scale
    if x * y >= 1:
        return turned(sharpened(scaled(image, x, y), case), case)
    if case.spec.treatment.on_its_side:
        x, y = y, x
    return sharpened(scaled(turned(image, case), x, y), case)


def bayer(side: int) -> list[list[int]]:
    if side == 1:
        return [[0]]
    half = bayer(side // 2)
    over = [[4 * rank for rank in row] + [4 * rank + 2 for rank in row] for row in half]
    return over + [[4 * rank + 3 for rank in row] + [4 * rank + 1 for rank in row] for row in half]


def bilevel(image: Image.Image, case: Case) -> Image.Image:
    """255 for white."""
    how, screen = case.spec.treatment.bilevel, bayer(16)
    if how is Bilevel.ADAPTIVE:
        radius = DPI // 6 // 2
        mean = image.filter(ImageFilter.BoxBlur(radius)).tobytes()
    result = bytearray()
    for index, level in enumerate(image.tobytes()):
        y, x = divmod(index, image.width)
        if how is Bilevel.THRESHOLD:
            white = level >= 128
        elif how is Bilevel.ADAPTIVE:
            white = level >= 48 and level - mean[index] >= -14
        else:
            white = level > screen[y % 16][x % 16] * 255 // 256
        result.append(255 * white)
    return Image.frombytes("L", image.size, bytes(result))


def expected(case: Case, samples_of_line: Callable[[bytes, Frame], list[int]]) -> list[Image.Image]:
    planes = [geometry(each, case) for each in page_planes(case, samples_of_line)]
    if case.spec.color is BW1 and (case.frame.color is not BW1 or case.is_scaled):
        return [bilevel(each, case) for each in planes]
    return planes


# ----------------------------------------------------------------------------------------------- the file


def samples_of_pnm(data: bytes) -> tuple[int, int, list[list[int]]]:
    """Width, height and the samples of each channel; bilevel as 0 and 255."""
    kind, size, rest = data.split(b"\n", 2)
    width, height = map(int, size.split())
    if kind == b"P4":
        image = Image.frombytes("1", (width, height), rest, "raw", "1;I").convert("L")
        return width, height, [list(image.tobytes())]
    maximum, raw = rest.split(b"\n", 1)
    deep = int(maximum) > 255
    samples = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)] if deep else list(raw)
    channels = 3 if kind == b"P6" else 1
    return width, height, [samples[channel::channels] for channel in range(channels)]


def samples_of(image: Image.Image) -> list[int]:
    data = image.tobytes()
    if image.mode == "I;16":
        return [int.from_bytes(data[i : i + 2], "little") for i in range(0, len(data), 2)]
    return list(data)


def tolerance(case: Case) -> int:
    """0, but where fractions are rounded: exposure, two passes of resampling, what sharpens them."""
    treatment = case.spec.treatment
    rounded = bool(treatment.brightness or treatment.contrast) + 2 * case.is_scaled
    return ceil(rounded * (1 + 4 * abs(case.spec.treatment.sharpness) / 100))


def check(case: Case, planes: list[Image.Image], read: tuple[int, int, list[list[int]]]) -> None:
    width, height, channels = read
    assert (width, height) == planes[0].size
    for found, wanted in zip(channels, map(samples_of, planes), strict=True):
        if case.spec.color is BW1 and tolerance(case):
            different = sum(a != b for a, b in zip(found, wanted, strict=True))
            assert different <= max(2, 0.03 * len(wanted))
        else:
            assert max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= tolerance(case)


# ----------------------------------------------------------------------------------------------- cases


@st.composite
def treatments(draw: st.DrawFn, width: int, lines: int) -> Treatment:
    setting = st.sampled_from([0, 0, 0, -1000, -400, 120, 700, 1000])
    region = st.builds(
        Box, st.integers(0, width + 3), st.integers(0, lines + 3), st.integers(1, width + 9), st.integers(1, 80)
    )
    return Treatment(
        region=draw(st.none() | region),
        negative=draw(st.booleans()),
        brightness=draw(setting),
        contrast=draw(setting),
        sharpness=draw(st.sampled_from([0, 0, -100, -30, 60, 100])),
        bilevel=draw(st.sampled_from(Bilevel)),
        rotation=draw(st.sampled_from(RIGHT_ANGLES)),
    )


def smooth(generator: random.Random, size: int) -> bytes:
    """Samples that go up and down slowly, as in a picture, with some grain."""
    level, data = 128.0, bytearray()
    for _ in range(size):
        level = min(255.0, max(0.0, level + generator.gauss(0, 9)))
        data.append(int(level))
    return bytes(data)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    color = draw(st.sampled_from(COLORS))
    delivered = draw(st.sampled_from(MADE_FROM[color]))
    width, lines = draw(st.integers(1, 41)), draw(st.integers(1, 70))
    treatment = draw(treatments(width, lines))
    size = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    if treatment.region and draw(st.booleans()):
        size = treatment.region.width_px, treatment.region.height_px
        size = size[::-1] if treatment.on_its_side else size
    announced = draw(st.sampled_from([lines, None, lines + 9, max(1, lines - 3)]))
    frame = Frame(
        delivered, width, announced, delivered.bytes_per_line(width) + draw(st.sampled_from([0, 1, 5])), 72, 72
    )
    generator = random.Random(draw(st.integers(0, 2**32)))
    total = lines * frame.bytes_per_line
    rows = generator.randbytes(total) if draw(st.booleans()) else smooth(generator, total)
    portions = tuple(draw(st.lists(st.integers(0, 40), max_size=6)))
    return Case(PageSpec("png", color, *size, DPI, DPI, 80, treatment), frame, rows, portions)


def full(color: ColorProcessing, delivered: ColorProcessing, treatment: Treatment, size: tuple[int, int]) -> Case:
    """67 lines of 45 pixels, padded, one by one."""
    frame = Frame(delivered, 45, 67, delivered.bytes_per_line(45) + 3, 72, 72)
    rows = smooth(random.Random(5), 67 * frame.bytes_per_line)
    return Case(PageSpec("png", color, *size, DPI, DPI, 80, treatment), frame, rows, (1,) * 66)


@settings(max_examples=250, deadline=None)
@given(case=cases())
@example(case=full(BW1, RGB48, Treatment(bilevel=Bilevel.DITHER, rotation=90), (67, 45)))
@example(case=full(BW1, GRAY8, Treatment(bilevel=Bilevel.ADAPTIVE), (45, 67)))
@example(case=full(RGB48, RGB48, Treatment(region=Box(3, 2, 40, 60), sharpness=50), (100, 61)))
@example(case=full(RGB24, RGB24, Treatment(region=Box(3, 2, 40, 60), rotation=270), (150, 10)))
def test_a_page_comes_out_as_if_it_had_been_treated_whole(
    case: Case,
    samples_of_line: Callable[[bytes, Frame], list[int]],
    write_page: Callable[..., PageFile],
    foreign: Callable[..., bytes],
) -> None:
    planes = expected(case, samples_of_line)
    with tempfile.TemporaryDirectory() as folder:
        file = write_page(Path(folder) / "page", case.spec, case.frame, case.rows, case.portions)
        assert (file.width_px, file.height_px) == planes[0].size
        if case.frame.height_px is not None:
            assert (file.width_px, file.height_px) == (case.spec.width_px, case.spec.height_px)
        check(case, planes, samples_of_pnm(foreign("pngtopnm", file.path)))
        assert list(Path(folder).iterdir()) == [file.path]
