"""``dsm-device sim scanner``: the simulated scanner by hand, for any SANE program."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

from dsm_sim.cli.usage import SimUsageError
from dsm_sim.cli.values import whole
from dsm_sim.sane_backend import BackendError
from dsm_sim.scanner import Button, ScannerModel, Sheet, SimulatedScanner, change_sane_config, write_sane_config

_OK: Final = 0
_MOST_SHEETS: Final = 10_000
#: What ``ScannerModel`` takes at most, in images a minute.
_FASTEST: Final = 10_000
#: What a shell has to be told so that libsane finds the scanner.
_VARIABLES: Final = ("SANE_CONFIG_DIR", "LD_LIBRARY_PATH")


def add_scanner(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    scanner = commands.add_parser(
        "scanner",
        help="a scanner that any SANE program can use",
        description="Makes a simulated scanner, or lays hands on one that was made before in the same folder, and "
        'prints the environment in which SANE programs find it: eval "$(dsm-device sim scanner)"; scanimage -L',
    )
    add = scanner.add_argument
    add("--out", type=Path, default=Path("sim-scanner"), metavar="DIR", help="its folder (default: ./%(default)s)")
    add("--sheets", type=whole(0, _MOST_SHEETS), default=0, metavar="N", help="put N test pages into the feeder")
    add("--page", type=Path, action="append", default=[], metavar="FILE", help="put this page (PNM) into it too")
    add("--glass", type=Path, metavar="FILE", help="lay this page (PNM) on the glass")
    add(
        "--images-per-minute",
        type=whole(0, _FASTEST),
        metavar="N",
        help="rated speed, both sides counted (default: as fast as can be, or as it was)",
    )
    add("--press", choices=get_args(Button), metavar="BUTTON", help=f"press {', '.join(get_args(Button))}")
    scanner.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    try:
        model = ScannerModel(images_per_minute=arguments.images_per_minute or 0)
        scanner = SimulatedScanner(arguments.out / "hardware", model)
        _lay_hands_on(scanner, arguments)
        environment = _configure(scanner, arguments)
    except (ValueError, BackendError) as error:
        raise SimUsageError(str(error)) from error
    lines = [f"export {name}={shlex.quote(environment[name])}" for name in _VARIABLES]
    sys.stdout.write("\n".join([*lines, *(f"# {hint}" for hint in _hints(scanner, arguments.press)), ""]))
    return _OK


def _hints(scanner: SimulatedScanner, pressed: str | None) -> Iterator[str]:
    if pressed:
        yield f"the {pressed} button is pressed until a program reads the option {pressed!r}"
    program = f"scanimage -d {scanner.device}"
    if sheets := scanner.sheets_left:
        example = f"{program} --source 'ADF Duplex' --format=png --batch=page-%d.png"
        yield f"{sheets} sheet{'s' * (sheets > 1)} in the feeder: {example}"
    elif not pressed:
        yield f"no sheets in the feeder, --sheets N puts some in; the glass: {program} --format=png > page.png"


def _configure(scanner: SimulatedScanner, arguments: argparse.Namespace) -> dict[str, str]:
    """A scanner that was there stays as it is, but for what is asked for now, and its folder if that was moved."""
    changes = {"scanner": str(scanner.folder)}
    if arguments.images_per_minute is not None:
        changes["images-per-minute"] = str(arguments.images_per_minute)
    try:
        return change_sane_config(arguments.out / "sane.d", changes)
    except FileNotFoundError:
        return write_sane_config(arguments.out / "sane.d", [scanner])


def _lay_hands_on(scanner: SimulatedScanner, arguments: argparse.Namespace) -> None:
    sheets = [Sheet(draws_back=True)] * arguments.sheets + [Sheet(front=page) for page in arguments.page]
    if sheets:
        scanner.load(sheets)
    if arguments.glass:
        scanner.place_on_glass(Sheet(front=arguments.glass))
    if arguments.press:
        scanner.press(arguments.press)
