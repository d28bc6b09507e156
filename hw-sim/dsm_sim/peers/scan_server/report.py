"""What a server received, in a form for programs and one for people."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dsm_sim.image_files import PageFacts
from dsm_sim.peers.scan_server.jobs import Document, FilterRun, Job
from dsm_sim.peers.scan_server.rules import Violation
from dsm_sim.peers.scan_server.subscriptions import Subscription


@dataclass
class Traffic:
    """Counts of what came in.

    ``connections`` have finished their TLS handshake; ``requests`` are complete ones by operation,
    ``incomplete`` broke off.
    """

    connections: int = 0
    incomplete: int = 0
    requests: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class DocumentReport:
    """An image as it was received; sizes and ``dpi`` (across) are those of its first page."""

    document_id: int
    format: str
    octets: int
    sha256: str
    width_px: int
    height_px: int
    dpi: float
    pages: int
    #: What the headers tell of each page, where anything is known of the format.
    each_page: tuple[PageFacts, ...]
    received: datetime.datetime


@dataclass(frozen=True)
class FilterReport:
    """``detail`` says for people what ``reason`` says for programs.

    ``places`` are URLs of what was not delivered into files.
    """

    dialect: str
    state: str
    reason: str
    detail: str
    files: tuple[Path, ...]
    places: tuple[str, ...]


@dataclass(frozen=True)
class JobReport:
    """One job. ``state`` and ``reason`` are words of the protocol."""

    token: str
    state: str
    reason: str
    user_sid: str
    user: str
    psp_identifier: str
    psp_name: str
    created: datetime.datetime
    completed: datetime.datetime | None
    #: Whether clients are told that there is no such job.
    is_forgotten: bool
    octets: int
    documents: tuple[DocumentReport, ...]
    filters: tuple[FilterReport, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that the filters wrote, in order."""
        return tuple(path for run in self.filters for path in run.files)


@dataclass(frozen=True)
class SubscriptionReport:
    """One subscriber. ``ended`` says how the subscription came to its end, "" while it lives.

    ``sent`` and ``failed`` count events, not tries. ``actions`` are the last segments.
    """

    identifier: str
    notify_to: str
    end_to: str
    actions: tuple[str, ...]
    granted_s: float
    ended: str
    sent: int
    failed: int


@dataclass(frozen=True)
class Report:
    """Everything. ``requests`` counts complete requests by operation; violations hold the newest 10,000.

    ``faults_met``: how often each fault of the plan has happened, in the plan's order. ``internal_errors`` are
    the newest 100 of the server itself, each with the operation in which it happened.
    """

    address: str
    output: Path
    connections: int
    incomplete_requests: int
    requests: Mapping[str, int]
    jobs: tuple[JobReport, ...]
    subscriptions: tuple[SubscriptionReport, ...]
    events_sent: int
    events_failed: int
    violations_total: int
    violations: tuple[Violation, ...]
    faults_met: tuple[int, ...] = ()
    internal_errors: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Ready for ``json.dumps``."""
        return {key: _plain(value) for key, value in dataclasses.asdict(self).items()}

    def as_text(self) -> str:
        """For people: jobs, pages, where they are, and the violations with their sources."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        pages = sum(len(job.documents) for job in self.jobs)
        octets = sum(job.octets for job in self.jobs)
        yield f"received {len(self.jobs)} job(s), {pages} image(s), {octets:,} bytes; output in {self.output}"
        for job in self.jobs:
            yield from _job_lines(job)
        if self.subscriptions:
            failed = f", {self.events_failed} could not be delivered" if self.events_failed else ""
            yield f"{len(self.subscriptions)} subscription(s), {self.events_sent} event(s) sent{failed}"
        for internal_error in self.internal_errors:
            yield f"internal error in {internal_error}"
        yield f"{self.violations_total} rule violation(s)"
        for violation in self.violations:
            where = f" ({violation.detail})" if violation.detail else ""
            yield f"  {violation.level} {violation.rule} in {violation.operation or '?'}: {violation.text}{where}"
            yield f"      source: {violation.source}"


def _job_lines(job: JobReport) -> Iterable[str]:
    name = job.psp_name or job.psp_identifier
    yield (
        f"  job {job.token}: {job.state} ({job.reason}), {len(job.documents)} image(s), {job.octets:,} bytes, "
        f"{name} for {job.user}"
    )
    for run in job.filters:
        folders = sorted({str(path.parent) for path in run.files})
        reason = f" ({': '.join(filter(None, (run.reason, run.detail)))})" if run.reason else ""
        where = " ".join([*folders, *run.places])
        yield f"    {run.dialect.rpartition('/')[2]}: {run.state}{reason} {where}".rstrip()


def job_report(job: Job) -> JobReport:
    return JobReport(
        token=job.token,
        state=job.state.value,
        reason=job.reason,
        user_sid=job.user_sid,
        user=job.user,
        psp_identifier=job.psp_identifier,
        psp_name=job.psp_name,
        created=job.created,
        completed=job.completed,
        is_forgotten=job.is_forgotten,
        octets=job.octets,
        documents=tuple(map(_document_report, job.documents)),
        filters=tuple(map(_filter_report, job.filters)),
    )


def subscription_report(subscription: Subscription) -> SubscriptionReport:
    return SubscriptionReport(
        identifier=subscription.identifier,
        notify_to=subscription.notify_to.address,
        end_to=subscription.end_to.address if subscription.end_to else "",
        actions=tuple(sorted(action.rpartition("/")[2] for action in subscription.actions)),
        granted_s=subscription.granted_s,
        ended=subscription.ended,
        sent=subscription.sent,
        failed=subscription.failed,
    )


def _document_report(document: Document) -> DocumentReport:
    facts = document.facts
    return DocumentReport(
        document_id=document.document_id,
        format=document.format,
        octets=document.octets,
        sha256=document.sha256,
        width_px=facts.width_px,
        height_px=facts.height_px,
        dpi=facts.dpi,
        pages=facts.pages,
        each_page=facts.each,
        received=document.received,
    )


def _filter_report(run: FilterRun) -> FilterReport:
    files = tuple(place for place in run.targets if isinstance(place, Path))
    places = tuple(place for place in run.targets if isinstance(place, str))
    return FilterReport(run.dialect, run.state.value, run.reason, run.detail, files, places)


def _plain(value: object) -> object:
    match value:
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case datetime.datetime():
            return value.isoformat()
        case enum.Enum():
            return value.value
        case Path():
            return str(value)
    return value
