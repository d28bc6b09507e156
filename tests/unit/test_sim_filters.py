"""What the simulated scan server's filters write: shares, mail that a mail program reads, SharePoint requests."""

from __future__ import annotations

import datetime
import email
import email.policy
import json
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from dsm_sim.image_files import ImageFacts
from dsm_sim.peers.scan_server.filters import Batch, FilterError, is_known, run_filter
from dsm_sim.peers.scan_server.jobs import Document

FILTER = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter"
FSF, EMLF, SPF = f"{FILTER}/fileshare", f"{FILTER}/email", f"{FILTER}/sharepoint"
NOW = datetime.datetime(2026, 3, 2, 9, 14, 7)  # noqa: DTZ001 - the server's local time has no zone


def deliver(*arguments):
    return list(run_filter(*arguments))


def shares(*names):
    inner = "".join(f"<f:ShareUNC>{escape(name)}</f:ShareUNC>" for name in names)
    return etree.fromstring(
        f'<f:FileShareConfig xmlns:f="{FSF}"><f:FileShares>{inner}</f:FileShares></f:FileShareConfig>'
    )


def mail(*addresses, to_user="false"):
    inner = "".join(f"<e:EmailAddress>{escape(address)}</e:EmailAddress>" for address in addresses)
    return etree.fromstring(
        f'<e:EmailConfig xmlns:e="{EMLF}"><e:SendToScanUser>{to_user}</e:SendToScanUser>'
        f"<e:SendToAddresses>{inner}</e:SendToAddresses></e:EmailConfig>"
    )


def sites(*urls, my_site="false"):
    inner = "".join(f"<s:SaveToSharePointSiteURL>{escape(url)}</s:SaveToSharePointSiteURL>" for url in urls)
    return etree.fromstring(
        f'<s:SharePointConfig xmlns:s="{SPF}"><s:SaveToMySite>{my_site}</s:SaveToMySite>'
        f"<s:SaveToSharePointSites>{inner}</s:SaveToSharePointSites></s:SharePointConfig>"
    )


@pytest.fixture
def batch(tmp_path):
    """Two documents below a folder of their own."""

    def make(root_name="Scan", user="amelie@corp.example.com", out=tmp_path / "out"):
        documents = []
        for number, (image_format, data) in enumerate(
            [("jfif", b"\xff\xd8" * 3000), ("pdf-a", bytes(range(256)))], 1
        ):
            path = tmp_path / f"received-{number}"
            path.write_bytes(data)
            documents.append(Document(number, image_format, path, len(data), "", ImageFacts(), NOW))
        return Batch(user, root_name, tuple(documents), out, NOW)

    return make


def test_share_gets_both_files_with_names_and_extensions(batch, tmp_path):
    stored = deliver(FSF, shares(r"\\files\a\b"), batch())
    folder = tmp_path / "out/shares/files/a/b/amelie@corp.example.com"
    assert stored == [folder / "Scan-20260302-091407-001.jpg", folder / "Scan-20260302-091407-002.pdf"]
    assert stored[1].read_bytes() == bytes(range(256))
    again = deliver(FSF, shares(r"\\files\a\b"), batch())
    assert [path.name for path in again] == ["Scan-20260302-091407-001-2.jpg", "Scan-20260302-091407-002-2.pdf"]


def test_mail_is_read_by_a_mail_program_with_every_attachment(batch, tmp_path):
    (path,) = deliver(
        EMLF, mail("records@corp.example.com", "b@c.example", to_user="true"), batch("Müller & Söhne")
    )
    assert path.parent == tmp_path / "out/mail"
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert [each.addr_spec for each in message["To"].addresses] == [
        "records@corp.example.com",
        "b@c.example",
        "amelie@corp.example.com",
    ]
    assert message["Subject"] == "Scanned documents: Müller & Söhne"
    attachments = list(message.iter_attachments())
    assert [each.get_content_type() for each in attachments] == ["image/jpeg", "application/pdf"]
    assert [each.get_filename() for each in attachments] == [
        "Müller & Söhne-20260302-091407-001.jpg",
        "Müller & Söhne-20260302-091407-002.pdf",
    ]
    assert [each.get_content() for each in attachments] == [b"\xff\xd8" * 3000, bytes(range(256))]
    assert not message.defects
    assert b"\n" not in path.read_bytes().replace(b"\r\n", b"")


