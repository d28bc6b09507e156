"""The judge of scenarios: silent about what went well, and with a word for everything that did not."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dsm_sim.peers.scan_server import Violation
from dsm_sim.scenario.device import Run, Spoken
from dsm_sim.scenario.format import Scenario
from dsm_sim.scenario.judge import judge
from dsm_sim.scenario.player import Performance, performance
from dsm_sim.scenario.reading import parse_scenario
from dsm_sim.scenario.timeline import chart_of
from dsm_sim.strip_chart import PAGE_LANES

SCENARIO = """
title = "Two sheets, both sides"
paper = [{ kind = "text", back = "form", count = 2 }]

[scanner]
images-per-minute = 600

[process]
source = "ADFDuplex"

[expect]
fed = 4
pace = 0.5
format = "jfif"
size-px = [827, 1169]
files = 4
filters = ["CompletedSuccessfully"]
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Performance]:
    folder = tmp_path_factory.mktemp("played")
    with performance(parse_scenario(SCENARIO, "two-sheets.toml"), folder, folder / "desk") as done:
        yield done


def test_what_went_well_has_no_problem(played: Performance) -> None:
    assert judge(played) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"delivered": 3}, "4 images are delivered instead of 3"),
        ({"repeated": 1}, "0 sides are in a job more than once: none"),
        ({"kept": 1}, "0 images wait in the device's spool instead of 1"),
        ({"fed": 5}, "moved 4 images instead of 5"),
        ({"unclaimed": 1}, "completed 0 jobs that the device does not count, not 1"),
        ({"open": 1}, "0 post-scan jobs are left open"),
        ({"size_px": (827, 1170)}, "instead of (827, 1170) pixels"),
        ({"format": "png"}, "is sent as jfif instead of png"),
        ({"back_rotation": 180}, "image 2 is rotated by 0° instead of 180°"),
        ({"filters": ("CompletedWithErrors",)}, "the filters ended as"),
        ({"files": 5}, "wrote 4 files instead of 5"),
        ({"pace": 1.5}, "of its speed instead of 150%"),
        ({"events": 1}, "0 events were sent"),
        ({"opens": 2}, "was opened 1 times instead of 2"),
        ({"start_within_s": 0.0}, "paper moved"),
    ],
)
def test_another_expectation_is_not_met(played: Performance, change: dict[str, Any], problem: str) -> None:
    expect = msgspec.structs.replace(played.scenario.expect, **change)
    scenario: Scenario = msgspec.structs.replace(played.scenario, expect=expect)
    assert problem in "\n".join(judge(dataclasses.replace(played, scenario=scenario)))


