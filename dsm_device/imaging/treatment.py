"""What is done to the rows of a page on their way into its file. Pure data; :mod:`.stages` carries it out.

The order is fixed: region, negative, exposure (levels, brightness, contrast), edges and skew, scaling to the
file's size, sharpness, rotation, colour and depth. (WS-Scan: Rotation follows Scaling.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

RIGHT_ANGLES: Final = (0, 90, 180, 270)


class Bilevel(StrEnum):
    """How gray becomes black and white."""

    THRESHOLD = "threshold"
    """One level for the whole page."""
    ADAPTIVE = "adaptive"
    """Against the brightness around each pixel: text on uneven paper."""
    DITHER = "dither"
    """As a pattern whose density is the gray: photographs."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels; ``width_px`` and ``height_px`` are >= 1."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Treatment:
    """What makes the page's file out of delivered rows; the defaults do nothing.

    ``region`` is the part of the delivered image, in its pixels, that is scaled to the file's size; what of it
    lies beyond the image is white. None: the image as it is, cropped or padded with white to the file's size.
    ``negative`` inverts samples. ``auto_exposure`` stretches the levels so that the paper is white;
    ``brightness`` and ``contrast`` are -1000 to 1000, ``sharpness`` -100 to 100, 0 = unchanged (WS-Scan
    ExposureSettings). ``rotation`` is clockwise, one of :data:`RIGHT_ANGLES`. ``find_edges`` crops to the sheet
    (the file is then smaller than promised), ``deskew`` straightens it. ``judge_blank`` only asks whether
    anything is on the page.
    """

    region: Box | None = None
    negative: bool = False
    auto_exposure: bool = False
    brightness: int = 0
    contrast: int = 0
    sharpness: int = 0
    bilevel: Bilevel = Bilevel.THRESHOLD
    rotation: int = 0
    find_edges: bool = False
    deskew: bool = False
    judge_blank: bool = False

    def __post_init__(self) -> None:
        if self.rotation not in RIGHT_ANGLES:
            raise ValueError(f"a page cannot be rotated by {self.rotation} degrees")

    @property
    def on_its_side(self) -> bool:
        """Whether the file's width is the scaled image's height."""
        return self.rotation in (90, 270)


NOTHING: Final = Treatment()
