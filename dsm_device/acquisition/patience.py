"""How long to wait for a scanner that cannot be opened just now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from dsm_device.errors import ScannerBusy, ScannerIoError, ScannerWarmingUp

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait before each further try.

    While others use the scanner, while its lamp warms up, and when it does not answer at first because it slept.
    No further try to wake it up begins later than ``waking_limit_s`` after the first: some scanners take half a
    minute to say that there is nobody.
    """

    busy_s: Sequence[float] = (1, 2, 4, 8, 15)
    warming_up_s: Sequence[float] = (1,) * 60
    waking_s: Sequence[float] = (1, 4)
    waking_limit_s: float = 15.0

    async def with_scanner(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """What ``attempt`` gives in the end. Raises what it raised last."""
        loop = asyncio.get_running_loop()
        asleep_until = loop.time() + self.waking_limit_s
        waits = {
            ScannerBusy: iter(self.busy_s),
            ScannerWarmingUp: iter(self.warming_up_s),
            ScannerIoError: iter(self.waking_s),
        }
        while True:
            try:
                return await attempt()
            except (ScannerBusy, ScannerWarmingUp, ScannerIoError) as error:
                wait_s = next(waits[type(error)], None)
                is_late = isinstance(error, ScannerIoError) and loop.time() > asleep_until
                if wait_s is None or is_late:
                    raise
            await asyncio.sleep(wait_s)


#: Of a job that wants the scanner.
OPENING: Final = Patience()
#: Of whoever only wants to know how it is.
AT_ONCE: Final = Patience((), (), ())
