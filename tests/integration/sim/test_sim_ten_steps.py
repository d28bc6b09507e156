"""The simulated scan server's ten steps, right and wrong, over real TLS with a client of this test's own."""

from __future__ import annotations

import datetime
import socket
import uuid
from pathlib import Path

import pytest
from lxml import etree

from dsm_sim.certificates import open_authority

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[3] / "hw-sim" / "dsm_sim" / "schemas" / "dsp.xsd"))
SERVICE_ID = uuid.UUID("5f0a2f4e-6d0b-4b0e-9c55-0a4c9d1f7e21")
SAMPLE_TOKEN = b"b7b3c2d8-5c3c-4f7a-8f5a-2a6c1c9d7e10"
SAMPLE_HOST = {"Host": "scan01.corp.example.com:5362"}
WSA = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
PROBE_ACTION = "http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe"
WSDAPI_PATH = "/StableWSDiscoveryEndpoint/schemas-xmlsoap-org_ws_2005_04_discovery"


def sample(name, token=""):
    return (SAMPLES / name).read_bytes().replace(SAMPLE_TOKEN, token.encode() or SAMPLE_TOKEN)


def body_element(answer):
    return next(iter(answer.root.find("{http://www.w3.org/2003/05/soap-envelope}Body")))


def assert_valid(answer):
    copy = etree.fromstring(etree.tostring(body_element(answer)))
    SCHEMA.assertValid(copy)


@pytest.fixture
def sample_device(start_server, connect):
    """A server that goes by the names and addresses of the sample messages."""
    names = ("scan01.corp.example.com", "localhost")
    return connect(start_server(names=names, processing_id=SERVICE_ID))


def test_sample_messages_go_through_all_ten_steps_without_a_violation(sample_device):
    device, path = sample_device, f"/ScanServer/{SERVICE_ID}"
    matches = device.post("/ScanServer", sample("wire-probe.xml"), SAMPLE_HOST)
    assert matches.status == 200
    assert matches.text("XAddrs") == f"https://scan01.corp.example.com:{device.server.port}/ScanServer"
    assert matches.text("RelatesTo") == "urn:uuid:00000000-0000-4000-8000-000000000011"
    metadata = device.post("/ScanServer", sample("wire-get.xml"), SAMPLE_HOST)
    hosted = metadata.root.xpath("//*[local-name()='Hosted']")
    assert len(hosted) == 2
    created = device.post(path, sample("dsp-create-post-scan-job-request.xml"), SAMPLE_HOST)
    assert_valid(created)
    token = created.text("JobToken")
    device.current.send(sample("wire-send-image.http", token))
    sent = device.current.answer()
    assert (sent.status, sent.text("RelatesTo")) == (200, "urn:uuid:00000000-0000-4000-8000-00000000001e")
    assert_valid(sent)
    queried = device.post(path, sample("dsp-get-post-scan-job-elements-request.xml", token), SAMPLE_HOST)
    assert_valid(queried)
    assert (queried.text("JobState"), queried.text("ImagesReceived")) == ("Creating", "1")
    assert_valid(device.post(path, sample("dsp-end-post-scan-job-request.xml", token), SAMPLE_HOST))
    report = device.server.report()
    (job,) = report.jobs
    assert (job.state, job.reason, job.token) == ("Completed", "PostScanJobCompletedSuccessfully", token)
    assert [(d.document_id, d.format, d.octets, d.width_px) for d in job.documents] == [(1, "png", 67, 1)]
    assert report.violations == ()
    assert report.requests == {
        "Probe": 1,
        "Get": 1,
        "CreatePostScanJob": 1,
        "SendImage": 1,
        "GetPostScanJobElements": 1,
        "EndPostScanJob": 1,
    }
    assert report.connections == 1


def test_byte_exact_sample_package_is_read_in_single_octets(sample_device):
    path = f"/ScanServer/{SERVICE_ID}"
    token = sample_device.post(path, sample("dsp-create-post-scan-job-request.xml"), SAMPLE_HOST).text("JobToken")
    for octet in sample("wire-send-image.http", token):
        sample_device.current.send(bytes([octet]))
    assert sample_device.current.answer().status == 200
    assert sample_device.server.report().violations == ()


