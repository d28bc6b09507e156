"""What happens in a push scan, told to whoever watches: a terminal, a script, later the panel and the console.

They travel as JSON between the agent and its clients, hence their types; each has its class's name as its tag.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from dsm_device.job.outcome import Outcome
from dsm_device.job.page_times import PageTimes


class JobCreated(msgspec.Struct, frozen=True, tag=True):
    """``parameters`` is what becomes of each setting of the ticket (WS-Scan, DocumentFinalParameters)."""

    job: str
    process: str
    parameters: tuple[Outcome, ...] = ()

    @property
    def notes(self) -> tuple[Outcome, ...]:
        """What was asked and is not honoured as it stands."""
        return tuple(outcome for outcome in self.parameters if outcome.override)


class PageArriving(msgspec.Struct, frozen=True, tag=True):
    """``rows`` of ``of_rows`` lines of image ``n`` are in; ``of_rows`` is None where nobody knows."""

    n: int
    rows: int
    of_rows: int | None


class PageSpooled(msgspec.Struct, frozen=True, tag=True):
    """Image ``n`` is safe on disk. ``times`` tells how it came there."""

    n: int
    bytes: int
    format: str
    times: PageTimes


class PageLeftOut(msgspec.Struct, frozen=True, tag=True):
    """Nothing is on image ``n``: it is kept in the spool and not delivered."""

    n: int
    bytes: int


class PageGoing(msgspec.Struct, frozen=True, tag=True):
    """``bytes`` of ``of_bytes`` octets have gone out, of image ``n`` or of the document of ``n`` to ``last``."""

    n: int
    bytes: int
    of_bytes: int
    last: int


class PageSent(msgspec.Struct, frozen=True, tag=True):
    """The server has confirmed image ``n``."""

    n: int


class StateChanged(msgspec.Struct, frozen=True, tag=True):
    source: Literal["device", "server"]
    state: str
    detail: str = ""


class Warned(msgspec.Struct, frozen=True, tag=True):
    """Something that a person should know and that stops nothing."""

    message: str


class JobDone(msgspec.Struct, frozen=True, tag=True):
    job_token: str
    pages: int


Event = (
    JobCreated | PageArriving | PageSpooled | PageLeftOut | PageGoing | PageSent | StateChanged | Warned | JobDone
)
Listener = Callable[[Event], None]
