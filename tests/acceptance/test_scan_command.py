"""`dsm-device scan` as an operator or a script sees it: events, exit codes, and what the server has in the end."""

from __future__ import annotations

import json
import os
import select
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from dsm_device.spool import job_log
from dsm_sim.certificates import create_authority
from dsm_sim.peers.scan_server import (
    Action,
    AnswerBody,
    AnswerFault,
    AnswerStatus,
    CloseBefore,
    CutAnswer,
    Fault,
    LoseAnswer,
    ResetInBody,
    Stall,
    WrongRelatesTo,
)

SMALL = ["--set", "MediaFront/Resolution=75", "--set", "CompressionQualityFactor=50"]


def test_a_feeder_job_is_delivered_page_by_page(desk):
    outcome = desk.scan()
    assert outcome.code == 0, outcome.err
    created, done = outcome.lines[0], outcome.lines[-1]
    assert created["event"] == "created"
    assert created["process"] == "Demo"
    assert [page["n"] for page in outcome.events("page")] == list(range(1, 11))
    assert all(page["format"] == "jfif" and page["bytes"] > 10_000 for page in outcome.events("page"))
    assert [sent["n"] for sent in outcome.events("sent")] == list(range(1, 11))
    assert {state["source"] for state in outcome.events("state")} == {"device", "server"}
    (job,) = desk.server.jobs
    assert done == {"event": "done", "job_token": job.token, "pages": 10}
    assert [document.octets for document in job.documents] == [page["bytes"] for page in outcome.events("page")]
    assert [document.document_id for document in job.documents] == list(range(1, 11))
    assert len(job.files) == 10
    assert all(path.parent.name == "S-1-5-21-0-0-0-1000@sim.example" for path in job.files)
    with Image.open(job.files[-1]) as image:
        assert image.size == (2480, 3508)
        assert image.info["dpi"] == (300, 300)
    assert desk.server.report().violations == ()


def test_nothing_is_left_in_the_spool_after_a_good_job(desk):
    assert desk.scan(*SMALL).code == 0
    assert list(desk.spool.iterdir()) == []


def test_connections_are_reused(desk):
    assert desk.scan(*SMALL).code == 0
    report = desk.server.report()
    assert report.requests["SendImage"] == 10
    assert report.connections <= 2


def test_the_first_page_goes_out_before_the_last_one_is_scanned(desk):
    desk.configure(scanner_options={"read-delay": True, "read-delay-duration": 20000})
    outcome = desk.scan(*SMALL)
    assert outcome.code == 0, outcome.err
    order = [(line["event"], line.get("n")) for line in outcome.lines]
    assert order.index(("sent", 1)) < order.index(("page", 10))


def test_a_slow_server_does_not_slow_the_feeder(make_desk):
    with make_desk(read_rate=100_000) as desk:
        outcome = desk.scan("--set", "MediaFront/Resolution=75", "--set", "CompressionQualityFactor=1")
    assert outcome.code == 0, outcome.err
    size = sum(page["bytes"] for page in outcome.events("page"))
    assert size > 150_000, "too little to be slow with"
    order = [(line["event"], line.get("n")) for line in outcome.lines]
    assert order.index(("page", 10)) < order.index(("sent", 3))


def test_without_json_the_story_is_told_to_people_and_standard_output_is_free(desk):
    outcome = desk.run("scan", "--process", "demo", *SMALL)
    assert outcome.code == 0
    assert outcome.out == ""
    assert "Page 10 sent" in outcome.err
    assert "10 pages delivered" in outcome.last_words


