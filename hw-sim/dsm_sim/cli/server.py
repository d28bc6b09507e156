"""``dsm-device sim server``: the scan server by hand, for a desk or a test."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dsm_sim.certificates import Credentials, open_authority
from dsm_sim.cli.server_targets import add_targets, read_targets, read_troubles
from dsm_sim.cli.usage import SimUsageError
from dsm_sim.cli.values import dns_name, seconds, whole
from dsm_sim.peers.scan_server import (
    CERTIFICATE_KINDS,
    PERSONALITIES,
    Fault,
    Happening,
    Report,
    ScanServer,
    ScanServerOptions,
    SinkOptions,
    personality,
    read_fault,
)
from dsm_sim.peers.scan_server.processes import load_processes

_OK: Final = 0
_DSM_PORT: Final = 5362
_PORT_OR_0: Final = whole(0, 65_535)
_FIFTY_YEARS_S: Final = 50 * 365 * 86_400
_OFFSET: Final = seconds(-_FIFTY_YEARS_S, _FIFTY_YEARS_S)


def add_server(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    server = commands.add_parser(
        "server",
        help="a scan server with a certificate authority of its own",
        description="A scan server for a desk or a test: stores what it is sent and says what was wrong with it. "
        "SIGUSR1 prints the report so far, SIGINT or SIGTERM the last one.",
    )
    add = server.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add(
        "--port",
        type=_PORT_OR_0,
        default=_DSM_PORT,
        help="TCP and UDP port, 0 for any free one (default: %(default)s)",
    )
    add(
        "--name",
        action="append",
        type=dns_name,
        metavar="FQDN",
        help="DNS name of the server, repeatable (default: localhost)",
    )
    add("--out", type=Path, default=Path("sim-scan-server"), metavar="DIR", help="output (default: ./%(default)s)")
    add("--processes", type=Path, metavar="DIR", help="scan processes that jobs are compared with (default: none)")
    add("--tls", type=Path, metavar="DIR", help="certificate authority and certificates (default: OUT/tls)")
    add("--user", action="append", type=_user, metavar="SID=USER@DOMAIN", help="name of a user, repeatable")
    add("--report", type=Path, metavar="FILE", help="write the report here as JSON")
    add("--read-rate", type=whole(1, 1 << 40), metavar="N", help="read requests at N bytes a second")
    add(
        "--require-client-cert", action="store_true", help="admit only clients with a certificate of the authority"
    )
    add("--personality", choices=tuple(PERSONALITIES), default="strict", help="like which server")
    add(
        "--fault",
        action="append",
        type=_fault,
        metavar="OPERATION:NTH:ACTION[:KEY=VALUE,...]",
        help="what goes wrong, as in SendImage:2:lose-answer; NTH * is each; repeatable",
    )
    add("--certificate", choices=CERTIFICATE_KINDS, default="good", help="what is wrong with the certificate")
    add("--clock-offset", type=_OFFSET, default=0.0, metavar="S", help="the server's clock is S seconds fast")
    add("--announce-port", type=whole(1, 65_535), metavar="N", help="port in the server's addresses")
    add("--event-ca", type=Path, metavar="FILE", help="PEM to check https sinks of events with (default: do not)")
    add("--no-events", action="store_true", help="there are no events to subscribe to")
    add_targets(add)
    add(
        "--web-port",
        type=_PORT_OR_0,
        default=0,
        metavar="N",
        help="port of the page for a browser (default: a free one)",
    )
    add("--web-host", default="127.0.0.1", metavar="HOST", help="address of the page (default: %(default)s)")
    add("--no-web", action="store_true", help="no page for a browser")
    add("--no-udp", action="store_true", help="do not answer probes by UDP")
    add("--json", action="store_true", help="JSON lines on standard output; the first one says that it is ready")
    server.set_defaults(run=lambda arguments: asyncio.run(_serve(_options(arguments), arguments)))


def _fault(text: str) -> Fault:
    try:
        return read_fault(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _user(text: str) -> tuple[str, str]:
    sid, equals, name = text.partition("=")
    if not (sid.startswith("S-1-") and equals and name):
        raise argparse.ArgumentTypeError(f"{text!r} is no user: write S-1-…=USER@DOMAIN")
    return sid, name


def _options(arguments: argparse.Namespace) -> ScanServerOptions:
    if arguments.processes and not arguments.processes.is_dir():
        raise SimUsageError(f"{arguments.processes} is no folder: name one with scan processes (*.xml)")
    if arguments.event_ca and not arguments.event_ca.is_file():
        raise SimUsageError(f"--event-ca: there is no file {arguments.event_ca}")
    if arguments.report:
        _check_report(arguments.report, arguments.out)
    return ScanServerOptions(
        out=arguments.out,
        host=arguments.host,
        port=arguments.port,
        names=tuple(arguments.name or ("localhost",)),
        tls=arguments.tls,
        require_client_cert=arguments.require_client_cert,
        processes=arguments.processes,
        probe_by_udp=not arguments.no_udp,
        announced_port=arguments.announce_port,
        personality=personality(arguments.personality),
        plan=tuple(arguments.fault or ()),
        certificate=arguments.certificate,
        clock_offset_s=arguments.clock_offset,
        has_events=not arguments.no_events,
        sinks=SinkOptions(ca_file=arguments.event_ca),
        read_rate=arguments.read_rate,
        targets=read_targets(arguments),
        filter_troubles=read_troubles(arguments),
        web_port=None if arguments.no_web else arguments.web_port,
        web_host=arguments.web_host,
        users=dict(arguments.user or ()),
        tell=(_JsonLines() if arguments.json else _PlainLines()).tell,
    )


def _check_report(report: Path, out: Path) -> None:
    """What could not be written at the end is refused at the start."""
    if report.is_dir() or (report.exists() and not os.access(report, os.W_OK)):
        raise SimUsageError(f"--report {report} cannot be written: name another file")
    if report.exists() or report.absolute().parent == out.absolute():  # the server makes its own folder
        return
    try:
        with tempfile.TemporaryFile(dir=report.parent):
            pass
    except OSError as error:
        raise SimUsageError(f"--report {report}: no file can be made there: {error.strerror}") from error


async def _serve(options: ScanServerOptions, arguments: argparse.Namespace) -> int:
    stop = asyncio.Event()
    server = ScanServer(options)
    try:
        await server.__aenter__()
    except OSError as error:
        if error.filename:
            raise SimUsageError(f"cannot use {error.filename}: {error.strerror}: choose another --out") from error
        place = f"port {options.port} on {options.host}"
        raise SimUsageError(
            f"cannot listen on {place}: {error.strerror or error}: choose another --port"
        ) from error
    say = _say_json if arguments.json else _say_text
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, lambda: say(server.report()))
    _announce(server, options, is_json=arguments.json)
    await stop.wait()
    await server.__aexit__(None, None, None)
    report = server.report()
    say(report)
    if arguments.report:
        arguments.report.write_text(json.dumps(report.as_json(), indent=2) + "\n", "utf-8")
    return _OK


# --------------------------------------------------------------------------------------------- output


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _say_json(report: Report) -> None:
    _line(json.dumps({"event": "report", **report.as_json()}))


def _say_text(report: Report) -> None:
    _line(report.as_text())


def _announce(server: ScanServer, options: ScanServerOptions, *, is_json: bool) -> None:
    client = open_authority(server.ca_file.parent).client("device") if options.require_client_cert else None
    if is_json:
        ready = {"event": "ready", "address": server.address, "port": server.port, "name": server.fqdn}
        ready["web"] = server.web_address
        _line(json.dumps({**ready, "ca_file": str(server.ca_file), "output": str(server.output)}))
        return
    _line(f"scan server   {server.address} (listening on {options.host})")
    _line(f"trust         {server.ca_file}")
    _line(f"output        {server.output}")
    if server.web_address:
        _line(f"page          {server.web_address}")
    _line("\nconfig.toml of the device:\n")
    _line(_configuration(server, options, client))
    if options.processes:
        usable, problems = load_processes(options.processes)
        _line(f"{len(usable)} scan process(es) to compare with in {options.processes}")
        for problem in problems:
            _line(f"  not usable: {problem}")


def _configuration(server: ScanServer, options: ScanServerOptions, client: Credentials | None) -> str:
    lines = ["    [scan_server]", f"    port = {server.port}", f'    ca_file = "{server.ca_file}"']
    if client:
        lines += [f'    client_cert = "{client.certificate}"', f'    client_key = "{client.key}"']
    if options.processes:
        folder = options.processes.absolute()
        lines += ["", "    [directory]", '    source = "files"', f'    path = "{folder}"']
    return "\n".join([*lines, "", f"ScanRepository in a scan process: {server.fqdn}", ""])


class _JsonLines:
    """Everything that happens, one object a line."""

    def tell(self, happening: Happening) -> None:
        _line(json.dumps(dict(happening)))


@dataclass
class _PlainLines:
    """One line a page, a violation, and each new state of a job."""

    _states: dict[object, object] = field(default_factory=dict)

    def tell(self, happening: Happening) -> None:
        tellers: dict[object, Callable[[Happening], None]] = {
            "job": self._job,
            "page": self._page,
            "violation": self._violation,
            "internal-error": self._internal_error,
            "subscription": self._subscription,
            "notification": self._notification,
        }
        if teller := tellers.get(happening["event"]):
            teller(happening)

    def _job(self, job: Happening) -> None:
        if self._states.get(job["job"]) == job["state"]:
            return
        self._states[job["job"]] = job["state"]
        reason = "" if job["reason"] == "None" else f" ({job['reason']})"
        _line(f"job {job['job']} {job['state']}{reason}: {job['process']} for {job['user']}")

    def _page(self, page: Happening) -> None:
        size = f"{page['width_px']} x {page['height_px']} px, " if page["width_px"] else ""
        _line(f"job {page['job']} image {page['page']}: {page['format']}, {size}{page['octets']:,} bytes")

    def _violation(self, violation: Happening) -> None:
        detail = f" ({violation['detail']})" if violation["detail"] else ""
        where = violation["operation"] or "a request"
        _line(f"violation in {where}: {violation['text']}{detail} [{violation['source']}]")

    def _internal_error(self, failure: Happening) -> None:
        _line(f"internal error in {failure['operation'] or 'a request'}: {failure['detail']}")

    def _subscription(self, subscription: Happening) -> None:
        granted = f"for {subscription['granted_s']:g} s"
        how = f"ended ({subscription['ended']})" if subscription["ended"] else granted
        _line(f"subscription of {subscription['sink']} {how}")

    def _notification(self, notification: Happening) -> None:
        if notification["problem"]:
            _line(f"{notification['name']} of job {notification['job']} not delivered: {notification['problem']}")
