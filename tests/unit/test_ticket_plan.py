"""The ticket engine, case by case: what is met, what yields to what, what is refused and in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsm_device.errors import TicketRefused
from dsm_device.hardware import (
    Area,
    Capabilities,
    ColorProcessing,
    InputSource,
    ScannerInfo,
    ScanSettings,
    Size,
    SourceCapabilities,
)
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.treatment import NOTHING
from dsm_device.job.habits import Habits
from dsm_device.job.plan import Plan, make_plan
from dsm_device.wire.ticket import Foreign, ScanTicket
from dsm_device.wire.ticket_elements import setting_of
from dsm_device.wire.ticket_overrides import with_overrides

BILEVEL = ColorProcessing.BLACK_AND_WHITE_1
GRAY = ColorProcessing.GRAYSCALE_8
RGB = ColorProcessing.RGB_24
FORMATS = {
    "jfif": (GRAY, RGB),
    "png": (BILEVEL, GRAY, RGB, ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_48),
    "tiff-single-uncompressed": (BILEVEL, GRAY, RGB),
    "tiff-single-g4": (BILEVEL,),
}
DPI = (75, 150, 300, 600)
FLATBED = SourceCapabilities(
    InputSource.PLATEN,
    (BILEVEL, GRAY, RGB),
    (75, 150, 300, 600),
    (75, 150, 300, 600),
    Size(0, 0),
    Size(8500, 11690),
)
FEEDER = replace(FLATBED, source=InputSource.ADF, maximum=Size(8500, 14000))


def scanner(*sources: SourceCapabilities) -> Capabilities:
    return Capabilities(ScannerInfo("x:0", "", ""), sources or (FLATBED, FEEDER))


def ticket(*free: str, locked: tuple[str, ...] = ()) -> ScanTicket:
    """A ticket with ``free`` settings and ``locked`` ones, written as on the command line."""
    stated = with_overrides(ScanTicket(), [*free, *locked])
    return replace(stated, locks=frozenset(setting_of(each.partition("=")[0]) for each in locked))


def plan(*free: str, locked: tuple[str, ...] = (), on: Capabilities | None = None) -> Plan:
    return make_plan(on or scanner(), ticket(*free, locked=locked), FORMATS, Habits())


def notes(made: Plan) -> list[str]:
    return [str(note) for note in made.notes]


REGION = (
    "MediaFront/ScanRegion/ScanRegionXOffset={}",
    "MediaFront/ScanRegion/ScanRegionYOffset={}",
    "MediaFront/ScanRegion/ScanRegionWidth={}",
    "MediaFront/ScanRegion/ScanRegionHeight={}",
)


def region(x: int, y: int, width: int, height: int) -> tuple[str, ...]:
    return tuple(each.format(number) for each, number in zip(REGION, (x, y, width, height), strict=True))


# ------------------------------------------------------------------------------- the default ticket


def test_empty_ticket_becomes_a_whole_page_in_colour_as_jpeg() -> None:
    made = plan()
    assert made.settings == ScanSettings(InputSource.PLATEN, RGB, 300, 300, Area(0, 0, 8500, 11690), None, 1)
    assert made.sides[0] == PageSpec("jfif", RGB, 2550, 3507, 300, 300, 85)
    assert made.notes == ()
    assert all(outcome.used_default for outcome in made.outcomes)


def test_default_source_is_the_feeder_where_there_is_no_flatbed() -> None:
    assert plan(on=scanner(FEEDER)).settings.source is InputSource.ADF


@pytest.mark.parametrize(
    ("asked", "format_", "color"),
    [
        ("Format=tiff-single-g4", "tiff-single-g4", BILEVEL),
        ("Format=png", "png", RGB),
        ("MediaFront/ColorProcessing=BlackAndWhite1", "tiff-single-g4", BILEVEL),
        ("MediaFront/ColorProcessing=Grayscale8", "jfif", GRAY),
    ],
)
def test_format_and_colour_pull_each_other_along_without_a_note(
    asked: str, format_: str, color: ColorProcessing
) -> None:
    made = plan(asked)
    assert (made.format, made.sides[0].color) == (format_, color)
    assert notes(made) == []


# ---------------------------------------------------------------------------------- pixels and areas


def test_letter_at_300_dpi_is_2550_by_3300_pixels() -> None:
    made = plan("InputSize/InputMediaSize=8500x11000")
    assert (made.sides[0].width_px, made.sides[0].height_px) == (2550, 3300)
    assert made.settings.media == Size(8500, 11000)


def test_paper_that_the_scanner_misses_by_a_hair_keeps_all_its_pixels() -> None:
    flatbed = replace(FLATBED, maximum=Size(8465, 11634))
    made = plan(locked=("InputSize/InputMediaSize=8500x11693",), on=scanner(flatbed))
    assert (made.sides[0].width_px, made.sides[0].height_px) == (2550, 3508)
    assert made.settings.area == Area(0, 0, 8465, 11634)
    assert made.settings.media == Size(8465, 11634)
    assert notes(made) == []


def test_paper_beyond_the_tolerance_is_cut_with_a_note_or_refused() -> None:
    made = plan("InputSize/InputMediaSize=8560x11000")
    assert made.settings.area == Area(0, 0, 8500, 11000)
    assert notes(made) == [
        "InputSize/InputMediaSize: asked 8560x11000, used 8500x11000: the scanner's largest sheet is smaller"
    ]
    with pytest.raises(TicketRefused, match=r"8560x11000.*up to 8500x11690"):
        plan(locked=("InputSize/InputMediaSize=8560x11000",))


def test_region_over_the_edge_is_cut_where_free() -> None:
    made = plan(*region(8000, 0, 1000, 2000))
    assert made.settings.area == Area(8000, 0, 500, 2000)
    assert made.sides[0].width_px == 150
    assert [note.element for note in made.notes] == ["MediaFront/ScanRegion/ScanRegionWidth"]


def test_locked_width_moves_a_free_offset() -> None:
    x, y, width, height = region(8000, 0, 1000, 2000)
    made = plan(x, y, height, locked=(width,))
    assert made.settings.area.width_mil + made.settings.area.x_mil == 8500
    assert made.sides[0].width_px == 300
    assert [note.element for note in made.notes] == ["MediaFront/ScanRegion/ScanRegionXOffset"]


def test_locked_region_over_the_edge_is_refused() -> None:
    with pytest.raises(TicketRefused, match=r"ScanRegionWidth must be 1000.*possible: up to 500"):
        plan(locked=region(8000, 0, 1000, 2000))


@pytest.mark.parametrize("locked", [True, False])
def test_region_wholly_outside_is_always_refused(locked: bool) -> None:
    asked = region(8500, 0, 10, 10)
    with pytest.raises(TicketRefused, match="XOffset 8500 is outside the sheet: possible: 0 to 8499"):
        plan(*(() if locked else asked), locked=asked if locked else ())


def test_free_sheet_yields_to_a_locked_region() -> None:
    made = plan("InputSize/InputMediaSize=4000x6000", locked=region(0, 0, 5000, 6000))
    assert made.settings.area == Area(0, 0, 5000, 6000)
    assert made.settings.media == Size(5000, 6000)
    assert [note.used for note in made.notes] == ["5000x6000"]


def test_area_smaller_than_the_scanner_takes_is_taken_larger_and_shown_small() -> None:
    flatbed = replace(FLATBED, minimum=Size(100, 100))
    made = plan(locked=region(0, 0, 10, 10), on=scanner(flatbed))
    assert made.settings.area == Area(0, 0, 100, 100)
    assert (made.sides[0].width_px, made.sides[0].height_px) == (3, 3)


def test_region_at_the_edge_moves_back_until_the_smallest_area_fits() -> None:
    flatbed = scanner(replace(FLATBED, minimum=Size(100, 100)))
    made = plan(*region(8450, 0, 10, 200), on=flatbed)
    assert made.settings.area == Area(8400, 0, 100, 200)
    assert [note.used for note in made.notes] == ["8400"]
    with pytest.raises(TicketRefused, match=r"XOffset must be 8450, but 100 must fit.*possible: up to 8400"):
        plan(locked=region(8450, 0, 10, 200), on=flatbed)


def test_free_sheet_and_offset_yield_together_to_a_locked_width() -> None:
    x, y, width, height = region(3999, 0, 8550, 2000)
    made = plan("InputSize/InputMediaSize=4000x6000", x, y, height, locked=(width,))
    assert made.sides[0].width_px == 2565
    assert made.settings.area == Area(9, 0, 8491, 2000)
    assert [note.used for note in made.notes] == ["9", "8559x6000"]


# ---------------------------------------------------------------------------------------- resolution


@pytest.mark.parametrize(
    ("asked", "acquired"),
    [
        ("301x301", (600, 600)),
        ("300x300", (300, 300)),
        ("224x224", (300, 300)),
        ("1x1", (75, 75)),
        ("300x600", (600, 600)),
        ("76x150", (150, 150)),
    ],
)
def test_resolution_is_met_exactly_by_scanning_at_the_next_higher(asked: str, acquired: tuple[int, int]) -> None:
    made = plan(locked=(f"MediaFront/Resolution={asked}",))
    x_dpi, y_dpi = map(int, asked.split("x"))
    assert (made.sides[0].x_dpi, made.sides[0].y_dpi) == (x_dpi, y_dpi)
    assert (made.settings.x_dpi, made.settings.y_dpi) == acquired
    is_resampled = acquired != (x_dpi, y_dpi)
    assert (made.sides[0].treatment.region is not None) == is_resampled
    assert notes(made) == []


def test_resolution_beyond_the_largest_is_lowered_or_refused() -> None:
    made = plan("MediaFront/Resolution=300x2147483647")
    assert notes(made) == [
        "MediaFront/Resolution: asked 300x2147483647, used 300x600: Platen delivers at most 600x600"
    ]
    with pytest.raises(TicketRefused, match=r"Resolution must be 601x601, but Platen .* 600x600: possible: any"):
        plan(locked=("MediaFront/Resolution=601",))


def test_resolution_that_is_not_stated_is_the_scanners_own_nearest_to_300() -> None:
    flatbed = replace(FLATBED, x_resolutions_dpi=(200, 400, 600), y_resolutions_dpi=(200, 400, 600))
    assert plan(on=scanner(flatbed)).sides[0].x_dpi == 400
    assert plan(on=scanner(flatbed)).sides[0].treatment == NOTHING


def test_axes_may_differ_where_the_scanner_sets_them_apart() -> None:
    flatbed = replace(FLATBED, square_only=False, y_resolutions_dpi=(75, 1200))
    made = plan(locked=("MediaFront/Resolution=300x1200",), on=scanner(flatbed))
    assert (made.settings.x_dpi, made.settings.y_dpi) == (300, 1200)
    assert made.sides[0].height_px == 14028


# ---------------------------------------------------------------------------------- format and colour


def test_format_wins_over_colour_where_both_are_free() -> None:
    made = plan("Format=tiff-single-g4", "MediaFront/ColorProcessing=RGB24")
    assert (made.format, made.sides[0].color) == ("tiff-single-g4", BILEVEL)
    assert notes(made) == [
        "MediaFront/ColorProcessing: asked RGB24, used BlackAndWhite1: tiff-single-g4 cannot hold it"
    ]


def test_locked_colour_wins_over_a_free_format() -> None:
    made = plan("Format=tiff-single-g4", locked=("MediaFront/ColorProcessing=RGB24",))
    assert (made.format, made.sides[0].color) == ("jfif", RGB)
    assert notes(made) == ["Format: asked tiff-single-g4, used jfif: it cannot hold RGB24"]


def test_locked_format_and_locked_colour_that_exclude_each_other_are_refused_by_name() -> None:
    with pytest.raises(TicketRefused, match=r"Format tiff-single-g4 and MediaFront/ColorPr.* RGB24") as error:
        plan(locked=("Format=tiff-single-g4", "MediaFront/ColorProcessing=RGB24"))
    assert "RGB24 with Format jfif, png, tiff-single-uncompressed" in str(error.value)
    assert "tiff-single-g4 with MediaFront/ColorProcessing BlackAndWhite1" in str(error.value)


def test_format_that_cannot_be_written_is_replaced_or_refused() -> None:
    made = plan("Format=pdf-a")
    assert notes(made) == ["Format: asked pdf-a, used jfif: this device does not write it"]
    with pytest.raises(TicketRefused, match=r"Format must be pdf-a.*possible: jfif, png, tiff-single-uncomp"):
        plan(locked=("Format=pdf-a",))


def test_colour_is_kept_where_its_format_must_be_replaced_anyway() -> None:
    made = plan("Format=pdf-a", "MediaFront/ColorProcessing=BlackAndWhite1")
    assert (made.format, made.sides[0].color) == ("tiff-single-g4", BILEVEL)
    made = plan("Format=tiff-multi-g4", "MediaFront/ColorProcessing=RGB24")
    assert (made.format, made.sides[0].color) == ("jfif", RGB)
    assert plan("Format=tiff-multi-g4").format == "tiff-single-g4"


@pytest.mark.parametrize(
    ("asked", "used"),
    [("Grayscale4", GRAY), ("Grayscale16", GRAY), ("RGB48", RGB), ("RGBa32", RGB), ("acme:cmyk", RGB)],
)
def test_colour_that_cannot_be_had_takes_the_nearest(asked: str, used: ColorProcessing) -> None:
    made = plan(f"MediaFront/ColorProcessing={asked}")
    assert made.sides[0].color is used
    assert [note.asked for note in made.notes] == [asked]
    with pytest.raises(TicketRefused, match=f"{asked}.*possible: Grayscale8, RGB24, BlackAndWhite1"):
        plan(locked=(f"MediaFront/ColorProcessing={asked}",))


@pytest.mark.parametrize(
    ("hardware", "asked", "acquired"),
    [
        ((BILEVEL, GRAY, RGB), "BlackAndWhite1", BILEVEL),
        ((GRAY, RGB), "BlackAndWhite1", GRAY),
        ((RGB,), "BlackAndWhite1", RGB),
        ((RGB,), "Grayscale8", RGB),
    ],
)
def test_colour_is_made_from_what_the_scanner_delivers(
    hardware: tuple[ColorProcessing, ...], asked: str, acquired: ColorProcessing
) -> None:
    made = plan(locked=(f"MediaFront/ColorProcessing={asked}",), on=scanner(replace(FLATBED, colors=hardware)))
    assert made.settings.color is acquired
    assert made.sides[0].color.value == asked


def test_colour_never_comes_from_a_scanner_without_it() -> None:
    made = plan("MediaFront/ColorProcessing=RGB24", on=scanner(replace(FLATBED, colors=(GRAY,))))
    assert made.sides[0].color is GRAY
    with pytest.raises(TicketRefused, match="delivers no colour that a file can hold"):
        plan(on=scanner(replace(FLATBED, colors=())))


# -------------------------------------------------------------------------------------------- quality


def test_quality_of_a_lossless_format() -> None:
    assert plan("Format=png", locked=("CompressionQualityFactor=100",)).sides[0].quality == 100
    assert [note.element for note in plan("Format=png", "CompressionQualityFactor=80").notes] == [
        "CompressionQualityFactor"
    ]
    with pytest.raises(TicketRefused, match="must be 80, but png is lossless"):
        plan("Format=png", locked=("CompressionQualityFactor=80",))


def test_quality_zero_becomes_one_where_free() -> None:
    made = plan("CompressionQualityFactor=0")
    assert made.sides[0].quality == 1
    assert [note.used for note in made.notes] == ["1"]


# -------------------------------------------------------------------------------------- source, images


def test_missing_source_is_replaced_or_refused() -> None:
    made = plan("InputSource=ADFDuplex")
    assert made.settings.source is InputSource.ADF
    assert [note.used for note in made.notes] == ["ADF"]
    with pytest.raises(TicketRefused, match=r"InputSource must be Film.*possible: Platen, ADF"):
        plan(locked=("InputSource=Film",))


@pytest.mark.parametrize("count", [0, 1, 3, 2_147_483_648])
def test_count_of_images_is_handed_on(count: int) -> None:
    assert plan("InputSource=ADF", locked=(f"ImagesToTransfer={count}",)).settings.images == count


# ----------------------------------------------------------------------------- what asks for nothing


@pytest.mark.parametrize(
    "asked",
    [
        "Rotation=0",
        "Scaling=100x100",
        "Exposure/AutoExposure=false",
        "Exposure/ExposureSettings/Contrast=0",
        "ContentType=Auto",
        "ContentType=Mixed",
        "FilmScanMode=NotApplicable",
        "InputSize/DocumentSizeAutoDetect=false",
    ],
)
def test_setting_that_asks_for_nothing_special_is_met(asked: str) -> None:
    assert notes(plan(locked=(asked,))) == []


def test_elements_of_strangers_are_noted_or_refused() -> None:
    made = make_plan(scanner(), ScanTicket(foreign=(Foreign("acme:Blank", False),)), FORMATS, Habits())
    assert notes(made) == ["acme:Blank: asked stated, not applied: this device does not know it"]
    with pytest.raises(TicketRefused, match="acme:Blank must be honoured"):
        make_plan(scanner(), ScanTicket(foreign=(Foreign("acme:Blank", True),)), FORMATS, Habits())


# ------------------------------------------------------------------------------------- file limits


def test_page_that_its_format_cannot_hold_is_refused_before_it_is_scanned() -> None:
    fine = (75, 300, 9600)
    flatbed = replace(FLATBED, x_resolutions_dpi=fine, y_resolutions_dpi=fine, maximum=Size(8500, 14000))
    with pytest.raises(TicketRefused, match="jfif cannot have a page size in pixels of 81600 x 134400"):
        plan("MediaFront/Resolution=9600", on=scanner(flatbed))
    with pytest.raises(TicketRefused, match="134400 pixels is too large for tiff-single-uncompressed"):
        plan("MediaFront/Resolution=9600", "Format=tiff-single-uncompressed", on=scanner(flatbed))
    assert plan("MediaFront/Resolution=9600", "Format=png", on=scanner(flatbed)).sides[0].width_px == 81600


def test_line_that_no_memory_is_meant_for_is_refused() -> None:
    fine = (300, 19_200)
    flatbed = replace(FLATBED, x_resolutions_dpi=fine, y_resolutions_dpi=fine)
    with pytest.raises(TicketRefused, match=r"a line of 163200 pixels in RGB24 .*: choose a smaller area"):
        plan("MediaFront/Resolution=19200", "Format=png", on=scanner(flatbed))
    made = plan(
        "MediaFront/Resolution=19200", "MediaFront/ColorProcessing=Grayscale8", "Format=png", on=scanner(flatbed)
    )
    assert made.sides[0].width_px == 163_200
