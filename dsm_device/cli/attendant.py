"""Questions to the person at the terminal while a job runs."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Collection, Sequence

from dsm_device.errors import ScannerError
from dsm_device.runner.attendant import Attendant, Choice, Nobody

from .output import say


class AtTerminal:
    """Asks on standard error and reads lines from standard input."""

    async def turn_stack(self, sheets: int) -> None:
        what = "the sheet" if sheets == 1 else f"the {sheets} sheets"
        await self._ask(f"Turn {what} over, put the stack into the feeder again, and press Enter: ")

    async def keep_blank(self, pages: Sequence[int]) -> Collection[int]:
        listed = ", ".join(map(str, pages))
        question = f"Blank and left out: {listed}. Enter to go on, or the numbers of pages to send all the same: "
        while True:
            wanted = _numbers(await self._ask(question))
            if wanted is not None and wanted <= set(pages):
                return wanted
            say(f"Only {listed} can be chosen.", sys.stderr)

    async def obstacle(self, error: ScannerError, pages: int) -> Choice:
        so_far = "1 page" if pages == 1 else f"{pages} pages"
        question = f"{error}. Enter to go on after {so_far}, f to finish with them, g to give up: "
        choices = {"": Choice.GO_ON, "f": Choice.FINISH, "g": Choice.GIVE_UP}
        while True:
            line = await self._ask(question)
            if not line:  # the end of input: nobody is there any more
                return Choice.GIVE_UP
            if (choice := choices.get(line.strip().lower())) is not None:
                return choice
            say("Only Enter, f and g can be chosen.", sys.stderr)

    async def _ask(self, question: str) -> str:
        """A line, "" at the end of input. By the event loop: a thread would hold up the end of a cancelled job."""
        say(f"\n{question}", sys.stderr, end="")
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str] = loop.create_future()

        def read() -> None:
            if not line.done():
                line.set_result(sys.stdin.readline())

        loop.add_reader(sys.stdin, read)
        try:
            return await line
        finally:
            loop.remove_reader(sys.stdin)


def _numbers(text: str) -> set[int] | None:
    """Numbers apart by spaces or commas, and ranges of them ("2-4"); None for anything else."""
    found: set[int] = set()
    for word in re.split(r"[\s,]+", text.strip()):
        match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", word)
        if word and not match:
            return None
        if match:
            found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


def attendant() -> Attendant:
    """Whoever sits at the terminal, if there is one."""
    return AtTerminal() if sys.stdin.isatty() and sys.stderr.isatty() else Nobody()
