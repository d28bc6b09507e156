"""What tickets may ask of this device: a scanner, the encoders and the software between them. Pure data.

The console is shown this (ScannerConfiguration) and tickets are validated by it. It is narrower than what a job
may have: any resolution up to the largest is met, but only the scanner's own are offered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dsm_device.hardware import Capabilities, ColorProcessing, FilmType, InputSource, Size, SourceCapabilities
from dsm_device.imaging.formats import FORMATS, MADE_FROM
from dsm_device.job.habits import Habits

#: A format's name and the colours in which this installation writes it.
Formats = Mapping[str, Sequence[ColorProcessing]]
#: Both ends included.
Range = tuple[int, int]

CONTENT_TYPES: Final = ("Auto", "Text", "Photo", "Halftone", "Mixed")
ROTATIONS: Final = ("0", "90", "180", "270")
NO_FILM: Final = "NotApplicable"
#: Below this a scanner that names no smallest area is not asked for pages.
_SMALLEST_MIL: Final = 100


@dataclass(frozen=True, slots=True)
class SourceOffer:
    """What one source offers. ``colors`` are those that a file can have, made from what ``hardware`` delivers.

    ``films`` is empty but for the film source. ``two_pass``: the feeder takes one side, the sheets go in twice.
    """

    source: InputSource
    hardware: SourceCapabilities
    colors: tuple[ColorProcessing, ...]
    minimum: Size
    films: tuple[FilmType, ...] = ()
    two_pass: bool = False

    @property
    def x_resolutions_dpi(self) -> tuple[int, ...]:
        return self.hardware.x_resolutions_dpi

    @property
    def y_resolutions_dpi(self) -> tuple[int, ...]:
        return self.hardware.y_resolutions_dpi

    @property
    def maximum(self) -> Size:
        return self.hardware.maximum

    @property
    def is_duplex(self) -> bool:
        return self.source is InputSource.ADF_DUPLEX


@dataclass(frozen=True, slots=True)
class Offer:
    """Everything that a ticket may ask for. ``sources`` are in the order in which they are the default."""

    formats: Mapping[str, tuple[ColorProcessing, ...]]
    sources: tuple[SourceOffer, ...]
    content_types: tuple[str, ...] = CONTENT_TYPES
    rotations: tuple[str, ...] = ROTATIONS
    quality: Range = (1, 100)
    scaling_percent: Range = (25, 400)
    brightness: Range = (-1000, 1000)
    contrast: Range = (-1000, 1000)
    sharpness: Range = (-100, 100)
    auto_exposure: bool = True
    size_auto_detect: bool = True

    def source(self, name: str) -> SourceOffer | None:
        return next((each for each in self.sources if each.source == name), None)

    def is_lossy(self, format_: str) -> bool:
        """Whether CompressionQualityFactor counts."""
        return FORMATS[format_].lossy


def make_offer(capabilities: Capabilities, formats: Formats, habits: Habits) -> Offer:
    """What ``capabilities`` and software make possible. What FORMATS does not know is not offered."""
    known = {
        name: tuple(color for color in colors if color in FORMATS[name].colors)
        for name, colors in formats.items()
        if name in FORMATS
    }
    writable = {name: colors for name, colors in known.items() if colors}
    there = {each.source: each for each in capabilities.sources}
    offers = [_source(there[source], writable) for source in InputSource if source in there]
    if habits.two_pass_duplex and InputSource.ADF in there and InputSource.ADF_DUPLEX not in there:
        feeder = _source(there[InputSource.ADF], writable)
        offers.append(replace(feeder, source=InputSource.ADF_DUPLEX, two_pass=True))
    order = list(InputSource)
    return Offer(writable, tuple(sorted(offers, key=lambda each: order.index(each.source))))


def _source(hardware: SourceCapabilities, formats: Mapping[str, Sequence[ColorProcessing]]) -> SourceOffer:
    colors = tuple(
        color
        for color, origins in MADE_FROM.items()
        if any(origin in hardware.colors for origin in origins)
        and any(color in written for written in formats.values())
    )
    least, most = hardware.minimum, hardware.maximum
    minimum = Size(
        least.width_mil or min(_SMALLEST_MIL, most.width_mil),
        least.height_mil or min(_SMALLEST_MIL, most.height_mil),
    )
    films = tuple(FilmType) if hardware.source is InputSource.FILM else ()
    return SourceOffer(hardware.source, hardware, colors, minimum, films)
