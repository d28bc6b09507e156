"""Whatever the published schema accepts, the reader accepts; what it says about values is the same."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from lxml import etree

from dsm_device.wire import names, scan_process
from dsm_device.wire.ticket_elements import COLORS, FORMATS
from dsm_device.wire.xml import XmlError

SCHEMA_FILE = Path(__file__).parents[2] / "hw-sim" / "dsm_sim" / "schemas" / "psp.xsd"


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SCHEMA_FILE))


def tag(prefix: str, name: str, content: str, attributes: str = "") -> str:
    return f"<{prefix}:{name}{attributes}>{content}</{prefix}:{name}>"


def mostly(good: st.SearchStrategy[str], bad: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """So much of the good that whole documents are valid often enough to say something."""
    return st.integers(0, 24).flatmap(lambda luck: bad if luck == 24 else good)


text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="￾￿"))
word = st.text("abcXYZ019-.äß日", min_size=1, max_size=12)
booleans = mostly(
    st.sampled_from(["true", "false", "1", "0", " true "]), st.sampled_from(["yes", "True", "", "2"])
)
attributes = mostly(
    st.sampled_from(["", "", ' acme:tray="2"', ' xml:lang="en"']),
    st.one_of(
        booleans.map(lambda value: f" wscn:MustHonor={quoteattr(value)}"),
        st.sampled_from([' MustHonor="true"', ' wscn:Override="true"', ' wscn:UsedDefault="false"']),
    ),
)
locks = st.one_of(attributes, booleans.map(lambda value: f" wscn:MustHonor={quoteattr(value)}"))
foreign = st.one_of(st.just(""), word.map(lambda value: tag("acme", "Extra", f"<acme:In>{value}</acme:In>")))


def numbers(low: int, high: int) -> st.SearchStrategy[str]:
    inside = st.one_of(st.integers(low, high), st.sampled_from([low, low + 1, high - 1, high]))
    spelt = st.builds(str.format, st.sampled_from(["{}", "{}", "+{}", "000{}", " {} "]), inside)
    outside = st.sampled_from([low - 1, high + 1, 0, -(2**31) - 1, 2**31 - 1, 2**31, 10**30])
    odd = st.sampled_from(["", "1.0", "1e2", "１", "1_0", "-0", "0x10", "--1"])
    return mostly(spelt, st.one_of(outside.map(str), odd))


def keywords(known: tuple[str, ...]) -> st.SearchStrategy[str]:
    vendor = st.builds("{}:{}".format, st.text("abyz", min_size=1), word)
    return mostly(st.one_of(st.sampled_from(known), vendor), st.one_of(word, st.just("")))


#: The elements that the schema lets carry MustHonor.
LOCKABLE = {
    *("Format", "CompressionQualityFactor", "ImagesToTransfer", "InputSource", "FilmScanMode", "ContentType"),
    *("InputSize", "Exposure", "Scaling", "Rotation", "MediaSides", "ColorProcessing", "Resolution"),
    *("ScanRegionXOffset", "ScanRegionYOffset", "ScanRegionWidth", "ScanRegionHeight"),
}


def leaf(name: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    more = locks if name in LOCKABLE else attributes
    return st.builds(lambda value, each: tag("wscn", name, escape(value), each), values, more)


def group(name: str, *members: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    more = locks if name in LOCKABLE else attributes
    return st.builds(lambda content, each: tag("wscn", name, "".join(content), each), st.tuples(*members), more)


def required(member: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return mostly(member, st.just(""))


def maybe(member: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), member)


def side(name: str) -> st.SearchStrategy[str]:
    length = numbers(1, 20_000)
    region = group(
        "ScanRegion",
        maybe(leaf("ScanRegionXOffset", numbers(0, 20_000))),
        maybe(leaf("ScanRegionYOffset", numbers(0, 20_000))),
        required(leaf("ScanRegionWidth", length)),
        required(leaf("ScanRegionHeight", length)),
    )
    resolution = group(
        "Resolution", required(leaf("Width", numbers(1, 9600))), maybe(leaf("Height", numbers(1, 9600)))
    )
    return group(name, maybe(region), maybe(leaf("ColorProcessing", keywords(COLORS))), maybe(resolution), foreign)


size = group("InputMediaSize", leaf("Width", numbers(1, 2**31 - 1)), leaf("Height", numbers(1, 2**31 - 1)))
exposure = group(
    "ExposureSettings",
    maybe(leaf("Contrast", numbers(-1000, 1000))),
    maybe(leaf("Brightness", numbers(-1000, 1000))),
    maybe(leaf("Sharpness", numbers(-100, 100))),
    foreign,
)
#: One setting at a time besides the neighbours' presence keeps most documents valid.
parameters = st.one_of(
    leaf("Format", keywords(FORMATS)),
    leaf("CompressionQualityFactor", numbers(0, 100)),
    leaf("ImagesToTransfer", numbers(0, 2**31 - 1)),
    leaf("InputSource", keywords(("ADF", "ADFDuplex", "Film", "Platen"))),
    leaf("FilmScanMode", keywords(("NotApplicable", "ColorSlideFilm", "BlackandWhiteNegativeFilm"))),
    leaf("ContentType", keywords(("Auto", "Text", "Photo", "Halftone", "Mixed"))),
    group("InputSize", st.one_of(leaf("DocumentSizeAutoDetect", booleans), size)),
    group("Exposure", st.one_of(leaf("AutoExposure", booleans), exposure)),
    group("Exposure", maybe(leaf("AutoExposure", booleans)), maybe(exposure)),
    group("Scaling", leaf("ScalingWidth", numbers(1, 1000)), leaf("ScalingHeight", numbers(1, 1000))),
    leaf("Rotation", keywords(("0", "90", "180", "270"))),
    group("MediaSides", required(side("MediaFront")), maybe(side("MediaBack"))),
)
ticket = st.builds(
    lambda job, what, more: tag("psp", "ScanTicket", job + tag("wscn", "DocumentParameters", what) + more),
    st.builds(
        lambda name, user, more: tag(
            "wscn",
            "JobDescription",
            tag("wscn", "JobName", escape(name)) + tag("wscn", "JobOriginatingUserName", escape(user)) + more,
        ),
        text.map(lambda each: each[:255]),
        mostly(st.just("x" * 255), st.just("x" * 256)),
        foreign,
    ),
    st.builds("".join, st.tuples(parameters, foreign)),
    foreign,
)


def filter_of(namespace: str, config: str, switch: str, listed: str, item: str) -> st.SearchStrategy[str]:
    can_add = ' e:CanAddAddresses="true"' if item == "EmailAddress" else ' e:Other="1"'
    own = mostly(
        st.sampled_from(["", ' acme:a="b"']), st.sampled_from([' CanAddAddresses="1"', ' Other="1"', can_add])
    )
    destination = mostly(word, st.just("x" * 2049)).map(lambda each: tag("e", item, each))
    items = st.one_of(st.lists(destination, min_size=1, max_size=3), st.just([]))
    lists = st.builds(lambda each, more, extra: tag("e", listed, "".join(each) + extra, more), items, own, foreign)
    switches = st.just("") if not switch else maybe(booleans.map(lambda value: tag("e", switch, value)))
    content = st.builds("".join, st.tuples(switches, maybe(lists), foreign))
    configs = content.map(lambda inside: f'<e:{config} xmlns:e="{namespace}">{inside}</e:{config}>')
    return st.one_of(configs, st.just("")).map(
        lambda inside: tag("psp", "Filter", tag("psp", "Dialect", namespace) + tag("psp", "Instructions", inside))
    )


filters = st.one_of(
    filter_of(names.EMLF, "EmailConfig", "SendToScanUser", "SendToAddresses", "EmailAddress"),
    filter_of(names.FSF, "FileShareConfig", "", "FileShares", "ShareUNC"),
    filter_of(names.SPF, "SharePointConfig", "SaveToMySite", "SaveToSharePointSites", "SaveToSharePointSiteURL"),
)
permissions = st.one_of(st.just(""), booleans.map(lambda value: tag("spx", "AllowDeviceFileNameChange", value)))
instructions = st.builds(
    lambda go_on, all_filters, more: tag(
        "psp",
        "PostScanInstructions",
        go_on
        + tag("psp", "DocumentRootName", " Doc ")
        + tag("psp", "FiltersToProcess", "".join(all_filters))
        + more,
    ),
    maybe(booleans.map(lambda value: tag("psp", "ContinueOnError", value))),
    st.lists(filters, min_size=1, max_size=3),
    permissions,
)
processes = st.builds(
    lambda *parts: (
        f'<psp:PostScanProcess xmlns:psp="{names.PSP}" xmlns:wscn="{names.WSCN}" xmlns:spx="{names.SPX}"'
        f' xmlns:acme="urn:acme"><psp:ScanRepository>scan01.example</psp:ScanRepository>{"".join(parts)}'
        "</psp:PostScanProcess>"
    ),
    ticket,
    instructions,
    permissions,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(process=processes)
def test_reader_accepts_what_the_schema_accepts(process: str, schema: etree.XMLSchema) -> None:
    document = scan_process.read(process.encode())
    valid = schema.validate(document)
    event(f"valid: {valid}")
    if valid:
        scan_process.parse(document, identifier="", name="")


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(process=processes)
def test_reader_refuses_what_the_schema_refuses_but_for_its_liberties(
    process: str, schema: etree.XMLSchema
) -> None:
    document = scan_process.read(process.encode())
    valid = schema.validate(document)
    event(f"valid: {valid}")
    if valid:
        return
    complaint = str(schema.error_log)
    try:
        scan_process.parse(document, identifier="", name="")
    except XmlError as error:
        assert "\n" not in str(error)
        return
    event("a liberty")
    assert any(liberty in complaint for liberty in LIBERTIES), complaint


#: Where the reader is more liberal than the schema: a lock on any element, an empty list of destinations, and
#: the one number above 32 bit that the pages name.
LIBERTIES = (
    "attribute '{http://schemas.microsoft.com/windows/2006/08/wdp/scan}MustHonor' is not allowed",
    "EmailAddress ).",
    "ShareUNC ).",
    "SaveToSharePointSiteURL ).",
    "'2147483648'",
)
