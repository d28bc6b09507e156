"""The curves of brightness and contrast, and the levels that automatic exposure finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.levels import levels
from dsm_device.imaging.page import open_page
from dsm_device.imaging.raster import Raster
from dsm_device.imaging.stages.exposure import NEGATIVE, Line, applied, exposure
from dsm_device.imaging.treatment import Treatment

EVERY_LEVEL = Raster((Image.frombytes("L", (256, 1), bytes(range(256))),))
DEEP_LEVELS = list(range(0, 65536, 257))
EVERY_DEEP_LEVEL = Raster(
    (Image.frombytes("I;16", (256, 1), b"".join(level.to_bytes(2, "little") for level in DEEP_LEVELS)),)
)


def table(line: Line) -> list[int]:
    return list(applied(EVERY_LEVEL, line).planes[0].tobytes())


def deep_table(line: Line) -> list[int]:
    data = applied(EVERY_DEEP_LEVEL, line).planes[0].tobytes()
    return [int.from_bytes(data[at : at + 2], "little") for at in range(0, 512, 2)]


def histogram(**pixels: int) -> list[int]:
    counts = [0] * 256
    for level, count in pixels.items():
        counts[int(level[1:])] = count
    return counts


@given(brightness=st.integers(-1000, 1000), contrast=st.integers(-1000, 1000))
def test_no_level_overtakes_another_and_sixteen_bits_follow_eight(brightness: int, contrast: int) -> None:
    line = exposure(brightness, contrast)
    found, deep = table(line), deep_table(line)
    assert found == sorted(found)
    assert deep == sorted(deep)
    assert all(abs(a * 257 - b) <= 129 for a, b in zip(found, deep, strict=True))


def test_zero_changes_nothing() -> None:
    assert table(exposure(0, 0)) == list(range(256))
    assert applied(EVERY_DEEP_LEVEL, exposure(0, 0)) is EVERY_DEEP_LEVEL


def test_the_extremes() -> None:
    assert set(table(exposure(1000, 0))) == {255}
    assert set(table(exposure(-1000, 0))) == {0}
    assert table(exposure(0, 1000)) == [0] * 128 + [255] * 128
    assert set(table(exposure(0, -1000))) == {128}


@given(setting=st.integers(-999, 999), more=st.integers(1, 1000))
def test_more_is_more(setting: int, more: int) -> None:
    upper = min(1000, setting + more)
    brighter, darker = table(exposure(upper, 0)), table(exposure(setting, 0))
    assert all(a >= b for a, b in zip(brighter, darker, strict=True))
    steep, flat = table(exposure(0, upper)), table(exposure(0, setting))
    assert all(abs(a - 127.5) >= abs(b - 127.5) - 0.5 for a, b in zip(steep, flat, strict=True))


def test_a_negative_is_the_reverse_in_every_mode() -> None:
    assert table(NEGATIVE) == list(range(255, -1, -1))
    assert deep_table(NEGATIVE) == DEEP_LEVELS[::-1]
    black = Raster((Image.new("1", (8, 1), 0),))
    assert applied(black, NEGATIVE).planes[0].getextrema() == (255, 255)


def test_each_channel_has_its_line() -> None:
    red = Raster((Image.new("RGB", (1, 1), (100, 100, 100)),))
    lines = [Line(2.0, 0.0), Line(1.0, 0.0), NEGATIVE]
    assert applied(red, *lines).planes[0].getpixel((0, 0)) == (200, 100, 155)


def test_paper_becomes_white_and_ink_black() -> None:
    (line,) = levels([histogram(_240=90_000, _241=3000, _30=5000, _90=2000)])
    found = table(line)
    assert found[240] == 255
    assert found[30] == 0
    assert 60 < found[90] < 90


def test_off_white_paper_loses_its_tint_and_coloured_paper_keeps_it() -> None:
    ink = {"_20": 4000}
    off_white = levels(
        [histogram(_250=90_000, **ink), histogram(_244=90_000, **ink), histogram(_232=90_000, **ink)]
    )
    assert [table(line)[level] for line, level in zip(off_white, (250, 244, 232), strict=True)] == [255] * 3
    yellow = levels([histogram(_245=90_000, **ink), histogram(_230=90_000, **ink), histogram(_150=90_000, **ink)])
    found = [table(line)[level] for line, level in zip(yellow, (245, 230, 150), strict=True)]
    assert found[0] == 255
    assert found[2] < 165


def test_a_blank_page_gets_no_contrast() -> None:
    (line,) = levels([histogram(_246=50_000, _245=40_000, _236=900, _238=300)])
    found = table(line)
    assert found[246] == 255
    assert found[236] - found[226] <= 11, "dust is not darker than it was"
    assert found[0] == 0


def test_a_photograph_is_stretched_alike_in_all_channels() -> None:
    flat = [0] * 256
    flat[40:200] = [100] * 160
    lines = levels([flat, flat, flat])
    assert len({(line.slope, line.offset) for line in lines}) == 1
    assert table(lines[0])[40] == 0
    assert table(lines[0])[199] == 255


@pytest.mark.parametrize("level", [0, 5, 60, 127])
def test_a_dark_page_is_not_torn_apart(level: int) -> None:
    counts = [0] * 256
    counts[level] = 1000
    (line,) = levels([counts])
    assert 1 <= line.slope <= 8


def test_brightness_of_black_and_white_moves_the_level_from_end_to_end(tmp_path: Path) -> None:
    """As scanners do it: half way up the level is a quarter of the scale, not below the darkest ink."""
    ramp = bytes(range(256))
    frame = Frame(ColorProcessing.GRAYSCALE_8, 256, 1, 256, 72, 72)
    found = {}
    for brightness in (-500, 0, 500, 998):
        spec = PageSpec(
            "png", ColorProcessing.BLACK_AND_WHITE_1, 256, 1, 72, 72, 80, Treatment(brightness=brightness)
        )
        writer = open_page(tmp_path / str(brightness), spec, frame)
        writer.write(ramp)
        with Image.open(writer.finish().path) as image:
            found[brightness] = image.convert("L").histogram()[0]
    assert found == pytest.approx({-500: 192, 0: 128, 500: 64, 998: 0}, abs=1)
