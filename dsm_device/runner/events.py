"""What happens in a push scan, told to whoever watches: a terminal, a script, later the panel and the console."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from dsm_device.acquisition.messages import PageTimes
from dsm_device.job.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class JobCreated:
    """``parameters`` is what becomes of each setting of the ticket (WS-Scan, DocumentFinalParameters)."""

    job: str
    process: str
    parameters: tuple[Outcome, ...] = ()

    @property
    def notes(self) -> tuple[Outcome, ...]:
        """What was asked and is not honoured as it stands."""
        return tuple(outcome for outcome in self.parameters if outcome.override)


@dataclass(frozen=True, slots=True)
class PageArriving:
    """``rows`` of ``of_rows`` lines of image ``n`` are in; ``of_rows`` is None where nobody knows."""

    n: int
    rows: int
    of_rows: int | None


@dataclass(frozen=True, slots=True)
class PageSpooled:
    """Image ``n`` is safe on disk. ``times`` tells how it came there."""

    n: int
    bytes: int
    format: str
    times: PageTimes


@dataclass(frozen=True, slots=True)
class PageLeftOut:
    """Nothing is on image ``n``: it is kept in the spool and not delivered."""

    n: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PageGoing:
    """``bytes`` of ``of_bytes`` octets have gone out, of image ``n`` or of the document of ``n`` to ``last``."""

    n: int
    bytes: int
    of_bytes: int
    last: int


@dataclass(frozen=True, slots=True)
class PageSent:
    """The server has confirmed image ``n``."""

    n: int


@dataclass(frozen=True, slots=True)
class StateChanged:
    source: Literal["device", "server"]
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that a person should know and that stops nothing."""

    message: str


@dataclass(frozen=True, slots=True)
class JobDone:
    job_token: str
    pages: int


Event = (
    JobCreated | PageArriving | PageSpooled | PageLeftOut | PageGoing | PageSent | StateChanged | Warned | JobDone
)
Listener = Callable[[Event], None]
