"""The person at the scanner, where a job needs one: a terminal, later the panel; or nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from enum import Enum
from typing import Protocol

from dsm_device.errors import ScannerError

#: How long the scanner is left alone, in seconds, before it is tried again with nobody there to say when.
PATIENCE_S = 1.0


class Choice(Enum):
    """What a job does at an obstacle."""

    GO_ON = "go on"
    FINISH = "finish"
    GIVE_UP = "give up"


class Attendant(Protocol):
    """Answers what a job has to ask. A question may be cancelled, as any coroutine."""

    async def turn_stack(self, sheets: int) -> None:
        """Return once ``sheets`` sheets are in the feeder again with their back sides to be scanned."""
        ...

    async def keep_blank(self, pages: Sequence[int]) -> Collection[int]:
        """Which of the blank ``pages`` are delivered after all."""
        ...

    async def obstacle(self, error: ScannerError, pages: int) -> Choice:
        """What to do about ``error`` after ``pages`` pages; it has been cleared where this is ``GO_ON``."""
        ...


class Nobody:
    """A job that nobody watches: the feeder is looked at until paper is there, blank pages stay out."""

    async def turn_stack(self, sheets: int) -> None: ...

    async def keep_blank(self, pages: Sequence[int]) -> Collection[int]:  # noqa: ARG002 - the port's
        return ()

    async def obstacle(self, error: ScannerError, pages: int) -> Choice:  # noqa: ARG002
        return Choice.GIVE_UP


class Patient(Nobody):
    """The agent's, where nobody is at a terminal: somebody may yet come to the scanner and clear the way."""

    async def obstacle(self, error: ScannerError, pages: int) -> Choice:  # noqa: ARG002
        await asyncio.sleep(PATIENCE_S)
        return Choice.GO_ON
