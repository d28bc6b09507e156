"""Whether a performance was as its scenario says, and as it always must be."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from dsm_sim.peers.scan_server import JobReport, Report
from dsm_sim.scanner import Mark, ScannerEvent, read_mark
from dsm_sim.scenario.player import Performance, StepResult

#: A side of a sheet: load, sheet, side.
_Side = tuple[int, int, str]
_PAGE_FILE: Final = re.compile(r"page-\d+\.(?!part)\w+")


@dataclass(frozen=True)
class Delivered:
    """An image as it lies at the server; ``mark`` is None where none can be read."""

    document_id: int
    mark: Mark | None
    format: str
    size_px: tuple[int, int]

    @property
    def side(self) -> _Side | None:
        return (self.mark.load, self.mark.sheet, self.mark.side) if self.mark else None


def judge(performance: Performance) -> list[str]:
    """What is wrong, one line each; nothing if all is well."""
    report = performance.report
    if report is None:
        return ["the scenario was not played to its end"]
    return [
        *performance.troubles,
        *(problem for result in performance.steps for problem in _step_problems(result)),
        *_delivery_problems(performance, report),
        *_server_problems(performance, report),
        *_spool_problems(performance),
        *_scanner_problems(performance),
    ]


# ---------------------------------------------------------------------------------------------- steps


def _step_problems(result: StepResult) -> Iterator[str]:
    step, run = result.step, result.run
    name = f"`{' '.join(run.arguments[:3])}`"
    codes = step.exit if isinstance(step.exit, tuple) else (step.exit,)
    if run.is_overdue:
        yield f"{name} had not ended after {step.limit_s:g} s"
    elif run.code not in codes:
        yield f"{name} ended with {run.code} instead of {' or '.join(map(str, codes))}: {run.last_words}"
    if step.says and not re.search(step.says, run.messages):
        yield f'{name} did not say "{step.says}" but: {run.last_words}'
    if run.code > 0 and not run.last_words.startswith("dsm-device: "):
        yield f"{name} failed without its one line: {run.last_words}"
    for strange in run.all("not JSON"):
        yield f"{name} printed something else than JSON: {strange.fields['line']}"
    for moment in result.missed:
        yield f"the moment {moment} never came while {name} ran"
    if result.survivors:
        yield f"{name} left processes behind: {', '.join(map(str, result.survivors))}"


# ------------------------------------------------------------------------------------------- delivery


def _delivery_problems(performance: Performance, report: Report) -> Iterator[str]:
    expect = performance.scenario.expect
    jobs = _claimed_jobs(performance, report)
    looked_at = [_images(job) for job in jobs]
    delivered = [image for images in looked_at for image in images]
    fed = fed_sides(performance)
    wanted = len(fed) if expect.delivered == "all" else expect.delivered
    if len(delivered) != wanted:
        yield f"{len(delivered)} images are delivered instead of {wanted}"
    if expect.delivered == "all":
        yield from _order_problems([image.side for image in delivered], fed)
    repeated = [each for images in looked_at for each in _repeated(images)]
    if len(repeated) != expect.repeated:
        yield f"{len(repeated)} sides are in a job more than once: {', '.join(map(_in_words, repeated)) or 'none'}"
    for image in delivered:
        yield from _image_problems(image, performance)


def _repeated(images: list[Delivered]) -> list[_Side]:
    """The sides of a job that are in it more than once."""
    sides = [image.side for image in images]
    return [side for side in dict.fromkeys(sides) if side and sides.count(side) > 1]


def _claimed_jobs(performance: Performance, report: Report) -> list[JobReport]:
    """The jobs that the device calls delivered, in that order, as far as the server knows them."""
    by_token = {job.token: job for job in report.jobs}
    tokens = [each.run.token for each in performance.steps if each.run.token]
    return [by_token[token] for token in tokens if token in by_token]


def fed_sides(performance: Performance) -> list[_Side]:
    """The sides that the scanner delivered whole, in that order."""
    return [(event.load, event.sheet, event.side) for event in _whole_images(performance)]


def _whole_images(performance: Performance) -> list[ScannerEvent]:
    """The ends of images; in three-pass colour those of the last plane."""
    log = performance.scanner_log
    last_plane = max((event.plane for event in log), default=0)
    return [event for event in log if event.event == "image-end" and event.plane == last_plane]


def _order_problems(sides: list[_Side | None], fed: list[_Side]) -> Iterator[str]:
    if None in sides:
        yield f"{sides.count(None)} delivered images have no mark that can be read"
        return
    for side in fed:
        if side not in sides:
            yield f"{_in_words(side)} was scanned and not delivered"
    if sorted(map(str, sides)) == sorted(map(str, fed)) and sides != fed:
        yield f"delivered in the order {', '.join(_in_words(side) for side in sides if side)}"


def _image_problems(image: Delivered, performance: Performance) -> Iterator[str]:
    expect = performance.scenario.expect
    wanted = expect.back_rotation if image.mark and image.mark.side == "back" else 0
    if image.mark and image.mark.rotation != wanted:
        yield f"image {image.document_id} is rotated by {image.mark.rotation}° instead of {wanted}°"
    if expect.size_px and image.size_px != expect.size_px:
        yield f"image {image.document_id} has {image.size_px} instead of {expect.size_px} pixels"
    if expect.format and image.format != expect.format:
        yield f"image {image.document_id} is sent as {image.format} instead of {expect.format}"


def _images(job: JobReport) -> list[Delivered]:
    """Each document of a job, as it lies where the filters put it."""
    files = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in job.files}
    return [
        Delivered(
            document.document_id,
            _mark(files.get(document.sha256)),
            document.format,
            (document.width_px, document.height_px),
        )
        for document in job.documents
    ]


def _mark(path: Path | None) -> Mark | None:
    if path is None:
        return None
    try:
        with Image.open(path) as image:
            return read_mark(image)
    except OSError:
        return None


def _in_words(side: _Side) -> str:
    load, sheet, face = side
    return f"{face} of sheet {sheet}" + (f" of load {load}" if load > 1 else "")


# --------------------------------------------------------------------------------------------- server


def _server_problems(performance: Performance, report: Report) -> Iterator[str]:
    expect = performance.scenario.expect
    claimed = _claimed_jobs(performance, report)
    open_jobs = [job for job in report.jobs if job.state == "Creating" and not job.is_forgotten]
    if len(open_jobs) != expect.open:
        yield f"{len(open_jobs)} post-scan jobs are left open at the server instead of {expect.open}"
    unclaimed = [job for job in report.jobs if job.state == "Completed" and job not in claimed]
    if len(unclaimed) != expect.unclaimed:
        yield f"the server completed {len(unclaimed)} jobs that the device does not count, not {expect.unclaimed}"
    for job in claimed:
        if job.state != "Completed":
            yield f"the device calls job {job.token} delivered; at the server it is {job.state} ({job.reason})"
    for violation in report.violations:
        if violation.rule not in expect.violations:
            yield f"rule {violation.rule} was broken: {violation.text} {violation.detail} [{violation.source}]"
    states = tuple(f"{run.state} {run.reason}".strip() for job in claimed for run in job.filters)
    if expect.filters and states != expect.filters:
        yield f"the filters ended as {states} instead of {expect.filters}"
    files = {path for job in claimed for path in job.files}
    if expect.files is not None and len(files) != expect.files:
        yield f"the filters wrote {len(files)} files instead of {expect.files}"
    if report.events_sent < expect.events:
        yield f"{report.events_sent} events were sent instead of at least {expect.events}"


# ----------------------------------------------------------------------------------- spool and scanner


def _spool_problems(performance: Performance) -> Iterator[str]:
    expect = performance.scenario.expect
    spool = performance.folder / "state" / "spool"
    kept = [path for path in spool.rglob("*") if _PAGE_FILE.fullmatch(path.name)]
    if len(kept) != expect.kept:
        yield f"{len(kept)} images wait in the device's spool instead of {expect.kept}"


def _scanner_problems(performance: Performance) -> Iterator[str]:
    expect = performance.scenario.expect
    begun = sum(event.event == "image-begin" and event.plane == 0 for event in performance.scanner_log)
    if expect.fed is not None and begun != expect.fed:
        yield f"the scanner moved {begun} images instead of {expect.fed}"
    opens = sum(event.event == "open" for event in performance.scanner_log)
    if expect.opens is not None and opens != expect.opens:
        yield f"the scanner was opened {opens} times instead of {expect.opens}"
    if expect.start_within_s is not None:
        took_s = _start_s(performance)
        if took_s > expect.start_within_s:
            yield f"paper moved {took_s:.2f} s after the order instead of {expect.start_within_s:g} s"
    if expect.pace:
        reached = pace(performance)
        if reached < expect.pace:
            yield f"the scanner ran at {reached:.0%} of its speed instead of {expect.pace:.0%}"


def _start_s(performance: Performance) -> float:
    """From the last order to the first sheet that moved after it; endless if none did."""
    ordered_s = performance.steps[-1].run.began_s if performance.steps else 0.0
    moved = [each.t for each in performance.scanner_log if each.event == "image-begin" and each.t > ordered_s]
    return min(moved) - ordered_s if moved else float("inf")


def pace(performance: Performance) -> float:
    """The share of its rated speed at which the scanner ran, from its first image to its last."""
    # As makers rate it, both sides come in one pass: what counts is the sheets.
    ends = [event.t for event in _whole_images(performance) if event.side == "front"]
    rated_sheets = performance.scenario.scanner.images_per_minute / 2
    if len(ends) < 2 or not rated_sheets:
        return 1.0
    return (len(ends) - 1) / (ends[-1] - ends[0]) * 60 / rated_sheets