def test_pages_are_stored_for_the_user_in_each_share(device, instructions, png):
    token = device.new_job(instructions(r"\\files\scans", r"\\files\deep\down", name="Invoice"))
    for number in (1, 2, 3):
        assert device.send(token, number).status == 200
    assert device.end(token).status == 200
    (job,) = device.server.jobs
    user = "S-1-5-21-1085031214-1563985344-725345543-1107@sim.example"
    folders = {path.parent.relative_to(device.server.output / "shares") for path in job.files}
    assert folders == {Path("files/scans") / user, Path("files/deep/down") / user}
    assert len(job.files) == 6
    assert all(path.read_bytes() == png for path in job.files)
    assert [path.name.rpartition("-")[2] for path in job.files[:3]] == ["001.png", "002.png", "003.png"]
    assert all(path.name.startswith("Invoice-") for path in job.files)
    assert not list((device.server.output / "incoming").iterdir())
    assert device.server.report().violations == ()


def test_known_user_gets_a_folder_with_the_own_name(start_server, connect):
    server = start_server(users={"S-1-5-21-1-2-3-1104": "amelie@corp.example.com"})
    device = connect(server)
    answer = device.create(user="S-1-5-21-1-2-3-1104")
    token = answer.text("JobToken")
    device.send(token)
    assert device.query(token, "dsp:JobDescription").text("JobOriginatingUserName") == "amelie@corp.example.com"
    device.end(token)
    assert [path.parent.name for path in server.jobs[0].files] == ["amelie@corp.example.com"]


# -------------------------------------------------------------------------------------------- discovery


def probe(device, types="wsdp:Device", **changes):
    body = (
        '<wsd:Probe xmlns:wsd="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
        f' xmlns:wsdp="http://schemas.xmlsoap.org/ws/2006/02/devprof">{types}</wsd:Probe>'
        if types.startswith("<")
        else probe_body(types)
    )
    parts = {"to": "urn:schemas-xmlsoap-org:ws:2005:04:discovery", "path": "/ScanServer", **changes}
    return device.envelope(PROBE_ACTION, body, **parts)


def probe_body(types):
    return (
        '<wsd:Probe xmlns:wsd="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
        ' xmlns:wsdp="http://schemas.xmlsoap.org/ws/2006/02/devprof">'
        f"<wsd:Types>{types}</wsd:Types></wsd:Probe>"
    )


@pytest.mark.parametrize("path", ["/ScanServer", "/ScanServer/", WSDAPI_PATH])
def test_probe_is_answered_at_each_of_its_paths(device, path):
    answer = device.post(path, probe(device))
    assert answer.text("XAddrs") == device.server.address == answer.text("Address")
    assert device.server.report().violations == ()


def test_probe_switched_off_at_one_path_leaves_the_other(start_server, connect):
    first = connect(start_server(probe_at_scan_server=False))
    refused = first.post("/ScanServer", probe(first))
    assert (refused.status, refused.subcode) == (400, "ActionNotSupported")
    assert first.post(WSDAPI_PATH, probe(first)).status == 200
    second = connect(start_server(probe_at_wsdapi_path=False))
    assert second.post(WSDAPI_PATH, probe(second)).status == 404
    assert second.post("/ScanServer", probe(second)).status == 200
    assert first.server.report().violations == second.server.report().violations == ()


def test_probe_for_other_types_gets_an_empty_answer(device):
    answer = device.post("/ScanServer", probe(device, "wsdp:Printer"))
    assert (answer.status, len(body_element(answer))) == (200, 0)


def test_probe_without_types_is_a_violation(device, broken_rules):
    answer = device.post("/ScanServer", probe(device, ""))
    assert len(body_element(answer)) == 0
    assert broken_rules(device.server) == {"probe-types"}


def test_probe_with_a_wrong_recipient_is_a_violation(device, broken_rules):
    assert device.post("/ScanServer", probe(device, to=device.server.address)).status == 200
    assert broken_rules(device.server) == {"wsa-discovery-to"}


def ask_by_udp(server, data):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(10)
        udp.sendto(data, ("127.0.0.1", server.port))
        return udp.recv(65_536)


def test_probe_by_udp_is_answered_on_the_same_port_number(device):
    data = ask_by_udp(device.server, probe(device))
    assert device.server.address.encode() in data
    assert ask_by_udp(device.server, sample("wire-probe.xml"))
    assert ask_by_udp(device.server, sample("wire-probe.xml")), "a repeated datagram is lawful"
    assert device.server.report().requests == {"Probe by UDP": 3}
    assert device.server.report().violations == ()


