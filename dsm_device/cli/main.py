"""``dsm-device``: from the command line to a command and its exit code.

Exit codes: 0 done, 1 a check failed, 2 usage or configuration, 3 scanner, 4 directory or credentials, 5 scan
server, 6 cancelled. Whatever fails ends in one line on standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from dsm_device.errors import DsmError, UsageError

from .options import command_line
from .output import say


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    place = _place_of_command(arguments)
    try:
        if "sim" in arguments[place : place + 1]:
            return _simulator(arguments[:place], arguments[place + 1 :])
        options = command_line().parse_args(arguments)
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except DsmError as error:
        say(f"dsm-device: {error}", sys.stderr)
        return error.exit_code


def _place_of_command(arguments: Sequence[str]) -> int:
    """Past the options that all commands share."""
    place = 0
    while arguments[place : place + 1] and arguments[place].startswith("-"):
        place += 2 if arguments[place] == "--config" else 1
    return place


def _simulator(before: Sequence[str], arguments: Sequence[str]) -> int:
    """Whatever stands behind `sim` is the simulator's own business."""
    shared = command_line().parse_args([*before, "sim"])
    if shared.config:
        raise UsageError("`sim` has no configuration", "leave out --config")
    as_json = ["--json"] if shared.json else []
    try:
        from dsm_sim.cli import main as simulate  # noqa: PLC0415 - a device in the field has no simulator
    except ImportError as error:
        say(f"dsm-device: the simulator lacks {error.name}: install dsm-device[sim]", sys.stderr)
        return UsageError.exit_code
    return simulate([*arguments[:1], *as_json, *arguments[1:]])
