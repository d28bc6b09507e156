"""What the console's endpoint needs to know, as it stands at this moment. But for
:meth:`~DeviceView.ready` nothing here waits or reads anything.

The runner keeps the view current. Values that do not change are the same objects each time: what was rendered of
them is kept by identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dsm_device.job.validation import Validation
from dsm_device.wire.device.configuration import Configuration
from dsm_device.wire.device.model import JobSummary, JobView, ScannerDescription, ScannerStatus
from dsm_device.wire.hosting import HostMetadata
from dsm_device.wire.ticket import ScanTicket


class DeviceView(Protocol):
    """None where something is not known yet, since the scanner has never been seen: the answer is then a fault
    that says "later" (``wscn:ServerErrorTemporaryError``)."""

    async def ready(self) -> None:
        """Waits for what is about to be known, where a scanner is looked at for the first time. Always returns."""
        ...

    def metadata(self) -> HostMetadata:
        """Device, model and hosted services."""
        ...

    def description(self) -> ScannerDescription: ...

    def status(self) -> ScannerStatus | None: ...

    def configuration(self) -> Configuration | None: ...

    def default_ticket(self) -> ScanTicket | None:
        """A valid ticket with a value for everything that the device supports."""
        ...

    def active_jobs(self) -> Sequence[JobSummary]:
        """Every job that has not been scanned to its end, oldest first."""
        ...

    def job_history(self) -> Sequence[JobSummary]:
        """Jobs that have ended, oldest first."""
        ...

    def job(self, job_id: int) -> JobView | None:
        """The job of that number, active or past; None where there is none, or it is forgotten."""
        ...

    def validate(self, ticket: ScanTicket) -> Validation | None:
        """Holds a ticket, which may be sparse and wrong, against the scanner. Called in another thread.

        Raises :class:`~dsm_device.errors.TicketConflict` where settings that must be honoured exclude each other.
        """
        ...