@pytest.mark.parametrize("junk", [b"", b"<a/>", b"\xff" * 2000, b"<?xml version='1.0'?><!DOCTYPE a []><a/>"])
def test_junk_by_udp_meets_silence_and_harms_nothing(device, junk):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(10)
        udp.sendto(junk, ("127.0.0.1", device.server.port))
        udp.sendto(probe(device), ("127.0.0.1", device.server.port))
        assert b"ProbeMatches" in udp.recv(65_536)


def test_udp_switched_off_is_closed(start_server):
    server = start_server(probe_by_udp=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(10)
        udp.connect(("127.0.0.1", server.port))
        udp.send(b"probe")
        with pytest.raises(ConnectionRefusedError):
            udp.recv(100)


# ---------------------------------------------------------------------------------------------- faults


def eventing(device):
    return device.envelope("http://schemas.xmlsoap.org/ws/2004/08/eventing/Subscribe", "")


def assert_fault(answer, status, subcode):
    assert (answer.status, answer.subcode) == (status, subcode), answer.body
    assert answer.text("Action") == f"{WSA}/fault"
    assert answer.text("RelatesTo").startswith("urn:uuid:")
    assert answer.text("Text")


def test_server_without_events_does_not_support_subscribe_and_sees_no_violation(start_server, connect):
    device = connect(start_server(has_events=False))
    assert_fault(device.post(device.service, eventing(device)), 400, "ActionNotSupported")
    assert device.server.report().violations == ()


UNKNOWN = "<dsp:JobToken>11111111-1111-4111-8111-111111111111</dsp:JobToken>"
NAMES = "<dsp:RequestedElements><dsp:Name>dsp:JobStatus</dsp:Name></dsp:RequestedElements>"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("EndPostScanJob", UNKNOWN), ("CancelPostScanJob", UNKNOWN), ("GetPostScanJobElements", UNKNOWN + NAMES)],
)
def test_unknown_token_is_told_with_the_token(device, name, arguments):
    answer = device.do(name, arguments)
    assert_fault(answer, 400, "ClientErrorJobTokenNotFound")
    assert answer.text("Detail") == "11111111-1111-4111-8111-111111111111"


def test_unknown_token_in_a_package_is_told_after_the_whole_package(device):
    assert_fault(device.send("no-such-job"), 400, "ClientErrorJobTokenNotFound")
    assert not list((device.server.output / "incoming").iterdir())
    assert device.get().status == 200, "the connection goes on"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("EndPostScanJob", ""),
        ("EndPostScanJob", UNKNOWN + UNKNOWN),
        ("EndPostScanJob", f"<dsp:JobToken>{'x' * 256}</dsp:JobToken>"),
        ("CancelPostScanJob", "<dsp:Token>1</dsp:Token>"),
        ("GetPostScanJobElements", UNKNOWN),
        ("GetPostScanJobElements", UNKNOWN + "<dsp:RequestedElements/>"),
        ("CreatePostScanJob", "<dsp:UserIdentifier>S-1-5-21-1</dsp:UserIdentifier>"),
        ("SendImage", UNKNOWN),
    ],
)
def test_bad_arguments_are_invalid_args(device, name, arguments, broken_rules):
    assert_fault(device.do(name, arguments), 400, "InvalidArgs")
    assert broken_rules(device.server) == {"body-schema"}


def test_instructions_with_children_in_the_wrong_namespace_are_invalid_args(device, instructions):
    wrong = instructions().replace("http://schemas.microsoft.com/windows/2008/02/imaging/postscan/psp", "urn:x")
    assert_fault(device.create(wrong), 400, "InvalidArgs")


def test_body_of_another_operation_is_invalid_args(device, broken_rules):
    body = f"<dsp:EndPostScanJobRequest>{UNKNOWN}</dsp:EndPostScanJobRequest>"
    dsp = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/processing"
    answer = device.post(device.service, device.envelope(f"{dsp}/CancelPostScanJob", body))
    assert_fault(answer, 400, "InvalidArgs")
    assert broken_rules(device.server) == {"action-body"}


