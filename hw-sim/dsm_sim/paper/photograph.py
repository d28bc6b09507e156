"""The kind `photo`: a landscape with sky, ridges, a lake and grain, printed with a white border.

It is made at a moderate size and enlarged, as prints of photographs are; the grain is added at the full size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from .canvas import Canvas, Rgb
from .surface import clouds, grain, with_grain

_BORDER_MM: Final = 4.0
_WORK_PIXELS: Final = 500_000
_WORK_LONGEST: Final = 2400
_RIDGES: Final = 5


@dataclass(frozen=True)
class _Light:
    """The colours of one time of day."""

    zenith: Rgb
    middle: Rgb
    horizon: Rgb
    sun: Rgb
    cloud: Rgb
    far: Rgb
    near: Rgb


_LIGHTS: Final = (
    # A clear morning, an evening, a hazy autumn day, weather coming up.
    _Light(
        (44, 96, 168),
        (120, 170, 214),
        (222, 232, 236),
        (255, 250, 226),
        (255, 255, 255),
        (150, 176, 196),
        (30, 58, 40),
    ),
    _Light(
        (38, 44, 92),
        (150, 96, 122),
        (252, 182, 112),
        (255, 226, 160),
        (255, 196, 160),
        (168, 118, 124),
        (28, 24, 40),
    ),
    _Light(
        (92, 128, 164),
        (176, 196, 206),
        (246, 226, 200),
        (255, 242, 210),
        (252, 246, 238),
        (170, 178, 176),
        (66, 70, 34),
    ),
    _Light(
        (66, 84, 110),
        (132, 150, 168),
        (204, 208, 206),
        (236, 236, 230),
        (228, 232, 236),
        (140, 156, 162),
        (34, 48, 44),
    ),
)


def photo_page(canvas: Canvas, rng: Random) -> None:
    border = canvas.px(_BORDER_MM)
    print_size = (canvas.image.width - 2 * border, canvas.image.height - 2 * border)
    picture = _landscape(_work_size(print_size), rng).resize(print_size, Image.Resampling.BICUBIC)
    canvas.image.paste(with_grain(picture, grain(print_size, 3.2, rng)), (border, border))


def _work_size(size: tuple[int, int]) -> tuple[int, int]:
    factor = min(1.0, math.sqrt(_WORK_PIXELS / (size[0] * size[1])), _WORK_LONGEST / max(size))
    return max(8, round(size[0] * factor)), max(8, round(size[1] * factor))


def _landscape(size: tuple[int, int], rng: Random) -> Image.Image:
    light = rng.choice(_LIGHTS)
    shore = round(size[1] * rng.uniform(0.62, 0.7))
    sun = (rng.uniform(0.2, 0.8) * size[0], shore * rng.uniform(0.45, 0.75))
    above = _sky((size[0], shore), light, sun, rng)
    for index in range(_RIDGES):
        _add_ridge(above, light, index / (_RIDGES - 1), rng)
    picture = Image.new("RGB", size)
    picture.paste(above, (0, 0))
    picture.paste(_lake(above, (size[0], size[1] - shore), light, rng), (0, shore))
    _add_bank(picture, light, rng)
    return _vignetted(picture)


def _sky(size: tuple[int, int], light: _Light, sun: tuple[float, float], rng: Random) -> Image.Image:
    down = Image.linear_gradient("L").resize(size, Image.Resampling.BILINEAR)
    sky = ImageOps.colorize(down, light.zenith, light.horizon, light.middle)
    _glow(sky, sun, size[0] * 1.1, light.sun, 0.85)
    _add_clouds(sky, light, rng)
    _glow(sky, sun, size[0] * 0.10, light.sun, 1.0)
    return sky


def _glow(sky: Image.Image, center: tuple[float, float], width: float, color: Rgb, strength: float) -> None:
    """Light around ``center`` that fades out over half of ``width`` (px)."""
    side = max(2, round(width))
    fading = Image.radial_gradient("L").point(
        lambda level: round(max(0, 181 - level) ** 2 / 181**2 * 255 * strength)
    )
    mask = fading.resize((side, side), Image.Resampling.BILINEAR)
    sky.paste(color, (round(center[0]) - side // 2, round(center[1]) - side // 2), mask)


def _add_clouds(sky: Image.Image, light: _Light, rng: Random) -> None:
    cover = rng.randint(112, 138)
    wide = max(1, round(4 * sky.width / sky.height))
    shape = clouds(sky.size, (wide, 7), 5, rng).point(lambda level: max(0, min(235, (level - cover) * 5)))
    # Clouds thin out towards the horizon.
    fading = Image.linear_gradient("L").point(lambda level: 255 - level * 3 // 4).resize(sky.size)
    body = clouds(sky.size, (wide * 2, 9), 4, rng)
    shaded = ImageOps.colorize(
        body, _mixed(light.middle, light.far, 0.5), light.cloud, midpoint=110, mid=light.cloud
    )
    sky.paste(shaded, (0, 0), ImageChops.multiply(shape, fading))


def _add_ridge(view: Image.Image, light: _Light, nearness: float, rng: Random) -> None:
    """``nearness`` 0 is the farthest ridge: pale, smooth and high; 1 the nearest: dark, rough and low."""
    width, height = view.size
    base = height * (0.62 + 0.34 * nearness)
    line = _ridge_line(width, height * (0.16 - 0.09 * nearness), 0.5 + 0.06 * nearness, rng)
    mask = Image.new("L", view.size)
    corners = [(x, base - rise) for x, rise in line]
    ImageDraw.Draw(mask).polygon([(-1, height), *corners, (width, height)], 255)
    mask = mask.filter(ImageFilter.GaussianBlur(0.8))
    color = _mixed(light.far, light.near, nearness)
    rough = clouds(view.size, (max(2, round(width / 26)), max(2, round(height / 16))), 3, rng)
    lit = ImageOps.colorize(
        rough, _mixed(color, (0, 0, 0), 0.35 * nearness + 0.05), _mixed(color, light.sun, 0.22)
    )
    haze = Image.linear_gradient("L").point(lambda level: round(level * 0.5 * (1 - nearness))).resize(view.size)
    lit.paste(_mixed(light.horizon, light.far, 0.3), (0, 0), haze)
    view.paste(lit, (0, 0), mask)


def _ridge_line(width: int, height: float, roughness: float, rng: Random) -> list[tuple[float, float]]:
    """Midpoint displacement: places from left to right and how high the ridge is there (px)."""
    rises = [rng.uniform(-1, 1) for _ in range(5)]
    spread = 0.9
    while len(rises) < min(width, 600):
        finer: list[float] = []
        for left, right in itertools.pairwise(rises):
            finer += [left, (left + right) / 2 + rng.uniform(-spread, spread) / 2]
        rises = [*finer, rises[-1]]
        spread *= roughness
    return [(index * width / (len(rises) - 1), rise * height) for index, rise in enumerate(rises)]


def _lake(above: Image.Image, size: tuple[int, int], light: _Light, rng: Random) -> Image.Image:
    """What is above, upside down, darker, and broken by waves that grow towards the viewer."""
    mirrored = ImageOps.flip(above).resize((size[0], round(size[1] * 1.25)), Image.Resampling.BILINEAR)
    still = mirrored.filter(ImageFilter.GaussianBlur((max(0.6, size[0] / 500), max(1.0, size[1] / 90))))
    lake = Image.new("RGB", size)
    for y in range(size[1]):
        near = (y + 1) / size[1]
        shift = round(rng.gauss(0, 1) * near * size[0] * 0.012)
        source = min(still.height - 1, max(0, y + round(rng.gauss(0, 1) * near * size[1] * 0.03)))
        row = still.crop((0, source, size[0], source + 1))
        lake.paste(ImageChops.offset(row, shift, 0), (0, y))
    deep = Image.linear_gradient("L").point(lambda level: 50 + level // 2).resize(size)
    lake.paste(_mixed(light.zenith, light.near, 0.6), (0, 0), deep)
    waves = clouds(size, (max(2, size[0] // 40), max(2, size[1] // 3)), 2, rng)
    lake.paste(light.horizon, (0, 0), waves.point(lambda level: max(0, level - 165)))
    return lake.filter(ImageFilter.GaussianBlur(0.6))


def _add_bank(picture: Image.Image, light: _Light, rng: Random) -> None:
    """Grass in the foreground, and one tree that frames the view."""
    width, height = picture.size
    mask = Image.new("L", picture.size)
    draw = ImageDraw.Draw(mask)
    rises = _ridge_line(width, height * 0.02, 0.6, rng)
    draw.polygon([(-1, height), *((x, height * 0.93 - rise) for x, rise in rises), (width, height)], 255)
    for _ in range(width // 2):
        x = rng.uniform(0, width)
        length = rng.uniform(0.01, 0.05) * height
        draw.line(
            (x, height * 0.95, x + rng.gauss(0, 0.25) * length, height * 0.95 - length), 255, max(1, width // 900)
        )
    _draw_tree(draw, (width * rng.choice((0.13, 0.87)), height * 0.95), height * rng.uniform(0.3, 0.42), rng)
    rough = clouds(picture.size, (max(2, width // 7), max(2, height // 7)), 2, rng)
    dark = ImageOps.colorize(rough, _mixed(light.near, (0, 0, 0), 0.7), _mixed(light.near, light.sun, 0.16))
    picture.paste(dark, (0, 0), mask.filter(ImageFilter.GaussianBlur(0.7)))


def _draw_tree(draw: ImageDraw.ImageDraw, foot: tuple[float, float], height: float, rng: Random) -> None:
    """A fir: a trunk, and boughs that hang and get shorter towards the top."""
    x, y = foot
    draw.line((x, y, x, y - height), 255, max(1, round(height / 45)))
    for step in range(26):
        share = step / 26
        reach = height * 0.2 * (1 - share) * rng.uniform(0.7, 1.15) + height * 0.01
        at = y - height * (0.12 + 0.88 * share)
        corners: Sequence[tuple[float, float]] = (
            (x - reach, at + reach * 0.5),
            (x, at - height * 0.04),
            (x + reach, at + reach * 0.45),
        )
        draw.polygon([*corners, (x, at + height * 0.02)], 255)


def _vignetted(picture: Image.Image) -> Image.Image:
    around = Image.radial_gradient("L").point(lambda level: 255 - max(0, level - 120) // 3).resize(picture.size)
    return ImageChops.multiply(picture, Image.merge("RGB", (around, around, around)))


def _mixed(first: Rgb, second: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue
