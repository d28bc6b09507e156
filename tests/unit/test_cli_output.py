"""How a scan is shown: on a terminal, in a log, to a script."""

from __future__ import annotations

import io
import json
import re

import pytest

from dsm_device.acquisition.messages import PageTimes
from dsm_device.cli.output import JsonLines, LiveLine, PlainLines, agent_output, size_in_words
from dsm_device.errors import ScannerJammed
from dsm_device.job.outcomes import Outcome
from dsm_device.runner.events import (
    Event,
    JobCreated,
    JobDone,
    PageArriving,
    PageGoing,
    PageLeftOut,
    PageSent,
    PageSpooled,
    StateChanged,
    Warned,
)

STORY: list[Event] = [
    JobCreated(
        "job-1",
        "Invoices",
        (Outcome("Rotation", "90", None, "it comes later"), Outcome("Scaling", None, "100x100")),
    ),
    StateChanged("device", "acquiring"),
    PageArriving(1, 50, 100),
    PageSpooled(1, 1_500_000, "jfif", PageTimes(1.0, 1.5, 1.75)),
    PageArriving(2, 10, None),
    PageLeftOut(2, 90_000),
    PageGoing(1, 700_000, 1_500_000, 1),
    Warned("page 2 came short"),
    PageSent(1),
    StateChanged("server", "Processing"),
    JobDone("token-1", 1),
]


class Clock:
    """One second a look."""

    now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1
        return self.now_s


def told(output: LiveLine | PlainLines, stream: io.StringIO) -> str:
    for event in STORY:
        output.show(event)
    return stream.getvalue()


def test_a_log_has_a_line_for_each_thing_that_is_finished() -> None:
    stream = io.StringIO()
    assert told(PlainLines(stream), stream).splitlines() == [
        "Job job-1: Invoices",
        "Note: Rotation: asked 90, not applied: it comes later",
        "Device: acquiring",
        "Page 1 scanned: 1.5 MB, jfif",
        "Page 2 is blank and left out",
        "Note: page 2 came short",
        "Page 1 sent",
        "Server: Processing",
        "Done: 1 page delivered, post-scan job token-1",
    ]


def test_a_terminal_has_one_live_line_with_page_bytes_and_rate() -> None:
    stream = io.StringIO()
    frames = [frame for frame in re.split(r"\r\x1b\[K", told(LiveLine(stream, Clock()), stream)) if frame]
    live = [frame for frame in frames if "\n" not in frame]
    assert any("scanning page 1  50%" in frame for frame in live)
    assert any("scanning page 2 " in frame and "%" not in frame for frame in live), (
        "an unknown length has no share"
    )
    assert any("700.0 kB" in frame and "/s" in frame for frame in live)
    assert any("1 sent · 1.5 MB" in frame for frame in live)
    assert "Note: page 2 came short\n" in frames
    assert frames[-1] == "Done: 1 page delivered, post-scan job token-1\n"
    assert all(len(frame) <= 120 for frame in live)


def test_a_terminal_is_left_clean_when_a_scan_fails() -> None:
    stream = io.StringIO()
    output = LiveLine(stream, Clock())
    output.show(PageArriving(1, 50, 100))
    output.failed(ScannerJammed())
    assert stream.getvalue().endswith("\r\x1b[K")


def test_a_script_gets_json_alone_and_people_hear_the_same_story(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    output = JsonLines(PlainLines(stream))
    for event in STORY:
        output.show(event)
    output.failed(ScannerJammed())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == [
        "created",
        "state",
        "page",
        "left_out",
        "sent",
        "state",
        "done",
        "failed",
    ]
    assert lines[0]["final_parameters"] == [
        {
            "element": "Rotation",
            "value": None,
            "asked": "90",
            "override": True,
            "used_default": False,
            "reason": "it comes later",
        },
        {
            "element": "Scaling",
            "value": "100x100",
            "asked": None,
            "override": False,
            "used_default": True,
            "reason": "",
        },
    ]
    assert lines[1] == {"event": "state", "source": "device", "state": "acquiring", "detail": ""}
    assert lines[2] == {"event": "page", "n": 1, "bytes": 1_500_000, "format": "jfif"}
    assert lines[-2] == {"event": "done", "job_token": "token-1", "pages": 1}
    assert lines[-1]["code"] == 3
    assert "jam" in lines[-1]["message"]
    assert "Page 1 sent" in stream.getvalue()


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_500_000, "1.5 MB"), (2.5e9, "2.5 GB"), (3e13, "30000.0 GB")],
)
def test_sizes_in_words(count: float, words: str) -> None:
    assert size_in_words(count) == words


# ----------------------------------------------------------------------------------------- the agent


def told_by_agent(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> tuple[list[str], list[str]]:
    """What it says on standard output and on standard error of a job and of what belongs to none."""
    show = agent_output(as_json)
    for event in STORY:
        show("job-1", event)
    show("", Warned("the settings have been read again"))
    out, err = capsys.readouterr()
    return out.splitlines(), err.splitlines()


def test_each_line_of_the_agent_begins_with_its_job(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told_by_agent(capsys, as_json=False)
    assert out == []
    assert err[0] == "job-1: Job job-1: Invoices"
    assert err[1].startswith("job-1: Note: Rotation")
    assert "job-1: Page 1 scanned: 1.5 MB, jfif" in err
    assert "job-1: Note: page 2 came short" in err
    assert err[-2:] == [
        "job-1: Done: 1 page delivered, post-scan job token-1",
        "Note: the settings have been read again",
    ]
    assert all(line.startswith("job-1: ") for line in err[:-1]), "a note of several lines as well"


def test_scripts_are_told_by_the_agent_which_job_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told_by_agent(capsys, as_json=True)
    shown = [json.loads(line) for line in out]
    assert [each["event"] for each in shown] == ["created", "state", "page", "left_out", "sent", "state", "done"]
    assert {each["job"] for each in shown} == {"job-1"}
    assert err == told_by_agent(capsys, as_json=False)[1], "people are told the same as ever"