@pytest.mark.parametrize("path", ["/ScanServer", "configuration"])
def test_operation_at_the_wrong_service_is_not_supported(device, path, broken_rules):
    if path == "configuration":
        hosted = device.get().root.xpath("//*[local-name()='Hosted']")
        (address,) = hosted[0].xpath(".//*[local-name()='Address']/text()")
        path = "/" + address.split("/", 3)[3]
    answer = device.post(path, device.operation("EndPostScanJob", UNKNOWN, path=path))
    assert_fault(answer, 400, "ActionNotSupported")
    assert broken_rules(device.server) == {"action-known"}


@pytest.mark.parametrize(
    ("changes", "status", "subcode", "rule"),
    [
        ({"message_id": ""}, 400, "MessageInformationHeaderRequired", "wsa-required"),
        ({"action": "<wsa:Action> </wsa:Action>"}, 400, "MessageInformationHeaderRequired", "wsa-required"),
        ({"to": "https://other/ScanServer"}, 400, "DestinationUnreachable", "wsa-to"),
        (
            {"reply_to": "<wsa:ReplyTo><wsa:Address>https://me/</wsa:Address></wsa:ReplyTo>"},
            400,
            "InvalidMessageInformationHeader",
            "wsa-reply-to",
        ),
        (
            {"header": "<wsa:MessageID>urn:uuid:1</wsa:MessageID>"},
            400,
            "InvalidMessageInformationHeader",
            "wsa-required",
        ),
        (
            {"header": '<x:S xmlns:x="urn:x" soap:mustUnderstand="true"/>'},
            500,
            "MustUnderstand",
            "soap-must-understand",
        ),
    ],
)
def test_wrong_headers_get_their_fault(device, changes, status, subcode, rule, broken_rules):
    answer = device.do("EndPostScanJob", UNKNOWN, **changes)
    assert (answer.status, answer.subcode) == (status, subcode)
    assert broken_rules(device.server) == {rule}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"reply_to": ""}, "wsa-reply-to"),
        ({"message_id": "<wsa:MessageID>17</wsa:MessageID>"}, "wsa-message-id"),
    ],
)
def test_tolerated_headers_are_violations(device, changes, rule, broken_rules):
    assert device.do("EndPostScanJob", UNKNOWN, **changes).subcode == "ClientErrorJobTokenNotFound"
    assert broken_rules(device.server) == {rule}


def test_unknown_header_that_need_not_be_understood_is_fine(device):
    header = '<x:S xmlns:x="urn:x">1</x:S><y:T xmlns:y="urn:y" soap:mustUnderstand="0"/>'
    assert device.do("EndPostScanJob", UNKNOWN, header=header).subcode == "ClientErrorJobTokenNotFound"
    assert device.server.report().violations == ()


def test_white_space_around_addressing_headers_is_read(device):
    dsp = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/processing"
    answer = device.do(
        "EndPostScanJob",
        UNKNOWN,
        action=f"<wsa:Action>\n   {dsp}/EndPostScanJob\n </wsa:Action>",
        message_id="<wsa:MessageID>\n urn:uuid:00000000-0000-4000-8000-0000000000aa\t</wsa:MessageID>",
    )
    assert answer.text("RelatesTo") == "urn:uuid:00000000-0000-4000-8000-0000000000aa"
    assert device.server.report().violations == ()


def test_repeated_message_id_is_a_violation(device, broken_rules):
    fixed = "<wsa:MessageID>urn:uuid:00000000-0000-4000-8000-0000000000ab</wsa:MessageID>"
    device.do("EndPostScanJob", UNKNOWN, message_id=fixed)
    assert broken_rules(device.server) == set()
    device.do("EndPostScanJob", UNKNOWN, message_id=fixed)
    assert broken_rules(device.server) == {"wsa-unique"}


def test_soap_1_1_is_a_version_mismatch(device, broken_rules):
    soap_1_1 = b"http://schemas.xmlsoap.org/soap/envelope/"
    body = device.operation("EndPostScanJob", UNKNOWN).replace(
        b"http://www.w3.org/2003/05/soap-envelope", soap_1_1
    )
    answer = device.post(device.service, body)
    assert (answer.status, answer.subcode) == (500, "VersionMismatch")
    assert broken_rules(device.server) == {"soap-version"}


# ------------------------------------------------------------------------------------------------- job


def test_tokens_keep_their_white_space_and_case(device):
    token = device.new_job()
    assert device.end(f" {token} ").subcode == "ClientErrorJobTokenNotFound"
    assert device.end(token.upper()).subcode == "ClientErrorJobTokenNotFound"
    assert device.cancel(token).status == 200


