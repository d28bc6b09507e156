"""What the user sets with --set: taken, locked from then on, or refused in words that help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.errors import UsageError
from dsm_device.hardware import Size
from dsm_device.wire.ticket import Exposure, InputSize, Resolution, Scaling, ScanTicket, Setting
from dsm_device.wire.ticket_elements import LEAVES
from dsm_device.wire.ticket_overrides import with_overrides

EMPTY = ScanTicket()


def refusal(ticket: ScanTicket, *assignments: str) -> str:
    with pytest.raises(UsageError) as error:
        with_overrides(ticket, assignments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("assignment", "field", "value"),
    [
        ("Format=png", "format", "png"),
        ("Format=PNG", "format", "png"),
        ("CompressionQualityFactor=80", "compression_quality", 80),
        ("ImagesToTransfer=3", "images_to_transfer", 3),
        ("InputSource=ADF", "input_source", "ADF"),
        ("InputSize/InputMediaSize=8268x11693", "input_size", InputSize(media=Size(8268, 11693))),
        ("InputSize/DocumentSizeAutoDetect=true", "input_size", InputSize(auto_detect=True)),
        ("Exposure/AutoExposure=1", "exposure", Exposure(auto=True)),
        ("Scaling=50x60", "scaling", Scaling(50, 60)),
        ("Rotation=90", "rotation", "90"),
    ],
)
def test_element_is_set_and_locked(assignment: str, field: str, value: object) -> None:
    assert getattr(with_overrides(EMPTY, [assignment]).parameters, field) == Setting(value, True)


@pytest.mark.parametrize(
    "assignments",
    [
        ["MediaFront/Resolution=300x300"],
        ["MediaFront/Resolution=300X300"],
        ["MediaFront/Resolution=300"],
        ["MediaSides/MediaFront/Resolution=300"],
        ["MediaFront/Resolution/Width=300"],
        ["MediaFront/Resolution/Width=300", "MediaFront/Resolution/Height=300"],
        ["MediaFront/Resolution=75", "MediaFront/Resolution=300"],
        ["MediaFront/Resolution=75x150", "MediaFront/Resolution=300"],
    ],
)
def test_resolution_may_be_written_in_several_ways(assignments: list[str]) -> None:
    made = with_overrides(EMPTY, assignments)
    assert made.parameters.front.resolution == Setting(Resolution(300, 300), True)


def test_region_is_locked_number_by_number() -> None:
    path = "MediaFront/ScanRegion/ScanRegion"
    stated = with_overrides(EMPTY, [f"{path}Width=100", f"{path}Height=200"])
    free = ScanTicket(values=stated.values)
    region = with_overrides(free, [f"{path}XOffset=7"]).parameters.front.region
    assert region is not None
    assert region.x_mil == Setting(7, True)
    assert region.width_mil == Setting(100, False)


def test_other_settings_of_the_process_stay_as_they_are() -> None:
    process = ScanTicket(values={"Format": "jfif", "InputSource": "ADF"}, locks=frozenset({"InputSource"}))
    made = with_overrides(process, ["Format=png"])
    assert made.parameters.input_source == Setting("ADF", True)
    assert process.parameters.format == Setting("jfif", False)


def test_other_branch_of_a_choice_gives_way() -> None:
    process = ScanTicket(values={"InputSize/DocumentSizeAutoDetect": True})
    made = with_overrides(process, ["InputSize/InputMediaSize=100x200"])
    assert made.parameters.input_size == Setting(InputSize(media=Size(100, 200)), True)
    assert with_overrides(made, []) == made


def test_both_branches_of_a_choice_are_refused() -> None:
    said = refusal(EMPTY, "Exposure/AutoExposure=true", "Exposure/ExposureSettings/Contrast=1")
    assert "takes only one of AutoExposure or ExposureSettings" in said


# ------------------------------------------------------------------------------------------- locked

LOCKED = with_overrides(
    EMPTY,
    [
        "Format=jfif",
        "MediaFront/Resolution=300",
        "InputSize/InputMediaSize=8500x11000",
        "Exposure/AutoExposure=false",
        "MediaFront/ScanRegion/ScanRegionWidth=100",
        "MediaFront/ScanRegion/ScanRegionHeight=100",
    ],
)


@pytest.mark.parametrize(
    "assignment",
    [
        "Format=jfif",
        "Format=JFIF",
        "MediaFront/Resolution=300x300",
        "MediaFront/Resolution/Height=300",
        "InputSize/InputMediaSize=8500x11000",
        "Exposure/ExposureSettings/Contrast=0",
        "MediaFront/ScanRegion/ScanRegionXOffset=0",
        "MediaFront/ScanRegion/ScanRegionXOffset=5",
    ],
)
def test_locked_setting_takes_an_equal_value_and_free_neighbours_any(assignment: str) -> None:
    with_overrides(LOCKED, [assignment])


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("Format=png", "Format is locked by the scan process: it stays jfif"),
        ("MediaFront/Resolution=600", "MediaFront/Resolution is locked by the scan process: it stays Width 300"),
        ("MediaFront/Resolution/Height=600", "MediaFront/Resolution is locked"),
        ("InputSize/DocumentSizeAutoDetect=false", "InputSize is locked"),
        ("Exposure/AutoExposure=true", "Exposure is locked by the scan process: it stays AutoExposure false"),
        ("Exposure/ExposureSettings/Contrast=5", "Exposure is locked"),
        ("MediaFront/ScanRegion/ScanRegionWidth=99", "MediaFront/ScanRegion/ScanRegionWidth is locked"),
    ],
)
def test_locked_setting_refuses_another_value(assignment: str, said: str) -> None:
    assert said in refusal(LOCKED, assignment)


def test_lock_on_a_container_holds_against_overrides() -> None:
    process = ScanTicket(values={"Exposure/AutoExposure": False}, locks=frozenset({"Exposure"}))
    assert "Exposure is locked" in refusal(process, "Exposure/ExposureSettings/Contrast=5")


# ---------------------------------------------------------------------------------------- malformed


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("Format", '--set "Format" has no element and value: write ELEMENT=VALUE, as in --set Format=png'),
        ("=png", "has no element and value"),
        ("", "has no element and value"),
        ("format=png", "a ticket has no element format: did you mean Format?"),
        ("Fromat=png", "did you mean Format?"),
        ("Resolution=300", "did you mean MediaFront/Resolution?"),
        ("ColorProcesing=RGB24", "did you mean MediaFront/ColorProcessing?"),
        ("MediaFront/Color=RGB24", "did you mean MediaFront/ColorProcessing?"),
        ("InputMediaSize=1x1", "did you mean InputSize/InputMediaSize?"),
        ("ScanRegionWidth=1", "did you mean MediaFront/ScanRegion/ScanRegionWidth?"),
        ("qqqq=1", "a ticket has no element qqqq: write ELEMENT=VALUE"),
        ("Format=", "is not allowed: Format takes one of dib, exif"),
        ("CompressionQualityFactor=101", "CompressionQualityFactor takes a whole number from 0 to 100"),
        ("CompressionQualityFactor=high", "takes a whole number from 0 to 100"),
        ("MediaFront/Resolution=0", "MediaFront/Resolution/Width takes a whole number from 1 to"),
        ("MediaFront/Resolution=300x", "MediaFront/Resolution/Height takes a whole number"),
        ("MediaFront/Resolution=1x2x3", "is not WIDTHxHEIGHT"),
        ("InputSize/InputMediaSize=8500", "is not WIDTHxHEIGHT"),
        ("InputSize=8500x11000", "did you mean InputSize/"),
        ("Scaling/ScalingWidth=50", "Scaling then lacks ScalingHeight"),
        ("MediaFront/ScanRegion/ScanRegionXOffset=5", "MediaFront/ScanRegion then lacks ScanRegionWidth"),
        ("MediaFront/Resolution/Height=300", "MediaFront/Resolution then lacks Width"),
    ],
)
def test_malformed_assignment_is_refused_in_words_that_help(assignment: str, said: str) -> None:
    text = refusal(EMPTY, assignment)
    assert said in text
    assert f'"{assignment}"' in text


@given(assignments=st.lists(st.text(max_size=40), max_size=3))
def test_any_words_are_refused_or_make_a_ticket(assignments: list[str]) -> None:
    try:
        made = with_overrides(EMPTY, assignments)
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert made.parameters is not None


@given(
    assignments=st.lists(
        st.builds("{}={}".format, st.sampled_from([*LEAVES, "Scaling"]), st.integers(-1, 20)), max_size=6
    )
)
def test_what_is_taken_is_complete_and_stays_so(assignments: list[str]) -> None:
    try:
        made = with_overrides(EMPTY, assignments)
    except UsageError:
        return
    assert with_overrides(made, assignments) == made
    assert made.parameters is not None
