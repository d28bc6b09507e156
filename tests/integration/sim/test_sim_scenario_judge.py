"""The judge of scenarios: silent about what went well, and with a word for everything that did not."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image, ImageChops

from dsm_sim.image_files import inspect_data
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
        ({"through_network_bytes": 1}, "0 octets went through the network instead of at least 1"),
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
        ({"events": 1000}, "events were sent instead of at least 1000"),
        ({"opens": 2}, "was opened 1 times instead of 2"),
        ({"start_within_s": 0.0}, "paper moved"),
        ({"jobs_kept": 1}, "0 jobs are in the device's spool instead of 1"),
        ({"refusals": 1}, "refused 0 calls as busy"),
        ({"delivered_after_scanning_s": 30}, "s after scanning instead of at least 30 s"),
        ({"delivered": (1, 2, 3)}, "4 images are delivered instead of 3"),
        (
            {"delivered": (1, 3, 2, 4)},
            "are delivered instead of front of sheet 1, front of sheet 2, back of sheet 1",
        ),
        (
            {"delivered": (1, 2, 3, 5)},
            "instead of front of sheet 1, back of sheet 1, front of sheet 2, a side that",
        ),
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


def _with_pictures(change: Callable[[Image.Image], Image.Image]) -> Callable[[Performance], Performance]:
    """Every image is another file, of which the server's report tells the truth."""

    def alter(played: Performance) -> Performance:
        assert played.report is not None
        (job,) = played.report.jobs
        files = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in job.files}
        paths, documents = [], []
        for document in job.documents:
            with Image.open(files[document.sha256]) as image:
                changed = change(image)
            data = io.BytesIO()
            changed.save(data, "JPEG", quality=85)
            digest = hashlib.sha256(data.getvalue()).hexdigest()
            paths.append(played.folder / f"{digest}.jpg")
            paths[-1].write_bytes(data.getvalue())
            each_page = inspect_data(data.getvalue(), "jfif").each
            documents.append(dataclasses.replace(document, sha256=digest, each_page=each_page))
        run = dataclasses.replace(job.filters[0], files=tuple(paths))
        job = dataclasses.replace(job, documents=tuple(documents), filters=(run,))
        return dataclasses.replace(played, report=dataclasses.replace(played.report, jobs=(job,)))

    return alter


