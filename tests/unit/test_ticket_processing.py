"""Who does what: what is left to the scanner, what software does, and how two sides share one acquisition."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsm_device.errors import TicketRefused
from dsm_device.hardware import (
    Adjustment,
    Adjustments,
    Area,
    Capabilities,
    ColorProcessing,
    FilmType,
    InputSource,
    ScannerInfo,
    Size,
    SourceCapabilities,
)
from dsm_device.imaging.formats import MADE_FROM
from dsm_device.imaging.treatment import NOTHING, Bilevel, Box, Treatment
from dsm_device.job.habits import Habits
from dsm_device.job.image_information import ImageInfo
from dsm_device.job.plan import Plan, make_plan
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.ticket_elements import setting_of
from dsm_device.wire.ticket_overrides import with_overrides
from tests.unit.ticket_strategies import EVERY_FORMAT

BILEVEL, GRAY, RGB = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24
GRAY_16, RGB_48 = ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_48
DPI = (75, 150, 300, 600)
FLATBED = SourceCapabilities(
    InputSource.PLATEN, (BILEVEL, GRAY, RGB), DPI, DPI, minimum=Size(0, 0), maximum=Size(8500, 11_690)
)
FEEDER = replace(FLATBED, source=InputSource.ADF)
DUPLEX = replace(FLATBED, source=InputSource.ADF_DUPLEX)
FILM = replace(FLATBED, source=InputSource.FILM, maximum=Size(2000, 2000))
NO_HABITS = Habits()
LINE_ART = "MediaFront/ColorProcessing=BlackAndWhite1"
LETTER = "InputSize/InputMediaSize=8500x11000"


def plan(
    *free: str,
    locked: tuple[str, ...] = (),
    on: SourceCapabilities | tuple[SourceCapabilities, ...] = FLATBED,
    habits: Habits = NO_HABITS,
) -> Plan:
    """The plan for settings as on the command line, ``free`` ones and ``locked`` ones."""
    stated = with_overrides(ScanTicket(), [*free, *locked])
    ticket = replace(stated, locks=frozenset(setting_of(each.partition("=")[0]) for each in locked))
    sources = (on,) if isinstance(on, SourceCapabilities) else on
    return make_plan(Capabilities(ScannerInfo("x:0", "", ""), sources), ticket, EVERY_FORMAT, habits)


def treatment(*settings: str, on: SourceCapabilities = FLATBED, habits: Habits = NO_HABITS) -> Treatment:
    return plan(locked=settings, on=on, habits=habits).sides[0].treatment


# ----------------------------------------------------------------------------------------- the formats


@pytest.mark.parametrize("format_", EVERY_FORMAT)
def test_every_format_is_written_in_every_colour_that_it_holds(format_: str) -> None:
    deep = replace(FLATBED, colors=(BILEVEL, GRAY, RGB, GRAY_16, RGB_48))
    for color in ColorProcessing:
        asked = (f"Format={format_}", f"MediaFront/ColorProcessing={color}")
        if color in EVERY_FORMAT[format_]:
            made = plan(locked=asked, on=deep)
            assert (made.format, made.sides[0].color, made.notes) == (format_, color, ())
            assert made.settings.color in MADE_FROM[color]
        else:
            with pytest.raises(
                TicketRefused, match=f"Format {format_} and MediaFront/ColorProcessing {color} are"
            ):
                plan(locked=asked, on=deep)


@pytest.mark.parametrize(
    ("color", "format_"),
    [("Grayscale4", "png"), ("Grayscale16", "png"), ("RGB48", "png"), ("RGBa64", "png"), ("RGBa32", "jfif")],
)
def test_colour_pulls_a_format_along_that_holds_it(color: str, format_: str) -> None:
    deep = replace(FLATBED, colors=(GRAY, RGB, GRAY_16, RGB_48))
    assert plan(f"MediaFront/ColorProcessing={color}", on=deep).format == format_


# ------------------------------------------------------------------------------------------- bilevel


@pytest.mark.parametrize(
    ("settings", "acquired", "bilevel"),
    [
        ((), BILEVEL, Bilevel.THRESHOLD),
        (("ContentType=Mixed", "Rotation=90"), BILEVEL, Bilevel.THRESHOLD),
        (("ContentType=Text",), GRAY, Bilevel.ADAPTIVE),
        (("ContentType=Photo",), GRAY, Bilevel.DITHER),
        (("ContentType=Halftone",), GRAY, Bilevel.DITHER),
        (("Scaling=50x50",), GRAY, Bilevel.THRESHOLD),
        (("MediaFront/Resolution=200",), GRAY, Bilevel.THRESHOLD),
        (("Exposure/AutoExposure=true",), GRAY, Bilevel.THRESHOLD),
        (("Exposure/ExposureSettings/Brightness=1",), GRAY, Bilevel.THRESHOLD),
        (("Exposure/ExposureSettings/Contrast=1",), GRAY, Bilevel.THRESHOLD),
        (("Exposure/ExposureSettings/Sharpness=1",), GRAY, Bilevel.THRESHOLD),
        (("InputSize/DocumentSizeAutoDetect=true",), GRAY, Bilevel.THRESHOLD),
    ],
)
def test_scanners_own_bilevel_image_is_taken_where_its_samples_stay_as_they_are(
    settings: tuple[str, ...], acquired: ColorProcessing, bilevel: Bilevel
) -> None:
    made = plan(locked=(LINE_ART, *settings))
    assert made.settings.color is acquired
    assert made.sides[0].treatment.bilevel is bilevel
    assert made.notes == ()


def test_straightened_lines_come_from_gray() -> None:
    assert plan(LINE_ART, habits=Habits(deskew=True)).settings.color is GRAY
    assert plan(LINE_ART, habits=Habits(skip_blank_pages=True)).settings.color is BILEVEL


@pytest.mark.parametrize(("brightness", "threshold"), [(1000, 1), (500, 65), (-500, 192), (-1000, 255)])
def test_scanner_that_sets_its_level_makes_lines_brighter_itself(brightness: int, threshold: int) -> None:
    able = replace(FLATBED, adjustments=frozenset({Adjustment.THRESHOLD}))
    made = plan(LINE_ART, f"Exposure/ExposureSettings/Brightness={brightness}", on=able)
    assert made.settings.color is BILEVEL
    assert made.settings.adjust == Adjustments(threshold=threshold)
    assert made.sides[0].treatment == NOTHING


def test_halftone_pattern_is_the_scanners_where_it_has_one() -> None:
    able = replace(FLATBED, halftone=True)
    made = plan(LINE_ART, "ContentType=Halftone", on=able)
    assert (made.settings.color, made.settings.halftone) == (BILEVEL, True)
    gray = plan("MediaFront/ColorProcessing=Grayscale8", "ContentType=Halftone", on=able)
    assert (gray.settings.color, gray.settings.halftone) == (GRAY, False)


def test_scanner_of_colour_only_gives_black_and_white_from_colour() -> None:
    made = plan(LINE_ART, "ContentType=Text", on=replace(FLATBED, colors=(RGB,)))
    assert (made.settings.color, made.sides[0].treatment.bilevel) == (RGB, Bilevel.ADAPTIVE)


# ----------------------------------------------------------------------------------- content, exposure


@pytest.mark.parametrize(
    ("settings", "sharpness"),
    [
        (("ContentType=Text",), 20),
        (("ContentType=Halftone",), -30),
        (("ContentType=Photo",), 0),
        (("ContentType=Mixed",), 0),
        (("ContentType=Text", "Exposure/ExposureSettings/Sharpness=0"), 0),
        (("ContentType=Text", "Exposure/ExposureSettings/Brightness=10"), 20),
        (("ContentType=Text", "Exposure/AutoExposure=true"), 20),
    ],
)
def test_kind_of_content_sharpens_or_blurs_unless_exposure_says_otherwise(
    settings: tuple[str, ...], sharpness: int
) -> None:
    assert treatment(*settings).sharpness == sharpness


EXPOSURE = tuple(
    f"Exposure/ExposureSettings/{each}" for each in ("Brightness=100", "Contrast=-200", "Sharpness=30")
)


def test_exposure_is_the_scanners_as_far_as_it_can() -> None:
    assert treatment(*EXPOSURE) == Treatment(brightness=100, contrast=-200, sharpness=30)
    able = replace(FLATBED, adjustments=frozenset({Adjustment.BRIGHTNESS, Adjustment.SHARPNESS}))
    made = plan(locked=EXPOSURE, on=able)
    assert made.settings.adjust == Adjustments(brightness=100, sharpness=30)
    assert made.sides[0].treatment == Treatment(contrast=-200)
    assert treatment("Exposure/AutoExposure=true", on=able) == Treatment(auto_exposure=True)


def test_sides_that_want_different_sharpness_get_it_in_software() -> None:
    able = replace(DUPLEX, adjustments=frozenset({Adjustment.SHARPNESS}))
    text = ("ContentType=Text", "MediaFront/ColorProcessing=Grayscale8", "Format=png")
    alike = plan(*text, on=able)
    assert (alike.settings.adjust.sharpness, alike.sides[1].treatment) == (20, NOTHING)
    mixed = plan(*text, "MediaBack/ColorProcessing=BlackAndWhite1", on=able)
    assert mixed.settings.adjust == Adjustments()
    assert [each.treatment for each in mixed.sides] == [
        Treatment(sharpness=20),
        Treatment(bilevel=Bilevel.ADAPTIVE),
    ]


def test_numbers_of_exposure_that_are_not_stated_are_told_as_defaults() -> None:
    told = {each.element: each for each in plan("Exposure/ExposureSettings/Contrast=5").outcomes}
    marks = [told[f"Exposure/ExposureSettings/{name}"].used_default for name in ("Contrast", "Brightness")]
    assert marks == [False, True]


# ---------------------------------------------------------------------------------------------- film


def test_film_is_developed_by_the_scanner_or_in_software() -> None:
    negative = ("InputSource=Film", "FilmScanMode=ColorNegativeFilm")
    assert treatment(*negative, on=FILM) == Treatment(negative=True)
    able = replace(FILM, films=(FilmType.COLOR_NEGATIVE,))
    made = plan(locked=negative, on=able)
    assert (made.settings.film, made.sides[0].treatment) == (FilmType.COLOR_NEGATIVE, NOTHING)


def test_film_is_a_slide_unless_said_otherwise_and_one_image() -> None:
    made = plan("InputSource=Film", "ImagesToTransfer=4", on=FILM)
    assert (made.settings.images, made.settings.film, made.sides[0].treatment) == (1, None, NOTHING)
    assert {each.element: each.used for each in made.outcomes}["FilmScanMode"] == "ColorSlideFilm"
    assert [each.element for each in made.notes] == ["ImagesToTransfer"]


def test_black_and_white_film_is_gray_where_its_colour_is_left_open() -> None:
    film = ("InputSource=Film", "FilmScanMode=BlackandWhiteNegativeFilm")
    assert plan(*film, on=FILM).settings.color is GRAY
    assert plan(*film, "MediaFront/ColorProcessing=RGB24", on=FILM).settings.color is RGB


def test_brightness_of_a_negative_comes_after_its_inversion() -> None:
    able = replace(FILM, adjustments=frozenset(Adjustment))
    made = plan("FilmScanMode=ColorNegativeFilm", *EXPOSURE, on=able)
    assert made.settings.adjust == Adjustments(sharpness=30)
    assert made.sides[0].treatment == Treatment(negative=True, brightness=100, contrast=-200)


def test_kind_of_film_without_film_is_noted_or_refused_and_pulls_a_free_source() -> None:
    asked = "FilmScanMode=ColorSlideFilm"
    assert [each.used for each in plan(asked).notes] == ["NotApplicable"]
    with pytest.raises(TicketRefused, match=r"FilmScanMode must be ColorSlideFilm.*InputSource Platen"):
        plan(locked=(asked,))
    assert plan(locked=(asked,), on=(FLATBED, FILM)).settings.source is InputSource.FILM
    with pytest.raises(TicketRefused, match=r"InputSource Platen: possible: NotApplicable, or InputSource Film"):
        plan(locked=(asked, "InputSource=Platen"), on=(FLATBED, FILM))


# ------------------------------------------------------------------------------ size, scaling, rotation


def test_scaling_changes_the_pixels_and_not_the_resolution() -> None:
    (spec,) = plan(locked=(LETTER, "Scaling=50x25")).sides
    assert (spec.width_px, spec.height_px, spec.x_dpi, spec.y_dpi) == (1275, 825, 300, 300)
    assert spec.treatment == Treatment(region=Box(0, 0, 2550, 3300))


@pytest.mark.parametrize("asked", ["Scaling=24x100", "Scaling=100x401"])
def test_scaling_that_is_not_done_is_noted_or_refused(asked: str) -> None:
    assert [each.element for each in plan(asked).notes] == ["Scaling"]
    with pytest.raises(TicketRefused, match=r"Scaling must be .* does 25 to 400"):
        plan(locked=(asked,))


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_swaps_sides_and_resolutions(turn: int) -> None:
    (spec,) = plan(locked=(LETTER, f"Rotation={turn}", "MediaFront/Resolution=300x600")).sides
    upright = (2550, 6600, 300, 600)
    across = (6600, 2550, 600, 300)
    assert (spec.width_px, spec.height_px, spec.x_dpi, spec.y_dpi) == (upright if turn == 180 else across)
    assert spec.treatment == Treatment(rotation=turn, region=Box(0, 0, 5100, 6600))


def test_sheets_edges_are_found_on_the_whole_source_but_not_in_a_region() -> None:
    asked = "InputSize/DocumentSizeAutoDetect=true"
    whole = plan(locked=(asked,))
    assert whole.settings.area == Area(0, 0, 8500, 11_690)
    assert whole.sides[0].treatment == Treatment(find_edges=True)
    assert whole.image_information.front == ImageInfo(2550, 3507, 0)
    part = ("MediaFront/ScanRegion/ScanRegionWidth=1000", "MediaFront/ScanRegion/ScanRegionHeight=1000")
    assert treatment(asked, *part) == NOTHING


def test_habits_are_kept_on_both_sides_and_backs_are_turned() -> None:
    usual = Habits(skip_blank_pages=True, deskew=True, rotate_back=180)
    made = plan("Rotation=270", on=DUPLEX, habits=usual)
    front = Treatment(rotation=270, deskew=True, judge_blank=True)
    assert [each.treatment for each in made.sides] == [front, replace(front, rotation=90)]
    with pytest.raises(ValueError, match="45 degrees"):
        Habits(rotate_back=45)


# ----------------------------------------------------------------------------------------- both sides

BACK = "MediaBack/ScanRegion/ScanRegion"


def test_plain_sheet_is_taken_as_it_comes_on_both_sides() -> None:
    made = plan("MediaFront/ColorProcessing=Grayscale8", on=DUPLEX)
    assert [each.treatment for each in made.sides] == [NOTHING, NOTHING]
    assert made.sides[0] == made.sides[1]
    assert made.image_information.back == made.image_information.front


def test_sides_that_differ_are_taken_from_their_union() -> None:
    made = plan(
        locked=(
            LETTER,
            "MediaFront/ColorProcessing=RGB24",
            "MediaFront/Resolution=150",
            "MediaFront/ScanRegion/ScanRegionXOffset=1000",
            "MediaFront/ScanRegion/ScanRegionWidth=2000",
            "MediaFront/ScanRegion/ScanRegionHeight=3000",
            "MediaBack/ColorProcessing=Grayscale4",
            "MediaBack/Resolution=300",
            f"{BACK}YOffset=500",
            f"{BACK}Width=1500",
            f"{BACK}Height=4000",
            "Format=png",
        ),
        on=DUPLEX,
    )
    asked = made.settings
    assert (asked.color, asked.x_dpi, asked.area) == (RGB, 300, Area(0, 0, 3000, 4500))
    front, back = made.sides
    assert (front.width_px, front.height_px, front.treatment.region) == (300, 450, Box(300, 0, 600, 900))
    assert (back.width_px, back.height_px, back.treatment.region) == (450, 1200, Box(0, 150, 450, 1200))
    assert made.notes == ()


def test_mediaback_without_region_is_the_whole_sheet_and_none_at_all_is_the_front() -> None:
    part = ("MediaFront/ScanRegion/ScanRegionWidth=1000", "MediaFront/ScanRegion/ScanRegionHeight=1000")
    alike = plan(LETTER, *part, on=DUPLEX)
    assert [(each.width_px, each.height_px) for each in alike.sides] == [(300, 300)] * 2
    stated = plan(LETTER, *part, "MediaBack/ColorProcessing=Grayscale8", on=DUPLEX)
    assert [(each.width_px, each.height_px) for each in stated.sides] == [(300, 300), (2550, 3300)]
    assert stated.sides[1].color is GRAY


def test_document_of_pages_with_different_colours_has_each_in_its_own_page_format() -> None:
    made = plan("Format=pdf-a", "MediaBack/ColorProcessing=BlackAndWhite1", on=DUPLEX)
    assert made.format == "pdf-a"
    assert [(each.format, each.color) for each in made.sides] == [("jfif", RGB), ("tiff-single-g4", BILEVEL)]


def test_locked_back_makes_a_free_format_yield_and_a_locked_one_is_refused() -> None:
    back = "MediaBack/ColorProcessing=BlackAndWhite1"
    made = plan("Format=jfif", "MediaFront/ColorProcessing=RGB24", locked=(back,), on=DUPLEX)
    assert [(each.element, each.used) for each in made.notes] == [("Format", "png")]
    with pytest.raises(TicketRefused, match="Format jfif and MediaBack/ColorProcessing BlackAndWhite1 are locked"):
        plan(locked=(back, "Format=jfif"), on=DUPLEX)


def test_colours_that_no_one_acquisition_gives_are_not_promised() -> None:
    odd = replace(DUPLEX, colors=(GRAY_16, RGB))
    back = "MediaBack/ColorProcessing=Grayscale16"
    made = plan("Format=png", "MediaFront/ColorProcessing=RGB24", back, on=odd)
    assert made.notes[0].element == "MediaBack/ColorProcessing"
    with pytest.raises(TicketRefused, match=r"MediaFront/ColorProcessing RGB24 and MediaBack.* Grayscale16"):
        plan(locked=("MediaFront/ColorProcessing=RGB24", back), on=odd)
    deep = replace(DUPLEX, colors=(GRAY, RGB, RGB_48))
    assert plan(locked=("MediaFront/ColorProcessing=RGB24", back), on=deep).settings.color is RGB_48


def test_back_counts_only_in_duplex() -> None:
    back = "MediaBack/ColorProcessing=Grayscale8"
    assert [str(each) for each in plan(locked=(back,)).notes] == [
        "MediaBack/ColorProcessing: asked Grayscale8, not applied: there is no back with InputSource Platen"
    ]
    assert len(plan(locked=(back,)).sides) == 1


@pytest.mark.parametrize(
    "asked",
    [
        "Exposure/AutoExposure=true",
        "Exposure/ExposureSettings/Brightness=300",
        "Exposure/ExposureSettings/Contrast=200",
        "Exposure/ExposureSettings/Sharpness=50",
    ],
)
def test_a_scanner_of_black_and_white_only_exposes_nothing_and_says_so(asked: str) -> None:
    bare = replace(FLATBED, colors=(BILEVEL,))
    with pytest.raises(TicketRefused, match="black and white only"):
        plan(locked=(asked,), on=bare)
    made = plan(asked, on=bare)
    assert [note.element for note in made.notes] == [asked.partition("=")[0]]
    assert made.sides[0].treatment == NOTHING


def test_a_scanner_of_black_and_white_only_may_set_its_own_level() -> None:
    able = replace(FLATBED, colors=(BILEVEL,), adjustments=frozenset({Adjustment.THRESHOLD}))
    made = plan(locked=("Exposure/ExposureSettings/Brightness=500",), on=able)
    assert (made.settings.adjust.threshold, made.notes) == (65, ())


def test_a_page_is_exactly_as_large_as_the_ticket_says_and_else_as_its_paper() -> None:
    region = tuple(f"MediaFront/ScanRegion/ScanRegion{each}=1000" for each in ("Width", "Height"))
    assert not plan().sides[0].exact
    assert plan(LETTER).sides[0].exact
    assert plan(*region).sides[0].exact


# --------------------------------------------------------------------------------- source and how many


@pytest.mark.parametrize(("images", "fed"), [(0, 0), (1, 1), (2, 0), (3, 0), (10, 0)])
def test_simplex_feeder_takes_both_sides_in_two_passes(images: int, fed: int) -> None:
    """The whole stack each time, but for one front alone."""
    asked = ("InputSource=ADFDuplex", f"ImagesToTransfer={images}")
    made = plan(locked=asked, on=FEEDER, habits=Habits(two_pass_duplex=True))
    assert (made.settings.source, made.settings.images, made.images) == (InputSource.ADF, fed, images)
    assert made.two_pass == (images != 1)
    assert len(made.sides) == 2
    with pytest.raises(TicketRefused, match="InputSource must be ADFDuplex"):
        plan(locked=asked, on=FEEDER)


def test_duplex_scanner_needs_no_second_pass() -> None:
    asked = ("InputSource=ADFDuplex", "ImagesToTransfer=3")
    made = plan(locked=asked, on=(FEEDER, DUPLEX), habits=Habits(two_pass_duplex=True))
    assert (made.settings.source, made.settings.images, made.two_pass) == (InputSource.ADF_DUPLEX, 3, False)


def test_free_source_yields_to_what_only_another_can_do() -> None:
    made = plan("InputSource=Platen", locked=("ImagesToTransfer=3",), on=(FLATBED, FEEDER))
    assert (made.settings.source, made.settings.images) == (InputSource.ADF, 3)
    reason = "with it, ImagesToTransfer must be 3, but InputSource Platen holds one original"
    assert [str(each) for each in made.notes] == [f"InputSource: asked Platen, used ADF: {reason}"]
    legal = ("InputSize/InputMediaSize=8500x14000",)
    long = replace(FEEDER, maximum=Size(8500, 14_000))
    assert plan(locked=legal, on=(FLATBED, long)).settings.source is InputSource.ADF
    with pytest.raises(TicketRefused, match="must be 8500x14000"):
        plan(locked=(*legal, "InputSource=Platen"), on=(FLATBED, long))
    assert plan("ImagesToTransfer=3", on=(FLATBED, FEEDER)).settings.source is InputSource.PLATEN