def test_what_becomes_of_each_setting_is_told(desk):
    """As in WS-Scan's DocumentFinalParameters: honoured, overridden, default."""
    desk.add_process(
        "Notes",
        lambda text: text.replace(
            "<wscn:MediaSides>", "<wscn:Rotation>90</wscn:Rotation><wscn:MediaSides>"
        ).replace("<wscn:Width>300<", "<wscn:Width>7777<"),
    )
    outcome = desk.scan("--set", "ImagesToTransfer=1", "--set", "Scaling=25x25", process="Notes")
    assert outcome.code == 0, outcome.err
    final = {each["element"]: each for each in outcome.events("created")[0]["final_parameters"]}
    assert (final["Rotation"]["value"], final["Rotation"]["override"]) == ("90", False)
    resolution = final["MediaFront/Resolution"]
    assert resolution["asked"].startswith("7777x")
    assert resolution["override"] and resolution["reason"]
    assert "MediaFront/Resolution" in outcome.err
    assert final["ContentType"]["used_default"]
    (job,) = desk.server.jobs
    (document,) = job.documents
    (page,) = document.each_page
    assert (page.x_dpi, page.y_dpi) == (300, 1200), "turned"


# ----------------------------------------------------------------------------------- what users change


def test_set_changes_the_ticket(desk):
    desk.add_process("Open", lambda text: text.replace(' wscn:MustHonor="true"', ""))
    changes = ["Format=png", "MediaFront/ColorProcessing=Grayscale8", "ImagesToTransfer=2"]
    outcome = desk.scan(*(part for change in changes for part in ("--set", change)), process="Open")
    assert outcome.code == 0, outcome.err
    (job,) = desk.server.jobs
    assert [document.format for document in job.documents] == ["png", "png"]
    with Image.open(job.files[0]) as image:
        assert image.mode == "L"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "Format=png"], ["Format", "locked"]),
        (["--set", "Colour=red"], ["Colour"]),
        (["--set", "ImagesToTransfer"], ["ImagesToTransfer", "="]),
        (["--set", "ImagesToTransfer=many"], ["ImagesToTransfer"]),
        (["--email", "x@example.com"], ["e-mail", "Demo"]),
    ],
)
def test_what_the_user_may_not_change_is_exit_2_and_one_line(desk, arguments: list[str], words: list[str]):
    outcome = desk.scan(*arguments)
    assert outcome.code == 2
    assert all(word in outcome.last_words for word in words), outcome.last_words
    (failed,) = outcome.events("failed")
    assert failed["code"] == 2
    assert desk.server.jobs == ()


def test_an_added_address_reaches_the_server(desk):
    instructions = (
        '<emlf:EmailConfig xmlns:emlf="http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/email">'
        '<emlf:SendToAddresses emlf:CanAddAddresses="true"><emlf:EmailAddress>a@example.com</emlf:EmailAddress>'
        "</emlf:SendToAddresses></emlf:EmailConfig>"
    )

    def mail(text: str) -> str:
        head, _, rest = text.partition("<psp:Instructions>")
        tail = rest.partition("</psp:Instructions>")[2]
        text = f"{head}<psp:Instructions>{instructions}</psp:Instructions>{tail}"
        return text.replace("postscan/filter/fileshare<", "postscan/filter/email<")

    desk.add_process("Mail", mail)
    outcome = desk.scan("--email", "new@example.com", *SMALL, "--set", "ImagesToTransfer=1", process="Mail")
    assert outcome.code == 0, outcome.err
    (message,) = desk.server.jobs[0].files
    text = message.read_text("utf-8", "replace")
    assert "a@example.com" in text
    assert "new@example.com" in text


# ------------------------------------------------------------------------------------------ exit codes


def test_an_unknown_process_is_exit_4(desk):
    outcome = desk.scan(process="Dema")
    assert outcome.code == 4
    assert "Dema" in outcome.last_words
    assert "Demo" in outcome.last_words


def test_a_broken_process_is_exit_4_with_its_reason(desk):
    (desk.processes / "Broken.xml").write_text("<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")
    outcome = desk.scan(process="Broken")
    assert outcome.code == 4
    assert "DOCTYPE" in outcome.last_words


def test_no_scanner_is_exit_3(desk):
    desk.configure(scanner={"device": "test:7"})
    outcome = desk.scan()
    assert outcome.code == 3
    assert "test:7" in outcome.last_words
    assert not list(desk.spool.glob("*/job.log"))


def test_what_the_scanner_cannot_do_is_refused_before_anything_moves(desk):
    outcome = desk.scan("--set", "MediaFront/Resolution=5000")
    assert outcome.code == 3
    assert "5000" in outcome.last_words
    assert "1200" in outcome.last_words
    assert desk.server.jobs == ()


