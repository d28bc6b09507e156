"""Jobs as the console sees them: their list, and status, ticket and documents of one (WS-DSD, jobs)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from lxml import etree

from dsm_device.wire import final_parameters, ticket_writer
from dsm_device.wire.device.elements import add, add_reasons, add_text, add_time, root
from dsm_device.wire.device.model import JobStatus, JobSummary, JobView
from dsm_device.wire.names import WSCN
from dsm_device.wire.ticket import ScanTicket


def render_status(status: JobStatus, namespace: str = WSCN) -> etree._Element:
    """``JobStatus`` in ``namespace``."""
    element = root("JobStatus", namespace)
    add(element, "JobId", status.id)
    add(element, "JobState", status.state)
    add_reasons(element, "JobStateReasons", "JobStateReason", status.reasons)
    add(element, "ScansCompleted", status.scans_completed)
    add_time(element, "JobCreatedTime", status.created)
    if status.completed is not None:
        add_time(element, "JobCompletedTime", status.completed)
    return element


def add_summary(parent: etree._Element, summary: JobSummary) -> None:
    element = add(parent, "JobSummary")
    add(element, "JobId", summary.id)
    add_text(element, "JobName", summary.name)
    add_text(element, "JobOriginatingUserName", summary.user)
    add(element, "JobState", summary.state)
    add_reasons(element, "JobStateReasons", "JobStateReason", summary.reasons)
    add(element, "ScansCompleted", summary.scans_completed)


def render_ticket(ticket: ScanTicket, local: str = "ScanTicket") -> etree._Element:
    """``ticket`` in the schema's numbers, which are 32 bit; the pages, and so tickets, know one that is larger."""
    values = {
        path: value if isinstance(value, str | bool) else min(value, ticket_writer.LARGEST_INT)
        for path, value in ticket.values.items()
    }
    return ticket_writer.render(replace(ticket, values=MappingProxyType(values)), WSCN, local)


def render_documents(job: JobView, newest: int) -> etree._Element:
    """The final parameters and the last ``newest`` images."""
    element = root("Documents")
    element.append(final_parameters.render(job.final))
    for name in _last(job.documents, newest):
        add_text(add(add(element, "Document"), "DocumentDescription"), "DocumentName", name)
    return element


def _last(names: Sequence[str], count: int) -> Sequence[str]:
    return names[max(0, len(names) - count) :]
