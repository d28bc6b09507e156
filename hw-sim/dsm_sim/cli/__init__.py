"""``dsm-device sim``: the simulated counterparts on the command line. One module a command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Final

from dsm_sim.cli.console import add_console
from dsm_sim.cli.demo import add_demo
from dsm_sim.cli.scanner import add_scanner
from dsm_sim.cli.scenarios import add_list, add_run
from dsm_sim.cli.server import add_server
from dsm_sim.cli.usage import SimUsageError
from dsm_sim.sane_backend import BackendError

_PROGRAM: Final = "dsm-device sim"
_USAGE: Final = 2


def main(argv: list[str]) -> int:
    """Runs one command. Returns 0, 1 where what was tried failed, or 2 for usage and configuration."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _USAGE
    try:
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except (SimUsageError, BackendError, OSError) as error:
        sys.stderr.write(f"{_PROGRAM}: {error}\n")
        return _USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROGRAM, description="Simulated counterparts of a DSM device.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_server(commands)
    add_scanner(commands)
    add_console(commands)
    add_demo(commands)
    add_list(commands)
    add_run(commands)
    return parser
