"""When the power goes."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Final

from dsm_sim.scenario.device import Run
from tests.cuts.desk import PAGES

#: The longest that a moment lies behind its event, in seconds: as long as a page and its sending take.
_JITTER_S: Final = 0.08
#: From the start of a command to its end, roughly, in seconds.
_WHOLE_S: Final = 2.5


@dataclass(frozen=True)
class Moment:
    """``event``: of the client's JSON lines, the ``number``-th of it; or "" for the start of the command."""

    event: str
    number: int
    delay_s: float

    def __str__(self) -> str:
        return f"{self.delay_s:.3f} s after {self.event or 'the start'} {self.number or ''}".rstrip()


def draw(chance: random.Random) -> Moment:
    """Any moment of a ten-page scan; half of them are tied to what is seen of it."""
    if chance.random() < 0.3:
        return Moment("", 0, chance.uniform(0, _WHOLE_S))
    event = chance.choice(("created", "page", "page", "sent", "sent", "sent", "state", "done"))
    number = chance.randint(1, PAGES) if event in ("page", "sent") else 1
    number = chance.choice((PAGES, number)) if event == "sent" else number  # the end is where it is delicate
    return Moment(event, number, chance.choice((0.0, chance.uniform(0, _JITTER_S))))


def draw_of_recovery(chance: random.Random) -> Moment:
    return Moment("", 0, chance.uniform(0, _WHOLE_S / 2))


@dataclass
class Alarm:
    """Says when a moment has come."""

    moment: Moment
    _since_s: float | None = field(default=None)

    def is_due(self, run: Run) -> bool:
        if self._since_s is None:
            if not self.moment.event:
                self._since_s = run.began_s
            elif len(run.all(self.moment.event)) >= self.moment.number:
                self._since_s = time.monotonic()
        return self._since_s is not None and time.monotonic() - self._since_s >= self.moment.delay_s


def phase(run: Run) -> str:
    """How far the client had seen the scan come."""
    pages, sent = len(run.all("page")), len(run.all("sent"))
    if run.all("done"):
        return "done"
    if sent == PAGES:
        return "all sent"
    if pages == PAGES:
        return "all pages, some sent"
    if pages:
        return "some pages, some sent" if sent else "some pages, none sent"
    return "created" if run.all("created") else "before the job"