@pytest.mark.parametrize("address", ["a@b\r\nBcc: thief@example.com", "a@b\nX: y"])
def test_line_end_in_an_address_adds_no_header(batch, tmp_path, address):
    with pytest.raises(FilterError, match="UnableToSendEmail"):
        deliver(EMLF, mail(address.replace("\r", "\n")), batch())
    assert not list((tmp_path / "out").rglob("*.eml"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=60)
)
def test_any_name_and_address_makes_a_mail_or_a_reason(batch, text):
    try:
        (path,) = deliver(EMLF, mail(text, "b@c.example"), batch(text, text or "u"))
    except FilterError as error:
        assert str(error) in {"UnableToSendEmail", "InvalidArgs"}
    else:
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert len(list(message.iter_attachments())) == 2
        assert set(message.keys()) == {
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "MIME-Version",
            "Content-Type",
        }


def test_sharepoint_gets_files_and_the_requests_that_would_put_them(batch, tmp_path):
    written = deliver(SPF, sites("https://portal.example/finance/in/"), batch())
    folder = tmp_path / "out/sharepoint/portal.example/finance/in/amelie@corp.example.com"
    assert {path.parent for path in written} == {folder}
    requests = json.loads(written[-1].read_text())
    assert [request["url"] for request in requests] == [
        "https://portal.example/finance/in/amelie@corp.example.com/Scan-20260302-091407-001.jpg",
        "https://portal.example/finance/in/amelie@corp.example.com/Scan-20260302-091407-002.pdf",
    ]
    assert requests[0]["method"] == "PUT"
    assert requests[0]["headers"] == {"Content-Type": "image/jpeg", "Content-Length": "6000"}
    assert (folder / requests[1]["file"]).read_bytes() == bytes(range(256))


def test_own_site_of_the_user_is_one_more_site(batch, tmp_path):
    written = deliver(SPF, sites("https://portal.example/x", my_site="1"), batch())
    assert len(written) == 6
    assert (tmp_path / "out/sharepoint/my.sim.example/personal").is_dir()


@pytest.mark.parametrize(
    "url", ["https://../../../x", "file:///etc/passwd", r"\\..\x", "", "https://a/%2e%2e/\0".strip("\0")]
)
def test_sites_never_leave_the_output(batch, tmp_path, url):
    for path in deliver(SPF, sites(url), batch("../evil", "../../user")):
        assert ".." not in path.relative_to(tmp_path / "out" / "sharepoint").parts


@pytest.mark.parametrize(
    ("dialect", "config"),
    [
        (EMLF, mail()),
        (SPF, sites()),
        ("urn:unknown", shares("x")),
        (EMLF, shares("x")),
        (FSF, None),
    ],
)
def test_what_a_filter_does_not_understand_is_invalid(batch, dialect, config):
    with pytest.raises(FilterError, match="InvalidArgs"):
        deliver(dialect, config, batch())


def test_known_filters_have_their_own_element():
    assert is_known(FSF, shares("x"))
    assert not is_known(FSF, mail("x"))
    assert not is_known(FSF, None)
    assert not is_known("urn:unknown", shares("x"))


def test_disk_that_refuses_becomes_a_reason_of_the_protocol(batch, tmp_path):
    (tmp_path / "blocked").write_text("a file where a folder must be")
    with pytest.raises(FilterError, match="UnknownError"):
        deliver(FSF, shares("x"), batch(out=tmp_path / "blocked"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_becomes_its_reason(batch, monkeypatch):
    made = batch()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dsm_sim.peers.scan_server.storage._sync", full)
    with pytest.raises(FilterError, match="FileShareOutOfDiskSpace"):
        deliver(FSF, shares("x"), made)