#: An A4 feeder of libsane's that can fail at a byte of a page: SANE_Status by its number.
ODD = "source=ADF;mode=Gray|Color;depth=8;resolution=75|100;width=216;height=300;pages=4"
TO_ODD = ["--set", "MediaFront/ColorProcessing=Grayscale8", "--set", "MediaFront/Resolution=75"]
STATUSES = [(6, "jam"), (8, "cover"), (9, "communication"), (7, "load paper"), (11, "udev rule")]


def use_odd_scanner(desk, odd_backend: dict[str, str], fault: str) -> None:
    desk.environment = {**odd_backend, "ODD": f"{ODD};fail={fault}"}
    desk.configure(scanner={"device": "odd:0"})


@pytest.mark.parametrize(("status", "words"), STATUSES)
def test_a_scanner_that_fails_at_once_leaves_no_trace_at_the_server(desk, odd_backend, status: int, words: str):
    use_odd_scanner(desk, odd_backend, f"1:0:{status}")
    outcome = desk.scan(*TO_ODD)
    assert outcome.code == 3
    assert words in outcome.last_words
    assert desk.server.report().requests.get("CreatePostScanJob", 0) == 0
    assert not list(desk.spool.glob("*/job.log"))


@pytest.mark.parametrize("status", [6, 8, 9])
def test_a_page_that_fails_costs_no_page_before_it_and_mails_no_half_document(desk, odd_backend, status: int):
    use_odd_scanner(desk, odd_backend, f"3:5000:{status}")
    outcome = desk.scan(*TO_ODD)
    assert outcome.code == 3
    (job,) = spooled_jobs(desk.spool)
    assert job["state"] == "failed"
    assert [page["n"] for page in job["pages"]] == [1, 2]
    assert all((desk.spool / job["id"] / page["file"]).stat().st_size == page["bytes"] for page in job["pages"])
    assert not list(desk.spool.glob("*/*.part"))
    assert all(each.state == "Canceled" and not each.files for each in desk.server.jobs)
    assert desk.run("jobs", "retry", job["id"]).code == 0
    assert [len(each.files) for each in desk.server.jobs if each.state == "Completed"] == [2]


def test_the_feeder_is_emptied_whatever_it_holds(desk, odd_backend):
    use_odd_scanner(desk, odd_backend, "99:0:0")
    outcome = desk.scan(*TO_ODD)
    assert outcome.code == 0, outcome.err
    assert outcome.events("done")[0]["pages"] == 4


def spooled_jobs(spool: Path) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(job_log.read(path.parent).job) for path in sorted(spool.glob("*/job.log"))]


def test_a_server_that_is_not_there_is_exit_5_and_every_page_stays(make_desk):
    with make_desk(server=False) as desk:
        outcome = desk.scan(*SMALL)
    assert outcome.code == 5
    assert "localhost" in outcome.last_words
    (job,) = spooled_jobs(desk.spool)
    assert job["state"] == "spooled"
    assert len(job["pages"]) == 10
    folder = desk.spool / job["id"]
    assert all((folder / page["file"]).stat().st_size == page["bytes"] for page in job["pages"])
    assert job["id"] in outcome.err


def test_nothing_is_sent_to_a_server_that_is_not_trusted(make_desk, tmp_path: Path):
    with make_desk() as desk:
        stranger = create_authority(tmp_path / "stranger")
        desk.configure(scan_server={"ca_file": str(stranger.ca_file)})
        outcome = desk.scan(*SMALL)
        assert outcome.code == 5
        assert "ca_file" in outcome.last_words
        report = desk.server.report()
        assert not report.requests
        assert report.incomplete_requests == 0
    assert len(spooled_jobs(desk.spool)[0]["pages"]) == 10


