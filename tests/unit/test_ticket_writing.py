"""Tickets read leniently, and written: tickets and final parameters, held against the schemas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from lxml import etree

from dsm_device.errors import TicketRefused
from dsm_device.hardware import Capabilities
from dsm_device.job.habits import Habits
from dsm_device.job.outcomes import Outcome
from dsm_device.job.plan import make_plan
from dsm_device.wire import final_parameters, names, ticket_reader, ticket_writer
from dsm_device.wire.ticket import Exposure, ScanTicket, Setting
from dsm_device.wire.xml import XmlError
from tests.unit.ticket_strategies import EVERY_FORMAT, FileFormats, any_scanner, file_formats, habits, tickets

SCHEMAS = Path(__file__).parents[2] / "hw-sim" / "dsm_sim" / "schemas"
SAMPLES = Path(__file__).parents[1] / "data" / "samples"
PROCESS, DEVICE = (etree.XMLSchema(etree.parse(SCHEMAS / name)) for name in ("psp.xsd", "dsd.xsd"))
WSCN = f"{{{names.WSCN}}}"
JOB = "<w:JobDescription><w:JobName>J</w:JobName><w:JobOriginatingUserName/></w:JobDescription>"


def element(parameters: str, job: str = JOB) -> etree._Element:
    return etree.fromstring(
        f'<w:ScanTicket xmlns:w="{names.WSCN}">{job}<w:DocumentParameters>{parameters}</w:DocumentParameters>'
        "</w:ScanTicket>"
    )


# ------------------------------------------------------------------------------------ read leniently


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("<w:Format>acme/own;x=1</w:Format>", "Format", "acme/own;x=1"),
        ("<w:Format> JFIF </w:Format>", "Format", "jfif"),
        ("<w:InputSource>Feeder</w:InputSource>", "InputSource", "Feeder"),
        ("<w:Rotation>45</w:Rotation>", "Rotation", "45"),
        ("<w:ImagesToTransfer>-1</w:ImagesToTransfer>", "ImagesToTransfer", -1),
        ("<w:ImagesToTransfer>+007</w:ImagesToTransfer>", "ImagesToTransfer", 7),
        (f"<w:ImagesToTransfer>{'9' * 9000}</w:ImagesToTransfer>", "ImagesToTransfer", 9_999_999_999),
        (f"<w:ImagesToTransfer>-{'9' * 90}</w:ImagesToTransfer>", "ImagesToTransfer", -9_999_999_999),
        (f"<w:ImagesToTransfer>{'0' * 9000}</w:ImagesToTransfer>", "ImagesToTransfer", 0),
        (
            "<w:Scaling><w:ScalingWidth>1250</w:ScalingWidth><w:ScalingHeight>1</w:ScalingHeight></w:Scaling>",
            "Scaling/ScalingWidth",
            1250,
        ),
        ('<w:Format w:Override="true" x="y">png</w:Format>', "Format", "png"),
    ],
)
def test_value_in_no_range_and_no_list_is_read_for_what_it_is(text: str, path: str, value: object) -> None:
    assert ticket_reader.parse_any(element(text)).values[path] == value


def test_unqualified_lock_is_one() -> None:
    assert ticket_reader.parse_any(element('<w:Format MustHonor="1">png</w:Format>')).locks == {"Format"}


MEDIA = "<w:InputMediaSize><w:Width>1</w:Width><w:Height>2</w:Height></w:InputMediaSize>"


@pytest.mark.parametrize(
    ("detect", "stated"), [("true", {"InputSize/DocumentSizeAutoDetect"}), ("0", {"InputSize/InputMediaSize"})]
)
def test_of_both_members_of_a_choice_a_true_first_one_counts(detect: str, stated: set[str]) -> None:
    text = f"<w:DocumentSizeAutoDetect>{detect}</w:DocumentSizeAutoDetect>"
    for order in (text + MEDIA, MEDIA + text):
        read = ticket_reader.parse_any(element(f'<w:InputSize w:MustHonor="true">{order}</w:InputSize>'))
        assert {"/".join(path.split("/")[:2]) for path in read.values} == stated
        assert read.parameters.input_size is not None
        assert read.parameters.input_size.must_honor
        assert read.parameters.input_size.value.auto_detect == (detect == "true")


def test_exposure_stated_twice_is_read() -> None:
    text = (
        "<w:AutoExposure>false</w:AutoExposure>"
        "<w:ExposureSettings><w:Contrast>5000</w:Contrast></w:ExposureSettings>"
    )
    read = ticket_reader.parse_any(element(f"<w:Exposure>{text}</w:Exposure>"))
    assert read.parameters.exposure == Setting(Exposure(contrast=5000))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<w:ImagesToTransfer>many</w:ImagesToTransfer>", "allowed is a whole number"),
        ("<w:ImagesToTransfer>1.5</w:ImagesToTransfer>", "allowed is a whole number"),
        ("<w:ImagesToTransfer/>", "allowed is a whole number"),
        ("<w:Format/>", "allowed is one of"),
        ("<w:Format>a b</w:Format>", "allowed is one of"),
        ("<w:Format>png</w:Format><w:Format>png</w:Format>", "stands twice"),
        ("<w:Formt>png</w:Formt>", "is no element of DocumentParameters"),
        ("<w:Scaling><w:ScalingWidth>1</w:ScalingWidth></w:Scaling>", "lacks ScalingHeight"),
        ("<w:InputSize/>", "needs DocumentSizeAutoDetect or InputMediaSize"),
        ("<w:InputSize><w:DocumentSizeAutoDetect>maybe</w:DocumentSizeAutoDetect></w:InputSize>", "true or false"),
    ],
)
def test_malformed_ticket_is_refused_even_leniently(text: str, reason: str) -> None:
    with pytest.raises(XmlError, match=reason):
        ticket_reader.parse_any(element(text))
    with pytest.raises(XmlError, match="lacks JobDescription"):
        ticket_reader.parse_any(element("", job=""))


# -------------------------------------------------------------------------------------------- written


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("psp-*.xml")), ids=lambda path: path.stem)
def test_ticket_of_each_sample_process_is_written_as_it_was_read(sample: Path) -> None:
    tree = etree.parse(sample)
    sent = next(tree.iter(f"{{{names.PSP}}}ScanTicket"))
    ticket = ticket_reader.parse(sent)
    written = ticket_writer.render(ticket, names.PSP)
    assert ticket_reader.parse(written) == replace(ticket, foreign=())
    sent.getparent().replace(sent, written)  # type: ignore[union-attr]
    assert PROCESS.validate(etree.fromstring(etree.tostring(tree))), PROCESS.error_log


def test_elements_are_written_in_the_order_of_the_schema_and_none_is_added() -> None:
    values = {
        "MediaBack/Resolution/Width": 300,
        "Rotation": "90",
        "InputSize/DocumentSizeAutoDetect": True,
        "Format": "png",
    }
    ticket = ScanTicket(
        job_name="<&>", user_name="CORP\\dana", values=MappingProxyType(values), locks=frozenset({"Rotation"})
    )
    text = etree.tostring(ticket_writer.render(ticket, names.WSCN, "ValidScanTicket")).decode()
    assert text == (
        f'<wscn:ValidScanTicket xmlns:wscn="{names.WSCN}"><wscn:JobDescription>'
        "<wscn:JobName>&lt;&amp;&gt;</wscn:JobName>"
        "<wscn:JobOriginatingUserName>CORP\\dana</wscn:JobOriginatingUserName></wscn:JobDescription>"
        "<wscn:DocumentParameters><wscn:Format>png</wscn:Format><wscn:InputSize>"
        "<wscn:DocumentSizeAutoDetect>true</wscn:DocumentSizeAutoDetect></wscn:InputSize>"
        '<wscn:Rotation wscn:MustHonor="true">90</wscn:Rotation>'
        "<wscn:MediaSides><wscn:MediaFront/><wscn:MediaBack>"
        "<wscn:Resolution><wscn:Width>300</wscn:Width></wscn:Resolution></wscn:MediaBack></wscn:MediaSides>"
        "</wscn:DocumentParameters></wscn:ValidScanTicket>"
    )


def test_ticket_that_says_nothing_has_no_parameters() -> None:
    assert [etree.QName(each).localname for each in ticket_writer.render(ScanTicket(), names.PSP)] == [
        "JobDescription"
    ]


def test_locks_are_written_where_the_schema_has_them() -> None:
    text = (
        '<w:Exposure w:MustHonor="1"><w:ExposureSettings/></w:Exposure>'
        '<w:MediaSides w:MustHonor="1"><w:MediaFront>'
        "<w:ScanRegion><w:ScanRegionWidth>1</w:ScanRegionWidth>"
        "<w:ScanRegionHeight>2</w:ScanRegionHeight></w:ScanRegion>"
        "<w:Resolution><w:Width>3</w:Width></w:Resolution></w:MediaFront></w:MediaSides>"
    )
    read = ticket_reader.parse(element(text))
    written = ticket_writer.render(read, names.PSP)
    locked = [etree.QName(each).localname for each in written.iter() if each.get(f"{WSCN}MustHonor")]
    assert locked == ["Exposure", "ScanRegionWidth", "ScanRegionHeight", "Resolution"]
    again = ticket_reader.parse(written).parameters
    assert again.exposure == Setting(Exposure(), True)
    assert again.front.resolution == read.parameters.front.resolution


# ----------------------------------------------------------------------------------- final parameters


def schema_problem(final: etree._Element) -> str:
    """What is wrong with DocumentFinalParameters inside the sample answer to GetJobElements; "" for nothing."""
    tree = etree.parse(SAMPLES / "dsd-get-job-elements-response.xml")
    sample = next(tree.iter(f"{WSCN}DocumentFinalParameters"))
    sample.getparent().replace(sample, final)  # type: ignore[union-attr]
    answer = next(tree.iter("{*}GetJobElementsResponse"))
    return "" if DEVICE.validate(etree.fromstring(etree.tostring(answer))) else str(DEVICE.error_log)


def test_what_was_changed_and_what_was_not_asked_are_marked_number_by_number() -> None:
    final = final_parameters.render(
        [
            Outcome("Format", None, "jfif"),
            Outcome("Rotation", "90", "90"),
            Outcome("MediaFront/Resolution", "1200x300", "600x300", "too much"),
            Outcome("MediaBack/Resolution", "300x300", None, "no back"),
            Outcome("InputSize/DocumentSizeAutoDetect", "false", "false"),
            Outcome("InputSize/InputMediaSize", None, "8500x11000"),
            Outcome("Exposure/AutoExposure", "true", "true"),
            Outcome("ImagesToTransfer", "2147483648", "2147483648"),
            Outcome("acme:Blank", "stated", None, "strange"),
        ]
    )
    marks = {
        etree.QName(each).localname: [etree.QName(name).localname for name in each.attrib]
        for each in final.iter()
        if not len(each)
    }
    assert marks == {
        "Format": ["UsedDefault"],
        "ImagesToTransfer": [],
        "Width": ["Override"],
        "Height": [],
        "AutoExposure": [],
        "Rotation": [],
    }
    assert schema_problem(final) == ""


def test_schema_check_sees_what_is_wrong() -> None:
    final = final_parameters.render([Outcome("Format", None, "jfif")])
    final[0].set(f"{WSCN}Overridden", "true")
    assert "Overridden" in schema_problem(final)


@settings(max_examples=60, deadline=None)
@given(capabilities=any_scanner, ticket=tickets(), formats=file_formats, habits=habits)
def test_final_parameters_of_every_plan_fit_the_schema(
    capabilities: Capabilities, ticket: ScanTicket, formats: FileFormats, habits: Habits
) -> None:
    try:
        plan = make_plan(capabilities, ticket, formats, habits)
    except TicketRefused:
        return
    final = final_parameters.render(plan.outcomes)
    assert schema_problem(final) == ""
    sides = [etree.QName(each).localname for each in final[-1]]
    assert sides == ["MediaFront", "MediaBack"][: len(plan.sides)]
    assert plan.format in EVERY_FORMAT
