"""Whether an image shows what was on the paper.

The side as it was printed and the image as it was delivered are both reduced to a thumbnail, each cell of which is
the mean of some millimetres of paper. Compression, another resolution or a row more do little to a mean; what is
missing, moved or of another colour does much.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops

from dsm_sim.scanner import ScannerEvent, Sheet
from dsm_sim.scenario.player import Performance

#: A side of a sheet: load, sheet, side.
Side = tuple[int, int, str]
_SizeMm = tuple[float, float]

_CELL_MM: Final = 6.6
#: By how much a cell may differ, of 255, in Y (in black and white a pixel more or less makes much), Cb and Cr.
#: Measured on all scenarios, and on each kind of paper at 75 dpi in colour, gray, and black and white: sound pages
#: differ by up to 5 in lightness (in black and white 26) and 4 in colour. Pages with a white lower 7/8 differ by
#: 49 or more (faint pencil by 21, black and white by 53), cut to a third by about 150, with red for blue or
#: gray for colour by 10 or more. Of a side with nothing on it, or with hardly any colour, nothing can be missed.
_LIGHTNESS, _BILEVEL_LIGHTNESS, _COLOUR = 17, 38, 7
_SIZE_TOLERANCE: Final = 0.01
_MM_PER_INCH: Final = 25.4
#: Enough for means; what is black and white is so pixel by pixel, at its own resolution.
_ENOUGH_DPI: Final = 100
#: The mark with a little around it, from the upper left corner of the sheet.
_MARK_MM: Final = (3, 3, 39, 23)
_GRAY: Final = 128
#: Elements of the ticket that change nothing in size and colour.
_HARMLESS: Final = frozenset({"CompressionQualityFactor", "Format", "ImagesToTransfer", "InputSource"})


@dataclass(frozen=True)
class _View:
    """A side as the scanner sees it: ``area_mm`` from the sheet's corner on, with ``background`` beside the sheet.

    ``page``: None for a side with nothing on it · ``is_turned``: by 180 degrees · ``color``: as in the ticket.
    """

    page: Path | None
    sheet_mm: _SizeMm
    area_mm: _SizeMm
    background: int
    is_turned: bool
    color: str
    dpi: int


class Originals:
    """The paper of a performance, and how the scanner was to see it."""

    def __init__(self, performance: Performance) -> None:
        self._printed = performance.printed
        self._process = performance.scenario.process
        self._model = performance.scenario.scanner
        self._has_size_px = performance.scenario.expect.size_px is not None
        self._glass = set(_loads_on_glass(performance.scanner_log))
        arguments = [step.step.arguments for step in performance.steps]
        self._is_known = _changed_elements(arguments) <= _HARMLESS

    def is_marked(self, side: Side) -> bool:
        """Whether its mark is printed, and in the area that is scanned."""
        sheet = self._printed.get(side[:2])
        if sheet is None or not sheet.is_marked:
            return False
        width_mm = min(sheet.width_mm, self._process.width_mm)
        height_mm = min(sheet.height_mm, self._process.height_mm)
        return width_mm >= _MARK_MM[2] and height_mm >= _MARK_MM[3]

    def problem(self, path: Path, side: Side, rotation: int) -> str:
        """What is wrong with an image of ``side`` that is turned clockwise by so many degrees; "" if nothing is.

        Where a step changed the ticket's sizes or colours, nothing is known of them. Raises OSError for a file
        that is no image.
        """
        sheet = self._printed.get(side[:2])
        if sheet is None or not self._is_known:
            return ""
        view = self._view(sheet, side)
        with Image.open(path) as file:
            image = file.rotate(rotation - 180 * view.is_turned, expand=True)
        wanted_px = _size_px(view.area_mm, self._process.dpi)
        if not _is_about(image.size, wanted_px):
            # The scenario says otherwise, and of what, it does not say.
            return "" if self._has_size_px else f"has {image.size} instead of {wanted_px} pixels"
        return _difference(image, view)

    def _view(self, sheet: Sheet, side: Side) -> _View:
        process, model, quirks = self._process, self._model, self._model.quirks
        is_fed = side[0] not in self._glass
        height_mm = process.height_mm
        if quirks.unknown_length and is_fed:
            height_mm = min(height_mm, sheet.height_mm + quirks.grey_tail_mm)
        return _View(
            page=sheet.front if side[2] == "front" else sheet.back,
            sheet_mm=(sheet.width_mm, sheet.height_mm),
            area_mm=(process.width_mm, height_mm),
            background=model.feeder_background if is_fed else 255,
            is_turned=quirks.backs_upside_down and side[2] == "back",
            color=process.color,
            dpi=process.dpi,
        )


def _loads_on_glass(log: Iterable[ScannerEvent]) -> Iterator[int]:
    source = ""
    for event in log:
        source = event.source or source
        if event.event == "image-begin" and not source.startswith("ADF"):
            yield event.load


def _changed_elements(commands: Iterable[tuple[str, ...]]) -> set[str]:
    """What ``--set`` names in them."""
    return {
        value.partition("=")[0]
        for command in commands
        for option, value in itertools.pairwise(command)
        if option == "--set"
    }


def _size_px(size_mm: _SizeMm, dpi: int) -> tuple[int, int]:
    return round(size_mm[0] / _MM_PER_INCH * dpi), round(size_mm[1] / _MM_PER_INCH * dpi)


def _is_about(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    return all(
        abs(one - other) <= max(1, _SIZE_TOLERANCE * other) for one, other in zip(size, wanted, strict=True)
    )


# ----------------------------------------------------------------------------------------- thumbnails


def _difference(image: Image.Image, view: _View) -> str:
    """How an image differs from ``view``, which it is to show the same way up."""
    is_colored = len(image.getbands()) >= len("RGB")
    if is_colored != _is_colored(view):
        return f"is {'in colour' if is_colored else 'gray'}, but the process asks for {view.color}"
    bands = ImageChops.difference(_expected(view), _thumbnail(image, view)).split()
    lightness = _BILEVEL_LIGHTNESS if _is_bilevel(view) else _LIGHTNESS
    for band, what, limit in zip(bands, ("lightness", "blue", "red"), (lightness, _COLOUR, _COLOUR), strict=False):
        worst = max(band.tobytes())
        if worst > limit:
            return (
                f"does not show what was on the paper: {_place(band, worst)} its {what} differs by {worst} of 255"
            )
    return ""


def _is_colored(view: _View) -> bool:
    return view.color.startswith("RGB")


def _is_bilevel(view: _View) -> bool:
    return view.color == "BlackAndWhite1"


def _place(band: Image.Image, level: int) -> str:
    """Where the first cell of that level is."""
    down, across = divmod(band.tobytes().index(level), band.width)
    return f"{(across + 0.5) / band.width:.0%} across and {(down + 0.5) / band.height:.0%} down"


def _thumbnail(image: Image.Image, view: _View) -> Image.Image:
    """Without the mark, which is not in the printed file: there it is gray, here and there."""
    whole = image.convert("RGB" if _is_colored(view) else "L")
    across, down = whole.width / view.area_mm[0], whole.height / view.area_mm[1]
    left, upper, right, lower = _mark_mm(view)
    box = (round(left * across), round(upper * down), round(right * across), round(lower * down))
    whole.paste("gray", box)
    cells = [max(1, round(length_mm / _CELL_MM)) for length_mm in view.area_mm]
    small = whole.resize((cells[0], cells[1]), Image.Resampling.BOX)
    return small.convert("YCbCr") if _is_colored(view) else small


def _mark_mm(view: _View) -> tuple[float, float, float, float]:
    left, upper, right, lower = _MARK_MM
    if not view.is_turned:
        return left, upper, right, lower
    width, height = view.sheet_mm
    return width - right, height - lower, width - left, height - upper


@functools.lru_cache(maxsize=128)
def _expected(view: _View) -> Image.Image:
    mode = "RGB" if _is_colored(view) else "L"
    dpi = view.dpi if _is_bilevel(view) else _ENOUGH_DPI
    seen = Image.new(
        mode, _size_px(view.area_mm, dpi), f"rgb({view.background},{view.background},{view.background})"
    )
    seen.paste(_paper(view, mode, _size_px(view.sheet_mm, dpi)))
    if _is_bilevel(view):
        seen = seen.point(lambda level: 255 if level >= _GRAY else 0)
    return _thumbnail(seen, view)


def _paper(view: _View, mode: str, size: tuple[int, int]) -> Image.Image:
    if view.page is None:
        return Image.new(mode, size, "white")
    with Image.open(view.page) as page:
        shrinks = page.width > size[0]
        sheet = page.convert(mode).resize(size, Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR)
    return sheet.transpose(Image.Transpose.ROTATE_180) if view.is_turned else sheet
