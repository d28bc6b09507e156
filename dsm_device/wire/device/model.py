"""What the console is told of scanner and jobs: values without behaviour, in the words of WS-Scan.

Times have a time zone and are told in UTC. Sources: WS-DSD, sections on description, status, jobs and keywords.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from dsm_device.wire.final_parameters import Reported
from dsm_device.wire.ticket import ScanTicket


class ScannerState(StrEnum):
    """wscn:ScannerState."""

    IDLE = "Idle"
    PROCESSING = "Processing"
    STOPPED = "Stopped"


class StateReason(StrEnum):
    """wscn:ScannerStateReason."""

    ATTENTION_REQUIRED = "AttentionRequired"
    CALIBRATING = "Calibrating"
    COVER_OPEN = "CoverOpen"
    INTERLOCK_OPEN = "InterlockOpen"
    INTERNAL_STORAGE_FULL = "InternalStorageFull"
    LAMP_ERROR = "LampError"
    LAMP_WARMING = "LampWarming"
    MEDIA_JAM = "MediaJam"
    MULTIPLE_FEED_ERROR = "MultipleFeedError"
    NONE = "None"
    PAUSED = "Paused"


class ConditionName(StrEnum):
    """wscn:DeviceCondition/Name."""

    CALIBRATING = "Calibrating"
    COVER_OPEN = "CoverOpen"
    INPUT_TRAY_EMPTY = "InputTrayEmpty"
    INTERLOCK_OPEN = "InterlockOpen"
    INTERNAL_STORAGE_FULL = "InternalStorageFull"
    LAMP_ERROR = "LampError"
    LAMP_WARMING = "LampWarming"
    MEDIA_JAM = "MediaJam"
    MULTIPLE_FEED_ERROR = "MultipleFeedError"


class Component(StrEnum):
    """wscn:DeviceCondition/Component."""

    ADF = "ADF"
    FILM = "Film"
    MEDIA_PATH = "MediaPath"
    PLATEN = "Platen"


class Severity(StrEnum):
    """wscn:DeviceCondition/Severity: no effect; may become critical; the scanner cannot go on."""

    INFORMATIONAL = "Informational"
    WARNING = "Warning"
    CRITICAL = "Critical"


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
    reasons: tuple[StateReason, ...] = ()
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
