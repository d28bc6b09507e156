"""The first page: all jobs, newest first; who listens to events; what was wrong."""

from __future__ import annotations

from itertools import islice
from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server.report import FilterReport, JobReport, Report
from dsm_sim.peers.scan_server.web.layout import (
    Cell,
    Frame,
    badge,
    count,
    duration,
    empty,
    filter_mood,
    filter_name,
    job_badge,
    moment,
    page,
    process_name,
    section,
    size,
    table,
    violation_table,
)
from dsm_sim.peers.scan_server.web.markup import element, name

_JOBS_SHOWN: Final = 200
_VIOLATIONS_SHOWN: Final = 50


def front_page(frame: Frame, report: Report) -> bytes:
    busy = sum(job.completed is None for job in report.jobs)
    return page(
        frame,
        report,
        f"{busy} at work – Scan server" if busy else "Scan server",
        _totals(report),
        _jobs(report),
        _subscriptions(report),
        _violations(report),
    )


def _totals(report: Report) -> etree._Element:
    images = sum(len(job.documents) for job in report.jobs)
    octets = sum(job.octets for job in report.jobs)
    totals = [
        ("jobs", f"{len(report.jobs):,}", ""),
        ("images", f"{images:,}", ""),
        ("received", size(octets), ""),
        ("violations", f"{report.violations_total:,}", "bad" if report.violations_total else "good"),
    ]
    return element(
        "dl",
        *(
            element("div", element("dt", label), element("dd", value, class_=mood))
            for label, value, mood in totals
        ),
        id="totals",
        data_live="",
    )


def _jobs(report: Report) -> etree._Element:
    if not report.jobs:
        return section("jobs", "Jobs", empty("No job yet. Whatever a device sends to this server shows up here."))
    older = len(report.jobs) - _JOBS_SHOWN
    return section(
        "jobs",
        "Jobs",
        table(
            ("State", "Process", "User", "Images", "Size", "Filters", "Begun", "Took"),
            map(_job_row, islice(reversed(report.jobs), _JOBS_SHOWN)),
            class_="jobs",
        ),
        empty(f"and {count(older, 'older job')}: see the report") if older > 0 else None,
    )


def _job_row(job: JobReport) -> list[Cell]:
    took = duration((job.completed - job.created).total_seconds()) if job.completed else "…"
    return [
        job_badge(job),
        element("a", process_name(job), href=f"/jobs/{job.token}"),
        name(job.user),
        f"{len(job.documents):,}",
        size(job.octets),
        [child for run in job.filters for child in (_filter_badge(run), " ")],
        moment(job.created),
        took,
    ]


def _filter_badge(run: FilterReport) -> etree._Element:
    return element(
        "span",
        filter_name(run.dialect),
        element("small", f" {run.reason}") if run.reason else None,
        class_=f"badge {filter_mood(run.state)}",
        title=run.state,
    )


def _subscriptions(report: Report) -> etree._Element | None:
    if not report.subscriptions:
        return None
    rows = (
        (
            name(each.notify_to),
            " ".join(each.actions),
            f"{each.sent:,}",
            f"{each.failed:,}",
            badge(each.ended or "alive", "idle" if each.ended else "good"),
        )
        for each in reversed(report.subscriptions)
    )
    columns = ("Told at", "Events", "Sent", "Failed", "State")
    return section("subscriptions", "Subscribers", table(columns, islice(rows, _VIOLATIONS_SHOWN)))


def _violations(report: Report) -> etree._Element:
    if not report.violations_total:
        return section("violations", "Violations", empty("None: every message kept to the rules."))
    older = report.violations_total - _VIOLATIONS_SHOWN
    return section(
        "violations",
        "Violations",
        violation_table(islice(reversed(report.violations), _VIOLATIONS_SHOWN)),
        empty(f"and {count(older, 'earlier one')}: see the report") if older > 0 else None,
    )
