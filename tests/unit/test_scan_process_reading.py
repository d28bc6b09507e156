"""Scan processes read: what is accepted, what is refused and in which words, what reaches the server."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dsm_device.errors import UsageError
from dsm_device.wire import names, scan_process, xml
from dsm_device.wire.repository import Repository, parse_repository
from dsm_device.wire.scan_process import ScanProcess
from dsm_device.wire.xml import XmlError

DATA = Path(__file__).parents[1] / "data"
SAMPLES = DATA / "samples"
PROCESSES = DATA / "processes"


def load(file: Path) -> ScanProcess:
    return process_in(file.read_bytes(), file.stem)


def process_in(data: bytes, name: str = "Name") -> ScanProcess:
    document = scan_process.read(data)
    identifier = scan_process.stated_identifier(document) or "none"
    return scan_process.parse(document, identifier=identifier, name=name)


def sample(name: str) -> str:
    return (SAMPLES / name).read_text("utf-8")


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("psp-*.xml")), ids=lambda file: file.stem)
def test_every_valid_sample_is_usable_without_warning(file: Path) -> None:
    assert load(file).warnings == ()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "invalid-psp-exposure-both.xml",
            'CompressionQualityFactor (line 13) is "101", allowed is a whole number from 0 to 100',
        ),
        ("invalid-psp-missing-root-name.xml", "PostScanInstructions (line 12) lacks DocumentRootName"),
        (
            "invalid-psp-unqualified-email-attribute.xml",
            "Format (line 13) has wscn:Override, which has no place in a ticket",
        ),
    ],
)
def test_every_invalid_sample_is_refused_with_its_reason(name: str, reason: str) -> None:
    with pytest.raises(XmlError) as error:
        load(SAMPLES / name)
    assert str(error.value) == reason


@pytest.mark.parametrize(
    ("wrong", "right", "reason"),
    [
        (">101<", ">100<", 'InputSource (line 14) is "Feeder", allowed is one of ADF, ADFDuplex, Film, Plat'),
        (">Feeder<", ">ADF<", "Exposure (line 15) takes only one of AutoExposure or ExposureSettings"),
    ],
)
def test_each_error_of_the_exposure_sample_is_found(wrong: str, right: str, reason: str) -> None:
    text = sample("invalid-psp-exposure-both.xml").replace(">101<", ">100<").replace(wrong, right)
    with pytest.raises(XmlError) as error:
        process_in(text.encode())
    assert str(error.value).startswith(reason)


def test_everything_in_a_full_process_is_read() -> None:
    process = load(SAMPLES / "psp-three-filters.xml")
    share, site, mail = process.filters
    assert process.repository == Repository("scan01.corp.example.com")
    assert process.document_root_name == "Invoice"
    assert process.continue_on_error
    assert (process.ticket.job_name, process.ticket.user_name) == ("Invoice intake", "")
    assert process.ticket.job_information == "Paper invoices, one stack a supplier"
    assert share.label == "file share"
    assert share.destinations[0] == r"\\files01.corp.example.com\invoices"
    assert (site.label, site.to_scan_user, len(site.destinations)) == ("SharePoint", False, 1)
    assert (mail.label, mail.can_add_addresses) == ("e-mail", False)
    assert mail.destinations == ("invoices@corp.example.com", "audit@corp.example.com")


def test_later_permissions_are_read_at_either_place() -> None:
    process = load(SAMPLES / "psp-extensions.xml")
    assert process.may_change_file_name
    assert process.may_change_file_path
    text = sample("psp-extensions.xml").replace(">true</spx", "></spx")
    assert not process_in(text.encode()).may_change_file_name


def test_permission_that_is_no_boolean_is_refused_though_the_other_place_allows_it() -> None:
    name = "spx:AllowDeviceFileNameChange"
    text = sample("psp-extensions.xml").replace(f"<{name}>true", f"<{name}>yes")
    with pytest.raises(XmlError, match=r'AllowDeviceFileNameChange .* is "yes"'):
        process_in(text.replace("spx:AllowDeviceFilePathChange", name).encode())


# ------------------------------------------------------------------------------ bad and odd documents

REASONS = {
    "empty": "is empty",
    "not XML": "not well-formed XML",
    "cut off": "not well-formed XML",
    "says UTF-8 but is not": "not well-formed XML",
    "unknown encoding": "Unsupported encoding",
    "DTD": "has a DOCTYPE, which is not allowed",
    "external entity": "has a DOCTYPE, which is not allowed",
    "billion laughs": "has a DOCTYPE | entity",
    "foreign root": "is no scan process: its root is html",
    "root without namespace": "is no scan process: its root is PostScanProcess",
    "two identifiers": "several psp-identifier instructions that differ",
    "identifier is no GUID": 'psp-identifier is no GUID: "invoices"',
    "root name parent": "DocumentRootName (line 19) is a path",
    "root name absolute": "is a path",
    "root name drive": "is a path",
    "root name folder": "is a path",
    "root name stream": "is a path",
    "root name dots": "is empty or only dots",
    "root name blank": "is empty or only dots",
    "root name line end": "holds control characters or line ends",
    "repository URL": "is no host name",
    "repository path": "is no host name",
    "repository space": "is no host name",
    "repository user": "is no host name",
    "repository empty": "ScanRepository is empty",
    "repository port": "impossible port: allowed is 1 to 65535",
    "repository number": "is no host name",
    "no filter": "FiltersToProcess (line 20) lacks Filter",
    "dialect of another filter": "EmailConfig (line 24) is not in the namespace of its Dialect",
    "filter out of order": "SendToScanUser (line 25) stands twice or out of order",
    "unqualified attribute": "has an attribute CanAddAddresses without its namespace",
}


@pytest.mark.parametrize("file", sorted((PROCESSES / "broken").iterdir()), ids=lambda file: file.stem)
def test_broken_process_is_refused_with_one_clear_line(file: Path) -> None:
    with pytest.raises(XmlError) as error:
        load(file)
    assert any(reason in str(error.value) for reason in REASONS[file.stem].split(" | "))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("file", sorted((PROCESSES / "usable").iterdir()), ids=lambda file: file.stem)
def test_usable_process_is_read_whatever_its_encoding(file: Path) -> None:
    assert load(file).document_root_name in ("Quick", "R&D", "NUL")


def test_half_a_million_characters_pass_and_more_do_not() -> None:
    text = sample("psp-minimal-overrides.xml")
    fill = scan_process.MAX_CHARACTERS - len(text)
    longest = text.replace("</psp:PostScanProcess>", "<!--" + "ä" * (fill - 7) + "--></psp:PostScanProcess>")
    assert len(longest) == scan_process.MAX_CHARACTERS
    process_in(longest.encode())
    for encoding in ("utf-8", "utf-16"):
        data = longest.replace("ää", "äää", 1).replace('encoding="utf-8"', f'encoding="{encoding}"')
        with pytest.raises(XmlError, match="longer than 524,288 characters"):
            process_in(data.encode(encoding))
    with pytest.raises(XmlError, match="longer than 524,288 characters"):
        scan_process.read(b"<a>" * 1_000_000)


def test_nesting_is_limited() -> None:
    with pytest.raises(XmlError, match=r"not well-formed XML|nested more than"):
        scan_process.read(b"<a>" * 170_000 + b"</a>" * 170_000)
    with pytest.raises(XmlError, match="nested more than"):
        scan_process.read(b"<a>" * 65 + b"</a>" * 65)


@settings(max_examples=300, deadline=None)
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8"))))
def test_any_octets_give_a_process_or_one_line(data: bytes) -> None:
    with pytest.raises(XmlError) as error:
        process_in(data)
    assert str(error.value)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_process_gives_a_process_or_one_line(data: st.DataObject) -> None:
    whole = (SAMPLES / "psp-every-parameter.xml").read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 40))
    put = data.draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"<a/>", b"&#0;", b"]]>", b"<!--", b"\0"])))
    try:
        process_in(whole[:start] + put + whole[start + length :])
    except XmlError as error:
        assert "\n" not in str(error)


# --------------------------------------------------------------------------------- names and numbers


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("scan01.corp.example.com", "scan01.corp.example.com", None),
        ("\n  scan01 \n", "scan01", None),
        ("SCAN01.example.", "SCAN01.example", None),
        ("scan01.example:5363", "scan01.example", 5363),
        ("SCAN_01.corp.example", "SCAN_01.corp.example", None),
        ("127.0.0.1:5362", "127.0.0.1", 5362),
        ("[::1]:5362", "::1", 5362),
        ("[::1]", "::1", None),
        ("fe80::1", "fe80::1", None),
        ("büro.example", "xn--bro-hoa.example", None),
        ("a" * 63 + ".example", "a" * 63 + ".example", None),
    ],
)
def test_scan_repository_is_a_host_with_or_without_port(text: str, host: str, port: int | None) -> None:
    repository = parse_repository(text)
    assert repository == Repository(host, port)
    assert parse_repository(str(repository)) == repository


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":5362",
        "scan01:",
        "scan01:0",
        "scan01:65536",
        "scan01:１",
        "-scan.example",
        "scan..example",
        "a" * 64 + ".example",
        ".".join(["a" * 50] * 6),
        "\\\\scan01",
        "scan01?x",
        "scan01#x",
        "[::1",
        "[scan01]:5362",
        "fe80::1%eth0",
        "1.2.3",
        "[::1]x:1",
        "xn--a.ü\u202e.example",
    ],
)
def test_anything_else_is_no_scan_repository(text: str) -> None:
    with pytest.raises(XmlError, match="ScanRepository"):
        parse_repository(text)


@given(text=st.text(max_size=80))
def test_scan_repository_answers_any_text(text: str) -> None:
    try:
        repository = parse_repository(text)
    except XmlError:
        return
    assert str(repository).isascii()
    assert not set(str(repository)) & set("/@ \\?#%")


def test_document_root_name_is_kept_as_stored() -> None:
    text = sample("psp-minimal-overrides.xml").replace(">Quick<", "> Straße 日本 <")
    assert process_in(text.encode()).document_root_name == " Straße 日本 "


def test_name_that_windows_does_not_take_is_warned_about() -> None:
    assert load(PROCESSES / "usable" / "Names for Windows to refuse.xml").warnings == (
        "DocumentRootName 'NUL' is no file name for a Windows server",
    )


@pytest.mark.parametrize("place", ["before the root", "in the root", "in the instructions"])
def test_identifier_is_found_wherever_it_stands(place: str) -> None:
    identifier = load(PROCESSES / "usable" / f"Identifier {place}.xml").identifier
    assert identifier[1:] == "E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11"


def test_unknown_filter_is_warned_about_and_carried() -> None:
    text = sample("psp-minimal-overrides.xml").replace(names.EMLF, "urn:acme:fax")
    process = process_in(text.encode())
    assert not process.filters[0].known
    assert process.warnings == ("no scan server is known to have the filter urn:acme:fax",)


def test_order_of_the_frame_is_not_needed_but_warned_about() -> None:
    text = sample("psp-minimal-overrides.xml")
    line = "  <psp:ScanRepository>scan01.corp.example.com</psp:ScanRepository>\n"
    moved = text.replace(line, "").replace("</psp:PostScanProcess>", line + "</psp:PostScanProcess>")
    assert process_in(moved.encode()).warnings == (
        "PostScanProcess: the schema's order is ScanRepository, ScanTicket, PostScanInstructions",
    )


# -------------------------------------------------------------------------------- what the server gets


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("psp-*.xml")), ids=lambda file: file.stem)
def test_instructions_are_those_of_the_file(file: Path) -> None:
    process = load(file)
    stored = etree.parse(file).getroot().find(names.qname(names.PSP, "PostScanInstructions"))
    assert stored is not None
    assert canonical(process.instructions) == canonical(stored)


def canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=True)


def test_instructions_keep_comments_cdata_and_prefixes_that_only_values_use() -> None:
    text = sample("psp-extensions.xml").replace(
        "<psp:DocumentRootName>Case</psp:DocumentRootName>",
        "<!-- kept --><psp:DocumentRootName><![CDATA[R&D]]></psp:DocumentRootName>",
    )
    instructions = etree.tostring(process_in(text.encode()).instructions)
    assert b"<!-- kept --><psp:DocumentRootName><![CDATA[R&D]]></psp:DocumentRootName>" in instructions
    assert b'xmlns:acme="http://acme.example/ns/scan"' in instructions


def test_processing_instructions_do_not_travel() -> None:
    process = load(PROCESSES / "usable" / "Identifier in the instructions.xml")
    assert b"<?" not in etree.tostring(process.instructions)
    assert b"<psp:DocumentRootName>Quick</psp:DocumentRootName>" in process.instructions_xml


def test_text_after_a_processing_instruction_travels() -> None:
    text = sample("psp-minimal-overrides.xml").replace(">Quick<", ">Qu<?editor here?>ick<")
    process = process_in(text.encode())
    assert process.document_root_name == "Quick"
    assert b"<psp:DocumentRootName>Quick</psp:DocumentRootName>" in process.instructions_xml


def test_instructions_are_a_copy_each_time() -> None:
    process = load(SAMPLES / "psp-minimal-overrides.xml")
    process.instructions.clear()
    assert len(process.instructions)


# ----------------------------------------------------------------------------------- added addresses


def addresses(instructions: etree._Element) -> list[str]:
    return [xml.text(each) for each in instructions.iter(names.qname(names.EMLF, "EmailAddress"))]


OPEN_LIST = SAMPLES / "psp-pdfa-email-open-list.xml"


def test_addresses_are_added_after_the_given_ones_without_doubles() -> None:
    wanted = ["a@b.example", "RECORDS@corp.example.com", "A@B.example", "c@b.example"]
    added = scan_process.with_added_addresses(load(OPEN_LIST), wanted)
    assert addresses(added) == ["records@corp.example.com", "a@b.example", "c@b.example"]


def test_added_addresses_change_nothing_else_and_satisfy_the_schema() -> None:
    process = load(OPEN_LIST)
    added = scan_process.with_added_addresses(process, ["a@b.example"])
    listed = added.find(f".//{names.qname(names.EMLF, 'SendToAddresses')}")
    assert listed is not None
    listed.remove(listed[-1])
    assert canonical(added) == canonical(process.instructions)


def test_addresses_are_added_before_elements_of_strangers() -> None:
    text = sample(OPEN_LIST.name).replace("</emlf:SendToAddresses>", '<a xmlns="urn:a"/></emlf:SendToAddresses>')
    added = scan_process.with_added_addresses(process_in(text.encode()), ["a@b.example"])
    listed = added.find(f".//{names.qname(names.EMLF, 'SendToAddresses')}")
    assert listed is not None
    assert [xml.local_name(each) for each in listed] == ["EmailAddress", "EmailAddress", "a"]


@pytest.mark.parametrize(
    "name", ["psp-minimal-overrides.xml", "psp-three-filters.xml", "psp-flatbed-colour-jfif.xml"]
)
def test_addresses_are_refused_where_the_process_does_not_allow_them(name: str) -> None:
    with pytest.raises(UsageError, match="does not let you add e-mail addresses"):
        scan_process.with_added_addresses(load(SAMPLES / name), ["a@b.example"])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@b.example",
        "a@",
        "a@b@c.example",
        "a b@c.example",
        "a@b.example, c@d.example",
        "A <a@b.example>",
        "a@b.example\r\nBcc: x@y.example",
        "a@b.example\0",
        "a@-b.example",
        "a@b..example",
        "x" * 65 + "@b.example",
        "a@" + ".".join(["b" * 60] * 5),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="is no e-mail address") as error:
        scan_process.with_added_addresses(load(OPEN_LIST), [address])
    assert "\n" not in str(error.value)


def test_international_addresses_are_taken() -> None:
    wanted = "jörg.o'hara+x@büro.example"
    assert addresses(scan_process.with_added_addresses(load(OPEN_LIST), [wanted]))[-1] == wanted
