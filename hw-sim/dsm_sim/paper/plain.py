"""Sheets with little or nothing on them: what a search for blank pages must tell apart.

The kinds `dusty-blank` and `faint` lie on the same paper under the same light, so that only the writing differs.
"""

from __future__ import annotations

import textwrap
from random import Random
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from . import phrases
from .canvas import CALM_TOP_MM, Canvas, Point, Rgb
from .handwriting import written
from .surface import grain, with_grain

_OFF_WHITE: Final[Rgb] = (250, 249, 245)
_DUST: Final[Rgb] = (120, 116, 110)
_PENCIL: Final[Rgb] = (210, 210, 213)
_TINTS: Final[tuple[Rgb, ...]] = (
    (252, 238, 150), (250, 200, 210), (188, 222, 246), (196, 232, 190), (248, 212, 164), (222, 208, 240),
)  # fmt: skip
#: ISO 838: two holes of 6 mm, 80 mm apart, 12 mm from the edge.
_HOLE_RADIUS_MM, _HOLES_APART_MM, _HOLE_INSET_MM = 3.0, 80.0, 12.0


def blank_page(canvas: Canvas, rng: Random) -> None:
    """White it is."""


def colored_page(canvas: Canvas, rng: Random) -> None:
    """Nothing on paper of a light colour."""
    canvas.image.paste(rng.choice(_TINTS), (0, 0, *canvas.image.size))
    canvas.repaint(with_grain(canvas.image, grain(canvas.image.size, 1.6, rng)))


def dusty_blank_page(canvas: Canvas, rng: Random) -> None:
    """Nothing, as a scanner sees it: off-white, uneven light, holes of a punch, dust."""
    _holes(canvas)
    for _ in range(rng.randint(14, 30)):
        canvas.ellipse(_somewhere(canvas, rng), rng.uniform(0.06, 0.22), _DUST)
    for _ in range(2):
        canvas.pen([_fibre(canvas, rng)], 0.1, _DUST)
    _as_scanned(canvas, rng)


def faint_page(canvas: Canvas, rng: Random) -> None:
    """Notes in pencil that is almost gone."""
    height = 2.2 if canvas.width_mm > 100 else 1.5
    y, wide = CALM_TOP_MM + 5 * height, canvas.text_width_mm
    lines = int(min(rng.randint(9, 14), (canvas.bottom_mm - y) / (4.6 * height) + 1))
    for words in rng.sample(phrases.NOTES * 2, lines):
        fitting = textwrap.wrap(words, max(3, int(wide / (height * 0.95))))[0]
        canvas.pen(list(written(fitting, (canvas.margin_mm, y), height, rng)), 0.34, _PENCIL)
        y += 4.6 * height
    _as_scanned(canvas, rng)


def _as_scanned(canvas: Canvas, rng: Random) -> None:
    size = canvas.image.size
    lit = ImageChops.multiply(canvas.image, Image.new("RGB", size, _OFF_WHITE))
    lit = ImageChops.multiply(lit, _light(size))
    canvas.repaint(with_grain(lit, grain(size, 1.3, rng)))


def _light(size: tuple[int, int]) -> Image.Image:
    """A little darker towards the left, and a shadow where the sheet does not lie flat at its foot."""
    across = Image.linear_gradient("L").rotate(90).point(lambda level: 250 + level * 5 // 255)
    down = Image.linear_gradient("L").point(lambda level: 255 - max(0, level - 245))
    lit = ImageChops.multiply(across, down).resize(size, Image.Resampling.BILINEAR)
    return Image.merge("RGB", (lit, lit, lit))


def _holes(canvas: Canvas) -> None:
    middle = canvas.height_mm / 2
    if middle - _HOLES_APART_MM / 2 < CALM_TOP_MM + 10 or canvas.width_mm < 60:
        return
    for y in (middle - _HOLES_APART_MM / 2, middle + _HOLES_APART_MM / 2):
        _hole(canvas, (_HOLE_INSET_MM, y))


def _hole(canvas: Canvas, center: Point) -> None:
    """The lid shows through, in the shadow of the hole's edge."""
    radius, soft = max(1, canvas.px(_HOLE_RADIUS_MM)), max(1, canvas.px(0.35))
    side = 2 * radius + 4 * soft
    disc = Image.new("L", (side, side))
    ImageDraw.Draw(disc).ellipse((2 * soft, 2 * soft, side - 2 * soft, side - 2 * soft), 255)
    lid = ImageChops.offset(disc, soft, soft).filter(ImageFilter.GaussianBlur(soft))
    shaded = ImageOps.colorize(lid, (178, 176, 172), (238, 237, 233))
    canvas.image.paste(shaded, (canvas.px(center[0]) - side // 2, canvas.px(center[1]) - side // 2), disc)


def _fibre(canvas: Canvas, rng: Random) -> list[Point]:
    path = [_somewhere(canvas, rng)]
    for _ in range(8):
        path.append((path[-1][0] + rng.uniform(-0.2, 0.6), path[-1][1] + rng.uniform(-0.3, 0.4)))
    return path


def _somewhere(canvas: Canvas, rng: Random) -> Point:
    """Below the strip that stays calm; on a sheet that is hardly higher than the strip, beyond its foot."""
    top = CALM_TOP_MM + 3
    return rng.uniform(2, canvas.width_mm - 2), rng.uniform(top, max(top, canvas.height_mm - 2))
