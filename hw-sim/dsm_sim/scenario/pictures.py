"""Whether an image is what the process asks for, and shows what was on the paper."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from PIL import Image, ImageOps

from dsm_sim.image_files import PageFacts
from dsm_sim.page_images import eight_bit
from dsm_sim.paper import PrintedSheet
from dsm_sim.scanner import ScannerEvent
from dsm_sim.scenario.likeness import difference
from dsm_sim.scenario.player import Performance
from dsm_sim.scenario.view import MARK_MM, SizeMm, View

#: A side of a sheet: load, sheet, side.
Side = tuple[int, int, str]

_SIZE_TOLERANCE: Final = 0.01
#: How exactly the edges of a sheet are found.
_EDGE_TOLERANCE_MM: Final = 2.5
_MM_PER_INCH: Final = 25.4
#: Elements of the ticket that change nothing in size and colour.
_HARMLESS: Final = frozenset({"CompressionQualityFactor", "Format", "ImagesToTransfer", "InputSource"})
#: Samples and bits of a sample.
_DEPTHS: Final = {
    "BlackAndWhite1": (1, 1),
    "Grayscale4": (1, 4),
    "Grayscale8": (1, 8),
    "Grayscale16": (1, 16),
    "RGB24": (3, 8),
    "RGB48": (3, 16),
}
_DOTTED: Final = frozenset({"Photo", "Halftone"})
_NEGATIVES: Final = frozenset({"ColorNegativeFilm", "BlackandWhiteNegativeFilm"})


class Originals:
    """The paper of a performance, and how it was to be seen."""

    def __init__(self, performance: Performance) -> None:
        self._printed = performance.printed
        self._process = performance.scenario.process
        self._model = performance.scenario.scanner
        self._has_size_px = performance.scenario.expect.size_px is not None
        self._is_straightened = bool(performance.scenario.device.get("scanner", {}).get("deskew"))
        self._glass = set(_loads_on_glass(performance.scanner_log))
        arguments = [step.step.arguments for step in performance.steps]
        self._is_known = _changed_elements(arguments) <= _HARMLESS

    def is_marked(self, side: Side) -> bool:
        """Whether its mark is printed, and in the area that is scanned."""
        sheet = self._printed.get(side[:2])
        if sheet is None or not sheet.is_marked:
            return False
        offset_mm, area_mm = self._area_mm(sheet, side)
        ends = [
            min(o + a, s) for o, a, s in zip(offset_mm, area_mm, (sheet.width_mm, sheet.height_mm), strict=True)
        ]
        return all(o <= m for o, m in zip(offset_mm, MARK_MM[:2], strict=True)) and all(
            e >= m for e, m in zip(ends, MARK_MM[2:], strict=True)
        )

    def as_on_paper(self, image: Image.Image) -> Image.Image:
        """An image of eight bits a sample; one of a negative is developed, which is undone here."""
        return ImageOps.invert(image) if self._process.film_scan_mode in _NEGATIVES else image

    def header_problems(self, facts: PageFacts, side: Side) -> Iterator[str]:
        """What the headers say otherwise than the process; what they do not say is no problem.

        Nor is the resolution of an image that is scaled, of which the ticket says nothing.
        """
        if not self._is_known:
            return
        asked = self._process.side(side[2])
        channels, bits = _DEPTHS[asked.color]
        if facts.bits and (facts.channels, facts.bits) != (channels, bits):
            yield f"has {facts.channels} times {facts.bits} bits, but the process asks for {asked.color}"
        dpi = (asked.dpi, asked.dpi_y)[:: -1 if self._process.rotation in {90, 270} else 1]
        found = (facts.x_dpi, facts.y_dpi)
        if (
            all(found)
            and not self._process.scaling
            and any(abs(a - b) > 1 for a, b in zip(found, dpi, strict=True))
        ):
            yield f"says {found[0]:g} x {found[1]:g} dpi instead of {dpi[0]} x {dpi[1]}"

    def problem(self, picture: Image.Image, side: Side, rotation: int | None) -> str:
        """What is wrong with an image of ``side`` whose mark is turned clockwise by so many degrees.

        "" if nothing is; ``rotation`` is None where there is no mark. Where a step changed the ticket's sizes or
        colours, nothing is known of them. Raises OSError for what cannot be decoded.
        """
        sheet = self._printed.get(side[:2])
        if sheet is None or not self._is_known:
            return ""
        view = self._view(sheet, side)
        turned = (self._process.rotation + 180 * view.is_turned) if rotation is None else rotation
        image = self.as_on_paper(eight_bit(picture)).rotate(turned - 180 * view.is_turned, expand=True)
        wanted_px = view.size_px
        if not self._is_about(image.size, view):
            # The scenario says otherwise, and of what, it does not say.
            return "" if self._has_size_px else f"has {image.size} instead of {wanted_px} pixels"
        return difference(image, view)

    def _is_about(self, size: tuple[int, int], view: View) -> bool:
        edges_mm = _EDGE_TOLERANCE_MM if self._process.size_auto_detect else 0
        return all(
            abs(found - wanted) <= max(1, _SIZE_TOLERANCE * wanted, edges_mm / _MM_PER_INCH * dpi)
            for found, wanted, dpi in zip(size, view.size_px, view.dpi, strict=True)
        )

    # ------------------------------------------------------------------------------------------- view

    def _area_mm(self, sheet: PrintedSheet, side: Side) -> tuple[SizeMm, SizeMm]:
        """Where the area begins on the sheet, and how large it is."""
        process, quirks = self._process, self._model.quirks
        region = process.side(side[2]).region
        if region:
            return (region.x_mm, region.y_mm), (region.width_mm, region.height_mm)
        if process.size_auto_detect:
            return (0, 0), (sheet.width_mm, sheet.height_mm)
        height_mm = process.height_mm
        if quirks.unknown_length and side[0] not in self._glass:
            height_mm = min(height_mm, sheet.height_mm + quirks.grey_tail_mm)
        return (0, 0), (process.width_mm, height_mm)

    def _view(self, fed: PrintedSheet, side: Side) -> View:
        process = self._process
        sheet = fed.straight if self._is_straightened and fed.straight else fed
        asked = process.side(side[2])
        offset_mm, area_mm = self._area_mm(sheet, side)
        return View(
            page=sheet.front if side[2] == "front" else sheet.back,
            sheet_mm=(sheet.width_mm, sheet.height_mm),
            offset_mm=offset_mm,
            area_mm=area_mm,
            background=self._model.feeder_background if side[0] not in self._glass else 255,
            is_turned=self._model.quirks.backs_upside_down and side[2] == "back",
            color=asked.color,
            dpi=(asked.dpi, asked.dpi_y),
            scaling=process.scaling or (100, 100),
            is_dotted=process.content_type in _DOTTED,
            exposure=process.exposure,
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
