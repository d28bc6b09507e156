"""The answer to ValidateScanTicket, held against what was sent.

Source: WS-Scan ValidateScanTicket, ValidationInfo, ImageInformation, ValidScanTicket.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.configuration import Configuration
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.image_size import ImageSize, Settings, front_image
from dsm_sim.peers.console.names import WSCN
from dsm_sim.peers.console.ticket import leaves, value_at
from dsm_sim.peers.console.xml import boolean, child_text, find, integer

_NOTHING: Final = ImageSize(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a device says of a ticket. ``front`` and ``back`` are None where absent."""

    is_valid: bool
    front: ImageSize | None
    back: ImageSize | None
    corrected: etree._Element | None


@dataclass(frozen=True, slots=True)
class Correction:
    """What a wrong setting is to become, "" where it goes. ``scope`` is the part that may change with it."""

    path: str
    value: str
    scope: str


def read_verdict(info: etree._Element) -> Verdict:
    """ValidationInfo as values; never fails."""
    return Verdict(
        is_valid=boolean(child_text(info, WSCN, "ValidTicket")) is True,
        front=_image(find(info, WSCN, "ImageInformation", "MediaFrontImageInfo")),
        back=_image(find(info, WSCN, "ImageInformation", "MediaBackImageInfo")),
        corrected=find(info, WSCN, "ValidScanTicket"),
    )


def _image(element: etree._Element | None) -> ImageSize | None:
    if element is None:
        return None
    names = ("PixelsPerLine", "NumberOfLines", "BytesPerLine")
    return ImageSize(*(integer(child_text(element, WSCN, name)) or 0 for name in names))


def check_verdict(verdict: Verdict, settings: Settings, configuration: Configuration, notes: Notes) -> None:
    """What holds for every answer, whatever its verdict."""
    is_corrected = verdict.corrected is not None
    notes.require(verdict.is_valid != is_corrected, rules.VALIDATION_CORRECTED, f"ValidTicket={verdict.is_valid}")
    if not verdict.is_valid:
        images = {verdict.front, verdict.back or _NOTHING}
        notes.require(images == {_NOTHING}, rules.IMAGE_SIZE, f"{verdict.front} for a ticket that is not valid")
        return
    is_duplex = settings.input_source == "ADFDuplex"
    notes.require((verdict.back is not None) == is_duplex, rules.IMAGE_BACK, settings.input_source)
    expected = front_image(settings, configuration)
    if expected is not None:
        notes.require(verdict.front == expected, rules.IMAGE_SIZE, f"{verdict.front}, not {expected}")
    if verdict.back is not None:
        is_sane = verdict.back.pixels_per_line > 0 and verdict.back.lines > 0
        notes.require(is_sane, rules.IMAGE_SIZE, f"back: {verdict.back}")


def check_refusal(verdict: Verdict, sent: etree._Element, wrong: Correction, notes: Notes) -> None:
    """The answer to a ticket with one setting that is wrong."""
    notes.require(not verdict.is_valid, rules.VALIDATION_VERDICT, f"{wrong.path}={value_at(sent, wrong.path)}")
    if verdict.corrected is None:
        return
    kept, told = leaves(sent), leaves(verdict.corrected)
    touched = {path for path in {*kept, *told} if kept.get(path) != told.get(path)}
    foreign = {path for path in touched if wrong.scope not in path}
    notes.require(not foreign, rules.VALIDATION_KEPT, " ".join(sorted(foreign)))
    now = value_at(verdict.corrected, wrong.path)
    notes.require(
        now == wrong.value, rules.VALIDATION_REPLACED, f"{wrong.path}={now}, not {wrong.value or 'gone'}"
    )
