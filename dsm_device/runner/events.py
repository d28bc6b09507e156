"""What happens in a push scan, told to whoever watches: a terminal, a script, later the panel and the console."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from dsm_device.acquisition.messages import PageTimes
from dsm_device.job.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class JobCreated:
    """``notes`` are the settings of the scan process that are not honoured as they stand."""

    job: str
    process: str
    notes: tuple[Outcome, ...] = ()


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
class PageGoing:
    """``bytes`` of ``of_bytes`` octets of image ``n`` are on their way to the server."""

    n: int
    bytes: int
    of_bytes: int


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


Event = JobCreated | PageArriving | PageSpooled | PageGoing | PageSent | StateChanged | Warned | JobDone
Listener = Callable[[Event], None]
