"""Whether a performance was as its scenario says, and as it always must be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from dsm_sim.peers.scan_server import JobReport, Report
from dsm_sim.scenario.delivery import (
    claimed_jobs,
    claimed_tokens,
    delivery_problems,
    unclaimed_jobs,
    whole_images,
)
from dsm_sim.scenario.desk import USER
from dsm_sim.scenario.format import Expectation
from dsm_sim.scenario.player import Performance, StepResult

_PAGE_FILE: Final = re.compile(r"page-\d+\.(?!part)\w+")


def judge(performance: Performance) -> list[str]:
    """What is wrong, one line each; nothing if all is well."""
    report = performance.report
    if report is None:
        return ["the scenario was not played to its end"]
    return [
        *performance.troubles,
        *(problem for result in performance.steps for problem in _step_problems(result)),
        *delivery_problems(performance, report),
        *_server_problems(performance, report),
        *_spool_problems(performance),
        *_scanner_problems(performance),
        *_fault_problems(performance, report),
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
    if "Traceback (most recent call last)" in run.messages:
        yield f"{name} showed its inside: {run.last_words}"
    for strange in run.all("not JSON"):
        yield f"{name} printed something else than JSON: {strange.fields['line']}"
    for moment in result.missed:
        yield f"the moment {moment} never came while {name} ran"
    if result.survivors:
        yield f"{name} left processes behind: {', '.join(map(str, result.survivors))}"


# --------------------------------------------------------------------------------------------- server


def _server_problems(performance: Performance, report: Report) -> Iterator[str]:
    expect = performance.scenario.expect
    claimed = claimed_jobs(performance, report)
    known = {job.token for job in report.jobs}
    for token in [token for token in claimed_tokens(performance) if token not in known]:
        yield f"the device calls job {token} delivered, which the server does not know"
    open_jobs = [job for job in report.jobs if job.state == "Creating" and not job.is_forgotten]
    if len(open_jobs) != expect.open:
        yield f"{len(open_jobs)} post-scan jobs are left open at the server instead of {expect.open}"
    unclaimed = unclaimed_jobs(performance, report)
    if len(unclaimed) != expect.unclaimed:
        yield f"the server completed {len(unclaimed)} jobs that the device does not count, not {expect.unclaimed}"
    for job in claimed:
        if job.state != "Completed":
            yield f"the device calls job {job.token} delivered; at the server it is {job.state} ({job.reason})"
        if job.user != USER:
            yield f"job {job.token} is for {job.user} ({job.user_sid}) instead of {USER}"
    yield from (f"the simulated server itself failed in {failure}" for failure in report.internal_errors)
    for violation in report.violations:
        if violation.rule not in expect.violations:
            yield f"rule {violation.rule} was broken: {violation.text} {violation.detail} [{violation.source}]"
    if performance.network_bytes < expect.through_network_bytes:
        least = expect.through_network_bytes
        yield f"{performance.network_bytes:,} octets went through the network instead of at least {least:,}"
    states = tuple(f"{run.state} {run.reason}".strip() for job in claimed for run in job.filters)
    if expect.filters and states != expect.filters:
        yield f"the filters ended as {states} instead of {expect.filters}"
    if report.events_sent < expect.events:
        yield f"{report.events_sent} events were sent instead of at least {expect.events}"
    yield from _file_problems(expect, claimed)


def _file_problems(expect: Expectation, claimed: list[JobReport]) -> Iterator[str]:
    documents = sum(len(job.documents) for job in claimed)
    if expect.documents is not None and documents != expect.documents:
        yield f"{documents} files were sent instead of {expect.documents}"
    files = {path for job in claimed for path in job.files}
    if expect.files is not None and len(files) != expect.files:
        yield f"the filters wrote {len(files)} files instead of {expect.files}"


# ----------------------------------------------------------------------------------- spool and scanner


def _spool_problems(performance: Performance) -> Iterator[str]:
    expect = performance.scenario.expect
    spool = performance.folder / "state" / "spool"
    jobs = {path.relative_to(spool).parts[0] for path in spool.glob("*/*")}
    if expect.jobs_kept is not None and len(jobs) != expect.jobs_kept:
        yield f"{len(jobs)} jobs are in the device's spool instead of {expect.jobs_kept}"
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
    refusals = sum(event.status == "device-busy" for event in performance.scanner_log)
    if refusals < expect.refusals:
        yield f"the scanner refused {refusals} calls as busy instead of at least {expect.refusals}"
    if expect.start_within_s is not None:
        took_s = _start_s(performance)
        if took_s > expect.start_within_s:
            yield f"paper moved {took_s:.2f} s after the order instead of {expect.start_within_s:g} s"
    if expect.delivered_after_scanning_s:
        took_s = _delivered_after_s(performance)
        if took_s < expect.delivered_after_scanning_s:
            least_s = expect.delivered_after_scanning_s
            yield f"the last image arrived {took_s:.2f} s after scanning instead of at least {least_s:g} s"
    if expect.pace:
        reached = pace(performance)
        if reached < expect.pace:
            yield f"the scanner ran at {reached:.0%} of its speed instead of {expect.pace:.0%}"


def _delivered_after_s(performance: Performance) -> float:
    """From the end of the last image that the scanner delivered to the server's having the last one."""
    scanned = [event.t for event in performance.scanner_log if event.event == "image-end"]
    arrived = [float(str(each["at_s"])) for each in performance.happenings if each["event"] == "page"]
    return max(arrived, default=0.0) - max(scanned, default=0.0)


def _start_s(performance: Performance) -> float:
    """From the last order to the first sheet that moved after it; endless if none did."""
    ordered_s = performance.steps[-1].run.began_s if performance.steps else 0.0
    moved = [each.t for each in performance.scanner_log if each.event == "image-begin" and each.t > ordered_s]
    return min(moved) - ordered_s if moved else float("inf")


def pace(performance: Performance) -> float:
    """The share of its rated speed at which the scanner ran, from its first image to its last."""
    # As makers rate it, both sides come in one pass: what counts is the sheets.
    ends = [event.t for event in whole_images(performance) if event.side == "front"]
    rated_sheets = performance.scenario.scanner.images_per_minute / 2
    if len(ends) < 2 or not rated_sheets:
        return 1.0
    return (len(ends) - 1) / (ends[-1] - ends[0]) * 60 / rated_sheets


# --------------------------------------------------------------------------------------------- faults


def _fault_problems(performance: Performance, report: Report) -> Iterator[str]:
    """What was planned and never happened has proved nothing."""
    scenario = performance.scenario
    if scenario.expect.idle_faults:
        return
    happened = Counter((event.what, event.call) for event in performance.scanner_log if event.event == "fault")
    planned = Counter((str(fault.what), str(fault.at)) for fault in scenario.scanner.quirks.faults)
    for what, at in planned - happened:
        yield f"the scanner was to meet {what} at {at}, which never happened"
    for fault, times in zip(scenario.server.faults, report.faults_met, strict=True):
        if not times:
            number = f"{fault.on} {fault.nth}" if fault.nth else fault.on
            yield f"the server was to {fault.do} at {number}, which never came"
