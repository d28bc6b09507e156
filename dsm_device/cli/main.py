"""Commands and options of ``dsm-device``; what they do is in :mod:`dsm_device.app`.

Exit codes: 0 done, 1 a check failed, 2 usage or configuration, 3 scanner, 4 directory or credentials, 5 scan
server, 6 cancelled. Whatever fails ends in one line on standard error.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dsm_device import __version__, settings
from dsm_device.app import Device
from dsm_device.errors import ConfigurationError, DsmError, UsageError
from dsm_device.runner.doctor import Check
from dsm_device.runner.scan_order import ScanOrder

from .attendant import attendant
from .output import (
    ScanOutput,
    print_job,
    print_json,
    print_table,
    say,
    scan_output,
    show_check,
    show_check_as_json,
)
from .trace import Trace

EXAMPLES = """examples:
  dsm-device processes                             which scan processes there are
  dsm-device scan --process Invoices               scan all sheets in the feeder by that process
  dsm-device scan --process Invoices --set Format=png --set MediaFront/Resolution=300x300
  dsm-device jobs                                  what still waits in the spool
  dsm-device doctor                                is everything as it should be?
  dsm-device sim server                            a scan server to try things with

exit codes: 0 done, 1 a check failed, 2 usage or configuration, 3 scanner, 4 directory or credentials,
            5 scan server (the job stays in the spool), 6 cancelled
