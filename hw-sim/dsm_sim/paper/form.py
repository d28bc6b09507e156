"""The kind `form`: printed boxes and lines, filled in by hand with a ballpoint pen."""

from __future__ import annotations

from random import Random
from typing import Final

from . import phrases
from .canvas import BALLPOINT, CALM_TOP_MM, GRAY, Canvas, Rgb, line_mm
from .handwriting import check_mark, figure, signature, written

_FRAME: Final[Rgb] = (70, 74, 84)
_HEAD: Final[Rgb] = (222, 230, 236)
_SECTION_MM: Final = 8.0
_FIELD_MM: Final = 12.5
_CHOICES: Final = (
    "First application", "Renewal", "Change of address", "Copy for the archive", "By post", "In person",
)  # fmt: skip
_COLUMNS: Final = ("Item", "From", "Until", "Remarks")


class _Form:
    """Fills a canvas from the top, each part only if it fits."""

    def __init__(self, canvas: Canvas, rng: Random) -> None:
        self.canvas, self.rng = canvas, rng
        self.left, self.width = canvas.margin_mm * 0.8, canvas.width_mm - canvas.margin_mm * 1.6
        self.y = CALM_TOP_MM + 2

    def fits(self, height_mm: float) -> bool:
        return self.y + height_mm <= self.canvas.bottom_mm

    def title(self) -> None:
        self.canvas.text((self.left, self.y), "Application form", 15 if self.width > 100 else 10, bold=True)
        self.canvas.text((self.left + self.width, self.y), f"F-{self.rng.randint(100, 999)}", 8, GRAY, anchor="ra")
        self.y += 9

    def section(self, name: str) -> None:
        self.canvas.box((self.left, self.y), (self.width, _SECTION_MM - 2), None, _HEAD)
        self.canvas.text((self.left + 2, self.y + _SECTION_MM / 2 - 1), name, 8.5, bold=True, anchor="lm")
        self.y += _SECTION_MM

    def fields(self, *filled: tuple[str, str]) -> None:
        """A row of boxes side by side, each with its label and what somebody wrote into it."""
        width = self.width / len(filled)
        for index, (label, words) in enumerate(filled):
            left = self.left + index * width
            self.canvas.box((left, self.y), (width, _FIELD_MM), _FRAME)
            self.canvas.text((left + 1.2, self.y + 1), label, 6, GRAY)
            self.write(words, left + 3, width - 4)
        self.y += _FIELD_MM

    def write(self, words: str, left_mm: float, width_mm: float) -> None:
        # A small letter and the gap after it are about one and a half x-heights wide.
        fitting = words[: int(width_mm / 1.9)]
        place = (left_mm, self.y + _FIELD_MM - self.rng.uniform(2.6, 3.6))
        self.canvas.pen(list(written(fitting, place, 2.0, self.rng)), 0.38, BALLPOINT)

    def figures(self, label: str, count: int) -> None:
        """One box for each figure."""
        cell = min(7.0, self.width / (count + 1))
        self.canvas.text((self.left, self.y + 1), label, 6, GRAY)
        top = self.y + 4
        for index in range(count):
            left = self.left + index * cell
            self.canvas.box((left, top), (cell, 8), _FRAME)
            stroke = figure(self.rng.choice("0123456789"), (left + cell * 0.25, top + 6.6), 2.9, self.rng)
            self.canvas.pen([stroke], 0.4, BALLPOINT)
        self.y += 15

    def choices(self) -> None:
        """Two columns of small boxes, some of them ticked."""
        columns = 2 if self.width > 90 else 1
        for index, label in enumerate(_CHOICES):
            x = self.left + index % columns * self.width / columns
            y = self.y + index // columns * 6.5
            self.canvas.box((x, y), (3.6, 3.6), _FRAME)
            self.canvas.text((x + 6, y + 1.8), label, 8.5, anchor="lm")
            if self.rng.random() < 0.4:
                self.canvas.pen([check_mark((x, y), 3.8, self.rng)], 0.5, BALLPOINT)
        self.y += -(-len(_CHOICES) // columns) * 6.5 + 2

    def table(self, rows: int) -> None:
        edges = [self.left + self.width * share for share in (0, 0.34, 0.52, 0.7, 1)]
        for name, x in zip(_COLUMNS, edges, strict=False):
            self.canvas.text((x + 1.5, self.y + 4), name, 8, bold=True, anchor="lm")
        for row in range(rows + 2):
            y = self.y + row * _SECTION_MM
            self.canvas.line((self.left, y), (self.left + self.width, y), 0.2, _FRAME)
        for x in edges:
            self.canvas.line((x, self.y), (x, self.y + (rows + 1) * _SECTION_MM), 0.2, _FRAME)
        for row in range(self.rng.randint(min(2, rows), min(9, rows))):
            self.table_row(self.y + (row + 2) * _SECTION_MM - 2.4, edges)
        self.y += (rows + 1) * _SECTION_MM + 4

    def table_row(self, baseline_mm: float, edges: list[float]) -> None:
        word = self.rng.choice(phrases.NOTES).split()[-1].lower()
        dates = (f"{self.rng.randint(1, 28)}.{self.rng.randint(1, 12)}." for _ in range(2))
        for words, x in zip((word, *dates), edges, strict=False):
            self.canvas.pen(list(written(words, (x + 2.5, baseline_mm), 1.8, self.rng)), 0.36, BALLPOINT)

    def sign(self) -> None:
        self.canvas.pen(signature((self.left + 4, self.y + 13), min(48, self.width / 2), self.rng), 0.4, BALLPOINT)
        self.canvas.line((self.left, self.y + 17), (self.left + self.width * 0.48, self.y + 17), 0.2, _FRAME)
        self.canvas.text((self.left, self.y + 18), "Date, signature", 6, GRAY)
        self.y += 18 + line_mm(6)


def form_page(canvas: Canvas, rng: Random) -> None:
    form = _Form(canvas, rng)
    applicant = phrases.person(rng)
    form.title()
    if form.fits(_SECTION_MM + _FIELD_MM):
        form.section("1  Applicant")
        form.fields(("Name", applicant.name))
    if form.fits(_FIELD_MM + 2):
        form.fields(("Street", applicant.street), ("Town", applicant.town))
        form.y += 2
    if form.fits(15):
        form.figures("Reference number", 10)
    if form.fits(50):
        form.section("2  Kind of application")
        form.choices()
    _rest(form)


def _rest(form: _Form) -> None:
    """A table as long as the sheet allows, and the signature beneath it."""
    sign_mm = 22.0
    rows = int(min(40, (form.canvas.bottom_mm - form.y - sign_mm - 2 * _SECTION_MM - 6) / _SECTION_MM))
    if rows >= 1:
        form.section("3  Particulars")
        form.table(rows)
    if form.fits(sign_mm):
        form.sign()
