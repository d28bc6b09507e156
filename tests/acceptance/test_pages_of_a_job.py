"""Blank pages, two passes and documents of a whole job, through the command line, from a feeder with sheets."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dsm_sim.paper import write_page
from dsm_sim.peers.scan_server import AnswerFault, Fault, LoseAnswer
from dsm_sim.scan_process import ScanProcess
from dsm_sim.scanner import ScannerModel, Sheet, SimulatedScanner, read_mark, write_sane_config
from tests.acceptance.conftest import DEVICE, Desk, MakeDesk

BLANK = Sheet(is_blank=True, is_marked=False)
DESK = Callable[..., Any]
SIMPLEX = ScannerModel(sources=("Flatbed", "ADF"))


@pytest.fixture
def make_feeder(make_desk: MakeDesk, tmp_path: Path) -> DESK:
    """A desk with a simulated feeder; gives the desk and the scanner."""

    @contextmanager
    def make(
        model: ScannerModel | None = None, process: ScanProcess | None = None, **options: Any
    ) -> Iterator[tuple[Desk, SimulatedScanner]]:
        scanner = SimulatedScanner(tmp_path / "hardware", model or ScannerModel())
        environment = write_sane_config(tmp_path / "sane.d", [scanner])
        with make_desk(**options) as desk:
            repository = f"{desk.server.fqdn}:{desk.server.port}" if desk.server else "localhost:9"
            (process or ScanProcess(dpi=75, must_honor=())).write(desk.processes, "Demo", repository)
            desk.environment = environment
            desk.configure(scanner={"device": scanner.device})
            yield desk, scanner

    return make


def sheets(desk: Desk) -> list[tuple[int, int] | None]:
    """What the server's last job shows, in its order: load and sheet by the marks on them, None without one."""
    found = []
    for path in desk.server.jobs[-1].files:
        with Image.open(path) as file:
            for frame in range(getattr(file, "n_frames", 1)):
                file.seek(frame)
                mark = read_mark(file.convert("L"))
                found.append(None if mark is None else (mark.load, mark.sheet))
    return found


# ------------------------------------------------------------------------------------- blank pages


def test_blank_pages_stay_in_the_spool_until_the_job_ends_and_can_be_restored(make_feeder: DESK):
    plan = (Fault("CreatePostScanJob", 1, AnswerFault("dsp:InvalidArgs")),)
    with make_feeder(plan=plan) as (desk, scanner):
        desk.configure(scanner={"skip_blank_pages": True})
        scanner.load([Sheet(), BLANK, Sheet(), BLANK])
        outcome = desk.scan()
        assert outcome.code == 5, outcome.err
        assert [event["n"] for event in outcome.events("left_out")] == [2, 4]
        assert [event["n"] for event in outcome.events("page")] == [1, 3]
        (job,) = desk.run("jobs", "--json").lines
        assert job["pages"] == 2
        assert desk.run("jobs", "show", job["id"], "--json").lines[0]["left_out"] == [2, 4]

        refused = desk.run("jobs", "restore", job["id"], "2", "3")
        assert refused.code == 3
        assert "page 3 was not left out" in refused.last_words
        assert desk.run("jobs", "show", job["id"], "--json").lines[0]["left_out"] == [2, 4], "all or none"
        assert desk.run("jobs", "restore", job["id"], "2").code == 0
        assert desk.run("jobs", "show", job["id"], "--json").lines[0]["left_out"] == [4]

        retried = desk.run("jobs", "retry", job["id"], "--json")
        assert retried.code == 0, retried.err
        assert retried.events("done")[0]["pages"] == 3
        assert sheets(desk) == [(1, 1), None, (1, 3)]
        assert [job["state"] for job in desk.run("jobs", "--json").lines] == ["done"]


