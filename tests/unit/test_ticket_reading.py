"""Scan tickets read: values, locks, order, strangers; and what makes a ticket invalid, named with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dsm_device.hardware import Size
from dsm_device.wire import names, ticket_reader
from dsm_device.wire.ticket import (
    DocumentParameters,
    Exposure,
    Foreign,
    InputSize,
    Resolution,
    Scaling,
    ScanTicket,
    Setting,
)
from dsm_device.wire.xml import XmlError

JOB = "<w:JobDescription><w:JobName>J</w:JobName><w:JobOriginatingUserName/></w:JobDescription>"


def parse(parameters: str, job: str = JOB) -> ScanTicket:
    """The ticket with these DocumentParameters, which begin on line 2."""
    text = (
        f'<p:ScanTicket xmlns:p="{names.PSP}" xmlns:w="{names.WSCN}" xmlns:acme="urn:acme">{job}'
        f"<w:DocumentParameters>\n{parameters}</w:DocumentParameters></p:ScanTicket>"
    )
    return ticket_reader.parse(etree.fromstring(text))


def parameters(text: str) -> DocumentParameters:
    return parse(text).parameters


def refusal(text: str) -> str:
    with pytest.raises(XmlError) as error:
        parse(text)
    assert "\n" not in str(error.value)
    return str(error.value)


# -------------------------------------------------------------------------------------------- values


def test_ticket_may_say_nothing() -> None:
    assert parameters("") == DocumentParameters()


@pytest.mark.parametrize(
    ("element", "text", "field", "value"),
    [
        ("Format", "png", "format", "png"),
        ("Format", " Dib ", "format", "dib"),
        ("Format", "acme:own", "format", "acme:own"),
        ("Format", "image/png;x=1", "format", "image/png;x=1"),
        ("CompressionQualityFactor", "0", "compression_quality", 0),
        ("CompressionQualityFactor", "+0100", "compression_quality", 100),
        ("ImagesToTransfer", "2147483648", "images_to_transfer", 2_147_483_648),
        ("ImagesToTransfer", "0" * 5000 + "7", "images_to_transfer", 7),
        ("InputSource", "adf", "input_source", "ADF"),
        ("FilmScanMode", "BlackAndWhiteNegativeFilm", "film_scan_mode", "BlackandWhiteNegativeFilm"),
        ("ContentType", "mixed", "content_type", "Mixed"),
        ("Rotation", "270", "rotation", "270"),
        ("Rotation", "acme:45", "rotation", "acme:45"),
    ],
)
def test_simple_element_is_read(element: str, text: str, field: str, value: object) -> None:
    read = parameters(f"<w:{element}>{text}</w:{element}>")
    assert getattr(read, field) == Setting(value, False)


def test_composites_are_read() -> None:
    read = parameters(
        "<w:Exposure><w:ExposureSettings><w:Sharpness>-100</w:Sharpness></w:ExposureSettings></w:Exposure>"
        "<w:InputSize><w:InputMediaSize><w:Height>2</w:Height><w:Width>1</w:Width></w:InputMediaSize></w:InputSize>"
        "<w:Scaling><w:ScalingWidth>1</w:ScalingWidth><w:ScalingHeight>1000</w:ScalingHeight></w:Scaling>"
        "<w:MediaSides><w:MediaFront><w:Resolution><w:Width>200</w:Width></w:Resolution></w:MediaFront>"
        "<w:MediaBack/></w:MediaSides>"
    )
    assert read.exposure == Setting(Exposure(sharpness=-100))
    assert read.input_size == Setting(InputSize(media=Size(1, 2)))
    assert read.scaling == Setting(Scaling(1, 1000))
    assert read.front.resolution == Setting(Resolution(200, 200))
    assert read.back is None


def test_spelling_of_the_pages_is_taken_without_regard_to_case() -> None:
    read = parameters(
        "<w:MediaSides><w:MediaFront><w:ColorProcessing>BlackandWhite1</w:ColorProcessing></w:MediaFront>"
        "</w:MediaSides>"
    )
    assert read.front.color == Setting("BlackAndWhite1")


REGION = (
    "<w:ScanRegion {region}><w:ScanRegionWidth {width}>10</w:ScanRegionWidth>"
    "<w:ScanRegionHeight>20</w:ScanRegionHeight></w:ScanRegion>"
)


def test_offset_that_is_not_stated_is_zero() -> None:
    text = REGION.format(region="", width="")
    region = parameters(f"<w:MediaSides><w:MediaFront>{text}</w:MediaFront></w:MediaSides>").front.region
    assert region is not None
    assert (region.x_mil.value, region.y_mil.value, region.height_mil.value) == (0, 0, 20)


# --------------------------------------------------------------------------------------------- locks

LOCK = 'w:MustHonor="true"'


@pytest.mark.parametrize("value", ["true", "1", " true "])
def test_lock_is_read(value: str) -> None:
    assert parameters(f'<w:Format w:MustHonor="{value}">png</w:Format>').format == Setting("png", True)


@pytest.mark.parametrize("value", ["false", "0"])
def test_lock_that_is_off_is_none(value: str) -> None:
    assert parameters(f'<w:Format w:MustHonor="{value}">png</w:Format>').format == Setting("png", False)


def test_numbers_of_a_region_are_locked_one_by_one() -> None:
    text = REGION.format(region="", width=LOCK)
    region = parameters(f"<w:MediaSides><w:MediaFront>{text}</w:MediaFront></w:MediaSides>").front.region
    assert region is not None
    assert region.width_mil.must_honor
    assert not region.height_mil.must_honor
    assert not region.x_mil.must_honor


@pytest.mark.parametrize("place", ["sides", "front", "region"])
def test_lock_on_a_container_locks_everything_in_it_that_is_stated(place: str) -> None:
    locks = {each: LOCK if each == place else "" for each in ("sides", "front", "region")}
    text = REGION.format(region=locks["region"], width="")
    read = parse(
        f"<w:MediaSides {locks['sides']}><w:MediaFront {locks['front']}>{text}"
        "<w:ColorProcessing>RGB24</w:ColorProcessing></w:MediaFront></w:MediaSides>"
    )
    front = read.parameters.front
    assert front.region is not None
    assert front.region.x_mil == Setting(0, True)
    assert front.region.height_mil == Setting(20, True)
    assert front.color == Setting("RGB24", place != "region")
    assert not read.locked("MediaFront/Resolution")


def test_locked_exposure_without_numbers_is_a_locked_neutral_one() -> None:
    read = parameters(f"<w:Exposure {LOCK}><w:ExposureSettings/></w:Exposure>")
    assert read.exposure == Setting(Exposure(), True)


def test_one_lock_does_not_reach_a_neighbour() -> None:
    read = parse(f"<w:InputSource {LOCK}>ADF</w:InputSource><w:ImagesToTransfer>3</w:ImagesToTransfer>")
    assert read.locked("InputSource")
    assert not read.locked("ImagesToTransfer")


# ----------------------------------------------------------------------------------------- strangers


def test_elements_and_attributes_of_strangers_are_let_be() -> None:
    read = parse(
        '<w:Format acme:a="1" xml:lang="en">png</w:Format><acme:Blank>true</acme:Blank>'
        f"<acme:Other {LOCK}/><x xmlns='urn:x'/>"
    )
    assert read.parameters.format == Setting("png")
    assert read.foreign == (Foreign("acme:Blank", False), Foreign("acme:Other", True), Foreign("{urn:x}x", False))


def test_comments_and_cdata_do_not_disturb_a_value() -> None:
    assert parameters("<w:Format>pn<!-- x --><![CDATA[g]]></w:Format>").format == Setting("png")


# --------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "<w:InputSource>Feeder</w:InputSource>",
            'InputSource (line 2) is "Feeder", allowed is one of ADF, ADFDuplex, Film, Platen',
        ),
        (
            "\n<w:CompressionQualityFactor>101</w:CompressionQualityFactor>",
            'CompressionQualityFactor (line 3) is "101", allowed is a whole number from 0 to 100',
        ),
        ("<w:ImagesToTransfer>-1</w:ImagesToTransfer>", "allowed is a whole number from 0 to 2147483648"),
        ("<w:ImagesToTransfer>2147483649</w:ImagesToTransfer>", "from 0 to 2147483648"),
        ("<w:ImagesToTransfer>1_0</w:ImagesToTransfer>", "from 0 to 2147483648"),
        ("<w:ImagesToTransfer>٣</w:ImagesToTransfer>", "from 0 to 2147483648"),
        ("<w:ImagesToTransfer/>", 'ImagesToTransfer (line 2) is "", allowed is'),
        ("<w:Rotation>45</w:Rotation>", "allowed is one of 0, 90, 180, 270"),
        ("<w:Format/>", 'Format (line 2) is "", allowed is one of dib,'),
        ("<w:Format>a b</w:Format>", "allowed is one of dib,"),
        ("<w:Format>png<w:X/></w:Format>", "Format (line 2) holds elements where a value is due"),
        ("<w:Format>png</w:Format><w:Format>png</w:Format>", "Format (line 2) stands twice"),
        ("<w:Formt>png</w:Formt>", "Formt (line 2) is no element of DocumentParameters"),
        ("<Format>png</Format>", "Format (line 2) has no namespace"),
        ('<w:Format MustHonor="true">png</w:Format>', "has an attribute MustHonor without a namespace"),
        ('<w:Format w:MustHonor="yes">png</w:Format>', 'has MustHonor = "yes", allowed is true or false'),
        ('<w:Format w:Override="true">png</w:Format>', "has wscn:Override, which has no place in a ticket"),
        ('<w:Format w:UsedDefault="0">png</w:Format>', "has wscn:UsedDefault, which has no place in a ticket"),
        ("<w:InputSize/>", "InputSize (line 2) needs DocumentSizeAutoDetect or InputMediaSize"),
        ("<w:Exposure/>", "Exposure (line 2) needs AutoExposure or ExposureSettings"),
        (
            "<w:Exposure><w:AutoExposure>1</w:AutoExposure><w:ExposureSettings/></w:Exposure>",
            "Exposure (line 2) takes only one of AutoExposure or ExposureSettings",
        ),
        ("<w:Scaling><w:ScalingWidth>1</w:ScalingWidth></w:Scaling>", "Scaling (line 2) lacks ScalingHeight"),
        ("<w:MediaSides/>", "MediaSides (line 2) lacks MediaFront"),
        (
            "<w:MediaSides><w:MediaFront><w:Resolution/></w:MediaFront></w:MediaSides>",
            "Resolution (line 2) lacks Width",
        ),
        (
            "<w:MediaSides><w:MediaFront><w:ScanRegion/></w:MediaFront></w:MediaSides>",
            "ScanRegion (line 2) lacks ScanRegionWidth",
        ),
    ],
)
def test_invalid_ticket_is_refused_by_element_and_line(text: str, reason: str) -> None:
    assert reason in refusal(text)


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ("", "ScanTicket (line 1) lacks JobDescription"),
        (JOB * 2, "JobDescription (line 1) stands twice"),
        (JOB.replace("<w:JobName>J</w:JobName>", ""), "JobDescription (line 1) lacks JobName"),
        (JOB.replace(">J<", f">{'x' * 256}<"), "JobName (line 1) is longer than 255 characters"),
    ],
)
def test_job_description_is_checked(job: str, reason: str) -> None:
    with pytest.raises(XmlError) as error:
        parse("", job)
    assert str(error.value) == reason


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="<&￾￿")))
def test_any_text_as_a_value_is_read_or_refused(text: str) -> None:
    for element in ("Format", "InputSource", "ImagesToTransfer", "CompressionQualityFactor"):
        try:
            parse(f"<w:{element}>{text}</w:{element}>")
        except XmlError as error:
            assert "allowed is" in str(error)
