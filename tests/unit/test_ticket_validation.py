"""ValidateScanTicket: the table case by case, conflicts, and what holds for every ticket and every scanner."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import event, example, given, settings
from lxml import etree

from dsm_device.errors import TicketConflict, TicketRefused
from dsm_device.hardware import Capabilities, ColorProcessing, InputSource, Size
from dsm_device.job.habits import Habits
from dsm_device.job.image_information import NO_IMAGE, ImageInfo, ImageInformation
from dsm_device.job.offer import make_offer
from dsm_device.job.plan import make_plan
from dsm_device.job.validation import Validation, default_ticket, validate
from dsm_device.wire import names, ticket_reader, ticket_writer
from dsm_device.wire.schema import Value
from dsm_device.wire.ticket import Foreign, ScanTicket
from dsm_device.wire.ticket_elements import LEAVES, setting_of
from tests.unit.ticket_strategies import (
    EVERY_FORMAT,
    FEW_FORMATS,
    USUAL_SCANNER,
    FileFormats,
    any_scanner,
    file_formats,
    habits,
    tickets,
)

DATA = Path(__file__).parents[1] / "data" / "samples"
SCHEMAS = Path(__file__).parents[2] / "hw-sim" / "dsm_sim" / "schemas"
SERVICE = etree.XMLSchema(etree.parse(SCHEMAS / "wscn-device.xsd"))
NO_HABITS = Habits()
#: Platen and a simplex feeder; the platen can do more.
PLATEN = replace(
    USUAL_SCANNER.sources[0], x_resolutions_dpi=(75, 100, 300, 1200), y_resolutions_dpi=(75, 100, 300, 1200)
)
FEEDER = replace(USUAL_SCANNER.sources[1], maximum=Size(8500, 14_000))
DESK = Capabilities(USUAL_SCANNER.scanner, (PLATEN, FEEDER))


def check(values: dict[str, Value], locked: tuple[str, ...] = (), on: Capabilities = DESK) -> Validation:
    return validate(on, ScanTicket(values=values, locks=frozenset(locked)), EVERY_FORMAT, NO_HABITS)


def is_schema_valid(ticket: ScanTicket) -> bool:
    request = etree.Element(names.qname(names.WSCN, "ValidateScanTicketRequest"))
    request.append(ticket_writer.render(ticket, names.WSCN))
    return SERVICE.validate(etree.fromstring(etree.tostring(request)))


# ------------------------------------------------------------------------------------------ the table

REGION = "MediaFront/ScanRegion/ScanRegion"
SIZE = "InputSize/InputMediaSize"


def region(x: int, y: int, width: int, height: int) -> dict[str, Value]:
    numbers = {"XOffset": x, "YOffset": y, "Width": width, "Height": height}
    return {f"{REGION}{name}": number for name, number in numbers.items()}


def size(width: int, height: int) -> dict[str, Value]:
    return {f"{SIZE}/Width": width, f"{SIZE}/Height": height}


FRONT_DPI = "MediaFront/Resolution"


@pytest.mark.parametrize(
    ("sent", "replaced"),
    [
        ({"Format": "acme:own"}, {"Format": "jfif"}),
        ({"InputSource": "Film"}, {"InputSource": "Platen"}),
        ({"InputSource": "ADFDuplex"}, {"InputSource": "Platen"}),
        ({"ContentType": "acme:x"}, {"ContentType": "Auto"}),
        ({"Rotation": "45"}, {"Rotation": "0"}),
        ({"MediaFront/ColorProcessing": "RGBa32"}, {"MediaFront/ColorProcessing": "RGB24"}),
        ({"MediaFront/ColorProcessing": "RGB48", "Format": "png"}, {"MediaFront/ColorProcessing": "RGB24"}),
        ({"CompressionQualityFactor": 101}, {"CompressionQualityFactor": 100}),
        ({"CompressionQualityFactor": -1}, {"CompressionQualityFactor": 0}),
        ({"ImagesToTransfer": -1}, {"ImagesToTransfer": 0}),
        ({"ImagesToTransfer": 2, "InputSource": "Platen"}, {"ImagesToTransfer": 1}),
        ({"ImagesToTransfer": 2}, {"ImagesToTransfer": 1}),
        (
            {"Scaling/ScalingWidth": 1250, "Scaling/ScalingHeight": 24},
            {"Scaling/ScalingWidth": 400, "Scaling/ScalingHeight": 25},
        ),
        ({"Exposure/ExposureSettings/Brightness": 1001}, {"Exposure/ExposureSettings/Brightness": 1000}),
        ({"Exposure/ExposureSettings/Contrast": -1001}, {"Exposure/ExposureSettings/Contrast": -1000}),
        ({"Exposure/ExposureSettings/Sharpness": 101}, {"Exposure/ExposureSettings/Sharpness": 100}),
        (
            {f"{FRONT_DPI}/Width": 200, f"{FRONT_DPI}/Height": 9999},
            {f"{FRONT_DPI}/Width": 100, f"{FRONT_DPI}/Height": 1200},
        ),
        ({f"{FRONT_DPI}/Width": 250}, {f"{FRONT_DPI}/Width": 300}),
        (size(8501, 5000), {f"{SIZE}/Width": 8500}),
        (size(50, 11_691), {f"{SIZE}/Width": 100, f"{SIZE}/Height": 11_690}),
        ({**size(4000, 5000), **region(3000, 0, 1001, 5000)}, {f"{REGION}Width": 1000}),
        ({**size(4000, 5000), **region(4000, 100, 10, 10)}, region(0, 0, 4000, 5000)),
        (region(-10, 0, 100, 100), {f"{REGION}XOffset": 0, f"{REGION}Width": 90}),
        ({"FilmScanMode": "ColorSlideFilm"}, {"FilmScanMode": None}),
        ({"MediaBack/ColorProcessing": "RGB24"}, {"MediaBack/ColorProcessing": None}),
        (
            {"Format": "tiff-single-g4", "MediaFront/ColorProcessing": "RGB24"},
            {"MediaFront/ColorProcessing": "BlackAndWhite1"},
        ),
        (
            {"Format": "tiff-multi-jpeg-tn2", "MediaFront/ColorProcessing": "Grayscale4"},
            {"MediaFront/ColorProcessing": "Grayscale8"},
        ),
    ],
)
def test_wrong_setting_is_replaced_and_all_else_kept(
    sent: dict[str, Value], replaced: dict[str, Value | None]
) -> None:
    given_back = check(sent)
    assert (given_back.valid, given_back.image_information) == (False, NO_IMAGE)
    assert given_back.corrected is not None
    expected = {path: replaced.get(path, value) for path, value in sent.items()}
    assert given_back.corrected.values == {path: value for path, value in expected.items() if value is not None}


@pytest.mark.parametrize(
    ("sent", "image"),
    [
        ({}, ImageInfo(2550, 3507, 0)),
        ({"FilmScanMode": "NotApplicable", "CompressionQualityFactor": 0}, ImageInfo(2550, 3507, 0)),
        ({"MediaFront/ColorProcessing": "BlackAndWhite1"}, ImageInfo(2550, 3507, 0)),
        (
            {"Format": "dib", "MediaFront/ColorProcessing": "Grayscale4", **region(0, 0, 35, 40)},
            ImageInfo(11, 12, 8),
        ),
        (
            {
                "Format": "tiff-multi-uncompressed",
                **size(8500, 11_000),
                "Scaling/ScalingWidth": 50,
                "Scaling/ScalingHeight": 25,
                "Rotation": "270",
            },
            ImageInfo(825, 1275, 2475),
        ),
        ({"InputSize/DocumentSizeAutoDetect": True}, ImageInfo(2550, 3507, 0)),
        ({f"{FRONT_DPI}/Width": 300, f"{FRONT_DPI}/Height": 75, "InputSource": "Platen"}, ImageInfo(2550, 877, 0)),
    ],
)
def test_valid_ticket_is_told_its_image(sent: dict[str, Value], image: ImageInfo) -> None:
    assert check(sent) == Validation(True, ImageInformation(image), None)


def test_back_is_described_where_there_is_one_and_turned_as_it_will_be() -> None:
    duplex = {
        "InputSource": "ADFDuplex",
        "Rotation": "90",
        **size(8500, 11_000),
        "MediaBack/ColorProcessing": "Grayscale8",
    }
    ticket = ScanTicket(values={**duplex, "Format": "tiff-single-uncompressed"})
    answer = validate(DESK, ticket, EVERY_FORMAT, Habits(two_pass_duplex=True, rotate_back=270))
    assert answer == Validation(
        True, ImageInformation(ImageInfo(3300, 2550, 9900), ImageInfo(2550, 3300, 2550)), None
    )


def test_page_that_no_file_holds_gets_the_next_lower_resolution() -> None:
    sent = {"Format": "tiff-single-uncompressed", f"{FRONT_DPI}/Width": 9600, f"{FRONT_DPI}/Height": 9600}
    fine = replace(PLATEN, x_resolutions_dpi=(300, 2400, 9600), y_resolutions_dpi=(300, 2400, 9600))
    answer = check(sent, on=Capabilities(DESK.scanner, (fine,)))
    assert answer.corrected is not None
    assert answer.corrected.values == {**sent, f"{FRONT_DPI}/Width": 2400, f"{FRONT_DPI}/Height": 2400}


def test_free_format_yields_to_a_locked_colour() -> None:
    colour = "MediaFront/ColorProcessing"
    answer = check({"Format": "tiff-single-g4", colour: "RGB24"}, (colour,))
    assert answer.corrected is not None
    assert answer.corrected.values == {"Format": "jfif", colour: "RGB24"}
    assert answer.corrected.locks == {colour}


def test_demand_of_a_stranger_is_not_valid_and_a_wish_is() -> None:
    wish, demand = (ScanTicket(foreign=(Foreign("acme:Blank", lock),)) for lock in (False, True))
    assert validate(DESK, wish, EVERY_FORMAT, NO_HABITS).valid
    answer = validate(DESK, demand, EVERY_FORMAT, NO_HABITS)
    assert (answer.valid, answer.corrected) == (False, ScanTicket())


# ------------------------------------------------------------------------------------------ conflicts

COLOR = "MediaFront/ColorProcessing"


@pytest.mark.parametrize(
    ("sent", "locked"),
    [
        ({"Format": "tiff-single-g4", COLOR: "RGB24"}, ("Format", COLOR)),
        ({"Format": "png", "CompressionQualityFactor": 80}, ("Format", "CompressionQualityFactor")),
        ({"InputSource": "Platen", "ImagesToTransfer": 3}, ("InputSource", "ImagesToTransfer")),
        ({"InputSource": "ADF", f"{FRONT_DPI}/Width": 1200}, ("InputSource", FRONT_DPI)),
        ({"InputSource": "Platen", **size(8500, 14_000)}, ("InputSource", "InputSize")),
        ({**size(4000, 5000), **region(0, 0, 4001, 5000)}, ("InputSize", f"{REGION}Width")),
        (region(8000, 0, 1000, 100), (f"{REGION}XOffset", f"{REGION}Width")),
    ],
)
def test_demands_that_exclude_each_other_are_a_conflict_naming_both(
    sent: dict[str, Value], locked: tuple[str, str]
) -> None:
    with pytest.raises(TicketConflict) as error:
        check(sent, locked)
    assert all(each in error.value.message for each in locked)
    for one in locked:
        check(sent, (one,))


def test_demand_that_cannot_be_met_at_all_is_no_conflict() -> None:
    answer = check({"InputSource": "Film", "ImagesToTransfer": 3}, ("InputSource", "ImagesToTransfer"))
    assert not answer.valid
    answer = check({"Format": "acme:own", COLOR: "RGB24"}, ("Format", COLOR))
    assert answer.corrected is not None
    assert answer.corrected.values == {"Format": "jfif", COLOR: "RGB24"}


# ------------------------------------------------------------------------------- samples of the pages


def ticket_of(sample: str) -> ScanTicket:
    tree = etree.parse(DATA / sample)
    return ticket_reader.parse_any(next(tree.iter("{*}ScanTicket")))


SAMPLE = Capabilities(
    USUAL_SCANNER.scanner,
    tuple(replace(each, maximum=Size(8500, 14_000)) for each in USUAL_SCANNER.sources[:3]),
)


def test_sample_tickets_are_answered_as_the_samples_are() -> None:
    valid = validate(SAMPLE, ticket_of("dsd-validate-scan-ticket-request.xml"), EVERY_FORMAT, NO_HABITS)
    image = ImageInfo(3300, 2550, 3300)
    assert valid == Validation(True, ImageInformation(image, image), None)
    invalid = validate(SAMPLE, ticket_of("dsd-validate-scan-ticket-invalid-request.xml"), EVERY_FORMAT, NO_HABITS)
    answer = etree.parse(DATA / "dsd-validate-scan-ticket-invalid-response.xml")
    expected = ticket_reader.parse(next(answer.iter("{*}ValidScanTicket")))
    assert invalid == Validation(False, NO_IMAGE, expected)


# ------------------------------------------------------------------------------------- default ticket


def test_default_ticket_states_everything_and_is_valid() -> None:
    ticket = default_ticket(DESK, EVERY_FORMAT, NO_HABITS)
    choices = ("InputSize/DocumentSizeAutoDetect", "Exposure/AutoExposure")
    assert list(ticket.values) and set(ticket.values) == {
        path for path in LEAVES if not path.startswith("MediaBack") and path not in choices
    }
    assert is_schema_valid(ticket)
    answer = validate(DESK, ticket, EVERY_FORMAT, NO_HABITS)
    assert answer.valid
    assert answer == validate(DESK, ScanTicket(), EVERY_FORMAT, NO_HABITS)


def test_what_a_source_offers_is_what_software_makes_of_it() -> None:
    gray = replace(PLATEN, colors=(ColorProcessing.GRAYSCALE_8,))
    offer = make_offer(Capabilities(DESK.scanner, (gray,)), FEW_FORMATS, Habits(two_pass_duplex=True))
    assert [each.source for each in offer.sources] == [InputSource.PLATEN]
    assert offer.sources[0].colors == (ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8)
    assert offer.sources[0].minimum == Size(100, 100)
    two_pass = make_offer(DESK, EVERY_FORMAT, Habits(two_pass_duplex=True)).source("ADFDuplex")
    assert two_pass is not None
    assert (two_pass.two_pass, two_pass.maximum) == (True, FEEDER.maximum)
    assert ColorProcessing.GRAYSCALE_4 in two_pass.colors


# ----------------------------------------------------------------------------------------- properties


@settings(max_examples=200, deadline=None)
@given(capabilities=any_scanner, ticket=tickets(broken=3), formats=file_formats, habits=habits)
@example(capabilities=USUAL_SCANNER, ticket=ScanTicket(), formats=EVERY_FORMAT, habits=NO_HABITS)
def test_every_ticket_is_valid_or_corrected_to_one_that_is(
    capabilities: Capabilities, ticket: ScanTicket, formats: FileFormats, habits: Habits
) -> None:
    try:
        answer = validate(capabilities, ticket, formats, habits)
    except TicketConflict as conflict:
        event("conflict")
        assert len({setting_of(path) for path in ticket.values if ticket.locked(setting_of(path))}) > 1
        assert "\n" not in str(conflict)
        return
    if answer.valid:
        event("valid")
        assert answer.corrected is None
        check_scanned_as_it_stands(capabilities, ticket, formats, habits, answer)
        right = ticket
    elif answer.corrected is None:
        event("nothing like it")
        assert (capabilities, formats) != (USUAL_SCANNER, EVERY_FORMAT)
        return
    else:
        event("corrected")
        assert answer.image_information == NO_IMAGE
        right = answer.corrected
        assert set(right.values) <= set(ticket.values)
        assert right.locks <= ticket.locks
        assert validate(capabilities, right, formats, habits).valid
    check_round_trip(right)


def check_scanned_as_it_stands(
    capabilities: Capabilities, ticket: ScanTicket, formats: FileFormats, habits: Habits, answer: Validation
) -> None:
    """A valid ticket gives the image that was said, and what it states is honoured."""
    source = ticket.values.get("InputSource") or default_source(capabilities, formats, habits)
    exact = replace(ticket, values={**ticket.values, "InputSource": source}, locks=ticket.locks | {"InputSource"})
    plan = make_plan(capabilities, exact, formats, habits)
    assert plan.image_information == answer.image_information
    excused = ("CompressionQualityFactor", "acme:Extra")
    changed = [note.element for note in plan.notes if note.element not in excused]
    assert changed == []


def default_source(capabilities: Capabilities, formats: FileFormats, habits: Habits) -> str:
    for each in make_offer(capabilities, formats, habits).sources:
        only = ScanTicket(values={"InputSource": each.source.value}, locks=frozenset({"InputSource"}))
        try:
            make_plan(capabilities, only, formats, habits)
        except TicketRefused:
            continue
        return each.source.value
    raise AssertionError("a ticket is valid, but no source is")


def check_round_trip(ticket: ScanTicket) -> None:
    """Rendered, it fits the schemas, and read again it says the same."""
    assert is_schema_valid(ticket)
    root = etree.fromstring(etree.tostring(ticket_writer.render(ticket, names.PSP)))
    read = ticket_reader.parse(root)
    assert read.values == ticket.values
    assert read.parameters == ticket.parameters
    assert ticket_reader.parse_any(root) == read
