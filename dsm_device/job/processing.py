"""Who does what: from the sides as their files shall be to the driver's settings and each side's treatment.

What the scanner can do it does, the rest is software. One acquisition serves both sides: it has the larger depth,
the higher resolution and the enclosing area, of which each side takes its part (SANE has one set of options).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dsm_device.hardware import (
    Adjustment,
    Adjustments,
    Area,
    ColorProcessing,
    FilmType,
    SourceCapabilities,
)
from dsm_device.imaging.treatment import Bilevel, Box, Treatment
from dsm_device.job.file_choice import origins
from dsm_device.job.geometry import Extent, Surface
from dsm_device.job.habits import Habits
from dsm_device.job.image_information import pixels
from dsm_device.job.look import Look
from dsm_device.wire.ticket import Resolution

_BILEVEL: Final = ColorProcessing.BLACK_AND_WHITE_1
_NEGATIVES: Final = (FilmType.COLOR_NEGATIVE, FilmType.BLACK_AND_WHITE_NEGATIVE)
#: Printed letters gain by a little sharpening; a printer's screen must be blurred, or it makes moiré.
_CONTENT_SHARPNESS: Final = {"Text": 20, "Halftone": -30}
_CONTENT_BILEVEL: Final = {"Text": Bilevel.ADAPTIVE, "Photo": Bilevel.DITHER, "Halftone": Bilevel.DITHER}
_MIDDLE_GRAY: Final = 128


@dataclass(frozen=True, slots=True)
class Side:
    """What a side's file is to show. ``upright_px`` is its size (width, height) before the rotation."""

    surface: Surface
    resolution: Resolution
    color: ColorProcessing
    upright_px: tuple[int, int]
    rotation: int
    find_edges: bool


@dataclass(frozen=True, slots=True)
class Processing:
    """What is asked of the scanner beside source and area, and a treatment for each side."""

    color: ColorProcessing
    adjust: Adjustments
    film: FilmType | None
    halftone: bool
    treatments: tuple[Treatment, ...]


def share_out(
    sides: Sequence[Side],
    look: Look,
    *,
    film: FilmType | None,
    habits: Habits,
    source: SourceCapabilities,
    area: Area,
    resolution: Resolution,
) -> Processing:
    """``area`` and ``resolution`` are those of the acquisition; one of the source's colours serves all sides.

    Brightness and contrast are software's where a negative is, since they would come before its inversion.
    """
    boxes = [_box(side, area, resolution) for side in sides]
    sharpness = [_sharpness(side, look) for side in sides]
    negative = film in _NEGATIVES and film not in source.films
    untouched = (
        not (negative or habits.deskew or any(sharpness))
        and not any(side.find_edges for side in sides)
        and not any(_is_resampled(*each) for each in zip(boxes, sides, strict=True))
    )
    if untouched and _is_line_art(sides, look, source):
        color, adjust, left = _BILEVEL, _line_art_level(look), Adjustments()
    else:
        color = _samples(sides, source)
        adjust = _by_hardware(look, sharpness, frozenset() if color is _BILEVEL else source.adjustments, negative)
        left = Adjustments(look.brightness - adjust.brightness, look.contrast - adjust.contrast)
    treatments = tuple(
        Treatment(
            region=box,
            negative=negative,
            auto_exposure=look.auto_exposure,
            brightness=left.brightness,
            contrast=left.contrast,
            sharpness=wanted - adjust.sharpness,
            bilevel=_bilevel(side, look, color),
            rotation=side.rotation,
            find_edges=side.find_edges,
            deskew=habits.deskew,
            judge_blank=habits.skip_blank_pages,
        )
        for side, box, wanted in zip(sides, boxes, sharpness, strict=True)
    )
    is_halftone = color is _BILEVEL and source.halftone and look.content == "Halftone"
    return Processing(color, adjust, film if film in source.films else None, is_halftone, treatments)


# ------------------------------------------------------------------------------------------- regions


def _box(side: Side, area: Area, resolution: Resolution) -> Box | None:
    """Which pixels of the acquired image the side shows; None where cropping its end makes the file of it."""
    x, y = side.surface.x, side.surface.y
    x_px, width_px = _stretch(x, area.x_mil, resolution.x_dpi)
    y_px, height_px = _stretch(y, area.y_mil, resolution.y_dpi)
    if (x_px, y_px) == (0, 0) and (width_px, height_px) == side.upright_px:
        return None
    return Box(x_px, y_px, width_px, height_px)


def _stretch(extent: Extent, origin_mil: int, dpi: int) -> tuple[int, int]:
    return pixels(extent.offset_mil - origin_mil, dpi), max(1, pixels(extent.length_mil, dpi))


def _is_resampled(box: Box | None, side: Side) -> bool:
    return box is not None and (box.width_px, box.height_px) != side.upright_px


# ------------------------------------------------------------------------------ bilevel in the scanner


def _is_line_art(sides: Iterable[Side], look: Look, source: SourceCapabilities) -> bool:
    """Whether the scanner's own bilevel image is what is asked for; its samples must be what the file gets.

    Its level follows the brightness where it can be set. Contrast alone does not move it, but both together do.
    """
    if _BILEVEL not in source.colors or any(side.color is not _BILEVEL for side in sides):
        return False
    if look.auto_exposure or look.contrast:
        return False
    if look.content == "Halftone":
        return source.halftone and not look.brightness
    return look.content in ("Auto", "Mixed") and (
        not look.brightness or Adjustment.THRESHOLD in source.adjustments
    )


def _line_art_level(look: Look) -> Adjustments:
    """Brightness -1000 to 1000 as the level below which samples are black: 255 to 1, the middle left alone."""
    if not look.brightness:
        return Adjustments()
    return Adjustments(threshold=_MIDDLE_GRAY - look.brightness * 127 // 1000)


# ---------------------------------------------------------------------------------------- all the rest


def _samples(sides: Iterable[Side], source: SourceCapabilities) -> ColorProcessing:
    """The colour to scan in; bilevel only where the scanner has nothing else."""
    colors = [side.color for side in sides]
    with_grays = [color for color in source.colors if color is not _BILEVEL]
    return (origins(colors, with_grays) or origins(colors, source.colors))[0]


def _by_hardware(look: Look, sharpness: Sequence[int], can: frozenset[Adjustment], negative: bool) -> Adjustments:
    tone = frozenset() if negative else can
    return Adjustments(
        brightness=look.brightness if Adjustment.BRIGHTNESS in tone else 0,
        contrast=look.contrast if Adjustment.CONTRAST in tone else 0,
        sharpness=sharpness[0] if Adjustment.SHARPNESS in can and len(set(sharpness)) == 1 else 0,
    )


def _sharpness(side: Side, look: Look) -> int:
    """What the ticket says, else what suits the content; edges of black and white are sharp by themselves."""
    if look.sharpness is not None:
        return look.sharpness
    return 0 if side.color is _BILEVEL else _CONTENT_SHARPNESS.get(look.content, 0)


def _bilevel(side: Side, look: Look, acquired: ColorProcessing) -> Bilevel:
    if side.color is not _BILEVEL or acquired is _BILEVEL:
        return Bilevel.THRESHOLD
    return _CONTENT_BILEVEL.get(look.content, Bilevel.THRESHOLD)
