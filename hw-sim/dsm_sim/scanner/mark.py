"""Reading the mark that tells which side of which sheet an image shows.

``sane_backend/mark.h`` describes it: cells of 2 mm, a finder square of 7 by 7 and beside it 7 by 7 cells of data
with a CRC. The finder is found by its runs of 1, 1, 3, 1 and 1 cells, which are there in every direction, at any
scale; which way up the data is, the CRC tells.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from PIL import Image

Rotation = Literal[0, 90, 180, 270]

_FINDER_CELLS: Final = 7
#: Cells from the finder's centre to the centre of the data's first column.
_DATA_FROM_CENTRE: Final = 5
_DATA_EDGE: Final = 7
#: The shorter edge of an image is reduced to about this: 4 px a cell of A3, enough and quick.
_ENOUGH_PX: Final = 700
#: A cell has to be so large to be seen at all.
_SMALLEST_CELL_PX: Final = 1.6
_RUNS: Final = re.compile(rb"\x00+|\xff+")
_BLACK: Final = 0
#: The finder gives a cell's size to a fraction of a pixel; over eleven cells that adds up.
_STRETCHES: Final = (1.0, 0.97, 1.03, 0.94, 1.06)
#: Column and row of the data, as seen from the finder's centre, for each turn of the image.
_TURNS: Final[dict[Rotation, tuple[int, int, int, int]]] = {
    0: (1, 0, 0, 1),
    90: (0, -1, 1, 0),
    180: (-1, 0, 0, -1),
    270: (0, 1, -1, 0),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """Which side an image shows, and by how many degrees it is turned clockwise."""

    load: int
    sheet: int
    side: Literal["front", "back"]
    rotation: Rotation


def read_mark(image: Image.Image) -> Mark | None:
    """The mark in an image of any mode and resolution in which its cells of 2 mm are 2 pixels or more."""
    grey = image.convert("L")
    for factor in _reductions(grey):
        picture = _Picture(grey.reduce(factor) if factor > 1 else grey)
        found = next((mark for finder in picture.finders() if (mark := _decode(picture, finder))), None)
        if found:
            return found
    return None


def _reductions(image: Image.Image) -> list[int]:
    """First a small image, which is quick to search; then the whole, for a mark that is small in it."""
    reduced = max(1, round(min(image.size) / _ENOUGH_PX))
    return sorted({reduced, 1}, reverse=True)


@dataclass(frozen=True, slots=True)
class _Finder:
    """Its centre and the size of a cell, in pixels."""

    x: float
    y: float
    cell_x: float
    cell_y: float


class _Picture:
    """Black and white octets of a gray image."""

    def __init__(self, image: Image.Image) -> None:
        self.width, self.height = image.size
        used = [level for level, count in enumerate(image.histogram()) if count]
        middle = (used[0] + used[-1]) / 2
        self._octets = image.point([0 if level < middle else 255 for level in range(256)]).tobytes()

    def is_black(self, x: float, y: float) -> bool:
        column, row = int(x), int(y)
        inside = 0 <= column < self.width and 0 <= row < self.height
        return inside and self._octets[row * self.width + column] == _BLACK

    def finders(self) -> Iterator[_Finder]:
        """Every second row will do: the core of the finder is three cells high."""
        for row in range(1, self.height, 2):
            line = self._octets[row * self.width : (row + 1) * self.width]
            for x, cell_x in _crossings(line):
                column = self._octets[int(x) :: self.width]
                for y, cell_y in _crossings(column):
                    if abs(y - row) <= 2 * cell_y:
                        yield _Finder(x, y, cell_x, cell_y)


def _crossings(line: bytes) -> Iterator[tuple[float, float]]:
    """Where runs of 1, 1, 3, 1 and 1 cells cross the line: the centre, and the size of a cell."""
    if _BLACK not in line:
        return
    runs = [match.span() for match in _RUNS.finditer(line)]
    for first in range(len(runs) - 4):
        five = runs[first : first + 5]
        if line[five[0][0]] != _BLACK:
            continue
        cell = (five[4][1] - five[0][0]) / _FINDER_CELLS
        if cell >= _SMALLEST_CELL_PX and _fits([end - start for start, end in five], cell):
            yield (five[0][0] + five[4][1]) / 2, cell


def _fits(lengths: list[int], cell: float) -> bool:
    slack = 0.5 * cell + 0.5
    return all(
        abs(length - cells * cell) <= slack * (1.5 if cells == 3 else 1)
        for length, cells in zip(lengths, (1, 1, 3, 1, 1), strict=True)
    )


def _decode(picture: _Picture, finder: _Finder) -> Mark | None:
    for stretch, rotation in itertools.product(_STRETCHES, _TURNS):
        bits = _bits(picture, finder, stretch, rotation)
        told, crc = bits >> 24, bits & 0xFFFFFF
        if _crc24(told.to_bytes(4, "big")) == crc:
            return Mark(told >> 15, told >> 1 & 0x3FFF, "back" if told & 1 else "front", rotation)
    return None


def _bits(picture: _Picture, finder: _Finder, stretch: float, rotation: Rotation) -> int:
    right_x, down_x, right_y, down_y = _TURNS[rotation]
    bits = 0
    for row, column in itertools.product(range(_DATA_EDGE), repeat=2):
        right, down = column + _DATA_FROM_CENTRE, row - _DATA_EDGE // 2
        x = finder.x + (right * right_x + down * down_x) * finder.cell_x * stretch
        y = finder.y + (right * right_y + down * down_y) * finder.cell_y * stretch
        bits = bits << 1 | picture.is_black(x, y)
    return bits


def _crc24(octets: bytes) -> int:
    """RFC 4880, 6.1."""
    crc = 0xB704CE
    for octet in octets:
        crc ^= octet << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc
