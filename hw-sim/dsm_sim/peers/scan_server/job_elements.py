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

#: A word of the protocol as the server at hand says it.
Say = Callable[[str], str]


def job_status(job: Job, say: Say) -> etree._Element:
    status = dsp_element("JobStatus")
    add(status, "JobToken", job.token)
    add(status, "JobState", say(job.state.value))
    add(add(status, "JobStateReasons"), "JobStateReason", say(job.reason))
    filters = add(status, "FilterStatuses")
    for run in job.filters:
        add_filter(filters, run, say)
    add(status, "ImagesReceived", str(len(job.documents)))
    add(status, "JobCreatedTime", time_text(job.created))
    if job.completed:
        add(status, "JobCompletedTime", time_text(job.completed))
    return status


def job_description(job: Job, _say: Say) -> etree._Element:
    description = dsp_element("JobDescription")
    add(description, "PSP_Identifier", job.psp_identifier)
    add(description, "PSP_DisplayName", job.psp_name[:255])
    add(description, "JobOriginatingUserName", job.user[:255])
    return description


def documents(job: Job, _say: Say) -> etree._Element:
    result = dsp_element("Documents")
    for document in job.documents:
        description = add(add(result, "Document"), "DocumentDescription")
        add(description, "DocumentId", str(document.document_id))
        add(description, "Format", document.format)
    return result


ELEMENTS: Final[Mapping[str, Callable[[Job, Say], etree._Element]]] = {
    "JobStatus": job_status,
    "JobDescription": job_description,
    "Documents": documents,
}


def add_filter(parent: etree._Element, run: FilterRun, say: Say) -> None:
    status = add(parent, "FilterStatus")
    add(status, "Dialect", run.dialect)
    add(status, "FilterState", say(run.state.value))
    if run.reason:
        add(add(status, "FilterStateReasons"), "FilterStateReason", say(run.reason))


def dsp_element(local: str) -> etree._Element:
    return etree.Element(tag(DSP, local), nsmap={"dsp": DSP})


def add(parent: etree._Element, local: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, tag(DSP, local))
    child.text = text
    return child


def time_text(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