"""


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    place = _place_of_command(arguments)
    try:
        if "sim" in arguments[place : place + 1]:
            return _simulator(arguments[:place], arguments[place + 1 :])
        options = _parser().parse_args(arguments)
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
    shared = _parser().parse_args([*before, "sim"])
    if shared.config:
        raise UsageError("`sim` has no configuration", "leave out --config")
    as_json = ["--json"] if shared.json else []
    try:
        from dsm_sim.cli import main as simulate  # noqa: PLC0415 - a device in the field has no simulator
    except ImportError as error:
        say(f"dsm-device: the simulator lacks {error.name}: install dsm-device[sim]", sys.stderr)
        return UsageError.exit_code
    return simulate([*arguments[:1], *as_json, *arguments[1:]])


# ---------------------------------------------------------------------------------------------- options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dsm-device",
        description="Scans to a Distributed Scan Management (DSM) scan server.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"dsm-device {__version__}")
    _add_common(parser, top=True)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    scan = _command(commands, "scan", "scan by a scan process and deliver the pages", _scan)
    scan.add_argument("--process", required=True, metavar="ID_OR_NAME", help="the scan process")
    _add_user(scan)
    scan.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="ELEMENT=VALUE",
        help="another value for a ticket element, as in Format=png or MediaFront/Resolution=300x300",
    )
    scan.add_argument(
        "--email",
        action="append",
        default=[],
        metavar="ADDR",
        help="a further address, where the process allows it",
    )
    _add_trace(scan)

    jobs = _command(
        commands,
        "jobs",
        "list the jobs in the spool; show, retry or cancel one, or restore its blank pages",
        _jobs,
    )
    actions = ("show", "retry", "cancel", "restore")
    jobs.add_argument("action", nargs="?", choices=actions, help="what to do with one job")
    jobs.add_argument("id", nargs="?", metavar="ID", help="the job")
    jobs.add_argument(
        "pages", nargs="*", type=int, metavar="PAGE", help="restore: blank pages to deliver after all"
    )
    _add_trace(jobs)

    _add_user(_command(commands, "processes", "list the scan processes", _processes))
    _command(commands, "scanners", "list the scanners and what they can do", _scanners)
    _command(commands, "doctor", "check configuration, scanner, directory, scan server, clock, disk", _doctor)
    commands.add_parser("sim", help="the simulator: `dsm-device sim --help`", add_help=False)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary.capitalize() + ".", allow_abbrev=False)
    _add_common(parser, top=False)
    parser.set_defaults(command=run)
    return parser


def _add_common(parser: argparse.ArgumentParser, *, top: bool) -> None:
    """--config and --json are understood before and after the command."""

    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=default(None),
        help=f"configuration (else $DSM_DEVICE_CONFIG, else {settings.DEFAULT_PATH})",
    )
    parser.add_argument(
        "--json", action="store_true", default=default(False), help="JSON lines on standard output"
    )


def _add_user(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", default="", metavar="NAME", help="who scans")
    parser.add_argument(
        "--password-fd",
        type=int,
        metavar="N",
        help="file descriptor from which the user's password is read; not needed for a folder",
    )


def _add_trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="write when each page went which way, as JSON lines"
    )


def _output(options: argparse.Namespace) -> ScanOutput:
    output = scan_output(options.json)
    return Trace(options.trace, output) if options.trace else output


def _device(options: argparse.Namespace) -> Device:
    path = Path(options.config or os.environ.get("DSM_DEVICE_CONFIG") or settings.DEFAULT_PATH)
    return Device(settings.load(path), str(path))


def _text(option: str, value: str) -> str:
    """What was typed, if it can be written to XML and JSON."""
    if not value.isprintable():
        raise UsageError(
            f"{option} {value!r} is not readable text", "write it as UTF-8, without control characters"
        )
    return value


# --------------------------------------------------------------------------------------------- commands


def _scan(options: argparse.Namespace) -> int:
    output = _output(options)
    try:
        order = ScanOrder(
            _text("--process", options.process),
            _text("--user", options.user),
            tuple(_text("--set", each) for each in options.set),
            tuple(_text("--email", each) for each in options.email),
        )
        _device(options).scan(order, output.show, attendant())
    except DsmError as error:
        output.failed(error)
        raise
    return 0


def _processes(options: argparse.Namespace) -> int:
    entries = _device(options).processes(_text("--user", options.user))
    if options.json:
        print_json(entries)
    elif not entries:
        say("There are no scan processes.", sys.stderr)
    else:
        rows = [
            (each.name, each.server, "" if each.usable else f"unusable: {each.reason}", each.id)
            for each in entries
        ]
        print_table(("NAME", "SERVER", "STATE", "ID"), rows)
    return 0


def _jobs(options: argparse.Namespace) -> int:
    if options.trace and options.action != "retry":
        raise UsageError("--trace is for what sends pages", "use it with `scan` or `jobs retry`")
    if options.action is None:
        return _list_jobs(options)
    if options.id is None:
        raise UsageError(f"`jobs {options.action}` needs a job", "`dsm-device jobs` lists them")
    if bool(options.pages) is not (options.action == "restore"):
        raise UsageError("page numbers belong to `jobs restore`", "write `jobs restore ID PAGE...`")
    device = _device(options)
    if options.action == "restore":
        device.restore_pages(options.id, options.pages)
        say(f"`dsm-device jobs retry {options.id}` sends them with the others.", sys.stderr)
        return 0
    if options.action == "show":
        print_job(device.job(options.id), as_json=options.json)
        return 0
    output = _output(options)
    act = device.retry_job if options.action == "retry" else device.cancel_job
    try:
        act(options.id, output.show)
    except DsmError as error:
        output.failed(error)
        raise
    return 0


def _list_jobs(options: argparse.Namespace) -> int:
    jobs = _device(options).jobs()
    if options.json:
        print_json(jobs)
    elif jobs:
        rows = [
            (job.id, job.process, job.user, job.state, f"{job.sent} of {job.pages}", job.error) for job in jobs
        ]
        print_table(("ID", "PROCESS", "USER", "STATE", "SENT", "ERROR"), rows)
    else:
        say("There are no jobs in the spool.", sys.stderr)
    return 0


def _scanners(options: argparse.Namespace) -> int:
    found = _device(options).scanners()
    if options.json:
        print_json(found)
        return 0
    if not found:
        say("No scanner was found: connect one and switch it on.", sys.stderr)
    for scanner in found:
        say(f"{scanner.device}: {scanner.vendor} {scanner.model}")
        for line in scanner.capabilities or [scanner.error]:
            say(f"    {line}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    show = show_check_as_json if options.json else show_check
    try:
        device = _device(options)
    except ConfigurationError as error:
        show(Check("configuration", False, error.message, error.remedy))
        return 1
    return 0 if device.doctor(show) else 1
