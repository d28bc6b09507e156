"""What scan servers tell of jobs, put up until the job that it is about asks for it.

An event may overtake the answer to the very request that causes it, so that nobody knows its job yet. Every
subscriber hears of every job, also of those of other devices. Source: WS-DSP, events.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from dsm_device.wire.processing import JobStatus

#: Statuses of one job that nobody has asked for yet; beyond it the oldest are dropped, never the last.
_STATUSES: Final = 64
#: A token is a GUID; a longer one is of no server in use.
_TOKEN_LENGTH: Final = 1_024


class EventSource(Protocol):
    """Where a delivery hears of its post-scan jobs."""

    async def subscribe(self) -> bool:
        """To be called before a job is created. True where events are to be expected.

        Never raises; takes a few seconds at most.
        """
        ...

    async def next_status(self, token: str, wait_s: float) -> JobStatus | None:
        """What is told of that job next, at the latest after ``wait_s``; None where nothing was."""
        ...


@dataclass(slots=True)
class _Notes:
    """Of one job. ``touched`` is when anybody last wrote or asked, ``is_asked_for`` whether somebody ever did.

    Small, since there is one for each job of the last half minute, of whatever device it is.
    """

    touched: float
    is_asked_for: bool = False
    is_over: bool = False
    latest: JobStatus | None = None
    waiting: list[JobStatus] = field(default_factory=list)
    #: Of whoever waits.
    arrived: asyncio.Event | None = None


class EventBoard:
    """For any number of servers and jobs in one event loop; its memory is bounded whatever arrives."""

    def __init__(
        self,
        *,
        unknown_s: float = 30.0,
        asked_s: float = 3_600.0,
        jobs: int = 1_024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Notes of a job that nobody asks for are kept ``unknown_s``, of others ``asked_s`` since somebody did."""
        self._unknown_s = unknown_s
        self._asked_s = asked_s
        self._limit = jobs
        self._clock = clock
        self._notes: OrderedDict[str, _Notes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._notes)

    def post(self, status: JobStatus) -> None:
        """Puts up what is new in it: repetitions, and what steps back from a final state, are dropped."""
        if len(status.job_token) > _TOKEN_LENGTH:
            return
        notes = self._notes_of(status.job_token)
        if notes.is_over or status == notes.latest:
            return
        if status.is_final:
            # It says all: nobody needs what came before it, nor the same end in other words after it.
            notes.waiting.clear()
            notes.is_over = True
        notes.latest = status
        notes.waiting.append(status)
        del notes.waiting[:-_STATUSES]
        if notes.arrived is not None:
            notes.arrived.set()

    async def next_status(self, token: str, wait_s: float) -> JobStatus | None:
        """As :meth:`EventSource.next_status`. One task at a time asks for a job."""
        notes = self._notes_of(token)
        notes.is_asked_for = True
        if not notes.waiting:
            await self._wait(notes, wait_s)
        status = notes.waiting.pop(0) if notes.waiting else None
        if notes.is_over and not notes.waiting:
            # Kept for a moment only, and without the status, so that late repetitions are known as such.
            notes.is_asked_for = False
            notes.latest = None
        return status

    async def _wait(self, notes: _Notes, wait_s: float) -> None:
        """Until something is put up, or so long."""
        mine = notes.arrived = asyncio.Event()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await mine.wait()
        finally:
            if notes.arrived is mine:
                notes.arrived = None
            notes.touched = self._clock()

    def _notes_of(self, token: str) -> _Notes:
        self._tidy()
        notes = self._notes.setdefault(token, _Notes(self._clock()))
        notes.touched = self._clock()
        self._notes.move_to_end(token)
        return notes

    def _tidy(self) -> None:
        """Forgets what is out of date, and where there is too much, what nobody asked for and then the oldest."""
        now = self._clock()
        for token in [token for token, notes in self._notes.items() if self._is_stale(notes, now)]:
            del self._notes[token]
        spare = [token for token, notes in self._notes.items() if notes.arrived is None]
        spare.sort(key=lambda token: self._notes[token].is_asked_for)
        for token in spare[: max(0, len(self._notes) + 1 - self._limit)]:
            del self._notes[token]

    def _is_stale(self, notes: _Notes, now: float) -> bool:
        kept_s = self._asked_s if notes.is_asked_for else self._unknown_s
        return notes.arrived is None and now - notes.touched > kept_s
