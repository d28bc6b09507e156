"""One job: its images, what its filters did, and what was wrong with its messages."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from lxml import etree

from dsm_sim.image_files import PageFacts
from dsm_sim.peers.scan_server.report import DocumentReport, FilterReport, JobReport, Report
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
from dsm_sim.peers.scan_server.web.markup import Child, element, name

_PICTURES_SHOWN: Final = 500
_PLACES_SHOWN: Final = 200
_VIOLATIONS_SHOWN: Final = 200


def job_page(frame: Frame, report: Report, job: JobReport) -> bytes:
    return page(
        frame,
        report,
        f"{job.state}: {process_name(job).text} – Scan server",
        element("p", element("a", "← all jobs", href="/"), class_="back"),
        _summary(job),
        _filters(job),
        _images(job),
        _violations(report, job),
    )


def _summary(job: JobReport) -> etree._Element:
    facts: list[tuple[str, Child]] = [
        ("user", name(job.user)),
        ("images", f"{len(job.documents):,}"),
        ("size", size(job.octets)),
        ("begun", moment(job.created)),
    ]
    if job.completed:
        facts.append(("took", duration((job.completed - job.created).total_seconds())))
    more = [("job", job.token), ("process", job.psp_identifier), ("SID", job.user_sid), ("reason", job.reason)]
    return element(
        "section",
        element("h1", process_name(job), " ", *job_badge(job)),
        element("dl", *(_fact(label, value) for label, value in facts), class_="facts"),
        element("dl", *(_fact(label, element("code", value)) for label, value in more), class_="facts small"),
        id="summary",
        data_live="",
    )


def _fact(label: str, value: Child) -> etree._Element:
    return element("div", element("dt", label), element("dd", value))


def _filters(job: JobReport) -> etree._Element:
    rows = map(_filter_row, job.filters)
    return section("filters", "Filters", table(("Filter", "State", "Delivered"), rows, class_="filters"))


def _filter_row(run: FilterReport) -> list[Cell]:
    state: list[Child] = [badge(run.state, filter_mood(run.state)), " ", element("small", run.reason)]
    return [element("b", filter_name(run.dialect)), state, list(_delivered(run))]


def _delivered(run: FilterReport) -> Iterator[Child]:
    if run.detail:
        yield element("p", run.detail, class_="detail")
    places = [*map(str, run.files), *run.places]
    if not places:
        yield "nothing" if run.state.startswith("Completed") else "nothing yet"
        return
    shown = [element("li", name(place)) for place in places[:_PLACES_SHOWN]]
    summary = element("summary", count(len(run.files), "file") if run.files else count(len(places), "delivery"))
    yield element("details", summary, element("ul", *shown, class_="places"))


def _images(job: JobReport) -> etree._Element:
    pages = [(document, number) for document in job.documents for number in range(1, document.pages + 1)]
    if not pages:
        return section("images", "Images", empty("None."))
    figures = (_figure(job, document, number) for document, number in islice(pages, _PICTURES_SHOWN))
    hidden = len(pages) - _PICTURES_SHOWN
    return section(
        "images",
        "Images",
        element("div", *figures, class_="gallery"),
        empty(f"and {count(hidden, 'more')}") if hidden > 0 else None,
    )


def _figure(job: JobReport, document: DocumentReport, number: int) -> etree._Element:
    base = f"/jobs/{job.token}/{document.document_id}"
    label = f"image {document.document_id}" + (f", page {number}" if document.pages > 1 else "")
    picture = element("img", src=f"{base}/{number}/thumbnail", alt=label, loading="lazy", decoding="async")
    page = document.each_page[number - 1] if document.each_page else PageFacts()
    pixels = f"{page.width_px:,} × {page.height_px:,} px" if page.width_px else "size not in the header"
    dpi = f", {page.x_dpi:g} dpi" if page.x_dpi else ""
    return element(
        "figure",
        element("a", picture, href=f"{base}/{number}/picture", title="the whole picture"),
        element(
            "figcaption",
            element("b", label),
            " ",
            element("span", document.format, class_="chip"),
            element("br"),
            pixels + dpi,
            element("br"),
            f"{size(document.octets)}, ",
            moment(document.received),
            " ",
            element("a", "original", href=f"{base}/original"),
            element("br"),
            element("code", document.sha256, title="SHA-256", class_="digest"),
        ),
    )


def _violations(report: Report, job: JobReport) -> etree._Element:
    own = [each for each in reversed(report.violations) if each.job_token == job.token]
    if not own:
        return section("violations", "Violations", empty("None: every message of this job kept to the rules."))
    return section("violations", "Violations", violation_table(own[:_VIOLATIONS_SHOWN]))