@pytest.mark.parametrize("value", ["0", "-1", "x", "2147483648", ""])
def test_document_ids_that_are_no_positive_integers_are_invalid_args(device, value):
    assert_fault(device.send(device.new_job(), value), 400, "InvalidArgs")


def test_repeated_document_id_is_refused_and_the_first_one_stays(device, png, broken_rules):
    token = device.new_job()
    assert device.send(token, 1).status == 200
    answer = device.send(token, 1)
    assert_fault(answer, 400, "InvalidArgs")
    assert answer.text("Detail") == "1"
    assert broken_rules(device.server) == {"document-once"}
    assert len(device.server.jobs[0].documents) == 1


def test_document_ids_with_a_gap_are_taken_as_a_violation(device, broken_rules):
    token = device.new_job()
    device.send(token, 1)
    assert device.send(token, 9).status == 200
    assert broken_rules(device.server) == {"document-order"}


@pytest.mark.parametrize(
    ("image_format", "image", "rule"),
    [
        ("jfif", None, "format-true"),
        ("png", b"", "format-true"),
        ("png", b"\x89PNG\r\n\x1a\n", "format-true"),
        ("PNG", None, "format-known"),
        ("jpeg", None, "format-known"),
    ],
)
def test_image_that_is_not_of_its_format_is_refused(device, png, image_format, image, rule, broken_rules):
    token = device.new_job()
    answer = device.send(token, 1, png if image is None else image, image_format)
    assert_fault(answer, 400, "InvalidArgs")
    assert broken_rules(device.server) == {rule}
    assert device.query(token).text("ImagesReceived") == "0"
    assert not list((device.server.output / "incoming").glob("*.part"))


def test_vendor_format_is_taken_as_it_is(device, broken_rules):
    token = device.new_job()
    assert device.send(token, 1, b"anything", "acme:searchable").status == 200
    assert broken_rules(device.server) == {"format-known"}
    device.end(token)
    assert [path.suffix for path in device.server.jobs[0].files] == [".bin"]


def test_cancelled_job_takes_nothing_and_stores_nothing(device, broken_rules):
    token = device.new_job()
    device.send(token)
    assert device.cancel(token).status == 200
    assert device.query(token).text("JobState") == "Canceled"
    assert device.cancel(token).subcode == "ClientErrorJobTokenNotFound"
    assert broken_rules(device.server) == set()
    assert device.send(token, 2).subcode == "ClientErrorJobTokenNotFound"
    assert device.end(token).subcode == "ClientErrorJobTokenNotFound"
    assert broken_rules(device.server) == {"job-canceled"}
    (job,) = device.server.jobs
    assert (job.state, job.reason, job.files) == ("Canceled", "PostScanJobCanceled", ())
    assert not (device.server.output / "shares").exists()


def test_image_under_way_when_its_job_is_cancelled_is_told_so_and_no_violation(device, connect, until):
    token = device.new_job()
    sending = connect(device.server)
    package = sending.package(token)
    sending.wire().send(package[:-30])
    until(lambda: list((device.server.output / "incoming").glob("*.part")))
    assert device.cancel(token).status == 200
    sending.current.send(package[-30:])
    answer = sending.current.answer()
    assert_fault(answer, 500, "ServerErrorPostScanJobCanceled")
    assert device.server.report().violations == ()


def test_ended_job_takes_nothing_more(device, broken_rules):
    token = device.new_job()
    device.send(token)
    device.end(token)
    assert device.send(token, 2).subcode == "ClientErrorJobTokenNotFound"
    assert broken_rules(device.server) == {"job-ended"}
    assert len(device.server.jobs[0].documents) == 1
    assert device.query(token).text("JobState") == "Completed"


def test_job_without_images_may_be_ended_with_a_violation(device, broken_rules):
    token = device.new_job()
    assert device.end(token).status == 200
    assert broken_rules(device.server) == {"job-empty"}


def test_asked_elements_come_in_order_and_unknown_ones_are_not_valid(device):
    token = device.new_job()
    device.send(token)
    answer = device.query(token, "dsp:Documents", "dsp:Unknown", "dsp:JobDescription", "dsp:JobStatus", "plain")
    assert_valid(answer)
    data = answer.root.xpath("//*[local-name()='ElementData']")
    dsp = "{http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/processing}"
    assert [each.get(f"{dsp}Valid") for each in data] == ["true", "false", "true", "true", "false"]
    assert [each.get(f"{dsp}Name") for each in data][:2] == ["dsp:Documents", "dsp:Unknown"]
    assert [len(each) for each in data] == [1, 0, 1, 1, 0]
    assert answer.text("DocumentId") == "1"


