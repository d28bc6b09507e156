"""The image that a ticket gives, worked out from the text of the specification alone.

Source: WS-Scan ImageInformation, ScanRegion, Resolution, Scaling, Rotation, ColorProcessing, Format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_sim.peers.console.configuration import Configuration
from dsm_sim.peers.console.ticket import number_at, value_at

_BITS_PER_PIXEL: Final = {
    "BlackAndWhite1": 1,
    "Grayscale4": 4,
    "Grayscale8": 8,
    "Grayscale16": 16,
    "RGB24": 24,
    "RGB48": 48,
    "RGBa32": 32,
    "RGBa64": 64,
}
_UNCOMPRESSED: Final = frozenset({"tiff-single-uncompressed", "tiff-multi-uncompressed"})


@dataclass(frozen=True, slots=True)
class ImageSize:
    """Pixels a line, lines, octets a line (0 for a compressed format)."""

    pixels_per_line: int
    lines: int
    octets_per_line: int


@dataclass(frozen=True, slots=True)
class Settings:
    """A ticket, and the default ticket for what it leaves out."""

    ticket: etree._Element
    default: etree._Element | None

    def word(self, path: str) -> str:
        return value_at(self.ticket, path) or value_at(self.default, path)

    def number(self, path: str, otherwise: int) -> int:
        found = number_at(self.ticket, path)
        if found is None:
            found = number_at(self.default, path)
        return otherwise if found is None else found

    @property
    def input_source(self) -> str:
        return self.word("InputSource")


def front_image(settings: Settings, configuration: Configuration) -> ImageSize | None:
    """The front image of a valid ticket; None where the specification leaves it open."""
    source = configuration.source(settings.input_source)
    bits = _BITS_PER_PIXEL.get(settings.word("MediaFront/ColorProcessing"))
    if source is None or bits is None or settings.word("DocumentSizeAutoDetect") in {"true", "1"}:
        return None
    region_width_mil, region_height_mil = _region_mil(
        settings, source.maximum_mil.width, source.maximum_mil.height
    )
    x_dpi, y_dpi = _resolution_dpi(settings)
    width = _scaled(_pixels(region_width_mil, x_dpi), settings.number("ScalingWidth", 100))
    height = _scaled(_pixels(region_height_mil, y_dpi), settings.number("ScalingHeight", 100))
    if settings.word("Rotation") in {"90", "270"}:
        width, height = height, width
    width, height = max(1, width), max(1, height)
    return ImageSize(width, height, _octets_per_line(settings.word("Format"), width, bits))


def _region_mil(settings: Settings, maximum_width_mil: int, maximum_height_mil: int) -> tuple[int, int]:
    """ScanRegion, else the input size, each of the ticket before that of the default ticket."""
    for ticket in (settings.ticket, settings.default):
        for path in ("MediaFront/ScanRegion/ScanRegion", "InputMediaSize/"):
            width, height = number_at(ticket, f"{path}Width"), number_at(ticket, f"{path}Height")
            if width is not None and height is not None:
                return width, height
    return maximum_width_mil, maximum_height_mil


def _resolution_dpi(settings: Settings) -> tuple[int, int]:
    """A resolution without height is square."""
    for ticket in (settings.ticket, settings.default):
        width = number_at(ticket, "MediaFront/Resolution/Width")
        if width is not None:
            return width, number_at(ticket, "MediaFront/Resolution/Height") or width
    return 0, 0


def _pixels(length_mil: int, dpi: int) -> int:
    return (length_mil * dpi + 500) // 1000


def _scaled(pixels: int, percent: int) -> int:
    return (pixels * percent + 50) // 100


def _octets_per_line(image_format: str, width: int, bits: int) -> int:
    if image_format == "dib":
        return 4 * -(-width * bits // 32)
    return -(-width * bits // 8) if image_format in _UNCOMPRESSED else 0
