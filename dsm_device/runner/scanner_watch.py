"""Knows how the scanner is, as long as somebody wants to know: what jobs meet, and what sensors say between them.

Between jobs the sensors are read while somebody watches, and while the scanner is still open after a job. Nobody
watches an idle device for ever; then it is released and may sleep, and the next question wakes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from dsm_device.acquisition.patience import AT_ONCE, Patience
from dsm_device.errors import DsmError
from dsm_device.hardware import Capabilities, InputSource, Sensors
from dsm_device.job.scanner_state import Change as StateChange
from dsm_device.job.scanner_state import ScannerBoard, ScannerSnapshot
from dsm_device.wire.device.model import Component

from . import capabilities_memory
from .condition_ids import ConditionIds
from .scanner_keeper import ScannerKeeper
from .usb_devices import usb_devices
from .watch_pace import WatchPace, WatchPolicy

#: Of the first look, which may have to wake the scanner. One that others use is not waited for.
_WAKING: Final = Patience((), (), (1, 4))
#: A scanner that is held open is released so many polls after the last.
_HELD_POLLS: Final = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CapabilitiesChanged:
    """What the scanner can do, or who it is, is known for the first time or is another than before."""

    capabilities: Capabilities


Change = StateChange | CapabilitiesChanged


class ScannerWatch:
    """Keeps :meth:`snapshot` and ``capabilities`` current while :meth:`run` runs, and tells each change.

    ``on_change`` hears of what happened at once in one call, in the order in which it is to be told. ``clock``
    gives the time of day, with its zone. ``is_watched``: whether somebody has subscribed; when that begins,
    :meth:`note_interest` is to be called too. A job waits for the reading of the sensors that is under way, and
    for an opening that it would have to make itself, and else for no look.
    """

    def __init__(
        self,
        keeper: ScannerKeeper,
        state_dir: Path,
        on_change: Callable[[Sequence[Change]], None],
        clock: Callable[[], datetime],
        *,
        is_watched: Callable[[], bool] = lambda: False,
        policy: WatchPolicy = WatchPolicy(),  # noqa: B008 - immutable
    ) -> None:
        self.capabilities = capabilities_memory.recall(state_dir, keeper.choice)
        self._keeper = keeper
        self._state_dir = state_dir
        self._on_change = on_change
        self._clock = clock
        self._is_subscribed = is_watched
        self._policy = policy
        self._pace = WatchPace(policy)
        self._ids = ConditionIds(state_dir)
        self._board = ScannerBoard(self._ids)
        self._jobs = 0
        self._wake = asyncio.Event()
        self._unsaved = False
        keeper.on_opened = self._learn

    def snapshot(self) -> ScannerSnapshot:
        """How the scanner is, as far as is known."""
        return self._board.snapshot()

    async def run(self) -> None:
        """Until it is cancelled, which is to be before the keeper is closed."""
        await asyncio.to_thread(self._ids.write_ahead)
        while True:
            self._wake.clear()
            await self._save()
            await self._look_if_due()
            await self._pause()

    def note_interest(self) -> None:
        """Somebody asks how the scanner is, or has subscribed to be told."""
        self._pace.note_interest(_now())
        self._wake.set()

    # ------------------------------------------------------------------------------- of a job

    def job_began(self, source: InputSource) -> None:
        """A job has got the scanner; :meth:`job_ended` will follow. Meanwhile nobody looks."""
        self._jobs += 1
        self._tell(self._board.job_began(source, self._clock()))

    def job_waits(self, error: DsmError) -> None:
        """The job goes on when a person has done something about ``error``."""
        self._tell(self._board.job_waits(error, self._clock()))

    def job_failed(self, error: DsmError) -> None:
        """A job was given up; also one that never got the scanner, of which nothing else is told."""
        self._tell(self._board.job_failed(error, self._clock()))

    def page_acquired(self) -> None:
        """A page has arrived, or some lines of it: whatever was in its way is gone."""
        self._tell(self._board.page_acquired(self._clock()))

    def job_ended(self) -> None:
        """However it ended, the scanner is free again."""
        self._jobs = max(0, self._jobs - 1)
        self._tell(self._board.job_ended(self._clock()))
        self._pace.note_free(_now())
        self._wake.set()

    # ----------------------------------------------------------------------------- of the device

    def storage(self, *, is_full: bool) -> None:
        """Whether there is no room for pages."""
        self._tell(self._board.storage(self._clock(), is_full=is_full))

    def pause(self, *, is_paused: bool) -> None:
        """Whether an operator has paused the scanner."""
        self._tell(self._board.pause(self._clock(), is_paused=is_paused))

    def acknowledge(self) -> None:
        """A person says that all has been put right."""
        self._tell(self._board.acknowledge(self._clock()))

    # -------------------------------------------------------------------------------- looking

    def _may_open(self) -> bool:
        """Whether somebody watches, and the scanner may be opened for that."""
        is_watched = self._pace.is_wanted(_now()) or self._is_subscribed()
        return is_watched and (not self._policy.is_shared or self.capabilities is None)

    async def _look_if_due(self) -> None:
        if self._jobs:
            return
        may_open = self._may_open()
        if may_open and self._pace.wants_usb:
            self._pace.note_usb(usb_devices(), _now())
        if not (may_open or self._keeper.is_open):
            self._tell(self._board.looked_away(self._clock()))
        elif self._pace.is_due(_now()):
            await self._look(may_open=may_open)

    async def _look(self, *, may_open: bool) -> None:
        began = _now()
        try:
            found = await self._sensors(began, may_open=may_open)
        except (DsmError, OSError) as error:
            self._pace.failed(error, began, _now())
            _log.debug("the scanner was looked at in vain: %s", error)
            if isinstance(error, DsmError):
                self._tell(self._board.look_failed(error, self._clock()))
            await self._get_ready()
            return
        if found is None:
            self._pace.was_in_use(_now())
            return
        self._pace.saw(_now(), is_blind=found.is_blind)
        if not self._jobs:
            self._tell(self._board.sensed(found, self._clock(), self._cover()))

    async def _sensors(self, now: float, *, may_open: bool) -> Sensors | None:
        if not may_open:
            return await self._keeper.look()
        is_lost = self._pace.is_failing
        return await self._keeper.look(
            AT_ONCE if is_lost else _WAKING,
            hold_s=0 if self._policy.is_shared else _HELD_POLLS * self._policy.poll_s,
            anew=is_lost and self._pace.takes_new_process(now),
        )

    async def _get_ready(self) -> None:
        """A process that was ended is replaced at once: it starts up until it is needed, by a job or a look."""
        with suppress(DsmError, OSError):
            await self._keeper.prepare()

    async def _pause(self) -> None:
        wait_s = None
        if not self._jobs:
            wait_s = self._pace.wait_s(_now(), may_open=self._may_open(), is_open=self._keeper.is_open)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()

    def _cover(self) -> Component:
        sources = self.capabilities.sources if self.capabilities else ()
        has_feeder = any(each.source.is_feeder for each in sources)
        return Component.ADF if has_feeder or not sources else Component.PLATEN

    # ------------------------------------------------------------------------------- telling

    def _tell(self, changes: Sequence[Change]) -> None:
        if changes:
            self._on_change(changes)

    def _learn(self, capabilities: Capabilities) -> None:
        """The scanner was opened."""
        known, self.capabilities = self.capabilities, capabilities
        if capabilities != known:
            self._unsaved = True
            self._wake.set()
            self._tell((CapabilitiesChanged(capabilities),))

    async def _save(self) -> None:
        if self._unsaved and self.capabilities is not None:
            self._unsaved = False
            choice = self._keeper.choice
            await asyncio.to_thread(capabilities_memory.remember, self._state_dir, choice, self.capabilities)


def _now() -> float:
    return asyncio.get_running_loop().time()
