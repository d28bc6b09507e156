"""What GetPostScanJobElements tells of a job: JobStatus, JobDescription, Documents.

Source: WS-DSP GetPostScanJobElements; MS-BDSRR 2.2.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server.jobs import FilterRun, Job
from dsm_sim.peers.scan_server.names import DSP, tag


def job_status(job: Job) -> etree._Element:
    status = _element("JobStatus")
    _add(status, "JobToken", job.token)
    _add(status, "JobState", job.state.value)
    _add(_add(status, "JobStateReasons"), "JobStateReason", job.reason)
    filters = _add(status, "FilterStatuses")
    for run in job.filters:
        _add_filter(filters, run)
    _add(status, "ImagesReceived", str(len(job.documents)))
    _add(status, "JobCreatedTime", _time(job.created))
    if job.completed:
        _add(status, "JobCompletedTime", _time(job.completed))
    return status


def job_description(job: Job) -> etree._Element:
    description = _element("JobDescription")
    _add(description, "PSP_Identifier", job.psp_identifier)
    _add(description, "PSP_DisplayName", job.psp_name[:255])
    _add(description, "JobOriginatingUserName", job.user[:255])
    return description


def documents(job: Job) -> etree._Element:
    result = _element("Documents")
    for document in job.documents:
        description = _add(_add(result, "Document"), "DocumentDescription")
        _add(description, "DocumentId", str(document.document_id))
        _add(description, "Format", document.format)
    return result


ELEMENTS: Final[Mapping[str, Callable[[Job], etree._Element]]] = {
    "JobStatus": job_status,
    "JobDescription": job_description,
    "Documents": documents,
}


def _add_filter(parent: etree._Element, run: FilterRun) -> None:
    status = _add(parent, "FilterStatus")
    _add(status, "Dialect", run.dialect)
    _add(status, "FilterState", run.state.value)
    if run.reason:
        _add(_add(status, "FilterStateReasons"), "FilterStateReason", run.reason)


def _element(local: str) -> etree._Element:
    return etree.Element(tag(DSP, local), nsmap={"dsp": DSP})


def _add(parent: etree._Element, local: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, tag(DSP, local))
    child.text = text
    return child


def _time(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
