"""What the console is told, as it is now: scanner, offer, tickets, jobs; and each change of it, as an event.

Nothing here waits: what takes time (the offer made of a scanner's capabilities) is worked out beside the loop when
they change, and is there until it is replaced.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from dsm_device import __version__
from dsm_device.errors import ScannerError, SpoolError, TicketRefused
from dsm_device.hardware import Capabilities
from dsm_device.imaging.available import written_formats
from dsm_device.job import configuration, validation
from dsm_device.job.habits import Habits
from dsm_device.job.model import Job
from dsm_device.job.plan import Plan
from dsm_device.job.scanner_state import ConditionCleared, ConditionReported, SummaryChanged
from dsm_device.job.validation import Validation
from dsm_device.spool import Spool
from dsm_device.wire.device.configuration import Configuration
from dsm_device.wire.device.events import (
    DeviceEvent,
    ScannerElementsChangeEvent,
    ScannerStatusConditionClearedEvent,
    ScannerStatusConditionEvent,
    ScannerStatusSummaryEvent,
)
from dsm_device.wire.device.model import JobSummary, JobView, ScannerDescription, ScannerStatus
from dsm_device.wire.hosting import HostMetadata, ThisDevice, ThisModel, hosted_services
from dsm_device.wire.ticket import ScanTicket

from .console_jobs import ConsoleJobs
from .scan_observer import ScanObserver, harmless
from .scanner_keeper import ScannerKeeper
from .scanner_memory import backend_of
from .scanner_watch import CapabilitiesChanged, Change, ScannerWatch
from .watch_pace import WatchPolicy

_log = logging.getLogger(__name__)

#: How long a scanner that was never seen may take to be opened and read.
FIRST_LOOK_S: Final = 8.0
#: How long it is not watched after a defect.
ILL_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Label:
    """What an administrator has called the device, and where it stands."""

    name: str
    location: str = ""


@dataclass(frozen=True, slots=True)
class _Offer:
    """Worked out of a scanner's capabilities; each is None where nothing can be scanned."""

    configuration: Configuration | None = None
    default_ticket: ScanTicket | None = None


