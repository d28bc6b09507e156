"""Images as documents hold them: each somewhere on a page, all of a page together its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from .facts import ImageError, PageFacts

#: Resolutions of the parts of one page may differ by rounding.
_SAME_DPI: Final = 0.01


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """An image on a page; places and lengths in inches from the page's upper left corner.

    ``coding``: ``file`` is a whole image file, ``g4`` a stream of T.6 code, ``raw`` samples. ``is_black_1``: in
    ``g4`` what the code calls white is shown black.
    """

    coding: Literal["file", "g4", "raw"]
    data: bytes
    width_px: int
    height_px: int
    channels: int
    bits: int
    left_in: float
    top_in: float
    width_in: float
    height_in: float
    is_black_1: bool = False

    @property
    def dpi(self) -> tuple[float, float]:
        return self.width_px / self.width_in, self.height_px / self.height_in


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """``facts`` are those of all images together."""

    images: tuple[PlacedImage, ...]
    facts: PageFacts

    def place_px(self, image: PlacedImage) -> tuple[int, int]:
        """Where the image begins in the picture of the page."""
        left = min(each.left_in for each in self.images)
        top = min(each.top_in for each in self.images)
        x_dpi, y_dpi = self.images[0].dpi
        return round((image.left_in - left) * x_dpi), round((image.top_in - top) * y_dpi)


def document_page(images: Sequence[PlacedImage]) -> DocumentPage:
    """Raises :class:`ImageError` for a page without images, or whose images do not go together."""
    if not images:
        raise ImageError("a page without an image")
    if min(min(each.width_in, each.height_in) for each in images) <= 0:
        raise ImageError("an image that is mirrored or has no size")
    x_dpi, y_dpi = images[0].dpi
    for each in images:
        if any(abs(a / b - 1) > _SAME_DPI for a, b in zip(each.dpi, (x_dpi, y_dpi), strict=True)):
            raise ImageError("images of several resolutions on one page")
    width_in = max(each.left_in + each.width_in for each in images) - min(each.left_in for each in images)
    height_in = max(each.top_in + each.height_in for each in images) - min(each.top_in for each in images)
    facts = PageFacts(
        round(width_in * x_dpi),
        round(height_in * y_dpi),
        round(x_dpi, 1),
        round(y_dpi, 1),
        max(each.channels for each in images),
        max(each.bits for each in images),
    )
    return DocumentPage(tuple(images), facts)
