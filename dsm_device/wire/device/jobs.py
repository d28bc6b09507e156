"""Jobs as the console sees them: their list, and status, ticket and documents of one (WS-DSD, jobs)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from lxml import etree

from dsm_device.wire import final_parameters, ticket_writer
from dsm_device.wire.device.elements import add, add_reasons, add_text, add_time, root
from dsm_device.wire.device.model import JobStatus, JobSummary, JobView
from dsm_device.wire.names import WSCN
from dsm_device.wire.schema import Keyword, Value
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.ticket_elements import LEAVES

#: What vendors may add to a list of words (WS-Scan, extension of keywords), as tokens of XML.
_VENDOR_WORD: Final = re.compile(r"\w+:[\w.-]+")
_VENDOR_FORMAT: Final = re.compile(r"\w[\w:.-]*")


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
    """``ticket`` within the schema, whose numbers are 32 bit and whose words of vendors have few signs: a number
    that is larger by one, as the pages have it, is written smaller, a word with other signs is left out."""
    values = {
        path: min(value, ticket_writer.LARGEST_INT) if type(value) is int else value
        for path, value in ticket.values.items()
        if _is_writable(path, value)
    }
    return ticket_writer.render(replace(ticket, values=MappingProxyType(values)), WSCN, local)


def _is_writable(path: str, value: Value) -> bool:
    kind = LEAVES[path]
    if not isinstance(kind, Keyword) or value in kind.names:
        return True
    return bool((_VENDOR_FORMAT if path == "Format" else _VENDOR_WORD).fullmatch(str(value)))


def render_documents(job: JobView, newest: int) -> etree._Element:
    """The final parameters and the last ``newest`` images."""
    element = root("Documents")
    element.append(final_parameters.render(job.final))
    for name in _last(job.documents, newest):
        add_text(add(add(element, "Document"), "DocumentDescription"), "DocumentName", name)
    return element


def _last(names: Sequence[str], count: int) -> Sequence[str]:
    return names[max(0, len(names) - count) :]
