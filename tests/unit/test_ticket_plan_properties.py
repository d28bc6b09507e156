"""For any ticket and any scanner: a plan that the scanner can carry out, or a refusal; and locks hold."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import event, example, given, settings

from dsm_device.errors import TicketRefused
from dsm_device.hardware import Capabilities, ColorProcessing, InputSource, Size
from dsm_device.imaging.formats import FORMATS, MADE_FROM, PageSpec, page_format
from dsm_device.imaging.treatment import Bilevel
from dsm_device.job.geometry import TOLERANCE_MIL
from dsm_device.job.habits import Habits
from dsm_device.job.image_information import ImageInfo
from dsm_device.job.plan import Plan, make_plan
from dsm_device.wire import final_parameters
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.ticket_elements import COLORS, setting_of
from tests.unit.ticket_strategies import (
    EVERY_FORMAT,
    USUAL_SCANNER,
    FileFormats,
    Values,
    any_scanner,
    file_formats,
    habits,
    tickets,
)

BILEVEL = ColorProcessing.BLACK_AND_WHITE_1
BITS = {"BlackAndWhite1": 1, "Grayscale4": 4, "Grayscale8": 8, "Grayscale16": 16, "RGB24": 24, "RGB48": 48}


@settings(max_examples=300, deadline=None)
@given(capabilities=any_scanner, ticket=tickets(broken=1), formats=file_formats, habits=habits)
@example(capabilities=USUAL_SCANNER, ticket=ScanTicket(), formats=EVERY_FORMAT, habits=Habits())
def test_engine_answers_every_ticket_with_an_honest_plan_or_a_refusal(
    capabilities: Capabilities, ticket: ScanTicket, formats: FileFormats, habits: Habits
) -> None:
    try:
        plan = make_plan(capabilities, ticket, formats, habits)
    except TicketRefused as refused:
        event("refused")
        assert refused.message
        assert "\n" not in str(refused)
        return
    event("planned")
    final = final_parameters.values(plan.outcomes)
    check_inside(capabilities, plan)
    check_told(ticket, plan)
    check_locks(ticket, final)
    for index, side in enumerate(("MediaFront", "MediaBack")[: len(plan.sides)]):
        spec = plan.sides[index]
        turn = (int(final["Rotation"]) + index * habits.rotate_back) % 360
        assert spec.treatment.rotation == turn
        assert (plan.image_information.front, plan.image_information.back)[index] == image(final, side, turn)
        check_file(plan, spec, final, side, formats)
        check_acquired(plan, spec, final, side)
        check_treatment(ticket, plan, spec, final, habits)
    assert (final["InputSource"] == "ADFDuplex") == (len(plan.sides) == 2)
    check_count(plan, final)


@settings(max_examples=100, deadline=None)
@given(ticket=tickets())
def test_free_settings_are_refused_only_where_nothing_is_left_to_scan(ticket: ScanTicket) -> None:
    free = replace(ticket, locks=frozenset(), foreign=())
    try:
        make_plan(USUAL_SCANNER, free, EVERY_FORMAT, Habits())
    except TicketRefused as refused:
        assert "outside the sheet" in refused.message


# ---------------------------------------------------------------------------- what is asked of the driver


def check_inside(capabilities: Capabilities, plan: Plan) -> None:
    asked = plan.settings
    source = capabilities.source(asked.source)
    assert source is not None
    assert asked.color in source.colors
    assert asked.x_dpi in source.x_resolutions_dpi
    assert asked.y_dpi in source.y_resolutions_dpi
    assert asked.x_dpi == asked.y_dpi or not source.square_only
    assert asked.images >= 0
    area = asked.area
    assert area.x_mil >= 0
    assert area.y_mil >= 0
    assert max(1, source.minimum.width_mil) <= area.width_mil <= source.maximum.width_mil - area.x_mil
    assert max(1, source.minimum.height_mil) <= area.height_mil <= source.maximum.height_mil - area.y_mil
    if asked.media is not None:
        assert source.minimum.width_mil <= asked.media.width_mil <= source.maximum.width_mil
        assert source.minimum.height_mil <= asked.media.height_mil <= source.maximum.height_mil
    assert asked.film is None or asked.film in source.films
    assert not asked.halftone or (source.halftone and asked.color is BILEVEL)
    adjust = asked.adjust
    for name in ("brightness", "contrast", "sharpness"):
        assert getattr(adjust, name) == 0 or (name in source.adjustments and asked.color is not BILEVEL)
    assert adjust.threshold is None or ("threshold" in source.adjustments and asked.color is BILEVEL)
    assert adjust.threshold is None or 0 < adjust.threshold < 256


def check_count(plan: Plan, final: Values) -> None:
    wanted = final["ImagesToTransfer"]
    if final["InputSource"] in ("Platen", "Film"):
        assert (wanted, plan.images, plan.settings.images) in ((0, 1, 1), (1, 1, 1))
    elif not plan.two_pass:
        assert min(plan.images, 2**31 - 1) == wanted
        assert plan.settings.images == plan.images
    else:
        assert plan.settings.images == 0
        assert min(plan.images, 2**31 - 1) == wanted
        assert plan.settings.source is InputSource.ADF


def check_acquired(plan: Plan, spec: PageSpec, final: Values, side: str) -> None:
    """The acquired image holds what the side shows, but for the edge that the scanner does not reach."""
    area, box = plan.settings.area, spec.treatment.region
    region = f"{side}/ScanRegion/ScanRegion"
    for offset, length, start_mil, end_mil, dpi in (
        ("XOffset", "Width", area.x_mil, area.x_mil + area.width_mil, plan.settings.x_dpi),
        ("YOffset", "Height", area.y_mil, area.y_mil + area.height_mil, plan.settings.y_dpi),
    ):
        first, size = int(final[f"{region}{offset}"]), int(final[f"{region}{length}"])
        assert start_mil <= first
        assert end_mil >= first + size - TOLERANCE_MIL
        if box is not None:
            at, extent = (box.x_px, box.width_px) if offset == "XOffset" else (box.y_px, box.height_px)
            assert at == half_up((first - start_mil) * dpi, 1000)
            assert extent == max(1, half_up(size * dpi, 1000))
        else:
            assert first == start_mil or half_up((first - start_mil) * dpi, 1000) == 0
    if box is None:
        acquired = tuple(
            max(1, half_up(int(final[f"{region}{name}"]) * dpi, 1000))
            for name, dpi in (("Width", plan.settings.x_dpi), ("Height", plan.settings.y_dpi))
        )
        assert spec.upright_px == acquired


# ---------------------------------------------------------------------------------------------- files


def image(final: Values, side: str, turn: int) -> ImageInfo:
    """ImageInformation, worked out from its definition (WS-DSD, ValidateScanTicket)."""
    width = half_up(
        int(final[f"{side}/ScanRegion/ScanRegionWidth"]) * int(final[f"{side}/Resolution/Width"]), 1000
    )
    height = half_up(
        int(final[f"{side}/ScanRegion/ScanRegionHeight"]) * int(final[f"{side}/Resolution/Height"]), 1000
    )
    width = half_up(width * int(final["Scaling/ScalingWidth"]), 100)
    height = half_up(height * int(final["Scaling/ScalingHeight"]), 100)
    if turn in (90, 270):
        width, height = height, width
    width, height = max(1, width), max(1, height)
    bits = width * BITS[str(final[f"{side}/ColorProcessing"])]
    bytes_per_line = {
        "dib": -(-bits // 32) * 4,
        "tiff-single-uncompressed": -(-bits // 8),
        "tiff-multi-uncompressed": -(-bits // 8),
    }.get(str(final["Format"]), 0)
    return ImageInfo(width, height, bytes_per_line)


def half_up(number: int, divisor: int) -> int:
    whole, rest = divmod(number, divisor)
    return whole + (rest * 2 >= divisor)


def check_file(plan: Plan, spec: PageSpec, final: Values, side: str, formats: FileFormats) -> None:
    info = plan.image_information.front if side == "MediaFront" else plan.image_information.back
    assert info is not None
    assert (spec.width_px, spec.height_px) == (info.pixels_per_line, info.number_of_lines)
    assert plan.format == final["Format"]
    assert spec.color == final[f"{side}/ColorProcessing"]
    assert spec.format == page_format(plan.format, spec.color)
    assert spec.color in formats[plan.format]
    assert plan.settings.color in MADE_FROM[spec.color]
    dpi = (final[f"{side}/Resolution/Width"], final[f"{side}/Resolution/Height"])
    assert (spec.x_dpi, spec.y_dpi) == (dpi[::-1] if spec.treatment.on_its_side else dpi)
    assert spec.quality == final["CompressionQualityFactor"]


def check_treatment(ticket: ScanTicket, plan: Plan, spec: PageSpec, final: Values, habits: Habits) -> None:
    done, adjust = spec.treatment, plan.settings.adjust
    assert done.deskew == habits.deskew
    assert done.judge_blank == habits.skip_blank_pages
    assert done.auto_exposure == (final.get("Exposure/AutoExposure") is True)
    brightness = int(final.get("Exposure/ExposureSettings/Brightness", 0))
    contrast = int(final.get("Exposure/ExposureSettings/Contrast", 0))
    assert done.contrast + adjust.contrast == contrast
    if adjust.threshold is None:
        assert done.brightness + adjust.brightness == brightness
    else:
        assert (adjust.threshold < 128) == (brightness > 0)
        assert done.brightness == 0
    if not done.auto_exposure and "Exposure/ExposureSettings/Sharpness" in ticket.values:
        assert done.sharpness + adjust.sharpness == final["Exposure/ExposureSettings/Sharpness"]
    if done.negative:
        assert "Negative" in str(final["FilmScanMode"])
        assert (adjust.brightness, adjust.contrast, plan.settings.film) == (0, 0, None)
    elif "Negative" in str(final["FilmScanMode"]):
        assert plan.settings.film == final["FilmScanMode"]
    assert spec.color is BILEVEL or done.bilevel is Bilevel.THRESHOLD
    asked = ticket.values
    detects = asked.get("InputSize/DocumentSizeAutoDetect") is True
    assert done.find_edges <= detects


# ------------------------------------------------------------------------------------ locks and words


def check_locks(ticket: ScanTicket, final: Values) -> None:
    """What is locked is final, whatever it is; MediaBack counts only where there is a back."""
    assert not any(foreign.must_honor for foreign in ticket.foreign)
    for path, value in ticket.values.items():
        if not ticket.locked(setting_of(path)):
            continue
        if path.startswith("MediaBack") and final["InputSource"] != "ADFDuplex":
            continue
        if path == "Exposure/AutoExposure" and value is False:
            assert all(final[f"Exposure/ExposureSettings/{name}"] == 0 for name in ("Contrast", "Brightness"))
            continue
        assert final[path] == (min(value, 2**31 - 1) if isinstance(value, int) else value), path


def check_told(ticket: ScanTicket, plan: Plan) -> None:
    told = {outcome.element for outcome in plan.outcomes}
    for path in ticket.values:
        setting = setting_of(path)
        assert any(element.startswith((setting, path.split("/ScanRegion/")[0])) for element in told), (
            f"{path} is not accounted for in {told}"
        )
    assert {foreign.name for foreign in ticket.foreign} <= told
    for note in plan.notes:
        assert note.reason, note
        assert note.asked != note.used
    for outcome in plan.outcomes:
        assert outcome.override or not outcome.reason


def test_strategy_names_every_color_keyword() -> None:
    assert set(ColorProcessing) < set(COLORS)
    assert set(BITS) == set(ColorProcessing)
    assert set(EVERY_FORMAT) == set(FORMATS)
    assert USUAL_SCANNER.sources[0].maximum == Size(8500, 11_690)
