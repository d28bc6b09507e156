"""ScannerConfiguration as values, and the rules that a schema cannot say.

Source: WS-Scan ScannerConfiguration, DeviceSettings, Platen, ADF, Film.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.names import WSCN, tag
from dsm_sim.peers.console.xml import boolean, child_text, children, find, integer, local_of, text_of

_COMMON_COLORS: Final = frozenset({"Grayscale8", "RGB24"})
#: Element of a source's side, and the prefix of its children.
_SIDES: Final = (
    (("Platen",), "Platen"),
    (("ADF", "ADFFront"), "ADF"),
    (("ADF", "ADFBack"), "ADF"),
    (("Film",), "Film"),
)


@dataclass(frozen=True, slots=True)
class Size:
    """A width and a height: 1/1000 inch for areas, pixels per inch for resolutions."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Source:
    """One side of a source, named after its element: Platen, ADFFront, ADFBack or Film."""

    name: str
    optical_dpi: Size
    widths_dpi: tuple[int, ...]
    heights_dpi: tuple[int, ...]
    colors: tuple[str, ...]
    minimum_mil: Size
    maximum_mil: Size


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a scanner offers. Ranges are (minimum, maximum)."""

    formats: tuple[str, ...]
    quality: tuple[int, int]
    content_types: tuple[str, ...]
    can_detect_size: bool
    can_expose_automatically: bool
    has_brightness: bool
    has_contrast: bool
    scaling_width: tuple[int, int]
    scaling_height: tuple[int, int]
    rotations: tuple[str, ...]
    is_duplex: bool
    sources: tuple[Source, ...]

    @property
    def input_sources(self) -> tuple[str, ...]:
        """The words for InputSource that may be asked for."""
        names = {"Platen": "Platen", "ADFFront": "ADF", "Film": "Film"}
        found = tuple(names[source.name] for source in self.sources if source.name in names)
        return (*found, "ADFDuplex") if self.is_duplex and "ADF" in found else found

    def source(self, input_source: str) -> Source | None:
        """The (front) side behind a word for InputSource."""
        name = {"ADF": "ADFFront", "ADFDuplex": "ADFFront"}.get(input_source, input_source)
        return next((source for source in self.sources if source.name == name), None)


def read_configuration(element: etree._Element) -> Configuration:
    """Never fails: what is absent or no number is empty, 0 or false. The schema is checked elsewhere."""
    settings = find(element, WSCN, "DeviceSettings")
    return Configuration(
        formats=_list(settings, "FormatsSupported"),
        quality=_range(find(settings, WSCN, "CompressionQualityFactorSupported")),
        content_types=_list(settings, "ContentTypesSupported"),
        can_detect_size=_flag(settings, "DocumentSizeAutoDetectSupported"),
        can_expose_automatically=_flag(settings, "AutoExposureSupported"),
        has_brightness=_flag(settings, "BrightnessSupported"),
        has_contrast=_flag(settings, "ContrastSupported"),
        scaling_width=_range(find(settings, WSCN, "ScalingRangeSupported", "ScalingWidth")),
        scaling_height=_range(find(settings, WSCN, "ScalingRangeSupported", "ScalingHeight")),
        rotations=_list(settings, "RotationsSupported"),
        is_duplex=_flag(find(element, WSCN, "ADF"), "ADFSupportsDuplex"),
        sources=tuple(_sources(element)),
    )


def _sources(element: etree._Element) -> Iterator[Source]:
    for path, prefix in _SIDES:
        side = find(element, WSCN, *path)
        if side is None:
            continue
        yield Source(
            name=path[-1],
            optical_dpi=_size(side, f"{prefix}OpticalResolution"),
            widths_dpi=_numbers(side, f"{prefix}Resolutions", "Widths"),
            heights_dpi=_numbers(side, f"{prefix}Resolutions", "Heights"),
            colors=_list(side, f"{prefix}Color"),
            minimum_mil=_size(side, f"{prefix}MinimumSize"),
            maximum_mil=_size(side, f"{prefix}MaximumSize"),
        )


def _list(parent: etree._Element | None, *path: str) -> tuple[str, ...]:
    return tuple(text_of(child) for child in children(find(parent, WSCN, *path)))


def _numbers(parent: etree._Element, *path: str) -> tuple[int, ...]:
    return tuple(integer(text) or 0 for text in _list(parent, *path))


def _range(element: etree._Element | None) -> tuple[int, int]:
    return _number(element, "MinValue"), _number(element, "MaxValue")


def _size(parent: etree._Element, name: str) -> Size:
    element = find(parent, WSCN, name)
    width = _number(element, "Width")
    return Size(width, _number(element, "Height") or width)


def _number(parent: etree._Element | None, name: str) -> int:
    return integer(child_text(parent, WSCN, name)) or 0


def _flag(parent: etree._Element | None, name: str) -> bool:
    return boolean(child_text(parent, WSCN, name)) is True


# ---------------------------------------------------------------------------------------------- rules


def check_configuration(element: etree._Element, notes: Notes) -> None:
    """Everything that a valid ScannerConfiguration can still have wrong."""
    found = read_configuration(element)
    sides = {source.name for source in found.sources}
    notes.require(bool(sides), rules.CONFIG_SOURCES)
    notes.require("ADFBack" not in sides or found.is_duplex, rules.CONFIG_DUPLEX)
    for name, (low, high) in (
        ("quality", found.quality),
        ("ScalingWidth", found.scaling_width),
        ("ScalingHeight", found.scaling_height),
    ):
        is_right = low <= high and (name == "quality" or low <= 100 <= high)
        notes.require(is_right, rules.CONFIG_RANGES, f"{name}: {low} to {high}")
    notes.require("0" in found.rotations, rules.CONFIG_RANGES, f"rotations {' '.join(found.rotations)}")
    _check_lists(element, notes)
    for source in found.sources:
        _check_source(source, notes)


def _check_lists(element: etree._Element, notes: Notes) -> None:
    lists = ("FormatsSupported", "ContentTypesSupported", "RotationsSupported", "FilmScanModesSupported")
    sides = ("Widths", "Heights", "PlatenColor", "ADFColor", "FilmColor")
    for each in element.iter(*(tag(WSCN, name) for name in (*lists, *sides))):
        values = [text_of(child) for child in children(each)]
        repeated = {value for value in values if values.count(value) > 1}
        notes.require(not repeated, rules.CONFIG_UNIQUE, f"{local_of(each)}: {' '.join(sorted(repeated))}")


def _check_source(source: Source, notes: Notes) -> None:
    low, high = source.minimum_mil, source.maximum_mil
    is_ordered = low.width <= high.width and low.height <= high.height
    notes.require(is_ordered, rules.CONFIG_RANGES, f"{source.name}: {low} to {high}")
    is_square = bool(set(source.widths_dpi) & set(source.heights_dpi))
    notes.require(is_square, rules.CONFIG_RESOLUTIONS, source.name)
    notes.require(bool(_COMMON_COLORS & set(source.colors)), rules.CONFIG_COLOR, source.name)
    notes.require(high.width <= high.height, rules.CONFIG_PORTRAIT, f"{source.name}: {high}")