@pytest.mark.parametrize("skip", [True, False])
def test_no_post_scan_job_waits_behind_a_blank_page(make_feeder: DESK, skip: bool):
    """A server closes one that hears nothing for ten minutes, and mails what it has: half a document."""
    model = ScannerModel(images_per_minute=120)
    with make_feeder(model) as (desk, scanner):
        desk.configure(scanner={"skip_blank_pages": skip})
        scanner.load([Sheet(), BLANK, Sheet(), Sheet()])
        outcome = desk.scan()
        assert outcome.code == 0, outcome.err
        states = [event["state"] for event in outcome.events("state") if event["source"] == "device"]
        assert (states.index("created") > states.index("spooled")) is skip


def test_a_stack_of_blank_sheets_is_not_delivered_as_nothing(make_feeder: DESK):
    with make_feeder() as (desk, scanner):
        desk.configure(scanner={"skip_blank_pages": True})
        scanner.load([BLANK, BLANK])
        outcome = desk.scan()
        assert outcome.code == 3
        assert "every page is blank" in outcome.last_words
        assert "scanned pages are kept" not in outcome.err
        assert [job.state for job in desk.server.jobs] == []
        (job,) = desk.run("jobs", "--json").lines
        assert (job["state"], job["pages"]) == ("failed", 0)
        assert desk.run("jobs", "restore", job["id"], "1", "2").code == 0
        assert desk.run("jobs", "retry", job["id"]).code == 0
        assert len(desk.server.jobs[-1].files) == 2


@pytest.mark.parametrize("arguments", [("restore", "ID"), ("show", "ID", "1"), ("retry", "ID", "1")])
def test_page_numbers_go_with_restore_only(desk: Desk, arguments: tuple[str, ...]):
    outcome = desk.run("jobs", *arguments)
    assert outcome.code == 2
    assert "jobs restore ID PAGE" in outcome.last_words


def test_the_person_at_the_terminal_decides_about_blank_pages(make_feeder: DESK):
    with make_feeder() as (desk, scanner):
        desk.configure(scanner={"skip_blank_pages": True})
        scanner.load([Sheet(), BLANK, BLANK, Sheet()])
        said = at_terminal(desk, {"Blank and left out: 2, 3": "3-7", "Only 2, 3 can be chosen": "3-3"})
        assert "3 pages delivered" in said
        assert sheets(desk) == [(1, 1), None, (1, 4)]


# -------------------------------------------------------------------------------------- two passes


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (0, [(1, 1), (2, 3), (1, 2), (2, 2), (1, 3), (2, 1)]),
        (5, [(1, 1), (2, 3), (1, 2), (2, 2), (1, 3)]),
        (4, [(1, 1), (2, 3), (1, 2), (2, 2)]),
    ],
)
def test_two_passes_give_fronts_and_backs_in_order(
    make_feeder: DESK, wanted: int, expected: list[tuple[int, int]]
):
    """In the second load the last sheet comes first. The whole stack is fed whatever number is wanted."""
    process = ScanProcess(dpi=75, must_honor=(), source="ADFDuplex", images=wanted)
    with make_feeder(SIMPLEX, process) as (desk, scanner):
        desk.configure(scanner={"two_pass_duplex": True})
        scanner.load([Sheet()] * 3)
        with desk.start("--json", "scan", "--process", "Demo") as device:
            assert device.stdout is not None
            for line in device.stdout:
                if json.loads(line).get("state") == "turn":
                    assert scanner.sheets_left == 0
                    scanner.load([Sheet()] * 3)
            words = device.stderr.read() if device.stderr else ""
        assert device.returncode == 0, words
        assert sheets(desk) == expected


@pytest.mark.parametrize(("backs", "kept"), [(2, 5), (4, 6)])
def test_another_number_of_backs_is_told_and_keeps_what_was_scanned(make_feeder: DESK, backs: int, kept: int):
    process = ScanProcess(dpi=75, must_honor=(), source="ADFDuplex")
    with make_feeder(SIMPLEX, process) as (desk, scanner):
        desk.configure(scanner={"two_pass_duplex": True})
        scanner.load([Sheet()] * 3)
        said = at_terminal(desk, {"Turn the 3 sheets over": ""}, lambda: scanner.load([Sheet()] * backs), code=3)
        assert f"3 fronts were scanned and {backs} backs" in said
        (job,) = desk.run("jobs", "--json").lines
        assert (job["state"], job["pages"]) == ("failed", kept)
        assert [each.state for each in desk.server.jobs] == []