def test_a_certificate_for_another_name_is_not_trusted(make_desk):
    with make_desk(names=("scan01.corp.example.com",)) as desk:
        desk.add_process("Demo", lambda text: text.replace("scan01.corp.example.com", "localhost"))
        outcome = desk.scan(*SMALL)
        assert outcome.code == 5
        assert "scan01.corp.example.com" in outcome.last_words
        assert not desk.server.report().requests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_scan_is_exit_6_and_cancelled_at_the_server(desk, number: signal.Signals):
    desk.configure(scanner_options={"read-delay": True, "read-delay-duration": 20000})
    with desk.start("--json", "scan", "--process", "Demo", "--set", "MediaFront/Resolution=150") as process:
        for line in process.stdout:
            if json.loads(line)["event"] == "sent":
                process.send_signal(number)
                break
        rest, err = process.communicate(timeout=30)
    assert process.returncode == 6, err
    assert "cancelled" in err.strip().splitlines()[-1]
    assert json.loads(rest.splitlines()[-1])["code"] == 6
    (job,) = desk.server.jobs
    assert job.state == "Canceled"
    assert job.files == ()
    assert not list(desk.spool.glob("*/job.log"))


def test_a_reader_that_leaves_stops_no_scan(desk):
    with desk.start("--json", "scan", "--process", "Demo", *SMALL) as process:
        assert "created" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        process.stderr.read()
    assert [len(job.files) for job in desk.server.jobs] == [10]


def test_text_that_nobody_can_write_is_exit_2(desk):
    for option in ("--user", "--set", "--email"):
        outcome = desk.scan(option, "\udcff")
        assert outcome.code == 2
        assert option in outcome.last_words


# -------------------------------------------------------------------------- a server that misbehaves


def delivered_once(desk) -> None:
    """Exactly one job was completed, and it holds each page once and in order."""
    completed = [job for job in desk.server.jobs if job.state == "Completed"]
    (job,) = completed
    assert [document.document_id for document in job.documents] == list(range(1, 11))
    assert len(job.files) == 10
    assert all(other.state in ("Canceled", "Aborted", "Creating") for other in desk.server.jobs if other != job)


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("Probe", AnswerStatus(404)),
        ("Probe", CloseBefore()),
        ("Get", AnswerFault("wsa:EndpointUnavailable")),
        ("CreatePostScanJob", AnswerFault("dsp:ServerErrorTemporaryError")),
        ("CreatePostScanJob", AnswerFault("dsp:OperationFailed")),
        ("CreatePostScanJob", AnswerFault("wsa:DestinationUnreachable")),
        ("CreatePostScanJob", AnswerStatus(503)),
        ("CreatePostScanJob", LoseAnswer()),
        ("SendImage", AnswerFault("dsp:ServerErrorTemporaryError")),
        ("SendImage", AnswerFault("dsp:ClientErrorJobTokenNotFound")),
        ("SendImage", AnswerStatus(503)),
        ("SendImage", LoseAnswer()),
        ("SendImage", CloseBefore()),
        ("SendImage", CutAnswer(60)),
        ("SendImage", WrongRelatesTo()),
        ("SendImage", ResetInBody(1000)),
        ("EndPostScanJob", AnswerFault("dsp:OperationFailed")),
        ("EndPostScanJob", LoseAnswer()),
        ("EndPostScanJob", CloseBefore()),
    ],
)
def test_passing_trouble_costs_no_page_and_no_copy(make_desk, operation: str, action: Action):
    nth = 4 if operation == "SendImage" else 1
    with make_desk(plan=(Fault(operation, nth, action),)) as desk:
        outcome = desk.scan(*SMALL)
        assert outcome.code == 0, outcome.err
        delivered_once(desk)
    assert outcome.events("done")[0]["pages"] == 10


