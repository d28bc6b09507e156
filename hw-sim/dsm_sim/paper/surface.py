"""What paper and sensors add to a picture: grain, clouds of light and dark. All of it follows from a seed.

Pillow's own effect_noise and effect_spread take their numbers from the C library and differ from run to run.
"""

from __future__ import annotations

import statistics
from functools import lru_cache
from random import Random
from typing import Final

from PIL import Image, ImageChops

_NORMAL: Final = statistics.NormalDist()
#: The level that changes nothing when grain is added.
_MIDDLE: Final = 128


def grain(size: tuple[int, int], sigma: float, rng: Random) -> Image.Image:
    """Independent normal noise around 128, mode L; ``sigma`` in levels of 255."""
    uniform = Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))
    return uniform.point(_bell(sigma))


def with_grain(image: Image.Image, noise: Image.Image) -> Image.Image:
    """``image`` (RGB) with ``noise`` around 128 (L, of the same size) added to all of its channels alike."""
    return ImageChops.add(image, Image.merge("RGB", (noise, noise, noise)), 1, -_MIDDLE)


def clouds(size: tuple[int, int], cells: tuple[int, int], octaves: int, rng: Random) -> Image.Image:
    """Smooth noise of several scales, mode L; ``cells`` is how many of the largest fit in each direction."""
    field = _cells(size, cells, rng)
    for octave in range(1, octaves):
        finer = _cells(size, (cells[0] << octave, cells[1] << octave), rng)
        field = Image.blend(field, finer, 0.5 ** (octave + 1) * 1.3)
    return field


def _cells(size: tuple[int, int], cells: tuple[int, int], rng: Random) -> Image.Image:
    columns, rows = min(cells[0] + 3, size[0] + 3), min(cells[1] + 3, size[1] + 3)
    small = Image.frombytes("L", (columns, rows), rng.randbytes(columns * rows))
    return small.resize(size, Image.Resampling.BICUBIC, (1, 1, columns - 1, rows - 1))


@lru_cache(maxsize=8)
def _bell(sigma: float) -> list[int]:
    """Makes normal levels of uniform ones."""
    return [round(_MIDDLE + sigma * _NORMAL.inv_cdf((level + 0.5) / 256)) for level in range(256)]
