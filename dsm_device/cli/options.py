"""The options of ``dsm-device``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from dsm_device import __version__, settings

from . import commands

EXAMPLES = """examples:
  dsm-device processes                             which scan processes there are
  dsm-device scan --process Invoices               scan all sheets in the feeder by that process
  dsm-device scan --process Invoices --set Format=png --set MediaFront/Resolution=300x300
  dsm-device jobs                                  what still waits in the spool
  dsm-device run                                   the agent: keeps every job until it is delivered
  dsm-device doctor                                is everything as it should be?
  dsm-device sim server                            a scan server to try things with

exit codes: 0 done, 1 a check failed, 2 usage or configuration, 3 scanner, 4 directory or credentials,
            5 scan server (the job stays in the spool), 6 cancelled
"""


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dsm-device",
        description="Scans to a Distributed Scan Management (DSM) scan server.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"dsm-device {__version__}")
    _add_common(parser, top=True)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    _command(subparsers, "run", "be the agent, in the foreground: scan and deliver for others", commands.run)
    scan = _command(subparsers, "scan", "scan by a scan process and deliver the pages", commands.scan)
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
        subparsers,
        "jobs",
        "list the jobs in the spool; show, retry or cancel one, or restore its blank pages",
        commands.jobs,
    )
    actions = ("show", "retry", "cancel", "restore")
    jobs.add_argument("action", nargs="?", choices=actions, help="what to do with one job")
    jobs.add_argument("id", nargs="?", metavar="ID", help="the job")
    jobs.add_argument(
        "pages", nargs="*", type=int, metavar="PAGE", help="restore: blank pages to deliver after all"
    )
    _add_trace(jobs)

    _add_user(_command(subparsers, "processes", "list the scan processes", commands.processes))
    _command(subparsers, "scanners", "list the scanners and what they can do", commands.scanners)
    _command(
        subparsers, "doctor", "check configuration, scanner, directory, scan server, clock, disk", commands.doctor
    )
    subparsers.add_parser("sim", help="the simulator: `dsm-device sim --help`", add_help=False)
    return parser


def _command(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, help=summary, description=summary.capitalize() + ".", allow_abbrev=False)
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
