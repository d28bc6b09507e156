"""A person's hand: joined letters, figures, check marks and a signature, as strokes of a pen.

Each letter is a line through points on a grid: x to the right, y upward from the line of writing, in tenths of the
height of an `x`. Every letter starts and ends near y = 1, so that one runs into the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from random import Random
from types import MappingProxyType
from typing import Final

from .canvas import Point

_LETTERS: Final = MappingProxyType(
    {
        "a": "0,1 6,9 3,10 1,5 3,0 6,5 6,10 6,2 8,0 10,1",
        "b": "0,1 4,13 4,20 2,16 2,3 4,0 7,3 6,8 9,7",
        "c": "0,1 1,7 4,10 6,8 4,10 2,7 2,2 4,0 8,1",
        "d": "0,1 6,9 3,10 1,5 3,0 6,6 7,20 6,3 8,0 10,1",
        "e": "0,1 4,4 6,8 4,10 2,6 3,1 5,0 8,1",
        "f": "0,1 4,13 5,20 3,19 2,4 1,-9 3,-10 3,0 7,1",
        "g": "0,1 6,9 3,10 1,5 3,1 6,6 6,-4 4,-10 2,-7 6,-1 9,1",
        "h": "0,1 4,14 4,20 2,17 2,0 4,7 6,10 7,6 7,1 10,1",
        "i": "0,1 3,10 3,3 4,0 6,1",
        "j": "0,1 4,10 4,-4 2,-10 0,-7 4,-1 7,1",
        "k": "0,1 4,14 4,20 2,17 2,0 3,6 6,9 6,6 3,5 7,0 9,1",
        "l": "0,1 4,13 4,20 2,17 2,3 4,0 6,1",
        "m": "0,1 2,10 2,0 4,8 6,10 6,0 8,8 10,10 11,5 11,1 13,1",
        "n": "0,1 2,10 2,0 4,8 6,10 7,6 7,1 10,1",
        "o": "0,1 5,10 2,8 1,3 4,0 7,4 5,9 9,8",
        "p": "0,1 3,10 2,-10 3,7 6,10 7,4 4,0 9,1",
        "q": "0,1 6,9 3,10 1,5 3,1 6,6 6,-9 8,-6 9,1",
        "r": "0,1 3,10 3,8 6,9 6,3 7,0 9,1",
        "s": "0,1 4,10 5,5 5,1 2,0 7,1",
        "t": "0,1 4,16 3,3 5,0 7,1",
        "u": "0,1 2,10 2,3 4,0 7,4 7,10 7,2 10,1",
        "v": "0,1 2,10 4,0 6,10 9,9",
        "w": "0,1 2,10 3,1 5,0 6,9 7,1 9,1 10,10 12,9",
        "x": "0,1 2,9 3,9 6,1 7,0 9,1",
        "y": "0,1 2,10 3,3 6,4 7,10 6,-5 4,-10 2,-7 7,0 9,1",
        "z": "0,1 2,9 6,10 2,2 5,0 5,-7 3,-9 3,-5 9,1",
    }
)
_FIGURES: Final = MappingProxyType(
    {
        "0": "5,18 1,14 1,4 4,0 8,5 8,14 5,18",
        "1": "2,13 5,18 5,0",
        "2": "1,14 4,18 8,15 6,8 1,0 9,1",
        "3": "1,16 5,18 8,14 4,10 8,6 6,0 1,2",
        "4": "6,18 1,6 9,7 7,7 7,11 6,0",
        "5": "8,18 2,17 2,10 6,11 8,6 5,0 1,2",
        "6": "7,18 2,10 1,4 4,0 8,4 5,9 2,6",
        "7": "1,17 9,18 5,8 4,0",
        "8": "7,15 4,18 2,14 7,5 5,0 1,4 7,13 7,16",
        "9": "8,14 4,18 2,13 5,9 8,14 7,6 5,0",
        ".": "3,0 4,1 3,1",
        ",": "4,1 4,-1 2,-4",
        "-": "1,8 7,8",
    }
)
#: What is added after the word is written: the dot of an i, the bar of a t.
_ADDED: Final = MappingProxyType({"i": "4,14 4,15", "j": "5,14 5,15", "t": "0,13 7,14", "x": "1,0 8,10"})
_SLANT: Final = 0.28
_STEPS: Final = 5


def written(words: str, place: Point, x_height_mm: float, rng: Random) -> Iterator[list[Point]]:
    """Strokes of ``words`` along a line from ``place``. Letters, figures and `.,-` are written."""
    x = place[0]
    for word in words.split():
        strokes, width = _word(word, rng)
        scale = x_height_mm / 10 * rng.uniform(0.94, 1.06)
        lift = rng.uniform(-0.12, 0.12) * x_height_mm
        for stroke in strokes:
            yield [(x + (px + py * _SLANT) * scale, place[1] - lift - py * scale) for px, py in stroke]
        x += (width + rng.uniform(7, 11)) * scale


def figure(character: str, place: Point, x_height_mm: float, rng: Random) -> list[Point]:
    """One figure for a box of a form."""
    scale = x_height_mm / 10 * rng.uniform(0.9, 1.08)
    return [(place[0] + (x + y * 0.1) * scale, place[1] - y * scale) for x, y in _curve(_FIGURES[character])]


def check_mark(place: Point, size_mm: float, rng: Random) -> list[Point]:
    """Drawn by somebody in a hurry: it leaves its box."""
    corners = [(0.1, 0.5), (0.38, 0.92), (0.5, 0.8), (rng.uniform(1.0, 1.35), rng.uniform(-0.45, -0.1))]
    return [(place[0] + x * size_mm, place[1] + y * size_mm) for x, y in _smooth(corners)]


def signature(place: Point, width_mm: float, rng: Random) -> list[list[Point]]:
    """An illegible name with a flourish beneath."""
    scale = width_mm / 60
    peaks: list[Point] = [(0, 1), (3, 9), (6, 18), (5, 4), (4, -3)]
    x = 6.0
    while x < 44:
        peaks += [(x, rng.uniform(4, 8)), (x + rng.uniform(0.5, 1.5), rng.uniform(-2, 1))]
        x += rng.uniform(2.2, 5.5)
    peaks += [(50, 9), (58, 2), (60, 3)]
    flourish: list[Point] = [(8, -5), (30, -3.5), (52, -6), (20, -7.5)]
    return [[(place[0] + x * scale, place[1] - y * scale) for x, y in _smooth(each)] for each in (peaks, flourish)]


def _word(word: str, rng: Random) -> tuple[list[list[Point]], float]:
    joined: list[Point] = []
    strokes = [joined]
    x = 0.0
    for index, character in enumerate(word):
        large = 1.7 if character.isupper() and index == 0 else 1.0
        wide = large * rng.uniform(0.9, 1.12)
        tall = large * rng.uniform(0.92, 1.06)
        shape = _shape(character.lower())
        target = joined if character.isalpha() else []
        target += [(x + px * wide, py * tall) for px, py in shape]
        if target is not joined:
            strokes.append(target)
        if added := _ADDED.get(character):
            strokes.append([(x + px * wide, py * tall) for px, py in _points(added)])
        x += max(px for px, _ in shape) * wide if character.isalpha() else 10.5 * wide
    return [stroke for stroke in strokes if stroke], x


def _shape(character: str) -> Sequence[Point]:
    source = _LETTERS.get(character) or _FIGURES.get(character) or _FIGURES["-"]
    return _curve(source)


def _points(source: str) -> list[Point]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in source.split())]


@lru_cache(maxsize=64)
def _curve(source: str) -> Sequence[Point]:
    return _smooth(_points(source))


def _smooth(points: Sequence[Point]) -> list[Point]:
    """The Catmull-Rom curve through ``points``."""
    padded = [points[0], *points, points[-1]]
    curve = [points[0]]
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        curve += [_between(before, start, end, after, step / _STEPS) for step in range(1, _STEPS + 1)]
    return curve


def _between(before: Point, start: Point, end: Point, after: Point, t: float) -> Point:
    x, y = (
        b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        for a, b, c, d in zip(before, start, end, after, strict=True)
    )
    return x, y
