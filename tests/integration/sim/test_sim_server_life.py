"""A scan server over time and in character: restarts, memory, clocks, certificates, personalities, timings."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import http.client
import json
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import pytest

from dsm_sim.certificates import create_authority
from dsm_sim.peers.scan_server import CERTIFICATE_KINDS, PERSONALITIES, personality
from dsm_sim.peers.scan_server.schemas import message_error

NOBODYS = "11111111-1111-4111-8111-111111111111"


def renewed(device):
    """Over a new connection, with the addresses asked for anew."""
    device.wire()
    device.forget_service()
    return device


# --------------------------------------------------------------------------------------------- restarts


def test_restart_without_memory_forgets_jobs_and_changes_the_services_addresses(device):
    finished, open_job = device.new_job(), device.new_job()
    device.send(finished)
    device.end(finished)
    device.send(open_job)
    before, address, port = device.service, device.server.address, device.server.port
    device.server.report()
    device.server.restart(remember=False)
    device.wire()
    assert device.query(open_job).status == 404, "the service's address is another one"
    renewed(device)
    assert device.service != before
    for token in (finished, open_job):
        assert device.query(token).subcode == "ClientErrorJobTokenNotFound"
        assert device.send(token).subcode == "ClientErrorJobTokenNotFound"
    assert (device.server.address, device.server.port) == (address, port)
    assert [job.is_forgotten for job in device.server.jobs] == [True, True]
    assert not (device.server.output / "incoming" / open_job).exists()
    assert device.server.report().violations == ()


def test_restart_with_memory_goes_on_where_it_was(device):
    token = device.new_job()
    device.send(token, 1)
    service = device.service
    device.server.restart(remember=True)
    renewed(device)
    assert device.service == service
    assert device.query(token, "dsp:JobStatus").text("ImagesReceived") == "1"
    assert device.send(token, 2).status == 200
    assert device.end(token).status == 200
    (job,) = device.server.jobs
    assert (job.state, len(job.files)) == ("Completed", 2)


def test_restart_breaks_off_requests_that_are_under_way(device, connect, until):
    token = device.new_job()
    sending = connect(device.server)
    package = sending.package(token, 1, b"x" * 100_000, "acme:any")
    sending.wire().send(package[:50_000])
    until(lambda: list((device.server.output / "incoming").glob("*.part")))
    device.server.restart(remember=True)
    assert sending.current.is_closed()
    assert not list((device.server.output / "incoming").glob("*.part"))
    renewed(device)
    assert device.query(token).text("ImagesReceived") == "0"
    assert device.send(token).status == 200


def persist(device, ask):
    """The answer, over as many connections as it takes."""
    limit = time.monotonic() + 20
    while True:
        try:
            return ask()
        except (OSError, http.client.HTTPException):
            assert time.monotonic() < limit, "the server never came back"
            with contextlib.suppress(OSError):
                device.wire()


def test_restart_under_fire_loses_no_answered_page(start_server, connect):
    """Clients that send while the server restarts again and again: what was answered is there, once."""
    server = start_server()
    devices = [connect(server) for _ in range(3)]
    tokens = [device.new_job() for device in devices]

    def send_twenty(device, token):
        document = 1
        while document <= 20:
            with contextlib.suppress(OSError, http.client.HTTPException):
                assert device.send(token, document).status == 200
                document += 1
                continue
            received = persist(device, lambda: int(device.query(token).text("ImagesReceived")))
            assert received in {document - 1, document}, "the one without an answer may be there or not"
            document = received + 1

    with ThreadPoolExecutor() as pool:
        sending = [pool.submit(send_twenty, *each) for each in zip(devices, tokens, strict=True)]
        for _ in range(5):
            server.restart(remember=True)
        for each in sending:
            each.result()
    assert [len(job.documents) for job in server.jobs] == [20, 20, 20]


def test_server_is_down_for_a_while_on_the_same_port(device):
    token = device.new_job()
    device.server.stop()
    assert device.current.is_closed()
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            device.wire()
    device.server.start()
    device.server.start()
    renewed(device)
    assert device.send(token).status == 200


def test_server_may_end_while_it_is_down(start_server):
    start_server().stop()


# ---------------------------------------------------------------------------------------------- history


class SteppedClock:
    def __init__(self):
        self.seconds = 0.0

    def monotonic(self):
        return self.seconds

    def now(self):
        start = datetime.datetime(2026, 3, 2, 9, 14, 7)  # noqa: DTZ001 - the server's local time has no zone
        return start + datetime.timedelta(seconds=self.seconds)


@pytest.fixture
def clock():
    return SteppedClock()


def finish(device):
    token = device.new_job()
    device.send(token)
    device.end(token)
    device.server.report()
    return token


def test_finished_jobs_are_answered_with_their_documents_until_newer_ones_push_them_out(
    start_server, connect, clock
):
    device = connect(start_server(job_history=2, clock=clock))
    tokens = []
    for _ in range(3):
        clock.seconds += 1
        tokens.append(finish(device))
    open_job = device.new_job()
    assert device.query(tokens[0]).subcode == "ClientErrorJobTokenNotFound"
    for token in tokens[1:]:
        answer = device.query(token, "dsp:JobStatus", "dsp:Documents")
        assert message_error(answer.root[1][0]) == ("", None)
        assert (answer.text("JobState"), answer.text("DocumentId")) == ("Completed", "1")
    assert device.query(open_job).text("JobState") == "Creating"
    assert len(device.server.jobs) == 4, "the report forgets nothing"


def test_finished_jobs_can_be_kept_for_a_time(start_server, connect, clock):
    device = connect(start_server(job_history_s=3600.0, clock=clock))
    token = finish(device)
    clock.seconds = 3600
    assert device.query(token).status == 200
    clock.seconds = 3601
    assert device.query(token).subcode == "ClientErrorJobTokenNotFound"


# ----------------------------------------------------------------------------------------------- clocks


def test_wrong_clock_shows_in_every_date_and_in_no_timeout(start_server, connect, clock):
    device = connect(start_server(clock=clock, clock_offset_s=86_400.0, job_timeout_s=600))
    token = device.new_job()
    answer = device.query(token)
    assert answer.text("JobCreatedTime") == "2026-03-03T09:14:07.000"
    date = email.utils.parsedate_to_datetime(answer.headers["date"]).astimezone().replace(tzinfo=None)
    assert date == clock.now() + datetime.timedelta(days=1)
    device.server.expire_jobs()
    assert device.query(token).text("JobState") == "Creating"


# ---------------------------------------------------------------------------------------- certificates


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("good", None),
        ("intermediate", None),
        ("expired", "has expired"),
        ("not-yet-valid", "not yet valid"),
        ("wrong-name", "mismatch"),
        ("no-names", "mismatch"),
        ("wrong-usage", "(unsuitable|unsupported) certificate purpose"),
        ("unknown-authority", "unable to get local issuer|self-signed"),
        ("self-signed", "self-signed certificate"),
        ("missing-intermediate", "unable to get local issuer"),
        ("weak-key", "key too (weak|small)"),
        ("old-tls", "protocol"),
    ],
)
def test_each_kind_of_certificate_is_wrong_in_its_own_way(start_server, kind, complaint):
    server = start_server(certificate=kind)
    context = ssl.create_default_context(cafile=str(server.ca_file))
    context.hostname_checks_common_name = False
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        if complaint is None:
            context.wrap_socket(plain, server_hostname="localhost").close()
        else:
            with pytest.raises(ssl.SSLError, match=f"(?i){complaint}"):
                context.wrap_socket(plain, server_hostname="localhost")


def test_old_tls_is_all_that_an_old_server_has(start_server):
    server = start_server(certificate="old-tls")
    context = ssl.create_default_context(cafile=str(server.ca_file))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        assert context.wrap_socket(plain, server_hostname="localhost").version() == "TLSv1.1"


def test_every_kind_of_certificate_is_tried_above():
    marks = test_each_kind_of_certificate_is_wrong_in_its_own_way.pytestmark
    assert [kind for kind, _ in marks[0].args[1]] == list(CERTIFICATE_KINDS)


def test_authority_stays_the_same_over_restarts_and_kinds(start_server, tmp_path):
    authority = create_authority(tmp_path / "tls")
    before = authority.ca_file.read_bytes()
    for kind in ("good", "unknown-authority", "intermediate"):
        server = start_server(certificate=kind, tls=tmp_path / "tls")
        server.restart(remember=False)
        assert server.ca_file.read_bytes() == before


# --------------------------------------------------------------------------------------- personalities


@pytest.mark.parametrize("name", PERSONALITIES)
def test_every_trait_has_its_source(name):
    each, strict = personality(name), personality("strict")
    unlike = {field.name for field in fields(each) if getattr(each, field.name) != getattr(strict, field.name)}
    assert unlike - {"name", "sources"} <= set(each.sources)


def test_unknown_personality_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="ws2008r2"):
        personality("ws2003")


def in_character(start_server, connect, name, **options):
    return connect(start_server(personality=personality(name), **options))


@pytest.mark.parametrize("name", PERSONALITIES)
def test_token_that_is_no_guid(start_server, connect, name):
    device = in_character(start_server, connect, name)
    odd = "EndpointUnavailable" if name == "ws2008r2" else "ClientErrorJobTokenNotFound"
    for ask in (device.query, device.cancel, device.end, device.send):
        answer = ask("no-guid")
        assert (answer.subcode, answer.status) == (odd, 500 if name == "ws2008r2" else 400)
        assert ask(NOBODYS).subcode == "ClientErrorJobTokenNotFound"
        assert ask(NOBODYS).text("Detail") == NOBODYS


@pytest.mark.parametrize("name", PERSONALITIES)
def test_unknown_names_are_skipped_or_not_valid(start_server, connect, name):
    device = in_character(start_server, connect, name)
    answer = device.query(device.new_job(), "dsp:Unknown", "dsp:JobDescription", "plain")
    found = [each[0].tag.rpartition("}")[2] if len(each) else "" for each in answer.root[1][0][0]]
    assert found == (["JobDescription"] if name == "ws2008r2" else ["", "JobDescription", ""])


@pytest.mark.parametrize("name", PERSONALITIES)
def test_extension_that_permits_another_file_name(start_server, connect, tmp_path, name):
    stored = (Path(__file__).parents[2] / "data" / "samples" / "psp-extensions.xml").read_text()
    folder = tmp_path / "processes"
    folder.mkdir()
    (folder / "Any.xml").write_text(stored)
    device = in_character(start_server, connect, name, processes=folder)
    start, end = "<psp:PostScanInstructions>", "</psp:PostScanInstructions>"
    inner = stored[stored.index(start) + len(start) : stored.index(end)]
    psp = 'xmlns:psp="http://schemas.microsoft.com/windows/2008/02/imaging/postscan/psp"'
    spaces = " ".join(each for each in stored.replace(">", " ").split() if each.startswith("xmlns:"))
    assert psp in spaces
    for root_name, expected in (("same", 200), ("other", 400 if name == "ws2008r2" else 200)):
        asked = inner if root_name == "same" else rename(inner)
        body = (
            "<dsp:UserIdentifier>S-1-5-21-1-2-3-4</dsp:UserIdentifier>"
            "<dsp:PSP_Identifier>6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11</dsp:PSP_Identifier>"
            f"<dsp:PostScanInstructions {spaces}>{asked}</dsp:PostScanInstructions>"
        )
        answer = device.do("CreatePostScanJob", body)
        assert answer.status == expected, answer.body


def rename(instructions):
    before, _, rest = instructions.partition("<psp:DocumentRootName>")
    _, _, after = rest.partition("</psp:DocumentRootName>")
    return f"{before}<psp:DocumentRootName>Renamed</psp:DocumentRootName>{after}"


@pytest.mark.parametrize("name", PERSONALITIES)
def test_tls_version(start_server, connect, name):
    device = in_character(start_server, connect, name)
    assert device.wire().socket.version() == ("TLSv1.3" if name == "strict" else "TLSv1.2")


def test_word_that_a_server_does_not_know_is_replaced():
    r2 = personality("ws2008r2")
    assert r2.say("PostScanJobCompletedWithWarnings") == "PostScanJobCompletedSuccessfully"
    assert replace(r2, words={}).say("Completed") == r2.say("Completed") == "Completed"


# --------------------------------------------------------------------------------------------- timings


def test_each_request_is_told_with_its_moments(start_server, connect):
    happenings = []
    device = connect(start_server(tell=happenings.append))
    token = device.new_job()
    before = time.monotonic()
    package = device.package(token)
    device.current.send(package[:-10])
    time.sleep(0.1)  # the body takes its time
    device.current.send(package[-10:])
    device.current.answer()
    after = time.monotonic()
    device.get()
    requests = [each for each in happenings if each["event"] == "request"]
    assert [each["operation"] for each in requests][:3] == ["Get", "CreatePostScanJob", "SendImage"]
    sent = requests[2]
    assert before <= sent["head_s"] <= sent["body_s"] <= min(sent["answered_s"], after)
    assert sent["body_s"] - sent["head_s"] >= 0.09
    assert (sent["job"], sent["page"], sent["status"]) == (token, 1, 200)
    assert sent["octets"] == len(package.partition(b"\r\n\r\n")[2])


def test_report_is_ready_for_programs(device):
    token = device.new_job()
    device.send(token)
    device.send(token)
    report = json.loads(json.dumps(device.server.report().as_json()))
    (violation,) = report["violations"]
    assert violation["rule"] == "document-once"
    assert violation["job_token"] == token
    assert set(violation) == {"rule", "level", "text", "source", "detail", "operation", "job_token", "at"}
    assert datetime.datetime.fromisoformat(violation["at"])
    assert (report["subscriptions"], report["events_sent"], report["events_failed"]) == ([], 0, 0)