@pytest.mark.parametrize(
    ("operation", "action", "words"),
    [
        ("CreatePostScanJob", AnswerFault("dsp:InvalidArgs"), "InvalidArgs"),
        ("CreatePostScanJob", AnswerStatus(403), "403"),
        ("CreatePostScanJob", AnswerStatus(302, "https://localhost:1/elsewhere"), "302"),
        ("CreatePostScanJob", AnswerBody(), "XML"),
        ("SendImage", AnswerFault("dsp:ServerErrorPostScanJobCanceled"), "cancel"),
        ("SendImage", AnswerStatus(413), "413"),
        ("*", AnswerStatus(500), "500"),
    ],
)
def test_lasting_trouble_is_exit_5_in_one_line_and_keeps_every_page(
    make_desk, operation: str, action: Action, words: str
):
    with make_desk(plan=(Fault(operation, None, action),), probe_by_udp=False) as desk:
        outcome = desk.scan(*SMALL)
    assert outcome.code == 5, outcome.err
    assert words in outcome.last_words, outcome.last_words
    (job,) = spooled_jobs(desk.spool)
    assert len(job["pages"]) == 10
    assert outcome.events("failed")[0]["code"] == 5


def test_a_server_that_dies_between_two_pages_costs_no_page(make_desk, tmp_path: Path):
    with make_desk(read_rate=200_000) as desk:
        process = desk.start("--json", "scan", "--process", "Demo", *SMALL)
        lines = iter(process.stdout)
        for line in lines:
            if json.loads(line)["event"] == "sent":
                break
    _, err = process.communicate(timeout=60)
    assert process.returncode == 5, err
    (job,) = spooled_jobs(desk.spool)
    assert len(job["pages"]) == 10
    assert all((desk.spool / job["id"] / page["file"]).is_file() for page in job["pages"])


# ------------------------------------------------------------------------------------- instructions


def test_the_server_finds_the_instructions_as_they_are_stored(tmp_path: Path, make_desk):
    with make_desk(processes=tmp_path / "scan-processes") as desk:
        outcome = desk.scan(*SMALL)
        assert outcome.code == 0, outcome.err
        assert desk.server.report().violations == ()


def test_two_devices_deliver_to_one_server_at_once(desk, tmp_path: Path):
    first = desk.start("--json", "scan", "--process", "Demo", *SMALL)
    second = desk.start("--json", "scan", "--process", "Demo", *SMALL)
    assert first.communicate(timeout=60) and second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert [len(job.documents) for job in desk.server.jobs] == [10, 10]


# --------------------------------------------------------------------------------------------- jobs


def test_the_first_page_does_not_wait_for_events(make_desk):
    happenings = []
    with make_desk(plan=(Fault("Subscribe", 1, Stall(3.0)),), tell=happenings.append) as desk:
        assert desk.scan(*SMALL).code == 0
        delivered_once(desk)
    requests = {each["operation"]: each for each in happenings if each["event"] == "request"}
    assert requests["CreatePostScanJob"]["head_s"] < requests["Subscribe"]["answered_s"]


def test_a_job_that_could_not_be_sent_is_listed_shown_and_sent_later(make_desk):
    with make_desk(plan=(Fault("CreatePostScanJob", 1, AnswerFault("dsp:InvalidArgs")),)) as desk:
        assert desk.scan(*SMALL).code == 5
        (listed,) = desk.run("jobs", "--json").lines
        assert set(listed) == {"id", "process", "user", "state", "pages", "sent", "created", "error"}
        assert (listed["process"], listed["user"], listed["pages"], listed["sent"]) == ("Demo", "amelie", 10, 0)
        assert "InvalidArgs" in listed["error"]
        (shown,) = desk.run("jobs", "show", listed["id"], "--json").lines
        assert listed.items() <= shown.items()
        assert {"Format", "InputSource"} <= {each["element"] for each in shown["final_parameters"]}
        retried = desk.run("jobs", "retry", listed["id"], "--json")
        assert retried.code == 0, retried.err
        assert retried.events("done")[0]["pages"] == 10
        delivered_once(desk)
        assert [job["state"] for job in desk.run("jobs", "--json").lines] == ["done"]


def test_a_retry_that_is_cancelled_is_cancelled_at_the_server_and_stays(make_desk):
    plan = (Fault("CreatePostScanJob", 1, AnswerFault("dsp:InvalidArgs")),)
    with make_desk(plan=plan, read_rate=300_000) as desk:
        assert desk.scan(*SMALL).code == 5
        (listed,) = desk.run("jobs", "--json").lines
        with desk.start("--json", "jobs", "retry", listed["id"]) as process:
            for line in process.stdout:
                if json.loads(line)["event"] == "sent":
                    process.send_signal(signal.SIGTERM)
                    break
            process.communicate(timeout=30)
        assert process.returncode == 6
        assert [job.state for job in desk.server.jobs] == ["Canceled"]
        assert [job["id"] for job in desk.run("jobs", "--json").lines] == [listed["id"]]


