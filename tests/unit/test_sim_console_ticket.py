"""The console's tickets: edited, measured, and how long a lease is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dsm_sim.peers.console.configuration import read_configuration
from dsm_sim.peers.console.durations import duration, seconds
from dsm_sim.peers.console.image_size import ImageSize, Settings, front_image
from dsm_sim.peers.console.schemas import body_error
from dsm_sim.peers.console.service import Service
from dsm_sim.peers.console.ticket import TicketError, leaves, new_ticket, read_ticket, set_value, value_at
from dsm_sim.peers.console.trial_tickets import clashing_ticket, right_tickets, wrong_tickets

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
WSCN = "http://schemas.microsoft.com/windows/2006/08/wdp/scan"
ELEMENTS = etree.parse(SAMPLES / "dsd-get-scanner-elements-response.xml").getroot()
CONFIGURATION = read_configuration(next(ELEMENTS.iter(f"{{{WSCN}}}ScannerConfiguration")))
DEFAULT = next(ELEMENTS.iter(f"{{{WSCN}}}DefaultScanTicket"))
SETTINGS = {
    "Rotation": "90",
    "Format": "png",
    "MediaBack/ColorProcessing": "RGB24",
    "MediaFront/Resolution": "300x600",
    "ScanRegionHeight": "5",
    "ScanRegionWidth": "4",
    "Contrast": "7",
    "InputMediaSize": "8500x11000",
    "ImagesToTransfer": "1",
}


@given(st.permutations(list(SETTINGS)))
def test_settings_in_any_order_make_a_ticket_in_the_order_of_the_schema(order: list[str]) -> None:
    ticket = new_ticket("any order")
    for path in order:
        set_value(ticket, path, SETTINGS[path])
    service = Service(None, "http://127.0.0.1/", WSCN)  # type: ignore[arg-type]  # nothing is asked here
    body = service.ticket_question(ticket).body
    assert body is not None
    assert body_error(body) == ""
    assert value_at(ticket, "MediaFront/Resolution/Height") == "600"
    assert value_at(ticket, "MediaBack/Resolution/Height") == ""


def test_one_of_two_that_exclude_one_another_replaces_the_other() -> None:
    ticket = new_ticket("choice")
    set_value(ticket, "InputMediaSize", "8500x11000")
    set_value(ticket, "DocumentSizeAutoDetect", "true")
    assert "InputMediaSize" not in "".join(leaves(ticket))


@pytest.mark.parametrize("path", ["", "/", "Colour", "MediaFront/Format", "Width/Resolution"])
def test_a_path_that_no_ticket_has_is_refused(path: str) -> None:
    with pytest.raises(TicketError, match="no ticket has an element"):
        set_value(new_ticket("x"), path, "1")


def test_the_image_of_the_sample_ticket_is_that_of_the_sample_answer() -> None:
    ticket = read_ticket(SAMPLES / "dsd-validate-scan-ticket-request.xml")
    assert front_image(Settings(ticket, DEFAULT), CONFIGURATION) == ImageSize(3_300, 2_550, 3_300)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"Format": "dib"}, ImageSize(2_550, 3_300, 320)),
        ({"Format": "dib", "ColorProcessing": "RGB24"}, ImageSize(2_550, 3_300, 7_652)),
        ({"Format": "tiff-multi-uncompressed"}, ImageSize(2_550, 3_300, 319)),
        ({"Format": "png", "ScanRegionWidth": "5", "ScanRegionHeight": "15"}, ImageSize(2, 5, 0)),
        ({"ScanRegionWidth": "1", "ScanRegionHeight": "1"}, ImageSize(1, 1, 0)),
        ({"ScalingWidth": "50", "ScalingHeight": "25"}, ImageSize(1_275, 825, 0)),
        ({"Resolution/Width": "100"}, ImageSize(850, 1_100, 0)),
    ],
)
def test_sizes_are_rounded_half_up_and_rows_of_a_dib_to_four_octets(
    settings: dict[str, str], size: ImageSize
) -> None:
    ticket = new_ticket("size")
    for path, value in settings.items():
        set_value(ticket, path, value)
    assert front_image(Settings(ticket, DEFAULT), CONFIGURATION) == size


def test_the_trials_of_the_sample_scanner_cover_every_kind_of_mistake() -> None:
    purposes = [trial.purpose for trial in wrong_tickets(CONFIGURATION, DEFAULT)]
    assert len(purposes) == len(set(purposes)) == 18
    assert len(list(right_tickets(CONFIGURATION, DEFAULT))) == 9
    assert clashing_ticket(CONFIGURATION, DEFAULT) is not None


@pytest.mark.parametrize(
    ("text", "length_s"),
    [("PT1H", 3_600.0), ("P1DT2M", 86_520.0), ("PT0.5S", 0.5), ("P1M", 2_592_000.0), ("PT0S", 0.0)],
)
def test_durations_are_read(text: str, length_s: float) -> None:
    assert seconds(text) == length_s


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "3600", "-PT1H", "PT1H ", "P1H", "1H", "PT1.S", "2026-03-02T09:12:30Z"]
)
def test_what_is_no_duration_is_none(text: str) -> None:
    assert seconds(text) is None


@given(st.integers(0, 10**6))
def test_a_duration_that_was_written_is_read(length_s: int) -> None:
    assert seconds(duration(length_s)) == length_s
