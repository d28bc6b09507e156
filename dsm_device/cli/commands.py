"""The commands of ``dsm-device``; what they do is in :mod:`dsm_device.app`, or done by a running agent.

The whole device is loaded only where it works in this process: an order to an agent is on its way at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dsm_device import settings
from dsm_device.errors import ConfigurationError, DsmError, UsageError
from dsm_device.runner.control_client import RemoteService
from dsm_device.runner.order import ScanOrder
from dsm_device.settings import Settings

from .at_agent import AtAgent
from .attendant import attendant
from .output import (
    ScanOutput,
    agent_output,
    print_job,
    print_json,
    print_table,
    say,
    scan_output,
    show_check,
    show_check_as_json,
)
from .trace import Trace

if TYPE_CHECKING:
    from dsm_device.app import Device


def _output(options: argparse.Namespace) -> ScanOutput:
    output = scan_output(options.json)
    return Trace(options.trace, output) if options.trace else output


def _settings(options: argparse.Namespace) -> tuple[Settings, str]:
    """The configuration and its name."""
    path = Path(options.config or os.environ.get("DSM_DEVICE_CONFIG") or settings.DEFAULT_PATH)
    return settings.load(path), str(path)


def _device(options: argparse.Namespace) -> Device:
    from dsm_device.app import Device  # noqa: PLC0415 - the whole device

    return Device(*_settings(options))


def _agent_or_device(options: argparse.Namespace) -> AtAgent | Device:
    """Whoever can take an order: the agent that runs on this ``state_dir``, else this process."""
    agent = RemoteService.connect(_settings(options)[0].device.state_dir)
    return AtAgent(agent) if agent else _device(options)


def _text(option: str, value: str) -> str:
    """What was typed, if it can be written to XML and JSON."""
    if not value.isprintable():
        raise UsageError(
            f"{option} {value!r} is not readable text", "write it as UTF-8, without control characters"
        )
    return value


def scan(options: argparse.Namespace) -> int:
    output = _output(options)
    try:
        order = ScanOrder(
            _text("--process", options.process),
            _text("--user", options.user),
            tuple(_text("--set", each) for each in options.set),
            tuple(_text("--email", each) for each in options.email),
        )
        _agent_or_device(options).scan(order, output.show, attendant())
    except DsmError as error:
        output.failed(error)
        raise
    return 0


def run(options: argparse.Namespace) -> int:
    """The agent, until SIGTERM."""
    _device(options).run(agent_output(options.json))
    return 0


def processes(options: argparse.Namespace) -> int:
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


def jobs(options: argparse.Namespace) -> int:
    if options.trace and options.action != "retry":
        raise UsageError("--trace is for what sends pages", "use it with `scan` or `jobs retry`")
    if options.action is None:
        return _list_jobs(options)
    if options.id is None:
        raise UsageError(f"`jobs {options.action}` needs a job", "`dsm-device jobs` lists them")
    if bool(options.pages) is not (options.action == "restore"):
        raise UsageError("page numbers belong to `jobs restore`", "write `jobs restore ID PAGE...`")
    device = _agent_or_device(options)
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
    found = _agent_or_device(options).jobs()
    if options.json:
        print_json(found)
    elif found:
        rows = [
            (job.id, job.process, job.user, job.state, f"{job.sent} of {job.pages}", job.error) for job in found
        ]
        print_table(("ID", "PROCESS", "USER", "STATE", "SENT", "ERROR"), rows)
    else:
        say("There are no jobs in the spool.", sys.stderr)
    return 0


def scanners(options: argparse.Namespace) -> int:
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


def doctor(options: argparse.Namespace) -> int:
    show = show_check_as_json if options.json else show_check
    try:
        device = _device(options)
    except ConfigurationError as error:
        from dsm_device.runner.doctor import Check  # noqa: PLC0415

        show(Check("configuration", False, error.message, error.remedy))
        return 1
    return 0 if device.doctor(show) else 1
