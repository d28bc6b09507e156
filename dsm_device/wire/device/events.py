"""The six events of WS-DSD (section on events). Each has the ``name`` that ends its action, and renders its body.

``namespace`` is that of wrapper and first child: DSD or WSCN, as the subscriber was promised.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Protocol

from lxml import etree

from dsm_device.wire.device import configuration, description, jobs, status
from dsm_device.wire.device.configuration import Configuration
from dsm_device.wire.device.elements import add, add_reasons, add_text, add_time, root
from dsm_device.wire.device.model import DeviceCondition, JobStatus, JobSummary, ScannerDescription, ScannerStatus
from dsm_device.wire.names import qname
from dsm_device.wire.ticket import ScanTicket


class DeviceEvent(Protocol):
    """What subscribers may be told."""

    @property
    def name(self) -> str: ...

    def render(self, namespace: str) -> etree._Element: ...


@dataclass(frozen=True, slots=True)
class JobStatusEvent:
    """Something in a job's status changed."""

    name: ClassVar[str] = "JobStatusEvent"
    status: JobStatus

    def render(self, namespace: str) -> etree._Element:
        body = root(self.name, namespace)
        body.append(jobs.render_status(self.status, namespace))
        return body


@dataclass(frozen=True, slots=True)
class JobEndStateEvent:
    """A job has ended, as ``job`` says: Aborted, Canceled, Completed or Terminating."""

    name: ClassVar[str] = "JobEndStateEvent"
    job: JobSummary
    completed: datetime

    def render(self, namespace: str) -> etree._Element:
        body = root(self.name, namespace)
        end = etree.SubElement(body, qname(namespace, "JobEndState"))
        add(end, "JobId", self.job.id)
        add(end, "JobCompletedState", self.job.state)
        add_reasons(end, "JobCompletedStateReasons", "JobStateReason", self.job.reasons)
        add_text(end, "JobName", self.job.name)
        add_text(end, "JobOriginatingUserName", self.job.user)
        add(end, "ScansCompleted", self.job.scans_completed)
        add_time(end, "JobCompletedTime", self.completed)
        return body


@dataclass(frozen=True, slots=True)
class ScannerElementsChangeEvent:
    """One or more of these changed; each that did is told whole, None stands for the others."""

    name: ClassVar[str] = "ScannerElementsChangeEvent"
    description: ScannerDescription | None = None
    configuration: Configuration | None = None
    default_ticket: ScanTicket | None = None

    def render(self, namespace: str) -> etree._Element:
        body = root(self.name, namespace)
        changes = etree.SubElement(body, qname(namespace, "ElementChanges"))
        if self.description is not None:
            changes.append(description.render(self.description))
        if self.configuration is not None:
            changes.append(configuration.render(self.configuration))
        if self.default_ticket is not None:
            changes.append(jobs.render_ticket(self.default_ticket, "DefaultScanTicket"))
        return body


@dataclass(frozen=True, slots=True)
class ScannerStatusSummaryEvent:
    """The scanner's state or the set of its reasons changed."""

    name: ClassVar[str] = "ScannerStatusSummaryEvent"
    status: ScannerStatus

    def render(self, namespace: str) -> etree._Element:
        body = root(self.name, namespace)
        status.add_state(etree.SubElement(body, qname(namespace, "StatusSummary")), self.status)
        return body


@dataclass(frozen=True, slots=True)
class ScannerStatusConditionEvent:
    """A condition is new, or another than it was. Its Id is told with and without namespace: print has both."""

    name: ClassVar[str] = "ScannerStatusConditionEvent"
    condition: DeviceCondition

    def render(self, namespace: str) -> etree._Element:
        body = root(self.name, namespace)
        element = etree.SubElement(body, qname(namespace, "DeviceCondition"))
        status.fill_condition(element, self.condition, plain_id=True)
        return body


@dataclass(frozen=True, slots=True)
class ScannerStatusConditionClearedEvent:
    """A condition that was told of is no more."""

    name: ClassVar[str] = "ScannerStatusConditionClearedEvent"
    condition_id: int
    clear_time: datetime

    def render(self, namespace: str) -> etree._Element:
        body = root(self.name, namespace)
        cleared = etree.SubElement(body, qname(namespace, "DeviceConditionCleared"))
        add(cleared, "ConditionId", self.condition_id)
        add_time(cleared, "ConditionClearTime", self.clear_time)
        return body


#: The last segment of each event's action.
EVENT_NAMES: Final = tuple(
    event.name
    for event in (
        JobStatusEvent,
        JobEndStateEvent,
        ScannerElementsChangeEvent,
        ScannerStatusSummaryEvent,
        ScannerStatusConditionEvent,
        ScannerStatusConditionClearedEvent,
    )
)
