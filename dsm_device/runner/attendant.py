"""The person at the scanner, where a job needs one: a terminal, later the panel; or nobody."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol


class Attendant(Protocol):
    """Answers what a job has to ask. A question may be cancelled, as any coroutine."""

    async def turn_stack(self, sheets: int) -> None:
        """Return once ``sheets`` sheets are in the feeder again with their back sides to be scanned."""
        ...

    async def keep_blank(self, pages: Sequence[int]) -> Collection[int]:
        """Which of the blank ``pages`` are delivered after all."""
        ...


class Nobody:
    """A job that nobody watches: the feeder is looked at until paper is there, blank pages stay out."""

    async def turn_stack(self, sheets: int) -> None: ...

    async def keep_blank(self, pages: Sequence[int]) -> Collection[int]:  # noqa: ARG002 - the port's
        return ()
