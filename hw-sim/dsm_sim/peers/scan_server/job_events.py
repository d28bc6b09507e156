"""The two events of a post-scan job, as the bodies of their envelopes.

Source: WS-DSP PostScanJobStatusEvent, PostScanJobEndStateEvent; MS-BDSRR 3.2.4.8, 3.2.4.9.
"""

from __future__ import annotations

from lxml import etree

from dsm_sim.peers.scan_server.job_elements import Say, add, add_filter, dsp_element, job_status, time_text
from dsm_sim.peers.scan_server.jobs import Job


def status_event(job: Job, say: Say) -> etree._Element:
    event = dsp_element("PostScanJobStatusEvent")
    event.append(job_status(job, say))
    return event


def end_event(job: Job, say: Say) -> etree._Element:
    """Of a job in a final state."""
    event = dsp_element("PostScanJobEndStateEvent")
    state = add(event, "PostScanJobEndState")
    add(state, "JobToken", job.token)
    add(state, "PSP_Identifier", job.psp_identifier)
    add(state, "PSP_DisplayName", job.psp_name[:255])
    add(state, "JobOriginatingUserName", job.user[:255])
    add(state, "JobCompletedState", say(job.state.value))
    add(add(state, "JobCompletedStateReasons"), "JobStateReason", say(job.reason))
    filters = add(state, "FilterCompletedStatuses")
    for run in job.filters:
        add_filter(filters, run, say)
    add(state, "ImagesReceived", str(len(job.documents)))
    if job.completed:
        add(state, "JobCompletedTime", time_text(job.completed))
    return event
