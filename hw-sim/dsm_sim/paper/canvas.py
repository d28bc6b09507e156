"""A sheet of paper on which things are drawn in mm and points, whatever its resolution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from .sizes import size_px

Rgb = tuple[int, int, int]
#: A place in mm from the top-left corner.
Point = tuple[float, float]

BLACK: Final[Rgb] = (26, 26, 30)
GRAY: Final[Rgb] = (112, 114, 120)
WHITE: Final[Rgb] = (255, 255, 255)
BALLPOINT: Final[Rgb] = (34, 56, 142)
#: The scanner prints its mark at the top of a sheet: nothing is drawn there.
CALM_TOP_MM: Final = 18.0
MM_PER_POINT: Final = 25.4 / 72
_LINE_HEIGHT: Final = 1.42
#: Strokes of a pen are drawn this much larger and reduced, for smooth edges.
_PEN_SCALE: Final = 3


class Canvas:
    """One side of a sheet in RGB. Places and widths are in mm, sizes of type in points."""

    def __init__(self, size_mm: tuple[float, float], dpi: int, paper: Rgb = WHITE) -> None:
        """Raises ``ValueError`` for a picture beyond reason, see :func:`.sizes.size_px`."""
        self.width_mm, self.height_mm = size_mm
        self._dpi = dpi
        self.image = Image.new("RGB", size_px(size_mm, dpi), paper)
        self._draw = ImageDraw.Draw(self.image)

    @property
    def margin_mm(self) -> float:
        """Left and right: 22 mm on a letter, less on small sheets."""
        return min(22.0, self.width_mm * 0.105)

    @property
    def bottom_mm(self) -> float:
        """Where content ends. A tall sheet that is fed upside down is calm at its new top, too."""
        return self.height_mm - (CALM_TOP_MM if self.height_mm >= 140 else 5.0)

    @property
    def text_width_mm(self) -> float:
        return self.width_mm - 2 * self.margin_mm

    def px(self, length_mm: float) -> int:
        return round(length_mm * self._dpi / 25.4)

    def text(
        self, place: Point, words: str, points: float, ink: Rgb = BLACK, *, bold: bool = False, anchor: str = "la"
    ) -> None:
        """``anchor`` as in Pillow: first l, m or r, then a (ascender), m (middle) or s (baseline)."""
        font = self._font(points)
        x, y = self.px(place[0]), self.px(place[1])
        # The font has one weight; drawn again beside itself it looks bold.
        for offset in range(2 + int(font.size) // 40 if bold else 1):
            self._draw.text((x + offset, y), words, ink, font, anchor)

    def words_width_mm(self, words: str, points: float) -> float:
        return self._font(points).getlength(words) * 25.4 / self._dpi

    def paragraph(self, place: Point, width_mm: float, words: str, points: float, ink: Rgb = BLACK) -> float:
        """Set flush left within ``width_mm``, cut where the sheet ends; returns where the next line goes (mm)."""
        x, y = place
        for line in self._wrapped(words, width_mm, points):
            if y + points * MM_PER_POINT > self.bottom_mm:
                break
            self.text((x, y), line, points, ink)
            y += line_mm(points)
        return y

    def line(self, start: Point, end: Point, width_mm: float = 0.2, ink: Rgb = BLACK) -> None:
        self._draw.line((*self._px(start), *self._px(end)), ink, max(1, self.px(width_mm)))

    def box(self, place: Point, size: Point, outline: Rgb | None, fill: Rgb | None = None) -> None:
        (left, top), (right, bottom) = self._px(place), self._px((place[0] + size[0], place[1] + size[1]))
        corners = (left, top, max(left, right), max(top, bottom))
        self._draw.rectangle(corners, fill, outline, max(1, self.px(0.25)))

    def ellipse(self, center: Point, radius_mm: float, fill: Rgb) -> None:
        (x, y), radius = center, radius_mm
        self._draw.ellipse((*self._px((x - radius, y - radius)), *self._px((x + radius, y + radius))), fill)

    def polygon(self, corners: Sequence[Point], fill: Rgb) -> None:
        self._draw.polygon([self._px(corner) for corner in corners], fill)

    def pen(self, strokes: Sequence[Sequence[Point]], width_mm: float, ink: Rgb) -> None:
        """Smooth strokes of a pen, each a line through its places."""
        left, top, size = self._patch(strokes, margin_mm=width_mm)
        scale = self._dpi / 25.4 * _PEN_SCALE
        mask = Image.new("L", (size[0] * _PEN_SCALE, size[1] * _PEN_SCALE))
        draw = ImageDraw.Draw(mask)
        thick = max(_PEN_SCALE, round(width_mm * scale))
        for stroke in strokes:
            places = [(x * scale - left * _PEN_SCALE, y * scale - top * _PEN_SCALE) for x, y in stroke]
            draw.line(places, 255, thick, joint="curve" if thick > 6 else None)
        self.image.paste(ink, (left, top, left + size[0], top + size[1]), mask.reduce(_PEN_SCALE))

    def repaint(self, image: Image.Image) -> None:
        """Puts ``image``, of the same size, in the place of all that was drawn."""
        self.image = image
        self._draw = ImageDraw.Draw(image)

    def _patch(self, strokes: Sequence[Sequence[Point]], margin_mm: float) -> tuple[int, int, tuple[int, int]]:
        xs, ys = ([place[axis] for stroke in strokes for place in stroke] for axis in (0, 1))
        left, top = self.px(min(xs) - margin_mm) - 1, self.px(min(ys) - margin_mm) - 1
        right, bottom = self.px(max(xs) + margin_mm) + 2, self.px(max(ys) + margin_mm) + 2
        return left, top, (right - left, bottom - top)

    def _px(self, place: Point) -> tuple[int, int]:
        return self.px(place[0]), self.px(place[1])

    def _font(self, points: float) -> ImageFont.FreeTypeFont:
        return _font_of(max(1, round(points * self._dpi / 72)))

    def _wrapped(self, words: str, width_mm: float, points: float) -> list[str]:
        lines: list[str] = []
        for word in words.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.words_width_mm(longer, points) <= width_mm:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines


def line_mm(points: float) -> float:
    """From one line of type to the next."""
    return points * MM_PER_POINT * _LINE_HEIGHT


@lru_cache(maxsize=32)
def _font_of(size_px: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size_px)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("this Pillow was built without FreeType, which draws the text of simulated pages")
    return font