# --------------------------------------------------------------------------------------- documents


@pytest.mark.parametrize("fault", [LoseAnswer(), AnswerFault("dsp:ServerErrorTemporaryError")])
def test_a_document_is_delivered_once_whatever_becomes_of_its_answer(make_feeder: DESK, fault: Any):
    process = ScanProcess(dpi=75, must_honor=(), format="tiff-multi-jpeg-tn2")
    with make_feeder(process=process, plan=(Fault("SendImage", 1, fault),)) as (desk, scanner):
        scanner.load([Sheet()] * 4)
        outcome = desk.scan()
        assert outcome.code == 0, outcome.err
        assert [event["n"] for event in outcome.events("sent")] == [1, 2, 3, 4]
        assert [event["format"] for event in outcome.events("page")] == ["tiff-multi-jpeg-tn2"] * 4
        assert outcome.events("done")[0]["pages"] == 4
        (document,) = desk.server.jobs[-1].documents
        assert document.format == "tiff-multi-jpeg-tn2"
        assert sheets(desk) == [(1, 1), (1, 2), (1, 3), (1, 4)]


def test_a_page_file_that_was_damaged_in_the_spool_is_not_sent_as_if_it_were_whole(make_feeder: DESK):
    plan = (Fault("CreatePostScanJob", 1, AnswerFault("dsp:InvalidArgs")),)
    process = ScanProcess(dpi=75, must_honor=(), format="pdf-a")
    with make_feeder(process=process, plan=plan) as (desk, scanner):
        scanner.load([Sheet()] * 2)
        assert desk.scan().code == 5
        (job,) = desk.run("jobs", "--json").lines
        page = desk.spool / job["id"] / "page-00002.jpg"
        page.write_bytes(page.read_bytes()[:-100])
        outcome = desk.run("jobs", "retry", job["id"])
        assert outcome.code == 3
        assert "page-00002.jpg" in outcome.last_words
        assert [each.state for each in desk.server.jobs] == []


def test_fronts_and_backs_may_be_of_two_kinds_in_one_document(make_feeder: DESK, tmp_path: Path):
    process = ScanProcess(dpi=75, must_honor=(), format="tiff-multi-uncompressed", source="ADFDuplex")
    with make_feeder(process=process) as (desk, scanner):
        picture = write_page(tmp_path, "photo", (210, 297), dpi=75)
        scanner.load([Sheet(front=picture, back=picture)])
        settings = ("MediaFront/ColorProcessing=BlackAndWhite1", "MediaBack/ColorProcessing=RGB24")
        outcome = desk.scan(*(part for each in settings for part in ("--set", each)))
        assert outcome.code == 0, outcome.err
        with Image.open(desk.server.jobs[-1].files[0]) as file:
            modes = []
            for frame in range(file.n_frames):
                file.seek(frame)
                modes.append(file.mode)
        assert modes == ["1", "RGB"]


# ---------------------------------------------------------------------------------------- terminal


def at_terminal(
    desk: Desk, answers: dict[str, str], before_answer: Callable[[], object] = lambda: None, code: int = 0
) -> str:
    """Run a scan at a terminal of its own, answer what it asks, and give all that it said."""
    pid, terminal = pty.fork()
    if not pid:
        os.execve(
            DEVICE,
            [DEVICE, "--config", str(desk.configuration), "scan", "--process", "Demo"],
            dict(desk.environment),
        )
    said, waiting = "", list(answers.items())
    while True:
        try:
            said += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # Linux tells the end of a terminal so
            break
        if waiting and waiting[0][0] in said:
            before_answer()
            os.write(terminal, f"{waiting.pop(0)[1]}\n".encode())
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == code, said
    assert not waiting, f"never asked: {waiting}\n{said}"
    return said
