"""Questions to whoever sits at the terminal: a program with one of its own asks, and is answered by hand."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

END_OF_INPUT = "\x04"
PROGRAM = """
import asyncio
from dsm_device.cli.attendant import attendant
from dsm_device.errors import ScannerJammed

print(asyncio.run(attendant().obstacle(ScannerJammed("a sheet is stuck", "pull it out"), PAGES)).name)
"""


class Terminal:
    """A program at its terminal. ``choice`` is what it says at its end on standard output."""

    def __init__(self, process: subprocess.Popen[str], screen: int) -> None:
        self._process = process
        self._screen = screen
        self.shown = ""

    def wait_for(self, text: str) -> None:
        while text not in self.shown:
            self.shown += os.read(self._screen, 4096).decode()

    def type(self, keys: str) -> None:
        self.shown = ""
        os.write(self._screen, keys.encode())

    @property
    def choice(self) -> str:
        out, _ = self._process.communicate()
        return out.strip()


@contextmanager
def asking(pages: int) -> Iterator[Terminal]:
    screen, keyboard = pty.openpty()
    command = [sys.executable, "-c", PROGRAM.replace("PAGES", str(pages))]
    try:
        with subprocess.Popen(
            command, stdin=keyboard, stderr=keyboard, stdout=subprocess.PIPE, text=True
        ) as process:
            yield Terminal(process, screen)
    finally:
        os.close(keyboard)
        os.close(screen)


@pytest.mark.parametrize(
    ("keys", "choice"),
    [("\n", "GO_ON"), ("f\n", "FINISH"), (" F \n", "FINISH"), ("g\n", "GIVE_UP"), (END_OF_INPUT, "GIVE_UP")],
    ids=["Enter", "f", "F between blanks", "g", "end of input"],
)
def test_an_obstacle_is_answered_with_a_key(keys: str, choice: str) -> None:
    with asking(2) as terminal:
        terminal.wait_for("Enter to go on after 2 pages, f to finish with them, g to give up: ")
        assert "a sheet is stuck: pull it out." in terminal.shown
        terminal.type(keys)
        assert terminal.choice == choice


def test_what_cannot_be_chosen_is_asked_for_again() -> None:
    with asking(1) as terminal:
        for keys in ("x\n", "go on\n", "ff\n"):
            terminal.wait_for("Enter to go on after 1 page, f to finish with them, g to give up: ")
            terminal.type(keys)
            terminal.wait_for("Only Enter, f and g can be chosen.")
        terminal.wait_for("give up: ")
        terminal.type("f\n")
        assert terminal.choice == "FINISH"
