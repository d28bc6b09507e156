"""What the console is told of scanner and jobs: values without behaviour, in the words of WS-Scan.

Times have a time zone and are told in UTC. Sources: WS-DSD, sections on description, status, jobs and keywords.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dsm_device.wire.final_parameters import Reported
from dsm_device.wire.ticket import ScanTicket

ScannerState = Literal["Idle", "Processing", "Stopped"]
ScannerStateReason = Literal[
    "AttentionRequired",
    "Calibrating",
    "CoverOpen",
    "InterlockOpen",
    "InternalStorageFull",
    "LampError",
    "LampWarming",
    "MediaJam",
    "MultipleFeedError",
    "None",
    "Paused",
]
ConditionName = Literal[
    "Calibrating",
    "CoverOpen",
    "InputTrayEmpty",
    "InterlockOpen",
    "InternalStorageFull",
    "LampError",
    "LampWarming",
    "MediaJam",
    "MultipleFeedError",
]
Component = Literal["ADF", "Film", "MediaPath", "Platen"]
#: No effect; may become critical; the scanner cannot go on.
Severity = Literal["Informational", "Warning", "Critical"]
JobState = Literal[
    "Aborted", "Canceled", "Completed", "Creating", "Held", "Pending", "Processing", "Started", "Terminating"
]
JobStateReason = Literal[
    "InvalidScanTicket",
    "DocumentFormatError",
    "ImageTransferError",
    "JobCanceledAtDevice",
    "JobCompletedWithErrors",
    "JobCompletedWithWarnings",
    "JobScanning",
    "JobScanningAndTransferring",
    "JobTimedOut",
    "JobTransferring",
    "None",
    "ScannerStopped",
]


@dataclass(frozen=True, slots=True)
class ScannerDescription:
    """``name`` is the FriendlyName of the device; "" where there is no more to say. At most 255 characters each
    are told."""

    name: str
    info: str = ""
    location: str = ""
    #: One language tag for all three.
    language: str = "en"


@dataclass(frozen=True, slots=True)
class DeviceCondition:
    """Something that is the matter now. ``id`` is from 1 to 2,147,483,647 and not used again."""

    id: int
    time: datetime
    name: ConditionName
    component: Component
    severity: Severity


@dataclass(frozen=True, slots=True)
class PastCondition:
    """What was the matter. It keeps the identifier that it had."""

    condition: DeviceCondition
    clear_time: datetime


@dataclass(frozen=True, slots=True)
class ScannerStatus:
    """``time`` is the device's clock now. No ``reasons`` are told as "None". ``history`` is oldest first."""

    time: datetime
    state: ScannerState
    reasons: tuple[ScannerStateReason, ...] = ()
    active: tuple[DeviceCondition, ...] = ()
    history: tuple[PastCondition, ...] = ()


@dataclass(frozen=True, slots=True)
class JobStatus:
    """For WS-DSD a job ends when its last image has been digitized. ``scans_completed`` counts images, two for a
    duplex sheet; ``completed`` is None until the end; no ``reasons`` are told as "None"."""

    id: int
    state: JobState
    reasons: tuple[JobStateReason, ...]
    scans_completed: int
    created: datetime
    completed: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A line of the list of jobs. At most 255 characters of ``name`` and ``user`` are told."""

    id: int
    name: str
    user: str
    state: JobState
    reasons: tuple[JobStateReason, ...]
    scans_completed: int


@dataclass(frozen=True, slots=True)
class JobView:
    """All that can be asked of one job: ``ticket`` as requested, ``final`` what became of it, ``documents`` the
    name of each image."""

    summary: JobSummary
    status: JobStatus
    ticket: ScanTicket
    final: Sequence[Reported]
    documents: tuple[str, ...]
