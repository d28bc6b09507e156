"""Which stages a page goes through: from its spec and the frame that is delivered."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.raster import Raster
from dsm_device.imaging.stages import PerLine, Stage
from dsm_device.imaging.stages.bilevel import bilevel
from dsm_device.imaging.stages.exposure import applied, exposure
from dsm_device.imaging.stages.hold import Hold
from dsm_device.imaging.stages.resampling import Resample, Scale
from dsm_device.imaging.stages.sharpness import sharpened
from dsm_device.imaging.treatment import Box

_BILEVEL = ColorProcessing.BLACK_AND_WHITE_1


def region_of(spec: PageSpec) -> Box:
    """The part of the delivered image that the file shows, in delivered pixels."""
    return spec.treatment.region or Box(0, 0, *spec.upright_px)


def stages(spec: PageSpec, frame: Frame, folder: Path) -> list[Stage]:
    """From lines of the region in the working colour to the file's lines; empty where nothing is to be done.

    A delivered bilevel page has no levels to be exposed or sharpened; it becomes gray only where it is scaled or
    straightened. ``folder`` is where a page waits that must be whole first; raises ``OSError`` where it cannot.
    """
    treatment = spec.treatment
    gray = frame.color is not _BILEVEL
    judged = treatment.deskew or treatment.find_edges or (treatment.auto_exposure and gray)
    hold: list[Stage] = []
    if judged or treatment.rotation:
        hold = [Hold(folder, treatment, frame.x_dpi, frame.y_dpi)]
    if judged or _enlarges(spec):
        return [*hold, *_exposed(spec, gray), *_scaled(spec, gray, turned=True), *_reduced(spec, gray)]
    return [*_exposed(spec, gray), *_scaled(spec, gray, turned=False), *hold, *_reduced(spec, gray)]


def _exposed(spec: PageSpec, gray: bool) -> list[Stage]:
    treatment = spec.treatment
    if not gray or not (treatment.brightness or treatment.contrast):
        return []
    # Of black and white brightness moves the level, from one end of the scale to the other, as scanners do it.
    brightness = treatment.brightness / 2 if spec.color is _BILEVEL else treatment.brightness
    line = exposure(brightness, treatment.contrast)
    return [PerLine(lambda lines: applied(lines, line))]


def _scaled(spec: PageSpec, gray: bool, *, turned: bool) -> list[Stage]:
    """``turned``: the lines come as they stand in the file, not as the scanner delivers them."""
    scale = _scale(spec)
    chosen: list[Stage] = []
    if not gray and _changes_samples(spec):
        chosen.append(PerLine(Raster.as_gray))
    if _scales(spec):
        chosen.append(Resample(scale.turned if turned and spec.treatment.on_its_side else scale))
    if gray and spec.treatment.sharpness:
        chosen.append(sharpened(spec.treatment.sharpness))
    return chosen


def _reduced(spec: PageSpec, gray: bool) -> list[Stage]:
    """To bilevel, unless it still is."""
    if spec.color is not _BILEVEL or not (gray or _changes_samples(spec)):
        return []
    return [bilevel(spec.treatment.bilevel, spec.x_dpi, spec.y_dpi)]


def _changes_samples(spec: PageSpec) -> bool:
    """Whether a bilevel page needs gray between its pixels."""
    return _scales(spec) or spec.treatment.deskew


def _scale(spec: PageSpec) -> Scale:
    region, (width_px, height_px) = region_of(spec), spec.upright_px
    return Scale(Fraction(region.width_px, width_px), Fraction(region.height_px, height_px))


def _scales(spec: PageSpec) -> bool:
    return _scale(spec) != Scale(Fraction(1), Fraction(1))


def _enlarges(spec: PageSpec) -> bool:
    """Then a page is better held before it is scaled."""
    scale = _scale(spec)
    return scale.x * scale.y < 1
