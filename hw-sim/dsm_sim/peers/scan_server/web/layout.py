"""What all pages share: head, header, and how values are written for people."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server.report import JobReport, Report
from dsm_sim.peers.scan_server.rules import Violation
from dsm_sim.peers.scan_server.web.markup import Child, element, html, name

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_REFRESH_S: Final = "5"

Cell = Child | list[Child]


@dataclass(frozen=True)
class Frame:
    """What the header says of the server beside its report."""

    personality: str
    uptime_s: int


def page(frame: Frame, report: Report, title: str, *content: Child | None) -> bytes:
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("link", rel="icon", href="/icon.svg", type="image/svg+xml"),
        element("link", rel="stylesheet", href="/style.css"),
        element("script", src="/refresh.js", defer="defer"),
        element("noscript", element("meta", http_equiv="refresh", content=_REFRESH_S)),
    )
    body = element("body", _header(frame, report), element("main", *content))
    return html(element("html", head, body, lang="en"))


def _header(frame: Frame, report: Report) -> etree._Element:
    facts = element(
        "p",
        element("code", report.address),
        element("span", "personality ", element("b", frame.personality), class_="chip"),
        element("span", "up ", element("b", duration(frame.uptime_s)), class_="chip"),
        id="facts",
        data_live="",
    )
    return element(
        "header",
        element(
            "a", element("img", src="/icon.svg", alt=""), element("span", "Scan server"), href="/", class_="home"
        ),
        facts,
        element("p", "The server does not answer any more.", id="gone", role="status"),
    )


def section(section_id: str, title: str, *content: Child | None) -> etree._Element:
    """A part of the page that is replaced when it has changed."""
    return element("section", element("h2", title), *content, id=section_id, data_live="")


def table(columns: Iterable[str], rows: Iterable[Iterable[Cell]], class_: str = "") -> etree._Element:
    """Each cell knows its column's name, for narrow screens, where there is no head."""
    labels = list(columns)
    head = element("thead", element("tr", *(element("th", label, scope="col") for label in labels)))
    body = element("tbody", *(_row(labels, cells) for cells in rows))
    return element("table", head, body, class_=class_)


def _row(labels: list[str], cells: Iterable[Cell]) -> etree._Element:
    row = element("tr")
    for label, cell in zip(labels, cells, strict=True):
        children = cell if isinstance(cell, list) else [cell]
        row.append(element("td", *children, data_label=label))
    return row


def empty(text: str) -> etree._Element:
    return element("p", text, class_="empty")


# ------------------------------------------------------------------------------------------- values

_MOODS: Final = {
    "Creating": "busy",
    "Pending": "busy",
    "Started": "busy",
    "Processing": "busy",
    "Aborted": "bad",
    "Canceled": "idle",
    "CompletedSuccessfully": "good",
    "CompletedWithErrors": "bad",
    "CompletedWithWarnings": "fair",
}
_REASONS: Final = {
    "PostScanJobCompletedSuccessfully": ("good", ""),
    "PostScanJobCompletedWithErrors": ("fair", "with errors"),
    "PostScanJobTimedOut": ("bad", "timed out"),
    "PostScanJobCanceled": ("idle", ""),
    "NoValidPostScanInstructionsFound": ("bad", "no valid instructions"),
    "None": ("", ""),
}


def badge(state: str, mood: str = "") -> etree._Element:
    return element("span", state, class_=f"badge {mood or _MOODS.get(state, 'idle')}")


def filter_mood(state: str) -> str:
    """A filter that waits is not at work, unlike a job that does."""
    return "idle" if state == "Pending" else _MOODS.get(state, "idle")


def job_badge(job: JobReport) -> list[Child]:
    """The state as the protocol says it, and in smaller letters what there is to add."""
    mood, remark = _REASONS.get(job.reason, ("", job.reason))
    shown: list[Child] = [badge(job.state, mood)]
    if remark:
        shown += [" ", element("small", remark)]
    return shown


def process_name(job: JobReport) -> etree._Element:
    """Its name is known only to a server that has the processes."""
    return name(job.psp_name or f"{job.psp_identifier[:8]}…")


def filter_name(dialect: str) -> str:
    return {"fileshare": "file share", "email": "e-mail", "sharepoint": "SharePoint"}.get(
        dialect.rpartition("/")[2], dialect
    )


def size(octets: int) -> str:
    if octets < 1000:
        return f"{octets} B"
    for unit, factor in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if octets < factor * 999.5 or unit == "GB":
            value = octets / factor
            return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"
    raise AssertionError("unreachable")


def duration(seconds: float) -> str:
    if seconds < 0.1:
        return "< 0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S:.0f} min {seconds % _MINUTE_S:.0f} s"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S:.0f} h {seconds % _HOUR_S // _MINUTE_S:.0f} min"
    return f"{seconds // _DAY_S:.0f} d {seconds % _DAY_S // _HOUR_S:.0f} h"


def moment(at: datetime.datetime) -> etree._Element:
    return element("time", f"{at:%H:%M:%S}", datetime=at.isoformat(), title=f"{at:%Y-%m-%d %H:%M:%S}")


def count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


# ----------------------------------------------------------------------------------------- violations


def violation_table(violations: Iterable[Violation]) -> etree._Element:
    return table(
        ("Rule", "What was wrong", "Where", "Source", "When"),
        (
            (
                [element("span", each.level, class_=f"level {each.level}"), " ", element("code", each.rule)],
                [each.text, element("small", name(each.detail), class_="detail") if each.detail else ""],
                name(each.operation or "a request"),
                each.source,
                moment(each.at),
            )
            for each in violations
        ),
        class_="violations",
    )
