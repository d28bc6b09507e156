"""Both sides with a feeder that scans one: the stack is scanned, turned over, and scanned again.

The sheet that was last comes first the second time: with three sheets the backs are pages 6, 4 and 2.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from dsm_device.errors import ScannerError, ScannerNoDocuments
from dsm_device.hardware import ScanSettings
from dsm_device.imaging.formats import PageSpec
from dsm_device.job.plan import Plan

from .attendant import Attendant
from .events import Listener, StateChanged
from .intake import Intake, Numbering, UntilCancelled

#: How long an empty feeder is looked at for the turned stack, and how often.
PATIENCE_S: Final = 600.0
LOOK_EVERY_S: Final = 1.0

_ALL: Final = 2**31


class TwoPasses:
    """Takes the fronts, has the stack turned, and takes the backs."""

    def __init__(
        self, intake: Intake, attendant: Attendant, listener: Listener, until_cancelled: UntilCancelled
    ) -> None:
        self._intake = intake
        self._attendant = attendant
        self._listener = listener
        self._until_cancelled = until_cancelled

    async def run(self, plan: Plan) -> None:
        """Raises ``ScannerError`` where there are not as many backs as fronts; what was scanned is kept.

        The whole stack is fed both times, also where only some of its sides are wanted: what is left in the
        feeder would be taken for backs.
        """
        wanted = plan.images or _ALL
        fronts = await self._intake.take(plan.settings, plan.sides[:1], lambda image: _page(2 * image - 1, wanted))
        self._listener(StateChanged("device", "turn", f"turn the {fronts} sheets over and put them in again"))
        await self._until_cancelled(self._attendant.turn_stack(fronts))
        backs = await self._take_backs(
            plan.settings, plan.sides[-1:], lambda image: _page(2 * (fronts - image + 1), wanted)
        )
        if backs != fronts:
            raise ScannerError(
                f"{fronts} fronts were scanned and {backs} backs",
                "see whether sheets stuck together, and scan the stack again",
            )

    async def _take_backs(self, settings: ScanSettings, sides: tuple[PageSpec, ...], number: Numbering) -> int:
        """Wait for paper as long as the feeder is empty."""
        give_up_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await self._intake.take(settings, sides, number)
            except ScannerNoDocuments:
                if time.monotonic() > give_up_s:
                    raise
            await self._until_cancelled(asyncio.sleep(LOOK_EVERY_S))


def _page(n: int, wanted: int) -> int | None:
    return n if 1 <= n <= wanted else None