def test_a_cancelled_job_leaves_the_spool_even_without_its_server(make_desk):
    with make_desk(server=False) as desk:
        assert desk.scan(*SMALL).code == 5
        (listed,) = desk.run("jobs", "--json").lines
        assert desk.run("jobs", "cancel", listed["id"]).code == 0
        assert [job["state"] for job in desk.run("jobs", "--json").lines] == ["canceled"]


def test_a_job_at_work_is_left_alone(desk):
    desk.configure(scanner_options={"read-delay": True, "read-delay-duration": 50000})
    process = desk.start("--json", "scan", "--process", "Demo", *SMALL)
    job = json.loads(process.stdout.readline())["job"]
    outcome = desk.run("jobs", "cancel", job)
    assert outcome.code == 3
    assert "right now" in outcome.last_words
    assert process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_killed_scan_leaves_its_pages_and_no_process(desk):
    desk.configure(scanner_options={"read-delay": True, "read-delay-duration": 20000})
    with desk.start("--json", "scan", "--process", "Demo", "--set", "MediaFront/Resolution=150") as process:
        for line in process.stdout:
            if (event := json.loads(line))["event"] == "created":
                job = event["job"]
            if event["event"] == "sent" and event["n"] == 2:
                (worker,) = _children(process.pid)
                descriptor = os.pidfd_open(worker)
                process.kill()
                break
        process.communicate(timeout=30)
    assert select.select([descriptor], [], [], 15)[0], "the acquisition process lives on"
    os.close(descriptor)
    (listed,) = desk.run("jobs", "--json").lines
    assert listed["id"] == job
    assert listed["pages"] >= 2
    retried = desk.run("jobs", "retry", job)
    assert retried.code == 0, retried.err
    completed = [each for each in desk.server.jobs if each.state == "Completed"]
    assert [len(each.documents) for each in completed] == [listed["pages"]]
    assert list(desk.spool.iterdir()) == []


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def test_a_job_that_is_not_there(desk):
    outcome = desk.run("jobs", "show", "nothing")
    assert outcome.code == 3
    assert "nothing" in outcome.last_words


def test_a_trace_tells_when_each_page_went_which_way(desk, tmp_path):
    trace = tmp_path / "trace.jsonl"
    assert desk.scan("--trace", str(trace)).code == 0
    entries = [json.loads(line) for line in trace.read_text().splitlines()]
    spooled = {each["n"]: each for each in entries if each["event"] == "PageSpooled"}
    sent = {each["n"]: each["at_s"] for each in entries if each["event"] == "PageSent"}
    assert list(spooled) == list(sent) == list(range(1, 11))
    for n, page in spooled.items():
        times = page["times"]
        moments = [times["began_s"], times["acquired_s"], times["encoded_s"], page["at_s"], sent[n]]
        assert moments == sorted(moments)


def test_a_trace_that_cannot_be_written_stops_before_the_scan(desk, tmp_path):
    outcome = desk.scan("--trace", str(tmp_path / "missing" / "trace.jsonl"))
    assert outcome.code == 2
    assert "--trace" in outcome.last_words and "No such file" in outcome.last_words
    assert not outcome.events("created")


def test_a_trace_that_runs_full_stops_no_scan(desk):
    outcome = desk.scan("--trace", "/dev/full")
    assert outcome.code == 0
    assert len(outcome.events("sent")) == 10
    assert "the trace /dev/full ends here: No space left on device" in outcome.err


def test_a_trace_is_refused_where_nothing_is_sent(desk, tmp_path):
    outcome = desk.run("jobs", "--trace", str(tmp_path / "trace"))
    assert outcome.code == 2
    assert "--trace" in outcome.last_words
