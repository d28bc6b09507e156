"""What becomes of a job whose filters fail, are slow, or are cancelled: in the answers and in the report."""

from __future__ import annotations

import msgspec
import pytest

from dsm_sim.peers.scan_server.filters import FilterTrouble, FilterTroubles, SmtpServer, Targets
from dsm_sim.peers.scan_server.filters.targets import read_share, read_smtp, read_webdav

PSP = "http://schemas.microsoft.com/windows/2008/02/imaging/postscan/psp"
EMLF = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/email"
MAIL_FILTER = (
    f'<psp:Filter xmlns:psp="{PSP}"><psp:Dialect>{EMLF}</psp:Dialect><psp:Instructions>'
    f'<e:EmailConfig xmlns:e="{EMLF}"><e:SendToAddresses><e:EmailAddress>a@b.example</e:EmailAddress>'
    "</e:SendToAddresses></e:EmailConfig></psp:Instructions></psp:Filter>"
)
FAILS = {"email": FilterTrouble(reason="UnableToSendEmail")}


@pytest.fixture
def run_job(start_server, connect, instructions):
    """One image to a server whose job mails first, and then stores on a share."""

    def run(continue_on_error="false", **options):
        device = connect(start_server(**options))
        token = device.new_job(instructions(more=MAIL_FILTER, continue_on_error=continue_on_error))
        device.send(token)
        device.end(token)
        (job,) = device.server.report().jobs
        return device, token, job

    return run


def test_failed_filter_stops_the_others(run_job):
    device, token, job = run_job(filter_troubles=FAILS)
    assert (job.state, job.reason) == ("Completed", "PostScanJobCompletedWithErrors")
    assert [(run.state, run.reason, run.detail) for run in job.filters] == [
        ("CompletedWithErrors", "UnableToSendEmail", "as planned"),
        ("Canceled", "", ""),
    ]
    assert job.files == ()
    assert device.query(token).text("FilterStateReason") == "UnableToSendEmail"
    assert (device.server.output / "incoming" / token / "000001.png").exists()


def test_failed_filter_is_passed_over_where_the_process_says_so(run_job):
    _, _, job = run_job("true", filter_troubles=FAILS)
    assert (job.state, job.reason) == ("Completed", "PostScanJobCompletedWithErrors")
    assert [run.state for run in job.filters] == ["CompletedWithErrors", "CompletedSuccessfully"]
    assert len(job.files) == 1


def test_report_tells_of_deliveries_that_left_no_file(run_job, mail_server):
    class Postbox:
        async def handle_DATA(self, server, session, envelope):
            return "250 OK"

    port = mail_server(Postbox())
    device, _, job = run_job(targets=Targets(smtp=SmtpServer("127.0.0.1", port)))
    assert [(run.state, run.places, len(run.files)) for run in job.filters] == [
        ("CompletedSuccessfully", ("mailto:a@b.example",), 0),
        ("CompletedSuccessfully", (), 1),
    ]
    report = device.server.report()
    assert "email: CompletedSuccessfully mailto:a@b.example" in report.as_text()
    assert report.as_json()["jobs"][0]["filters"][0]["places"] == ["mailto:a@b.example"]
    assert not (device.server.output / "incoming").is_dir() or not any(
        (device.server.output / "incoming").iterdir()
    )


def test_report_tells_people_why(run_job, tmp_path):
    """A mapped share that is missing, behind a mail filter that works."""
    _, _, job = run_job(targets=Targets(shares={r"\\files\scans": tmp_path / "gone"}))
    assert (job.filters[1].state, job.filters[1].reason) == ("CompletedWithErrors", "UnknownError")
    assert str(tmp_path / "gone") in job.filters[1].detail


def test_slow_filter_shows_as_processing_and_delivers_nothing_once_cancelled(
    start_server, connect, instructions, until
):
    device = connect(start_server(filter_troubles={"email": FilterTrouble(delay_s=0.5)}))
    token = device.new_job(instructions(more=MAIL_FILTER))
    device.send(token)
    device.end(token)
    until(lambda: device.query(token).text("FilterState") == "Processing")
    assert device.cancel(token).status == 200
    (job,) = device.server.report().jobs  # waits for the filters
    assert (job.state, [run.state for run in job.filters]) == ("Canceled", ["Canceled", "Canceled"])
    assert not (device.server.output / "mail").exists()


def test_troubles_are_read_from_data():
    read = msgspec.convert({"email": {"reason": "UnableToSendEmail", "delay_s": 2}}, FilterTroubles)
    assert read == {"email": FilterTrouble(reason="UnableToSendEmail", delay_s=2.0)}
    for wrong in (
        {"mail": {}},
        {"email": {"reason": "Nonsense"}},
        {"email": {"wait": 1}},
        {"email": {"delay_s": -1}},
        {"email": {"delay_s": "soon"}},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, FilterTroubles)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("mail.example:25", "mail.example", 25), ("2525", "127.0.0.1", 2525), ("[::1]:25", "::1", 25)],
)
def test_mail_server_is_read(text, host, port):
    assert read_smtp(text) == SmtpServer(host, port)


@pytest.mark.parametrize("text", ["", "mail.example", "mail.example:", "h:0", "h:65536", "h:²", "h:-1"])
def test_what_is_no_mail_server_is_refused(text):
    with pytest.raises(ValueError, match="HOST:PORT"):
        read_smtp(text)


@pytest.mark.parametrize("text", ["", "//a/b", "ftp://a/b", "http://", "http://a/?x", "https://a/#x", "http://["])
def test_what_is_no_webdav_url_is_refused(text):
    with pytest.raises(ValueError, match=r"http://HOST/PATH|URL"):
        read_webdav(text)


@pytest.mark.parametrize("text", ["", "=x", "\\\\a\\b", "\\\\a\\b=", "a=b", "\\a=b"])
def test_what_maps_no_share_is_refused(text):
    with pytest.raises(ValueError, match="DIR"):
        read_share(text)


def test_share_is_read_with_equals_signs_in_its_folder(tmp_path):
    assert read_share(f"\\\\a\\b={tmp_path}/c=d") == (r"\\a\b", tmp_path / "c=d")
