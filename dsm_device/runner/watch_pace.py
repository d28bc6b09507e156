"""When the scanner is looked at: often enough for whoever watches, and else not at all, so that it can sleep.

No I/O and no clock: every method is told the time, in seconds of a clock that only rises.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from dsm_device.errors import ScannerCrashed, ScannerHung

#: A look that fails may be repeated for one part in so many of the time.
_SHARE: Final = 20
NEVER: Final = math.inf


@dataclass(frozen=True, slots=True)
class WatchPolicy:
    """How the scanner is watched, in seconds.

    ``poll_s``: between two readings. ``interest_s``: for how long after a question somebody still wants to know.
    ``in_use_s``: until the next try where a job has it. ``retry_max_s``: at most between two tries to reach a
    scanner that is gone or in use by others; ``ill_s``: where its driver crashed or hung. ``is_shared``: it is
    never kept open only to be watched.
    """

    poll_s: float = 1.0
    interest_s: float = 60.0
    in_use_s: float = 0.25
    retry_max_s: float = 30.0
    ill_s: float = 60.0
    is_shared: bool = False


class WatchPace:
    """Decides; :class:`~.scanner_watch.ScannerWatch` does."""

    def __init__(self, policy: WatchPolicy) -> None:
        self._policy = policy
        self._due = 0.0
        self._interest_until = -math.inf
        self._is_blind = False
        self._is_failing = False
        self._anew_at = -math.inf
        self._usb: Hashable = None
        self._has_changed = False

    def note_interest(self, now: float) -> None:
        """Somebody asks. The first question in a while is followed by a look."""
        if now >= self._interest_until and not self._is_failing:
            self._due = now
        self._interest_until = now + self._policy.interest_s

    def is_wanted(self, now: float) -> bool:
        """Whether somebody has asked lately."""
        return now < self._interest_until

    def note_usb(self, devices: Hashable, now: float) -> None:
        """What is plugged in. Another set than before is followed by a look, which may find another scanner."""
        if self._usb is not None and devices != self._usb:
            self._has_changed = True
            self._due = now
        self._usb = devices

    def note_free(self, now: float) -> None:
        """A job has given the scanner back."""
        self._due = now

    @property
    def wants_usb(self) -> bool:
        """Whether the sensors do not tell of a scanner that comes or goes."""
        return self._is_blind or self._is_failing

    @property
    def is_failing(self) -> bool:
        """Whether the last look failed."""
        return self._is_failing

    def is_due(self, now: float) -> bool:
        return now >= self._due

    def takes_new_process(self, now: float) -> bool:
        """Whether a scanner that could not be reached is looked for by a new process, which finds all there is.

        After something was plugged in or out, and now and then.
        """
        is_time = self._has_changed or now - self._anew_at >= self._policy.retry_max_s
        if is_time:
            self._has_changed, self._anew_at = False, now
        return is_time

    def wait_s(self, now: float, *, may_open: bool, is_open: bool) -> float | None:
        """How long until something is to be done, if nothing happens; None: until something happens."""
        if not (may_open or is_open):
            return None
        until_due = max(0.0, self._due - now)
        return min(until_due, self._policy.poll_s) if may_open else until_due

    # ---------------------------------------------------------------------------- after a look

    def saw(self, now: float, *, is_blind: bool) -> None:
        """It succeeded; ``is_blind``: there are no sensors, so another would tell no more."""
        self._is_failing, self._is_blind = False, is_blind
        self._due = NEVER if is_blind else now + self._policy.poll_s

    def was_in_use(self, now: float) -> None:
        self._due = now + self._policy.in_use_s

    def failed(self, error: Exception, began: float, now: float) -> None:
        """What takes long is tried less often, but for the starting of a process, which is seldom anyway."""
        took_s = now - began if self._is_failing and began != self._anew_at else 0.0
        self._is_failing = True
        wait_s = min(max(self._policy.poll_s, _SHARE * took_s), self._policy.retry_max_s)
        if isinstance(error, ScannerCrashed | ScannerHung):
            wait_s = self._policy.ill_s
        self._due = now + wait_s
