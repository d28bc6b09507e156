"""The state of the scanner as WS-DSD tells it: what is known becomes conditions, reasons, a state, and events.

Source: WS-DSD 7, 10 and 11, and the table of SANE statuses in the mapping from SANE, section 6. No I/O, no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from dsm_device.errors import (
    Cancelled,
    DriverError,
    DsmError,
    MultipleFeed,
    ScannerAccessDenied,
    ScannerBusy,
    ScannerCoverOpen,
    ScannerCrashed,
    ScannerHung,
    ScannerIoError,
    ScannerJammed,
    ScannerLocked,
    ScannerNoDocuments,
    ScannerNoMemory,
    ScannerNotFound,
    ScannerWarmingUp,
)
from dsm_device.hardware import InputSource, Sensors
from dsm_device.wire.device.model import (
    Component,
    ConditionName,
    DeviceCondition,
    PastCondition,
    ScannerState,
    Severity,
    StateReason,
)

HISTORY: Final = 50


@dataclass(frozen=True, slots=True)
class ScannerSnapshot:
    """All of it at one moment. ``reasons`` is never empty: ``None`` alone says that there is none.

    ``history`` holds the last :data:`HISTORY` conditions that have gone, the latest at its end.
    """

    state: ScannerState = ScannerState.IDLE
    reasons: tuple[StateReason, ...] = (StateReason.NONE,)
    active: tuple[DeviceCondition, ...] = ()
    history: tuple[PastCondition, ...] = ()


@dataclass(frozen=True, slots=True)
class ConditionReported:
    """A condition is new, or its severity is: ScannerStatusConditionEvent."""

    condition: DeviceCondition


@dataclass(frozen=True, slots=True)
class ConditionCleared:
    """A condition that was reported has gone: ScannerStatusConditionClearedEvent."""

    condition: DeviceCondition
    clear_time: datetime


@dataclass(frozen=True, slots=True)
class SummaryChanged:
    """The state or the set of reasons is another: ScannerStatusSummaryEvent."""

    state: ScannerState
    reasons: tuple[StateReason, ...]


Change = ConditionReported | ConditionCleared | SummaryChanged
#: What happened at once, in the order in which it is told: what has gone, what has come, the summary.
Changes = tuple[Change, ...]

_Fact = tuple[ConditionName, Component]
_TRAY_EMPTY: Final[_Fact] = (ConditionName.INPUT_TRAY_EMPTY, Component.ADF)
_STORAGE_FULL: Final[_Fact] = (ConditionName.INTERNAL_STORAGE_FULL, Component.MEDIA_PATH)
_LAMP_WARMING: Final[_Fact] = (ConditionName.LAMP_WARMING, Component.PLATEN)
_INTERLOCK_OPEN: Final[_Fact] = (ConditionName.INTERLOCK_OPEN, Component.PLATEN)
_JAM: Final[_Fact] = (ConditionName.MEDIA_JAM, Component.ADF)
_DOUBLE_FEED: Final[_Fact] = (ConditionName.MULTIPLE_FEED_ERROR, Component.ADF)
#: Errors with a condition of their own; the first that fits counts.
_FACTS: Final[tuple[tuple[type[DsmError], _Fact], ...]] = (
    (MultipleFeed, _DOUBLE_FEED),
    (ScannerJammed, _JAM),
    (ScannerNoDocuments, _TRAY_EMPTY),
    (ScannerNoMemory, _STORAGE_FULL),
    (ScannerLocked, _INTERLOCK_OPEN),
)
#: Errors that want a person and for which there is no condition.
_UNWELL: Final = (
    ScannerIoError,
    ScannerNotFound,
    ScannerAccessDenied,
    ScannerHung,
    ScannerCrashed,
    DriverError,
)
#: What an interlock and an empty tray are among the reasons, which have no words for them.
_REASONS: Final = {
    ConditionName.INPUT_TRAY_EMPTY: StateReason.ATTENTION_REQUIRED,
    ConditionName.INTERLOCK_OPEN: StateReason.ATTENTION_REQUIRED,
}


class ScannerBoard:
    """Keeps what is known of the scanner. Every method but :meth:`snapshot` returns what changed by it.

    ``next_id`` gives a number for each new condition, 1 to 2147483647, as far as possible never the same twice.
    """

    def __init__(self, next_id: Callable[[], int]) -> None:
        self._next_id = next_id
        self._facts: set[_Fact] = set()
        self._active: dict[_Fact, DeviceCondition] = {}
        self._history: deque[PastCondition] = deque(maxlen=HISTORY)
        self._told: tuple[ScannerState, tuple[StateReason, ...]] = ScannerState.IDLE, (StateReason.NONE,)
        self._sensors = Sensors()
        self._source = InputSource.PLATEN
        self._jobs = 0
        self._waits_for: _Fact | None = None
        self._is_unwell = False
        self._is_busy = False
        self._is_paused = False

    def snapshot(self) -> ScannerSnapshot:
        state, reasons = self._told
        return ScannerSnapshot(state, reasons, tuple(self._active.values()), tuple(self._history))

    # ---------------------------------------------------------------------------- between two jobs

    def sensed(self, sensors: Sensors, now: datetime, cover: Component = Component.ADF) -> Changes:
        """A reading succeeded. ``cover`` is where the scanner has its cover."""
        self._is_unwell = self._is_busy = False
        self._facts.discard(_LAMP_WARMING)
        if sensors.cover_open is not None:
            self._note_cover(cover, is_open=sensors.cover_open)
        if sensors.page_loaded is not None:
            self._note(_TRAY_EMPTY, holds=not sensors.page_loaded)
        if self._sensors.double_feed and sensors.double_feed is False:
            self._facts.discard(_DOUBLE_FEED)
        self._sensors = sensors
        return self._settle(now)

    def look_failed(self, error: DsmError, now: datetime) -> Changes:
        """The scanner could not be opened, or its sensors not be read."""
        if isinstance(error, Cancelled):
            return ()
        self._is_busy = isinstance(error, ScannerBusy)
        self._is_unwell = not isinstance(error, ScannerBusy | ScannerWarmingUp)
        self._note_error(error)
        return self._settle(now)

    def looked_away(self, now: datetime) -> Changes:
        """Nobody looks any more whether others still use the scanner, or its lamp is still cold."""
        self._is_busy = False
        self._facts.discard(_LAMP_WARMING)
        return self._settle(now)

    # -------------------------------------------------------------------------------- of a job

    def job_began(self, source: InputSource, now: datetime) -> Changes:
        """A job has got the scanner; :meth:`job_ended` will follow."""
        self._jobs += 1
        self._source = source
        self._is_busy = False
        return self._settle(now)

    def job_waits(self, error: DsmError, now: datetime) -> Changes:
        """The job cannot go on before a person has done something."""
        self._note_error(error)
        self._waits_for = next((fact for kind, fact in _FACTS if isinstance(error, kind)), None)
        return self._settle(now)

    def job_failed(self, error: DsmError, now: datetime) -> Changes:
        """A job was given up, also one that never got the scanner."""
        if not isinstance(error, ScannerWarmingUp):
            self._note_error(error)
        return self._settle(now)

    def page_acquired(self, now: datetime) -> Changes:
        """Paper moves: nothing can be in its way."""
        ways = {Component.ADF} if self._source.is_feeder else {Component.PLATEN, Component.FILM}
        over = {_LAMP_WARMING, _INTERLOCK_OPEN, _STORAGE_FULL}
        self._facts = {fact for fact in self._facts if fact not in over and fact[1] not in ways}
        self._waits_for = None
        self._is_unwell = False
        return self._settle(now)

    def job_ended(self, now: datetime) -> Changes:
        """The scanner is free again, however the job ended."""
        self._jobs = max(0, self._jobs - 1)
        self._waits_for = None
        self._facts.discard(_LAMP_WARMING)
        return self._settle(now)

    # -------------------------------------------------------------------------- of the device

    def storage(self, now: datetime, *, is_full: bool) -> Changes:
        """Whether there is no room for pages."""
        self._note(_STORAGE_FULL, holds=is_full)
        return self._settle(now)

    def pause(self, now: datetime, *, is_paused: bool) -> Changes:
        """Whether an operator has paused the scanner."""
        self._is_paused = is_paused
        return self._settle(now)

    def acknowledge(self, now: datetime) -> Changes:
        """Somebody says that all has been put right. What a sensor still sees stays."""
        sensed = set()
        if self._sensors.page_loaded is False:
            sensed.add(_TRAY_EMPTY)
        if self._sensors.cover_open:
            sensed |= {fact for fact in self._facts if fact[0] is ConditionName.COVER_OPEN}
        self._facts &= sensed
        self._is_unwell = False
        return self._settle(now)

    # ------------------------------------------------------------------------------ what is known

    def _note(self, fact: _Fact, *, holds: bool) -> None:
        if holds:
            self._facts.add(fact)
        else:
            self._facts.discard(fact)

    def _note_cover(self, cover: Component, *, is_open: bool) -> None:
        covers = {fact for fact in self._facts if fact[0] is ConditionName.COVER_OPEN}
        if is_open and not covers:
            self._facts.add((ConditionName.COVER_OPEN, cover))
        if not is_open and covers:
            # No sensor sees a jam: whoever opened the cover has cleared it.
            self._facts -= {*covers, _JAM, _DOUBLE_FEED}

    def _note_error(self, error: DsmError) -> None:
        if isinstance(error, ScannerCoverOpen):
            cover = Component.ADF if self._source.is_feeder else Component.PLATEN
            self._note_cover(cover, is_open=True)
        self._is_unwell = self._is_unwell or isinstance(error, _UNWELL)
        self._note(_LAMP_WARMING, holds=isinstance(error, ScannerWarmingUp))
        self._facts |= set([fact for kind, fact in _FACTS if isinstance(error, kind)][:1])

    # ----------------------------------------------------------------------------- what is told

    def _settle(self, now: datetime) -> Changes:
        return (*self._clear(now), *self._report(now), *self._summarise())

    def _clear(self, now: datetime) -> Iterator[Change]:
        for fact in [fact for fact in self._active if fact not in self._facts]:
            condition = self._active.pop(fact)
            self._history.append(PastCondition(condition, now))
            yield ConditionCleared(condition, now)

    def _report(self, now: datetime) -> Iterator[Change]:
        for fact in sorted(self._facts):
            severity, before = self._severity(fact), self._active.get(fact)
            if before is None:
                condition = DeviceCondition(self._next_id(), now, *fact, severity)
            elif before.severity is not severity:
                condition = replace(before, severity=severity)
            else:
                continue
            self._active[fact] = condition
            yield ConditionReported(condition)

    def _severity(self, fact: _Fact) -> Severity:
        if fact == _LAMP_WARMING:
            return Severity.INFORMATIONAL
        if fact == _TRAY_EMPTY and self._waits_for != fact:
            return Severity.WARNING
        return Severity.CRITICAL

    def _summarise(self) -> Iterator[Change]:
        summary = self._state(), self._reasons()
        if summary != self._told:
            self._told = summary
            yield SummaryChanged(*summary)

    def _state(self) -> ScannerState:
        is_stopped = any(each.severity is Severity.CRITICAL for each in self._active.values())
        if is_stopped or self._is_unwell or self._is_paused:
            return ScannerState.STOPPED
        if self._jobs or self._is_busy or _LAMP_WARMING in self._facts:
            return ScannerState.PROCESSING
        return ScannerState.IDLE

    def _reasons(self) -> tuple[StateReason, ...]:
        found = {_REASONS.get(name) or StateReason(name) for name, _ in self._facts}
        if self._is_unwell:
            found.add(StateReason.ATTENTION_REQUIRED)
        if self._is_paused:
            found.add(StateReason.PAUSED)
        return tuple(sorted(found, key=_place)) or (StateReason.NONE,)


def _place(reason: StateReason) -> tuple[bool, str]:
    """What is the matter before that somebody is to come: sane-airscan tells its user the first that it knows."""
    return reason is StateReason.ATTENTION_REQUIRED, reason