class ConsoleDesk(ScanObserver):
    """Implements :class:`~dsm_device.server.device_view.DeviceView`, and watches scanner and jobs for it.

    ``is_watched``: whether anybody has subscribed; ``is_shared``: other programs use the scanner as well.
    ``on_metadata`` is called where :meth:`metadata` is another.
    """

    def __init__(
        self,
        label: Label,
        uuid: str,
        *,
        keeper: ScannerKeeper,
        spool: Spool,
        state_dir: Path,
        habits: Callable[[], Habits],
        publish: Callable[[DeviceEvent], None],
        is_watched: Callable[[], bool],
        is_shared: bool = False,
        on_metadata: Callable[[], None] = lambda: None,
    ) -> None:
        self._label = label
        self._uuid = uuid
        self._spool = spool
        self._habits = habits
        self._publish = publish
        self._on_metadata = on_metadata
        self._watch = ScannerWatch(
            keeper, state_dir, self._changed, _now, is_watched=is_watched, policy=WatchPolicy(is_shared=is_shared)
        )
        self._jobs = ConsoleJobs(publish, _now)
        self._offer = _Offer()
        self._is_known = asyncio.Event()
        self._first_look_until: float | None = None
        self._refreshing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._description = self._describe()
        self._metadata = self._describe_host()

    async def prepare(self) -> None:
        """Read what is known from before. To be called once, before anybody asks."""
        await self._refresh_offer()
        self._jobs.remember(await asyncio.to_thread(self._spool.all_jobs))

    async def run(self) -> None:
        """Watch the scanner until this is cancelled, which is to be before the keeper is closed."""
        try:
            while True:
                await self._watched()
        finally:
            for task in self._tasks:
                task.cancel()

    async def _watched(self) -> None:
        """A defect here costs what the console sees of the scanner for a while, and no job."""
        try:
            await self._watch.run()
        except Exception:
            _log.exception("the scanner cannot be watched right now")
            await asyncio.sleep(ILL_S)

    def settings_changed(self, label: Label) -> None:
        self._label = label
        description = self._describe()
        if description != self._description:
            self._description = description
            self._publish(ScannerElementsChangeEvent(description=description))
        self._renew_metadata()
        self._in_background(self._refresh_offer())

    def note_interest(self) -> None:
        """Somebody has subscribed."""
        self._watch.note_interest()

    # ------------------------------------------------------------------------------ what can be asked

    async def ready(self) -> None:
        """Where nobody has looked at the scanner yet, until somebody has: the first question wakes it."""
        if self._is_known.is_set():
            return
        self._watch.note_interest()
        now_s = asyncio.get_running_loop().time()
        if self._first_look_until is None:
            self._first_look_until = now_s + FIRST_LOOK_S
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_known.wait(), max(0.0, self._first_look_until - now_s))

    def metadata(self) -> HostMetadata:
        return self._metadata

    def description(self) -> ScannerDescription:
        return self._description

    def status(self) -> ScannerStatus:
        self._watch.note_interest()
        return self._status()

    def configuration(self) -> Configuration | None:
        return self._offer.configuration

    def default_ticket(self) -> ScanTicket | None:
        return self._offer.default_ticket

    def active_jobs(self) -> Sequence[JobSummary]:
        return self._jobs.active()

    def job_history(self) -> Sequence[JobSummary]:
        return self._jobs.history()

    def job(self, job_id: int) -> JobView | None:
        return self._jobs.find(job_id)

    def validate(self, ticket: ScanTicket) -> Validation | None:
        capabilities = self._watch.capabilities
        if capabilities is None:
            return None
        return validation.validate(capabilities, ticket, written_formats(), self._habits())

    # ------------------------------------------------------------------------------- what jobs meet

    @harmless
    def refused(self, error: ScannerError) -> None:
        self._watch.job_failed(error)

    @harmless
    def began(self, job: Job, plan: Plan) -> None:
        self._watch.storage(is_full=False)  # looked at before the scanner was asked for
        self._watch.job_began(plan.settings.source)
        self._jobs.began(job)

    @harmless
    def arriving(self) -> None:
        self._watch.page_acquired()

    @harmless
    def image(self, job_id: str) -> None:
        self._watch.page_acquired()
        self._jobs.image(job_id)

    @harmless
    def waits(self, job_id: str, error: ScannerError) -> None:
        self._watch.job_waits(error)
        self._jobs.waits(job_id)

    @harmless
    def ended(self, job_id: str, error: BaseException | None) -> None:
        if isinstance(error, ScannerError):
            self._watch.job_failed(error)
        if isinstance(error, SpoolError):
            self._watch.storage(is_full=True)
        self._watch.job_ended()
        self._jobs.ended(job_id, error)

    # ---------------------------------------------------------------------------------- what changes

    def _changed(self, changes: Sequence[Change]) -> None:
        for change in changes:
            match change:
                case ConditionReported():
                    self._publish(ScannerStatusConditionEvent(change.condition))
                case ConditionCleared():
                    self._publish(ScannerStatusConditionClearedEvent(change.condition.id, change.clear_time))
                case SummaryChanged():
                    self._publish(ScannerStatusSummaryEvent(self._status()))
                case CapabilitiesChanged():
                    self._renew_metadata()
                    self._in_background(self._refresh_offer())

    def _status(self) -> ScannerStatus:
        seen = self._watch.snapshot()
        return ScannerStatus(_now(), seen.state, seen.reasons, seen.active, seen.history)

    async def _refresh_offer(self) -> None:
        """Work out what can be asked for, and tell what of it has changed."""
        async with self._refreshing:
            capabilities, habits = self._watch.capabilities, self._habits()
            if capabilities is None:
                return
            new = await asyncio.to_thread(_offer_of, capabilities, habits)
            old, self._offer = self._offer, _kept_where_equal(self._offer, new)
            self._is_known.set()
        changed = ScannerElementsChangeEvent(
            configuration=None if new.configuration == old.configuration else new.configuration,
            default_ticket=None if new.default_ticket == old.default_ticket else new.default_ticket,
        )
        if changed != ScannerElementsChangeEvent():
            self._publish(changed)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ------------------------------------------------------------------------------- who this device is

    def _describe(self) -> ScannerDescription:
        return ScannerDescription(self._label.name, location=self._label.location)

    def _describe_host(self) -> HostMetadata:
        vendor, model = _scanner_names(self._watch.capabilities)
        return HostMetadata(
            self._uuid,
            ThisDevice(self._label.name, __version__, self._uuid[:8]),
            ThisModel(vendor, "", model, __version__, ""),
            hosted_services(_hardware_id(vendor, model)),
        )

    def _renew_metadata(self) -> None:
        metadata = self._describe_host()
        if metadata != self._metadata:
            self._metadata = metadata
            self._on_metadata()


def _now() -> datetime:
    return datetime.now(UTC)


def _offer_of(capabilities: Capabilities, habits: Habits) -> _Offer:
    formats = written_formats()
    shown = configuration.configuration(validation.possible_offer(capabilities, formats, habits))
    try:
        ticket = validation.default_ticket(capabilities, formats, habits)
    except TicketRefused:
        return _Offer()
    return _Offer(shown, ticket)


def _kept_where_equal(old: _Offer, new: _Offer) -> _Offer:
    """What was rendered of a value is kept by its identity."""
    if new.configuration == old.configuration:
        new = replace(new, configuration=old.configuration)
    if new.default_ticket == old.default_ticket:
        new = replace(new, default_ticket=old.default_ticket)
    return new


def _scanner_names(capabilities: Capabilities | None) -> tuple[str, str]:
    """Vendor and model for people; of a name that changes with the port (``fujitsu:001:004``) only what stays."""
    scanner = capabilities.scanner if capabilities else None
    if scanner is None:
        return "dsm-device", "DSM scanner"
    return scanner.vendor or "dsm-device", scanner.model or backend_of(scanner.device) or "DSM scanner"


def _hardware_id(vendor: str, model: str) -> str:
    """Names this kind of scanner to Windows (PnP-X, HardwareId)."""

    def word(text: str) -> str:
        return "".join(each if each.isascii() and each.isalnum() else "_" for each in text)[:40]

    return f"VEN_{word(vendor)}&DEV_{word(model)}"
