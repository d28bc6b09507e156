"""Tickets to try a scanner with, made from what it says it can: right ones, wrong ones, demands that clash.

Source: WS-Scan ValidateScanTicket, MustHonor; the ranges of WS-Scan's DocumentParameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from lxml import etree

from dsm_sim.peers.console.configuration import Configuration
from dsm_sim.peers.console.ticket import demand, new_ticket, number_at, set_value, value_at
from dsm_sim.peers.console.validation import Correction

_WORDS: Final = {
    "Format": ("jbig", "xps", "jpeg2k", "dib"),
    "InputSource": ("Film", "ADFDuplex", "ADF", "Platen"),
    "ContentType": ("Halftone", "Mixed", "Photo", "Text"),
    "MediaFront/ColorProcessing": ("RGBa64", "RGBa32", "Grayscale4", "RGB48"),
    "Rotation": ("270", "90", "180"),
}
_VENDOR_WORD: Final = "sim:NoSuchValue"
_BILEVEL: Final = ("tiff-single-g4", "tiff-multi-g4", "tiff-single-g3mh", "tiff-multi-g3mh")
_COLORED: Final = ("RGB24", "Grayscale8", "RGB48", "Grayscale16")


@dataclass(frozen=True, slots=True)
class TrialTicket:
    """A ticket to send, what it is for, and what is to be corrected in it; None where nothing is wrong."""

    purpose: str
    ticket: etree._Element
    correction: Correction | None = None


def right_tickets(configuration: Configuration, default: etree._Element) -> Iterator[TrialTicket]:
    """Sparse tickets of supported values, of which image sizes are known."""
    formats = [
        name for name in ("dib", "tiff-single-uncompressed", "png", "jfif") if name in configuration.formats
    ]
    for name in configuration.input_sources:
        source = configuration.source(name)
        colors = [color for color in ("Grayscale8", "RGB24") if source and color in source.colors]
        if source and colors and formats and source.widths_dpi and source.heights_dpi:
            yield _right(
                f"{name}, one inch and a half",
                {
                    "InputSource": name,
                    "Format": formats[0],
                    "ColorProcessing": colors[0],
                    "Resolution": f"{source.widths_dpi[-1]}x{source.heights_dpi[0]}",
                    "ScanRegionWidth": str(min(1_001, source.maximum_mil.width)),
                    "ScanRegionHeight": str(min(1_499, source.maximum_mil.height)),
                },
            )
    for turn in configuration.rotations:
        yield _right(f"rotation {turn}", {"Rotation": turn})
    percents = [_within(75, configuration.scaling_width), _within(50, configuration.scaling_height)]
    yield _right("scaling", {"ScalingWidth": str(percents[0]), "ScalingHeight": str(percents[1])})
    if value_at(default, "Format"):
        yield _right("the default format", {"Format": value_at(default, "Format")})


def wrong_tickets(configuration: Configuration, default: etree._Element) -> Iterator[TrialTicket]:
    """One ticket for each kind of mistake that this scanner makes possible."""
    yield from _wrong_words(configuration, default)
    yield from _wrong_numbers(configuration, default)
    yield from _wrong_sizes(configuration, default)
    yield from _wrong_combinations(configuration, default)


def clashing_ticket(configuration: Configuration, default: etree._Element) -> etree._Element | None:
    """Two supported demands that no scanner can meet together; None where this one has no such pair."""
    pair = _bilevel_in_color(configuration, default)
    if pair is None:
        return None
    ticket = _ticket("demands that clash", {"Format": pair[0], "ColorProcessing": pair[1]})
    demand(ticket, "Format")
    demand(ticket, "ColorProcessing")
    return ticket


def _wrong_words(configuration: Configuration, default: etree._Element) -> Iterator[TrialTicket]:
    source = configuration.source(value_at(default, "InputSource"))
    offered = {
        "Format": configuration.formats,
        "InputSource": configuration.input_sources,
        "ContentType": configuration.content_types,
        "MediaFront/ColorProcessing": source.colors if source else (),
        "Rotation": configuration.rotations,
    }
    for path, words in _WORDS.items():
        if value_at(default, path) in offered[path]:
            word = next((word for word in words if word not in offered[path]), _VENDOR_WORD)
            yield _wrong(path, word, value_at(default, path))


def _wrong_numbers(configuration: Configuration, default: etree._Element) -> Iterator[TrialTicket]:
    maximum = configuration.quality[1]
    yield _wrong("CompressionQualityFactor", str(maximum + 1), str(maximum))
    yield _wrong("ScalingWidth", "1250", str(configuration.scaling_width[1]), {"ScalingHeight": "100"})
    yield _wrong("ImagesToTransfer", "-1", "0")
    if "Platen" in configuration.input_sources:
        yield _wrong("ImagesToTransfer", "2", "1", {"InputSource": "Platen"})
    for name, is_offered in (
        ("Brightness", configuration.has_brightness),
        ("Contrast", configuration.has_contrast),
    ):
        if is_offered:
            yield _wrong(name, "1001", "1000")
    source = configuration.source(value_at(default, "InputSource"))
    if source is None or not source.heights_dpi:
        return
    for wrong_dpi, right_dpi in _wrong_resolutions(sorted(source.widths_dpi)):
        height = {"Resolution/Height": str(source.heights_dpi[0])}
        yield _wrong("Resolution/Width", str(wrong_dpi), str(right_dpi), height)


def _wrong_resolutions(listed_dpi: Sequence[int]) -> Iterator[tuple[int, int]]:
    """One above all, and one half way between two: the lower is the nearest then."""
    if listed_dpi:
        yield listed_dpi[-1] + 1, listed_dpi[-1]
    for low, high in pairwise(listed_dpi):
        if (high - low) % 2 == 0:
            yield (low + high) // 2, low
            return


def _wrong_sizes(configuration: Configuration, default: etree._Element) -> Iterator[TrialTicket]:
    source = configuration.source(value_at(default, "InputSource"))
    width_mil, height_mil = (number_at(default, f"InputMediaSize/{name}") for name in ("Width", "Height"))
    if source is None or width_mil is None or height_mil is None:
        return
    limit_mil = source.maximum_mil.width
    yield _wrong(
        "InputMediaSize/Width", str(limit_mil + 1), str(limit_mil), {"InputMediaSize/Height": str(height_mil)}
    )
    yield _wrong("ScanRegionWidth", str(width_mil + 1), str(width_mil), {"ScanRegionHeight": str(height_mil)})
    if not configuration.can_detect_size:
        ticket = _ticket("wrong DocumentSizeAutoDetect", {"DocumentSizeAutoDetect": "true"})
        yield TrialTicket(
            "DocumentSizeAutoDetect=true", ticket, Correction("InputMediaSize/Width", str(width_mil), "InputSize")
        )


def _wrong_combinations(configuration: Configuration, default: etree._Element) -> Iterator[TrialTicket]:
    pair = _bilevel_in_color(configuration, default)
    if pair is not None:
        yield _wrong("MediaFront/ColorProcessing", pair[1], "BlackAndWhite1", {"Format": pair[0]})
    single = next((name for name in configuration.input_sources if name in {"ADF", "Platen"}), None)
    color = value_at(default, "MediaFront/ColorProcessing")
    if single and color:
        front = {"InputSource": single, "MediaFront/ColorProcessing": color}
        yield _wrong("MediaBack/ColorProcessing", color, "", front, scope="MediaBack")


def _bilevel_in_color(configuration: Configuration, default: etree._Element) -> tuple[str, str] | None:
    """A format of black and white, and a colour mode that is more, both supported."""
    source = configuration.source(value_at(default, "InputSource"))
    colors = source.colors if source else ()
    formats = [name for name in _BILEVEL if name in configuration.formats]
    modes = [name for name in _COLORED if name in colors]
    return (formats[0], modes[0]) if formats and modes and "BlackAndWhite1" in colors else None


def _right(purpose: str, settings: dict[str, str]) -> TrialTicket:
    return TrialTicket(purpose, _ticket(purpose, settings))


def _wrong(
    path: str, value: str, corrected: str, beside: dict[str, str] | None = None, scope: str = ""
) -> TrialTicket:
    purpose = f"{path}={value}"
    ticket = _ticket(f"wrong {purpose}", {**(beside or {}), path: value})
    return TrialTicket(purpose, ticket, Correction(path, corrected, scope or path))


def _ticket(job_name: str, settings: dict[str, str]) -> etree._Element:
    ticket = new_ticket(job_name)
    for path, value in settings.items():
        set_value(ticket, path, value)
    return ticket


def _within(percent: int, limits: tuple[int, int]) -> int:
    return max(limits[0], min(percent, limits[1]))
