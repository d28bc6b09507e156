"""Whether anything is on a page. In doubt there is: a page that is wrongly dropped is lost.

Blank is a light sheet of even brightness without colour, on which there are no marks but small ones (dust, fibres)
and the holes of a punch near its edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops, ImageFilter

from dsm_device.imaging.overview import Overview

#: Darker paper may be coloured paper, which is a page of its own; so is paper with this much tint.
_LIGHT: Final = 234
_TINT: Final = 16
#: By how much paper's brightness may differ between any two places of 20 mm.
_UNEVEN: Final = 24
_PLACE_MM: Final = 20.0
#: A mark is darker by this than its surroundings within 5 mm: above the grain, below pencil that is almost gone.
_MARK: Final = 11
_SURROUNDINGS_MM: Final = 5.0
#: Marks are looked at in squares of 1 mm; one counts from this mean of its pixels' darkness, as a stroke of faint
#: pencil leaves it and a single grain does not.
_SQUARE_MM: Final = 1.0
_SQUARE_DARKNESS: Final = 1.5
#: Means are rounded to whole levels, so darkness is multiplied first.
_GAIN: Final = 8
#: Marks with fewer squares between them than this belong together, as the letters of a word do.
_NEAR: Final = (-2, -1, 0, 1, 2)
#: What is longer is no dust, nor what has more ink on it, in mm² of black: a page number has. A hole (ISO 838:
#: 6 mm) with the shadow in it is about as high as it is wide, also when there is dust beside it, and near an edge.
_DUST_MM: Final = 4.0
_DUST_MM2: Final = 1.6
_HOLE_MM: Final = (5.0, 10.0)
_HOLE_RATIO: Final = 1.6
_HOLE_INSET_MM: Final = 20.0
#: The scanner's edge, where the sheet casts a shadow.
_EDGE_MM: Final = 3.0
#: So many marked squares are more than dust and four holes.
_MOST_SQUARES: Final = 500
_MOST_MARKS: Final = 100

_MM_PER_INCH: Final = 25.4


@dataclass(frozen=True, slots=True)
class _Mark:
    """The rectangle around marked squares that belong together, in squares, and how much of it is dark."""

    left: int
    top: int
    right: int
    bottom: int
    ink_mm2: float

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


def is_blank(overview: Overview) -> bool:
    """True if nothing is on the page; faint writing is something."""
    gray = overview.gray
    if _is_tinted(overview.histograms) or not _is_even_and_light(gray, overview):
        return False
    squares = _squares(gray, overview)
    marked = _places(squares)
    if len(marked) > _MOST_SQUARES:
        return False
    marks = _joined(marked)
    return len(marks) <= _MOST_MARKS and all(_is_dust(mark) or _is_hole(mark, squares.size) for mark in marks)


def _is_tinted(histograms: list[list[int]]) -> bool:
    medians = [_median(counts) for counts in histograms]
    return max(medians) - min(medians) > _TINT


def _median(counts: list[int]) -> int:
    left = sum(counts) / 2
    for level, count in enumerate(counts):
        left -= count
        if left <= 0:
            return level
    return 255


def _is_even_and_light(gray: Image.Image, overview: Overview) -> bool:
    """By the means of places as large as a few words; the sheet's edge is left out."""
    places = _reduced(_without_edge(gray, overview), overview, _PLACE_MM)
    means = [level for level, count in enumerate(places.histogram()) if count]
    return _median(gray.histogram()) >= _LIGHT and means[-1] - means[0] <= _UNEVEN


def _squares(gray: Image.Image, overview: Overview) -> Image.Image:
    """One pixel a square of the sheet: how much of it is dark, 0 to 255."""
    inner = _without_edge(gray, overview)
    radii = tuple(_px(_SURROUNDINGS_MM, dpi) for dpi in overview.dpi)
    surroundings = inner.filter(ImageFilter.BoxBlur(radii))
    darkness = ImageChops.subtract(surroundings, inner)
    amplified = darkness.point([min(255, _GAIN * level) if level >= _MARK else 0 for level in range(256)])
    return _reduced(amplified, overview, _SQUARE_MM)


def _places(squares: Image.Image) -> dict[tuple[int, int], int]:
    """The marked squares by column and row, but no more than tell that the page is not blank."""
    found: dict[tuple[int, int], int] = {}
    levels = squares.tobytes()
    marked = squares.point([255 * (level >= _GAIN * _SQUARE_DARKNESS) for level in range(256)]).tobytes()
    at = marked.find(255)
    while at >= 0 and len(found) <= _MOST_SQUARES:
        found[at % squares.width, at // squares.width] = levels[at]
        at = marked.find(255, at + 1)
    return found


def _joined(squares: dict[tuple[int, int], int]) -> list[_Mark]:
    """Squares close to each other as one mark."""
    left, marks = set(squares), []
    while left:
        mark, edge = set[tuple[int, int]](), [left.pop()]
        while edge:
            x, y = edge.pop()
            mark.add((x, y))
            near = {(x + dx, y + dy) for dx in _NEAR for dy in _NEAR} & left
            left -= near
            edge.extend(near)
        xs, ys = [x for x, _ in mark], [y for _, y in mark]
        ink_mm2 = sum(squares[place] for place in mark) / 255 * _SQUARE_MM**2
        marks.append(_Mark(min(xs), min(ys), max(xs) + 1, max(ys) + 1, ink_mm2))
    return marks


def _is_dust(mark: _Mark) -> bool:
    return max(mark.width, mark.height) * _SQUARE_MM <= _DUST_MM and mark.ink_mm2 <= _DUST_MM2


def _is_hole(mark: _Mark, sheet: tuple[int, int]) -> bool:
    shorter, longer = sorted((mark.width * _SQUARE_MM, mark.height * _SQUARE_MM))
    round_enough = _HOLE_MM[0] <= shorter and longer <= min(_HOLE_MM[1], _HOLE_RATIO * shorter)
    inset = min(mark.left, mark.top, sheet[0] - mark.right, sheet[1] - mark.bottom) * _SQUARE_MM + _EDGE_MM
    return round_enough and inset <= _HOLE_INSET_MM


def _without_edge(gray: Image.Image, overview: Overview) -> Image.Image:
    across, down = (
        min(_px(_EDGE_MM, dpi), (side - 1) // 2) for dpi, side in zip(overview.dpi, gray.size, strict=True)
    )
    return gray.crop((across, down, gray.width - across, gray.height - down))


def _reduced(image: Image.Image, overview: Overview, side_mm: float) -> Image.Image:
    across, down = (_px(side_mm, dpi) for dpi in overview.dpi)
    return image.reduce((across, down))


def _px(length_mm: float, dpi: float) -> int:
    return max(1, round(length_mm * dpi / _MM_PER_INCH))
