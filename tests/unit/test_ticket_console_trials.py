"""The simulated console's trial tickets, which know nothing of the device's code, held against its validation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from lxml import etree

from dsm_device.errors import TicketConflict
from dsm_device.hardware import Capabilities, ColorProcessing, InputSource, Size
from dsm_device.job.habits import Habits
from dsm_device.job.image_information import ImageInfo
from dsm_device.job.offer import SourceOffer, make_offer
from dsm_device.job.validation import Validation, default_ticket, validate
from dsm_device.wire import names, ticket_reader, ticket_writer
from dsm_device.wire.ticket import ScanTicket
from dsm_sim.peers.console.configuration import Configuration, Source
from dsm_sim.peers.console.configuration import Size as ConsoleSize
from dsm_sim.peers.console.findings import Findings
from dsm_sim.peers.console.image_size import ImageSize, Settings
from dsm_sim.peers.console.trial_tickets import clashing_ticket, right_tickets, wrong_tickets
from dsm_sim.peers.console.validation import Verdict, check_refusal, check_verdict
from tests.unit.ticket_strategies import EVERY_FORMAT, FEW_FORMATS, USUAL_SCANNER, FileFormats, tickets

GRAY, RGB = ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24
PLATEN, FEEDER, DUPLEX, FILM = USUAL_SCANNER.sources
FINE = replace(PLATEN, x_resolutions_dpi=(300, 1200), y_resolutions_dpi=(150, 300), square_only=False)
DEEP = replace(PLATEN, colors=(RGB, ColorProcessing.RGB_48), minimum=Size(500, 700))
SCANNERS = {
    "platen": (PLATEN,),
    "two axes": (FINE,),
    "deep colour": (DEEP,),
    "gray feeder": (replace(FEEDER, colors=(GRAY,), maximum=Size(8500, 14_000)),),
    "everything": (DEEP, FEEDER, DUPLEX, FILM),
    "two passes": (PLATEN, FEEDER),
}
HABITS = Habits(two_pass_duplex=True)
_NAMES = {InputSource.PLATEN: "Platen", InputSource.ADF: "ADFFront", InputSource.FILM: "Film"}


class Device:
    """What the console sees of a scanner: what it offers, its default ticket, its answers."""

    def __init__(self, name: str, formats: FileFormats) -> None:
        self._asked = (Capabilities(USUAL_SCANNER.scanner, SCANNERS[name]), formats)
        offer = make_offer(*self._asked, HABITS)
        scaling = offer.scaling_percent
        self.configuration = Configuration(
            formats=tuple(offer.formats),
            quality=offer.quality,
            content_types=offer.content_types,
            can_detect_size=offer.size_auto_detect,
            can_expose_automatically=offer.auto_exposure,
            has_brightness=True,
            has_contrast=True,
            scaling_width=scaling,
            scaling_height=scaling,
            rotations=offer.rotations,
            is_duplex=offer.source("ADFDuplex") is not None,
            sources=tuple(_side(each) for each in offer.sources if each.source in _NAMES),
        )
        default = default_ticket(*self._asked, HABITS)
        self.default = ticket_writer.render(default, names.WSCN, "DefaultScanTicket")

    def answer(self, ticket: ScanTicket) -> Validation:
        return validate(self._asked[0], ticket, self._asked[1], HABITS)

    def verdict(self, ticket: etree._Element) -> Verdict:
        answer = self.answer(ticket_reader.parse_any(ticket))
        right = answer.corrected
        return Verdict(
            is_valid=answer.valid,
            front=_image(answer.image_information.front),
            back=_image(answer.image_information.back),
            corrected=None if right is None else ticket_writer.render(right, names.WSCN, "ValidScanTicket"),
        )


def _side(offer: SourceOffer) -> Source:
    return Source(
        name=_NAMES[offer.source],
        optical_dpi=ConsoleSize(offer.x_resolutions_dpi[-1], offer.y_resolutions_dpi[-1]),
        widths_dpi=offer.x_resolutions_dpi,
        heights_dpi=offer.y_resolutions_dpi,
        colors=offer.colors,
        minimum_mil=ConsoleSize(offer.minimum.width_mil, offer.minimum.height_mil),
        maximum_mil=ConsoleSize(offer.maximum.width_mil, offer.maximum.height_mil),
    )


def _image(info: ImageInfo | None) -> ImageSize | None:
    if info is None:
        return None
    return ImageSize(info.pixels_per_line, info.number_of_lines, info.bytes_per_line)


@pytest.fixture(params=[(name, formats) for name in SCANNERS for formats in (EVERY_FORMAT, FEW_FORMATS)])
def device(request: pytest.FixtureRequest) -> Device:
    return Device(*request.param)


def broken_rules(device: Device, ticket: etree._Element) -> list[str]:
    findings = Findings(lambda finding: None)
    settings_ = Settings(ticket, device.default)
    check_verdict(device.verdict(ticket), settings_, device.configuration, findings.at("here"))
    return [finding.as_line() for finding in findings.kept]


def test_right_trials_are_valid_with_the_size_that_the_console_works_out(device: Device) -> None:
    trials = list(right_tickets(device.configuration, device.default))
    assert trials
    for trial in trials:
        assert broken_rules(device, trial.ticket) == [], trial.purpose
        assert device.verdict(trial.ticket).is_valid, trial.purpose


def test_wrong_trials_are_corrected_as_the_console_expects(device: Device) -> None:
    trials = list(wrong_tickets(device.configuration, device.default))
    assert trials
    for trial in trials:
        assert trial.correction is not None
        findings = Findings(lambda finding: None)
        check_refusal(device.verdict(trial.ticket), trial.ticket, trial.correction, findings.at(trial.purpose))
        assert [finding.as_line() for finding in findings.kept] == []


def test_clashing_trial_is_a_conflict(device: Device) -> None:
    ticket = clashing_ticket(device.configuration, device.default)
    if ticket is not None:
        with pytest.raises(TicketConflict):
            device.verdict(ticket)


EVERYTHING = Device("everything", EVERY_FORMAT)


@settings(max_examples=80, deadline=None)
@given(ticket=tickets(broken=1))
def test_console_finds_nothing_wrong_in_the_answer_to_any_ticket(ticket: ScanTicket) -> None:
    """Where the console knows the size: the ticket's own region, or the default source's."""
    try:
        answer = EVERYTHING.answer(ticket)
    except TicketConflict:
        return
    right = answer.corrected or ticket
    element = ticket_writer.render(right, names.WSCN)
    has_region = "MediaFront/ScanRegion/ScanRegionWidth" in right.values
    is_detected = right.values.get("InputSize/DocumentSizeAutoDetect") is True
    from_default_source = right.values.get("InputSource", "Platen") == "Platen"
    if has_region or is_detected or from_default_source:
        assert broken_rules(EVERYTHING, element) == []
