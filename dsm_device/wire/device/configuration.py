"""wscn:ScannerConfiguration (WS-DSD, ScannerConfiguration): what tickets may ask for.

Filled from the offer of the scanner (``job.offer``). Every source that there is has all children.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_device.hardware import Size
from dsm_device.wire.device.elements import add, root

#: Both ends included.
Range = tuple[int, int]

#: A list of resolutions is cut to so many, so that all sources fit into one message: some scanners list hundreds.
MAX_RESOLUTIONS: Final = 32
#: What people and clients ask for; it stays in a list that is cut.
_USUAL_DPI: Final = frozenset({75, 100, 150, 200, 240, 300, 400, 600, 1200, 2400, 4800})


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """What holds for every source. Lists are not empty; scaling includes 100 percent, rotations 0."""

    formats: tuple[str, ...]
    content_types: tuple[str, ...]
    rotations: tuple[str, ...]
    quality: Range = (1, 100)
    scaling_percent: Range = (25, 400)
    size_auto_detect: bool = True
    auto_exposure: bool = True
    brightness: bool = True
    contrast: bool = True


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What one source, or one side of the feeder, can do. Sizes are portrait: width is across."""

    optical_dpi: tuple[int, int]
    x_resolutions_dpi: tuple[int, ...]
    y_resolutions_dpi: tuple[int, ...]
    colors: tuple[str, ...]
    minimum: Size
    maximum: Size


@dataclass(frozen=True, slots=True)
class Configuration:
    """``feeder_back`` only where sheets are scanned on both sides; ``film_modes`` only with ``film``."""

    device: DeviceSettings
    platen: SourceSettings | None = None
    feeder: SourceSettings | None = None
    feeder_back: SourceSettings | None = None
    film: SourceSettings | None = None
    film_modes: tuple[str, ...] = ()


def render(configuration: Configuration) -> etree._Element:
    element = root("ScannerConfiguration")
    _add_device(element, configuration.device)
    if configuration.platen is not None:
        _fill_source(add(element, "Platen"), "Platen", configuration.platen)
    if configuration.feeder is not None:
        feeder = add(element, "ADF")
        add(feeder, "ADFSupportsDuplex", configuration.feeder_back is not None)
        _fill_source(add(feeder, "ADFFront"), "ADF", configuration.feeder)
        if configuration.feeder_back is not None:
            _fill_source(add(feeder, "ADFBack"), "ADF", configuration.feeder_back)
    if configuration.film is not None:
        film = add(element, "Film")
        _add_list(film, "FilmScanModesSupported", "FilmScanModeValue", configuration.film_modes)
        _fill_source(film, "Film", configuration.film)
    return element


def _add_device(parent: etree._Element, device: DeviceSettings) -> None:
    settings = add(parent, "DeviceSettings")
    _add_list(settings, "FormatsSupported", "FormatValue", device.formats)
    _add_range(settings, "CompressionQualityFactorSupported", device.quality)
    _add_list(settings, "ContentTypesSupported", "ContentTypeValue", device.content_types)
    add(settings, "DocumentSizeAutoDetectSupported", device.size_auto_detect)
    add(settings, "AutoExposureSupported", device.auto_exposure)
    add(settings, "BrightnessSupported", device.brightness)
    add(settings, "ContrastSupported", device.contrast)
    scaling = add(settings, "ScalingRangeSupported")
    _add_range(scaling, "ScalingWidth", device.scaling_percent)
    _add_range(scaling, "ScalingHeight", device.scaling_percent)
    _add_list(settings, "RotationsSupported", "RotationValue", device.rotations)


def _fill_source(parent: etree._Element, prefix: str, source: SourceSettings) -> None:
    _add_pair(parent, f"{prefix}OpticalResolution", *source.optical_dpi)
    resolutions = add(parent, f"{prefix}Resolutions")
    wide, high = source.x_resolutions_dpi, source.y_resolutions_dpi
    _add_list(resolutions, "Widths", "Width", _listed(wide, high))
    _add_list(resolutions, "Heights", "Height", _listed(high, wide))
    _add_list(parent, f"{prefix}Color", "ColorEntry", source.colors)
    _add_pair(parent, f"{prefix}MinimumSize", source.minimum.width_mil, source.minimum.height_mil)
    _add_pair(parent, f"{prefix}MaximumSize", source.maximum.width_mil, source.maximum.height_mil)


def _listed(dpis: tuple[int, ...], others: tuple[int, ...]) -> Iterable[int]:
    """At most :data:`MAX_RESOLUTIONS` of ``dpis``: both ends, and rather those of both axes and those in use,
    since clients look for what the two axes have in common."""
    if len(dpis) <= MAX_RESOLUTIONS:
        return dpis
    both = frozenset(others)
    ends = (min(dpis), max(dpis))
    order = sorted(dpis, key=lambda dpi: (dpi not in ends, dpi not in both, dpi not in _USUAL_DPI, dpi))
    kept = set(order[:MAX_RESOLUTIONS])
    return [dpi for dpi in dpis if dpi in kept]


def _add_list(parent: etree._Element, group: str, local: str, values: Iterable[str | int]) -> None:
    holder = add(parent, group)
    for value in values:
        add(holder, local, value)


def _add_range(parent: etree._Element, local: str, ends: Range) -> None:
    holder = add(parent, local)
    add(holder, "MinValue", ends[0])
    add(holder, "MaxValue", ends[1])


def _add_pair(parent: etree._Element, local: str, width: int, height: int) -> None:
    pair = add(parent, local)
    add(pair, "Width", width)
    add(pair, "Height", height)