def _with_documents(change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Callable[[Performance], Performance]:
    def alter(played: Performance) -> Performance:
        report = played.report
        assert report is not None
        (job,) = report.jobs
        job = dataclasses.replace(job, documents=change(job.documents))
        return dataclasses.replace(played, report=dataclasses.replace(report, jobs=(job,)))

    return alter


def _with_job(**change: Any) -> Callable[[Performance], Performance]:
    def alter(played: Performance) -> Performance:
        assert played.report is not None
        jobs = (dataclasses.replace(played.report.jobs[0], **change),)
        return dataclasses.replace(played, report=dataclasses.replace(played.report, jobs=jobs))

    return alter


def _with_run(**change: Any) -> Callable[[Performance], Performance]:
    def alter(played: Performance) -> Performance:
        (result,) = played.steps
        return dataclasses.replace(
            played, steps=[dataclasses.replace(result, run=dataclasses.replace(result.run, **change))]
        )

    return alter


def _with_step(**change: Any) -> Callable[[Performance], Performance]:
    def alter(played: Performance) -> Performance:
        (result,) = played.steps
        step = msgspec.structs.replace(result.step, **change)
        return dataclasses.replace(played, steps=[dataclasses.replace(result, step=step)])

    return alter


def _with_result(**change: Any) -> Callable[[Performance], Performance]:
    return lambda played: dataclasses.replace(played, steps=[dataclasses.replace(played.steps[0], **change)])


def _with_violation(played: Performance) -> Performance:
    assert played.report is not None
    fields = {field.name: "x" for field in dataclasses.fields(Violation)}
    violations = (Violation(**{**fields, "rule": "some-rule"}),)  # type: ignore[arg-type]
    return dataclasses.replace(played, report=dataclasses.replace(played.report, violations=violations))


@pytest.mark.parametrize(
    ("alter", "problem"),
    [
        (_with_documents(lambda each: each[:-1]), "back of sheet 2 was scanned and not delivered"),
        (_with_documents(lambda each: (*each, each[0])), "1 sides are in a job more than once: front of sheet 1"),
        (_with_documents(lambda each: each[::-1]), "delivered in the order"),
        (
            _with_documents(lambda each: (dataclasses.replace(each[0], sha256=""), *each[1:])),
            "1 delivered images have no mark",
        ),
        (_with_job(state="Creating"), "1 post-scan jobs are left open"),
        (_with_job(state="Aborted"), "at the server it is Aborted"),
        (_with_job(token="another"), "completed 1 jobs that the device does not count"),
        (_with_run(code=5), "ended with 5 instead of 0"),
        (_with_run(code=5, messages="Traceback\nKeyError: 1"), "failed without its one line: KeyError"),
        (_with_run(is_overdue=True), "had not ended after 60 s"),
        (_with_run(events=[Spoken(0.0, "not JSON", {"line": "hello"})]), "something else than JSON: hello"),
        (_with_step(says="no such words"), 'did not say "no such words"'),
        (_with_step(exit=(3, 5)), "ended with 0 instead of 3 or 5"),
        (_with_result(survivors=(4711,)), "left processes behind: 4711"),
        (_with_result(missed=("image 9",)), "the moment image 9 never came"),
        (_with_violation, "rule some-rule was broken"),
        (lambda played: dataclasses.replace(played, troubles=["the agent is gone"]), "the agent is gone"),
        (lambda played: dataclasses.replace(played, report=None), "was not played to its end"),
    ],
)
def test_what_went_wrong_is_named(
    played: Performance, alter: Callable[[Performance], Performance], problem: str
) -> None:
    assert problem in "\n".join(judge(alter(played)))


def test_a_page_that_waits_in_the_spool_is_seen(played: Performance) -> None:
    page = played.folder / "state" / "spool" / "job" / "page-00001.jpg"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.touch()
    try:
        assert "1 images wait in the device's spool instead of 0" in judge(played)
    finally:
        page.unlink()


def test_the_chart_shows_every_step_of_every_page(played: Performance) -> None:
    chart = chart_of(played)
    assert chart.pages == [1, 2, 3, 4]
    for page in chart.pages:
        spans = chart.of_page[page]
        assert [span.lane for span in spans] == list(PAGE_LANES)
        assert all(one.end_s <= other.start_s for one, other in itertools.pairwise(spans))
    assert "Completed" in [span.text for span in chart.spans if span.lane == "server"]


def test_a_run_tells_its_job_and_what_it_said_last() -> None:
    run = Run(("scan",), 0.0, messages="one\ndsm-device: two\n")
    assert (run.job, run.token, run.last_words) == ("", "", "dsm-device: two")


def test_two_performances_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    scenario = parse_scenario(SCENARIO, "two-sheets.toml")
    found: dict[str, tuple[str, list[str]]] = {}

    def play(name: str) -> None:
        with performance(scenario, tmp_path, tmp_path / name) as played:
            assert played.report
            found[name] = played.report.address, judge(played)

    threads = [threading.Thread(target=play, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (one, problems_of_one), (two, problems_of_two) = found["one"], found["two"]
    assert problems_of_one == problems_of_two == []
    assert one != two
