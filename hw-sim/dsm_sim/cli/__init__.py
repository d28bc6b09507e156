"""``dsm-device sim``: the simulated counterparts on the command line. One module a command."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from dsm_sim.cli.output import patient_output
from dsm_sim.cli.usage import SimUsageError
from dsm_sim.sane_backend import BackendError

_PROGRAM: Final = "dsm-device sim"
_USAGE: Final = 2
#: Each command with its module here, in which ``add_COMMAND`` adds it to the parser.
_COMMANDS: Final[Mapping[str, str]] = {
    "server": "server",
    "scanner": "scanner",
    "console": "console",
    "demo": "demo",
    "list": "scenarios",
    "run": "scenarios",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, without the usage: a person reads what was wrong and nothing else."""
        self.exit(_USAGE, f"{self.prog}: {message} (`{self.prog} --help` says more)\n")


def main(argv: list[str]) -> int:
    """Runs one command. Returns 0, 1 where what was tried failed, or 2 for usage and configuration."""
    with patient_output():
        return _run(argv)


def _run(argv: list[str]) -> int:
    try:
        arguments = _parser(argv[:1]).parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _USAGE
    try:
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except (SimUsageError, BackendError) as error:
        sys.stderr.write(f"{_PROGRAM}: {error}\n")
    except OSError as error:
        sys.stderr.write(f"{_PROGRAM}: {_in_words(error)}\n")
    return _USAGE


def _in_words(error: OSError) -> str:
    """Without the number of the error, which says nothing to a person."""
    reason = error.strerror or str(error)
    return f"{os.fsdecode(error.filename)}: {reason}" if error.filename else reason


def _parser(named: list[str]) -> argparse.ArgumentParser:
    """With the command that is named, or all of them: the others need not be loaded."""
    parser: argparse.ArgumentParser = _Parser(prog=_PROGRAM, description="Simulated counterparts of a DSM device.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in named if named and named[0] in _COMMANDS else _COMMANDS:
        module = importlib.import_module(f"{__name__}.{_COMMANDS[name]}")
        add: Callable[[argparse._SubParsersAction[argparse.ArgumentParser]], None] = getattr(module, f"add_{name}")
        add(commands)
    return parser