def test_jobs_overlap_without_mixing_their_images(device, connect):
    other = connect(device.server)
    first, second = device.new_job(), other.new_job()
    for number in (1, 2):
        assert device.send(first, number).status == 200
        assert other.send(second, number).status == 200
    assert other.send(second, 3).status == 200
    for token in (first, second):
        device.end(token)
    assert [len(job.documents) for job in device.server.jobs] == [2, 3]
    assert len({path for job in device.server.jobs for path in job.files}) == 5
    assert device.server.report().violations == ()


# ----------------------------------------------------------------------------------------------- filters

UNKNOWN_FILTER = (
    "<psp:Filter><psp:Dialect>urn:unknown</psp:Dialect><psp:Instructions>"
    '<x:Config xmlns:x="urn:unknown"/></psp:Instructions></psp:Filter>'
)


def test_job_without_a_known_filter_is_created_and_aborted(device, instructions):
    fileshare = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/fileshare"
    token = device.new_job(instructions().replace(fileshare, "urn:unknown"))
    status = device.query(token)
    assert (status.text("JobState"), status.text("JobStateReason")) == (
        "Aborted",
        "NoValidPostScanInstructionsFound",
    )
    assert device.send(token).subcode == "ClientErrorJobTokenNotFound"
    assert device.server.jobs[0].documents == ()


@pytest.mark.parametrize(
    ("continues", "state", "files"), [("false", "Canceled", 0), ("true", "CompletedSuccessfully", 1)]
)
def test_failing_filter_stops_the_others_unless_they_continue(device, instructions, continues, state, files):
    token = device.new_job(instructions(more=UNKNOWN_FILTER, continue_on_error=continues))
    device.send(token)
    device.end(token)
    (job,) = device.server.jobs
    assert (job.state, job.reason) == ("Completed", "PostScanJobCompletedWithErrors")
    assert [run.state for run in job.filters] == ["CompletedWithErrors", state]
    assert job.filters[0].reason == "InvalidArgs"
    assert len(job.files) == files
    assert device.query(token).text("FilterStateReason") == "InvalidArgs"
    assert list((device.server.output / "incoming" / token).iterdir()), "images stay where a filter failed"


@pytest.mark.parametrize(
    "share",
    [
        r"\\..\..\..\tmp\x",
        r"/etc/passwd",
        r"\\server\..\..\..",
        r"C:\Windows",
        r"\\con\nul",
        "x" * 255,
        r"\\a\b&#10;c",
    ],
)
def test_malicious_shares_and_names_never_leave_the_output(device, instructions, share):
    token = device.new_job(instructions(share, name="../../../etc/evil"))
    device.send(token)
    device.end(token)
    (job,) = device.server.jobs
    assert job.reason == "PostScanJobCompletedSuccessfully"
    for path in job.files:
        assert path.resolve().is_relative_to(device.server.output.resolve() / "shares")
        assert ".." not in path.parts


# ------------------------------------------------------------------------------- stored scan processes


@pytest.fixture
def process_device(start_server, connect, tmp_path):
    folder = tmp_path / "processes"
    folder.mkdir()
    stored = SAMPLES / "psp-pdfa-email-open-list.xml"
    identified = stored.read_text().replace(
        "<psp:PostScanProcess", "<?psp-identifier 6e0e1a3d-6f2b-4c57-9c1f-0c6c5b5b2f11?>\n<psp:PostScanProcess", 1
    )
    (folder / "Scan to mail.xml").write_text(identified)
    names = ("scan01.corp.example.com", "localhost")
    return connect(start_server(names=names, processing_id=SERVICE_ID, processes=folder)), folder


