"""The default ticket, held against the scanner's configuration.

Source: WS-Scan DefaultScanTicket.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.configuration import Configuration
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.ticket import element_at, number_at, value_at


def check_default_ticket(ticket: etree._Element, configuration: Configuration, notes: Notes) -> None:
    """Complete, and of supported values only."""
    for path in _options(configuration):
        notes.require(element_at(ticket, path) is not None, rules.TICKET_COMPLETE, path)
    for path, is_supported in _values(ticket, configuration):
        notes.require(is_supported, rules.TICKET_SUPPORTED, f"{path}={value_at(ticket, path)}")


def _options(configuration: Configuration) -> Iterator[str]:
    """What this scanner has a choice of."""
    yield from (
        "Format",
        "CompressionQualityFactor",
        "ImagesToTransfer",
        "InputSource",
        "ContentType",
        "InputSize",
    )
    yield from (
        "Scaling",
        "Rotation",
        "MediaFront/ColorProcessing",
        "MediaFront/Resolution",
        "MediaFront/ScanRegion",
    )
    if configuration.has_brightness or configuration.has_contrast or configuration.can_expose_automatically:
        yield "Exposure"
    if "Film" in configuration.input_sources:
        yield "FilmScanMode"


def _values(ticket: etree._Element, configuration: Configuration) -> Iterator[tuple[str, bool]]:
    source = configuration.source(value_at(ticket, "InputSource"))
    words = {
        "Format": configuration.formats,
        "InputSource": configuration.input_sources,
        "ContentType": configuration.content_types,
        "Rotation": configuration.rotations,
        "MediaFront/ColorProcessing": source.colors if source else (),
    }
    for path, offered in words.items():
        yield path, value_at(ticket, path) in {"", *offered}
    ranges = {
        "CompressionQualityFactor": configuration.quality,
        "ScalingWidth": configuration.scaling_width,
        "ScalingHeight": configuration.scaling_height,
        "InputMediaSize/Width": (source.minimum_mil.width, source.maximum_mil.width) if source else (0, 0),
        "InputMediaSize/Height": (source.minimum_mil.height, source.maximum_mil.height) if source else (0, 0),
    }
    for path, (low, high) in ranges.items():
        number = number_at(ticket, path)
        yield path, number is None or low <= number <= high
    listed = {"Resolution/Width": source.widths_dpi, "Resolution/Height": source.heights_dpi} if source else {}
    for path, values in listed.items():
        yield path, number_at(ticket, path) in {None, *values}