def _white_below(image: Image.Image) -> Image.Image:
    changed = image.copy()
    changed.paste("white", (0, image.height // 8, image.width, image.height))
    return changed


def _cut_to_a_third(image: Image.Image) -> Image.Image:
    return image.crop((0, 0, image.width, image.height // 3))


def _cut_and_filled(image: Image.Image) -> Image.Image:
    changed = Image.new("RGB", image.size, "white")
    changed.paste(_cut_to_a_third(image), (0, 0))
    return changed


def _stretched(image: Image.Image) -> Image.Image:
    """Less of the page, in as many pixels; the mark can still be read."""
    return image.crop((0, 0, image.width, image.height * 9 // 10)).resize(image.size)


def _red_for_blue(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return Image.merge("RGB", (blue, green, red))


def _without_colour(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def _with_job(**change: Any) -> Callable[[Performance], Performance]:
    def alter(played: Performance) -> Performance:
        assert played.report is not None
        jobs = (dataclasses.replace(played.report.jobs[0], **change),)
        return dataclasses.replace(played, report=dataclasses.replace(played.report, jobs=jobs))

    return alter


def _with_report(**change: Any) -> Callable[[Performance], Performance]:
    def alter(played: Performance) -> Performance:
        assert played.report is not None
        return dataclasses.replace(played, report=dataclasses.replace(played.report, **change))

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
    ("change", "problem"),
    [
        (_white_below, "does not show what was on the paper"),
        (_cut_and_filled, "does not show what was on the paper"),
        (_stretched, "does not show what was on the paper"),
        (_red_for_blue, "its blue differs by"),
        (_without_colour, "differs by"),
        (lambda image: image.convert("L"), "is gray, but the process asks for RGB24"),
        (lambda image: image.transpose(Image.Transpose.ROTATE_180), "is rotated by 180°"),
    ],
)
def test_an_image_that_does_not_show_the_paper_is_named(
    played: Performance, change: Callable[[Image.Image], Image.Image], problem: str
) -> None:
    problems = judge(_with_pictures(change)(played))
    # Each one of them, and not the others beside it: that this is seen does not hang on a single page.
    assert [sum(f"image {number}" in each and problem in each for each in problems) for number in range(1, 5)] == [
        1,
        1,
        1,
        1,
    ]


def test_an_image_of_another_size_is_named_unless_the_scenario_gives_one(played: Performance) -> None:
    cut = _with_pictures(_cut_to_a_third)(played)
    assert "image 1 has (827, 389) instead of (827, 1169) pixels" in judge(cut)
    expect = msgspec.structs.replace(played.scenario.expect, size_px=None)
    scenario = msgspec.structs.replace(played.scenario, expect=expect)
    assert "image 1, front of sheet 1, has (827, 389) instead of (827, 1169) pixels" in judge(
        dataclasses.replace(cut, scenario=scenario)
    )


@pytest.mark.parametrize("change", [lambda image: image.copy(), lambda image: ImageChops.offset(image, 1, 1)])
def test_an_image_that_shows_the_paper_is_good(
    played: Performance, change: Callable[[Image.Image], Image.Image]
) -> None:
    assert judge(_with_pictures(change)(played)) == []


def test_what_a_step_changed_in_the_ticket_is_not_compared_with_the_process(played: Performance) -> None:
    arguments = (*played.steps[0].step.arguments, "--set", "MediaFront/ColorProcessing=Grayscale8")
    changed = _with_step(arguments=arguments)(_with_pictures(_without_colour)(played))
    assert judge(changed) == []


def test_order_and_marks_count_however_many_are_to_be_delivered(played: Performance) -> None:
    for altered, problem in (
        (
            _with_documents(lambda each: (each[2], each[0])),
            "delivered in the order front of sheet 2, front of sheet 1",
        ),
        (
            _with_documents(lambda each: (dataclasses.replace(each[0], sha256=""), each[1])),
            "1 delivered images have",
        ),
    ):
        expect = msgspec.structs.replace(played.scenario.expect, delivered=2)
        scenario = msgspec.structs.replace(played.scenario, expect=expect)
        assert problem in "\n".join(judge(dataclasses.replace(altered(played), scenario=scenario)))


def test_a_side_that_was_never_scanned_to_its_end_is_named(played: Performance) -> None:
    ends = [event for event in played.scanner_log if event.event == "image-end"]
    log = [event for event in played.scanner_log if event is not ends[-1]]
    problems = judge(dataclasses.replace(played, scanner_log=log))
    assert "back of sheet 2 are delivered, and were never scanned to their end" in problems


def test_sheets_without_a_mark_are_known_by_their_places(tmp_path: Path) -> None:
    text = """
    title = "One of two has no mark"
    paper = [{ kind = "form" }, { kind = "photo", marked = false }]
    process = { color = "Grayscale8" }
    """
    with performance(parse_scenario(text, "unmarked.toml"), tmp_path, tmp_path / "desk") as played:
        assert judge(played) == []
        problem = r"image 2, front of sheet 2, does not show .* its lightness differs"
        assert re.search(problem, "\n".join(judge(_with_pictures(_white_below)(played))))


def test_a_fault_that_never_happened_is_named(tmp_path: Path) -> None:
    text = """
    title = "Faults that come too late"
    paper = [{ kind = "blank" }]
    [scanner.quirks]
    faults = [{ what = "jammed", image = 9 }]
    [server]
    faults = [
      { on = "SendImage", nth = 1, do = "lose-answer" },
      { on = "SendImage", nth = 99, do = "lose-answer" },
    ]
    """
    with performance(parse_scenario(text, "idle.toml"), tmp_path, tmp_path / "desk") as played:
        assert judge(played) == [
            "the scanner was to meet jammed at read, which never happened",
            "the server was to lose-answer at SendImage 99, which never came",
        ]
        expect = msgspec.structs.replace(played.scenario.expect, idle_faults=True)
        scenario = msgspec.structs.replace(played.scenario, expect=expect)
        assert judge(dataclasses.replace(played, scenario=scenario)) == []


def test_a_job_in_the_spool_is_counted_whatever_it_holds(played: Performance) -> None:
    record = played.folder / "state" / "spool" / "a-job" / "job.json"
    record.parent.mkdir(parents=True)
    record.touch()
    try:
        expect = msgspec.structs.replace(played.scenario.expect, jobs_kept=1)
        assert (
            judge(dataclasses.replace(played, scenario=msgspec.structs.replace(played.scenario, expect=expect)))
            == []
        )
    finally:
        record.unlink()
        record.parent.rmdir()


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
        (_with_job(token="another"), "delivered, which the server does not know"),
        (_with_run(code=5), "ended with 5 instead of 0"),
        (_with_job(user="director@sim.example"), "is for director@sim.example"),
        (_with_run(messages="Traceback (most recent call last):\nKeyError"), "showed its inside: KeyError"),
        (_with_run(began_s=1e12), "whose scan began after it was fed"),
        (_with_run(code=5, messages="Traceback\nKeyError: 1"), "failed without its one line: KeyError"),
        (_with_run(is_overdue=True), "had not ended after 60 s"),
        (_with_run(events=[Spoken("not JSON", {"line": "hello"})]), "something else than JSON: hello"),
        (_with_step(says="no such words"), 'did not say "no such words"'),
        (_with_step(exit=(3, 5)), "ended with 0 instead of 3 or 5"),
        (_with_result(survivors=(4711,)), "left processes behind: 4711"),
        (_with_result(missed=("image 9",)), "the moment image 9 never came"),
        (_with_violation, "rule some-rule was broken"),
        (_with_report(internal_errors=("SendImage: OSError",)), "the simulated server itself failed in SendImage"),
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