def test_request_made_from_its_process_is_accepted(process_device):
    device, _ = process_device
    path = f"/ScanServer/{SERVICE_ID}"
    answer = device.post(path, sample("dsp-create-post-scan-job-request.xml"), SAMPLE_HOST)
    assert answer.status == 200
    assert device.server.jobs[0].psp_name == "Scan to mail"
    assert device.server.report().violations == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b">Scan<", b">Other<"),
        (b">true<", b">false<"),
        (b">records@corp.example.com<", b">thief@example.com<"),
        (b"6E0E1A3D", b"7E0E1A3D"),
    ],
)
def test_request_that_departs_from_its_process_is_invalid_args(process_device, before, after, broken_rules):
    device, _ = process_device
    body = sample("dsp-create-post-scan-job-request.xml")
    assert before in body
    answer = device.post(f"/ScanServer/{SERVICE_ID}", body.replace(before, after), SAMPLE_HOST)
    assert_fault(answer, 400, "InvalidArgs")
    assert broken_rules(device.server) == {"instructions-equal"}
    assert device.server.jobs == ()


def test_process_is_read_anew_for_each_job(process_device):
    device, folder = process_device
    (path,) = folder.iterdir()
    path.write_text(path.read_text().replace(">Scan<", ">Changed<"))
    body = sample("dsp-create-post-scan-job-request.xml")
    assert device.post(f"/ScanServer/{SERVICE_ID}", body, SAMPLE_HOST).subcode == "InvalidArgs"
    changed = body.replace(b">Scan<", b">Changed<").replace(b"001c", b"002c")
    assert device.post(f"/ScanServer/{SERVICE_ID}", changed, SAMPLE_HOST).status == 200


# -------------------------------------------------------------------------------------------- the clock


class SteppedClock:
    """Time that passes when a test says so."""

    def __init__(self):
        self.seconds = 0.0
        self.date = datetime.datetime(2026, 3, 2, 9, 14, 7)  # noqa: DTZ001 - the server's local time has no zone

    def monotonic(self):
        return self.seconds

    def now(self):
        return self.date + datetime.timedelta(seconds=self.seconds)


@pytest.fixture
def clock():
    return SteppedClock()


@pytest.fixture
def clock_device(start_server, connect, clock):
    return connect(start_server(clock=clock))


def test_job_times_out_ten_minutes_after_its_last_message(clock_device, clock):
    device = clock_device
    token = device.new_job()
    clock.seconds = 599
    assert device.send(token).status == 200
    clock.seconds = 599 + 599
    device.server.expire_jobs()
    assert device.query(token).text("JobState") == "Creating"
    clock.seconds = 599 + 599 + 600
    device.server.expire_jobs()
    (job,) = device.server.jobs
    assert (job.state, job.reason) == ("Completed", "PostScanJobTimedOut")
    assert len(job.files) == 1, "what was received is processed"
    assert device.end(token).subcode == "ClientErrorJobTokenNotFound"
    assert device.server.report().violations == ()


def test_job_without_images_times_out_without_files(clock_device, clock):
    token = clock_device.new_job()
    clock.seconds = 600
    clock_device.server.expire_jobs()
    (job,) = clock_device.server.jobs
    assert (job.state, job.reason, job.files) == ("Completed", "PostScanJobTimedOut", ())
    status = clock_device.query(token)
    assert status.text("JobCreatedTime") == "2026-03-02T09:14:07.000"
    assert status.text("JobCompletedTime") == "2026-03-02T09:24:07.000"


def test_timeout_is_found_without_being_asked(start_server, connect, until):
    device = connect(start_server(job_timeout_s=0.0))
    device.new_job()
    until(lambda: device.server.jobs[0].state != "Creating")
    assert device.server.jobs[0].reason == "PostScanJobTimedOut"


# ---------------------------------------------------------------------------------------- client identity


def test_only_certified_clients_are_admitted(start_server, connect):
    server = start_server(require_client_cert=True)
    stranger = connect(server)
    with pytest.raises((ConnectionError, OSError)):
        stranger.get()
    assert server.report().requests == {}
    friend = connect(server, open_authority(server.ca_file.parent).client("amelie"))
    assert friend.get().status == 200


def test_job_belongs_to_the_certificate_that_created_it(start_server, connect, broken_rules):
    server = start_server(require_client_cert=True)
    authority = open_authority(server.ca_file.parent)
    owner = connect(server, authority.client("owner"))
    thief = connect(server, authority.client("thief"))
    token = owner.new_job()
    for attempt in (thief.send(token), thief.end(token), thief.cancel(token)):
        assert attempt.status == 403
    assert broken_rules(server) == {"job-owner"}
    assert owner.send(token).status == 200
    assert owner.cancel(token).status == 200
