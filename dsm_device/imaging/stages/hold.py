"""Where a page waits for its end: to be turned, straightened, cropped to its sheet, or exposed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol

from PIL import Image

from dsm_device.imaging.edges import sheet
from dsm_device.imaging.held_page import HeldPage
from dsm_device.imaging.levels import levels
from dsm_device.imaging.overview import Overview
from dsm_device.imaging.raster import Raster
from dsm_device.imaging.skew import Straightened, skew_degrees
from dsm_device.imaging.stages.exposure import applied
from dsm_device.imaging.treatment import Box, Treatment

_TRANSPOSED: Final = {
    90: Image.Transpose.ROTATE_270,  # Pillow turns counterclockwise
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


class _Windows(Protocol):
    """A page from which any rectangle can be taken."""

    def window(self, left: int, top: int, right: int, bottom: int) -> Raster: ...


@dataclass(frozen=True, slots=True)
class _Turned:
    """A box of a page, read line by line in the order in which it stands after a clockwise turn."""

    page: _Windows
    box: Box
    rotation: int
    step_px: int

    def lines(self) -> Iterator[Raster]:
        first, end = self._span
        ascending = self.rotation in (0, 90)
        # Portions end where tiles do, so that no tile is read twice.
        cuts = [first, *range(first // self.step_px * self.step_px + self.step_px, end, self.step_px), end]
        portions = list(pairwise(cuts))
        for low, high in portions if ascending else reversed(portions):
            lines = self._portion(low, high)
            if self.rotation:
                lines = lines.map(lambda plane: plane.transpose(_TRANSPOSED[self.rotation]))
            yield lines

    @property
    def _span(self) -> tuple[int, int]:
        """The rows of the page, or its columns where they become lines."""
        box = self.box
        if self.rotation in (90, 270):
            return box.x_px, box.x_px + box.width_px
        return box.y_px, box.y_px + box.height_px

    def _portion(self, low: int, high: int) -> Raster:
        box = self.box
        if self.rotation in (90, 270):
            return self.page.window(low, box.y_px, high, box.y_px + box.height_px)
        return self.page.window(box.x_px, low, box.x_px + box.width_px, high)


class Hold:
    """Holds the page in a scratch file in ``folder`` and gives its lines in their final order.

    ``treatment`` says what is done: auto_exposure, deskew, find_edges and rotation. The resolutions are those of
    the lines that come.
    """

    def __init__(self, folder: Path, treatment: Treatment, x_dpi: int, y_dpi: int) -> None:
        self._page = HeldPage(folder)
        self._treatment = treatment
        self._aspect = x_dpi / y_dpi
        judged = treatment.auto_exposure or treatment.deskew or treatment.find_edges
        self._overview = Overview(x_dpi, y_dpi) if judged else None

    def push(self, lines: Raster) -> Iterable[Raster]:
        self._page.push(lines)
        if self._overview:
            self._overview.push(lines)
        return ()

    def finish(self) -> Iterable[Raster]:
        self._page.end()
        if self._overview:
            self._overview.end()
        lines = self._placed().lines()
        if self._overview and self._treatment.auto_exposure:
            found = levels(self._overview.histograms)
            lines = (applied(each, *found) for each in lines)
        yield from lines
        self.close()

    def close(self) -> None:
        self._page.close()

    def _placed(self) -> _Turned:
        page: HeldPage | Straightened = self._page
        step, degrees = self._page.tile_px, 0.0
        box = Box(0, 0, self._page.width_px, self._page.height_px)
        if self._overview and self._treatment.deskew:
            degrees = skew_degrees(self._overview)
        if self._overview and self._treatment.find_edges:
            box = _within(sheet(self._overview, degrees) or box, box)
        if degrees:
            page = Straightened(self._page, degrees, self._aspect)
        return _Turned(page, box, self._treatment.rotation, step)


def _within(box: Box, page: Box) -> Box:
    """The overview's last pixels may stand for fewer than the others."""
    width = min(box.width_px, page.width_px - box.x_px)
    return Box(box.x_px, box.y_px, width, min(box.height_px, page.height_px - box.y_px))
