"""Brightness, contrast, negatives and levels: what changes samples one by one.

Everything here is a straight line, clipped at black and white. So 8 bit go through a table and 16 bit through
Pillow's own multiplication; both follow the same formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops

from dsm_device.imaging.raster import Raster

_SETTING_MAX: Final = 1000
#: The steepest line: black and white only. Beyond it 16-bit products leave 32 bits.
_STEEPEST: Final = 32_767.0


@dataclass(frozen=True, slots=True)
class Line:
    """``sample * slope + offset`` with samples from 0 (black) to 1 (white), clipped to them."""

    slope: float
    offset: float


NEGATIVE: Final = Line(-1.0, 1.0)
_UNCHANGED: Final = Line(1.0, 0.0)


def exposure(brightness: float, contrast: int) -> Line:
    """WS-Scan ExposureSettings, each -1000 to 1000; 0 changes nothing.

    Contrast turns the line around middle gray: -1000 leaves nothing but middle gray, 500 doubles differences,
    1000 makes everything black or white. Brightness then moves it: at 1000 everything is white, at -1000 black.
    """
    turn = contrast / _SETTING_MAX
    slope = 1 + turn if turn < 0 else min(_STEEPEST, 1 / max(1 - turn, 1 / _STEEPEST))
    return Line(slope, 0.5 - 0.5 * slope + brightness / _SETTING_MAX)


def applied(raster: Raster, *channels: Line) -> Raster:
    """The raster with one line for all channels, or one for each of three. Bilevel knows negatives only."""
    if all(line == _UNCHANGED for line in channels):
        return raster
    if raster.mode == "1":
        return raster.map(ImageChops.invert) if channels[0] == NEGATIVE else raster
    if raster.mode == "I;16":
        lines = channels if len(channels) == len(raster.planes) else channels[:1] * len(raster.planes)
        return Raster(tuple(_deep(plane, line) for plane, line in zip(raster.planes, lines, strict=True)))
    bands = len(raster.planes[0].getbands())
    tables = [_table(line) for line in (channels if len(channels) == bands else channels[:1] * bands)]
    return raster.map(lambda plane: plane.point([level for table in tables for level in table]))


def _table(line: Line) -> list[int]:
    return [round(255 * min(1.0, max(0.0, level / 255 * line.slope + line.offset))) for level in range(256)]


def _deep(plane: Image.Image, line: Line) -> Image.Image:
    """Pillow clips on the way from 32 to 16 bits."""
    offset = line.offset * 65535 + 0.5
    return plane.convert("I").point(lambda sample: sample * line.slope + offset).convert("I;16")
