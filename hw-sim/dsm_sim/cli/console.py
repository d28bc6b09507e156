"""``dsm-device sim console``: looks at DSM devices as a scan management console does, and is strict about them."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeVar

from lxml import etree

from dsm_sim.cli.console_desk import Desk, plain_announcement
from dsm_sim.cli.usage import SimUsageError
from dsm_sim.cli.values import seconds, whole
from dsm_sim.peers.console import (
    Console,
    ConsoleError,
    ConsoleOptions,
    Device,
    DiscoveryOptions,
    Event,
    Refused,
    Subscription,
    check_device,
)
from dsm_sim.peers.console.console import split_address
from dsm_sim.peers.console.names import DISCOVERY_PORT
from dsm_sim.peers.console.text import (
    Picture,
    announcement_line,
    as_plain,
    event_json,
    event_line,
    printable,
    verdict_lines,
)
from dsm_sim.peers.console.ticket import TicketError, new_ticket, read_ticket, set_value
from dsm_sim.peers.console.validation import read_verdict

_Item = TypeVar("_Item")

_OK: Final = 0
_FAILED: Final = 1
_LEASE_S: Final = 3_600.0
_COMMANDS: Final = ("discover", "show", "validate", "watch", "check")
_EXAMPLES: Final = """\
discover  scanners that answer a multicast     watch     events of a device; without ADDRESS, Hello and Bye
show      everything about one device          check     a strict run with findings and their sources
validate  what a device says of a ticket

ADDRESS is HOST, HOST:PORT (5357 where none is given), a URL, or urn:uuid:… of a device that answers multicasts.

  dsm-device sim console                                    which scanners answer on this machine
  dsm-device sim console discover --interface eth0          … and on the network
  dsm-device sim console 127.0.0.1:5357                     everything about one scanner
  dsm-device sim console validate 127.0.0.1 --ticket "Quick scan.xml" --set Resolution=300x300
  dsm-device sim console watch 127.0.0.1                    its events until Ctrl-C
  dsm-device sim console check 127.0.0.1                    each operation right and wrong; rules, sources

Speaks with loopback and the host that is named; --network lets it listen there and follow addresses elsewhere.
Exit codes: 0 done, 1 a check failed or a device does not answer, 2 usage.
"""


def add_console(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    console = commands.add_parser(
        "console",
        help="a management console: finds devices, shows them, watches them, checks them",
        usage="dsm-device sim console [discover | show | validate | watch | check] [ADDRESS] [options]",
        description="A scan management console for a desk or a test. Without a command it shows the device at "
        "ADDRESS, and without an address it looks for devices.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = console.add_argument
    add("words", nargs="*", metavar="[discover|show|validate|watch|check] [ADDRESS]", help=argparse.SUPPRESS)
    add("--ticket", type=Path, metavar="FILE", help="validate: a scan process or a ScanTicket")
    add(
        "--set",
        action="append",
        default=[],
        metavar="ELEMENT=VALUE",
        help="validate: change a setting, repeatable",
    )
    add("--interface", action="append", metavar="NAME", help="look for devices here, repeatable (default: lo)")
    add(
        "--discovery-port",
        type=whole(1, 65_535),
        default=DISCOVERY_PORT,
        metavar="PORT",
        help="UDP (default: %(default)s)",
    )
    add("--no-discovery", action="store_true", help="check: without multicast discovery")
    add("--only", default="", metavar="TEXT", help="check: only the steps that have this in their names")
    add("--network", action="store_true", help="allow other hosts than loopback and the named one")
    add("--listen", default="", metavar="IP", help="events are sent here (default: the address facing the device)")
    add("--ca", type=Path, metavar="FILE", help="trusted certificates for https, PEM (default: the system's)")
    add(
        "--timeout",
        type=seconds(0.001, 3_600),
        default=10.0,
        metavar="S",
        help="limit for one answer (default: %(default)g)",
    )
    add("--json", action="store_true", help="JSON lines on standard output")
    console.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    command, address = _command(arguments)
    desk = Desk(is_json=arguments.json)
    jobs: dict[str, Callable[[Console], Awaitable[int]]] = {
        "discover": lambda console: _discover(console, desk),
        "show": lambda console: _show(console, address, desk),
        "validate": lambda console: _validate(console, address, arguments, desk),
        "watch": lambda console: _watch(console, address, desk),
        "check": lambda console: _check(console, address, arguments, desk),
    }
    try:
        return asyncio.run(_with_console(_options(arguments, command, desk), jobs[command]))
    except TicketError as error:
        raise SimUsageError(str(error)) from error
    except ConsoleError as error:
        sys.stderr.write(printable(f"dsm-device sim console: {error}") + "\n")
        return _FAILED
    except KeyboardInterrupt:
        return _FAILED


def _command(arguments: argparse.Namespace) -> tuple[str, str]:
    """A command and an address. Raises :class:`SimUsageError`."""
    words: list[str] = list(arguments.words)
    named = words.pop(0) if words and words[0] in _COMMANDS else ""
    command = named or ("show" if words else "discover")
    if len(words) > 1:
        raise SimUsageError(
            f"console: {words[1]!r} is too much: one command of {', '.join(_COMMANDS)}, one ADDRESS"
        )
    address = words[0] if words else ""
    if not address and command not in {"discover", "watch"}:
        raise SimUsageError(f"console {command}: name a device: HOST, HOST:PORT or URL")
    if address and command == "discover":
        raise SimUsageError(f"console discover takes no address: did you mean `console show {address}`?")
    if command != "validate" and (arguments.ticket or arguments.set):
        raise SimUsageError(f"console {command}: --ticket and --set belong to validate")
    if address and not address.startswith("urn:uuid:"):
        try:
            split_address(address)
        except ConsoleError as error:
            raise SimUsageError(f"console: {error}") from error
    return command, address


def _options(arguments: argparse.Namespace, command: str, desk: Desk) -> ConsoleOptions:
    interfaces = tuple(arguments.interface or ("lo",))
    known = {name for _, name in socket.if_nameindex()}
    for name in interfaces:
        if name not in known:
            raise SimUsageError(f"console: there is no interface {name!r}: choose of {', '.join(sorted(known))}")
    if arguments.ca and not arguments.ca.is_file():
        raise SimUsageError(f"console: {arguments.ca} is no file: name one with certificates (PEM)")
    # Windows' firewall lets answers in for 4 s: what comes between is late, and only the check wants to know.
    grace_s = 1.5 if command == "check" else 0.0
    return ConsoleOptions(
        discovery=DiscoveryOptions(interfaces=interfaces, port=arguments.discovery_port, grace_s=grace_s),
        is_network_allowed=arguments.network or bool(arguments.interface),
        sink_host=arguments.listen,
        ca_file=arguments.ca,
        timeout_s=arguments.timeout,
        tell=desk.finding if command in {"check", "watch"} else desk.count,
    )


async def _with_console(options: ConsoleOptions, job: Callable[[Console], Awaitable[int]]) -> int:
    async with Console(options) as console:
        return await job(console)


# ------------------------------------------------------------------------------------------- commands


async def _discover(console: Console, desk: Desk) -> int:
    options = console.options.discovery
    where = ", ".join(options.interfaces)
    desk.note(f"looking for scanners on {where}, UDP port {options.port}, {options.window_s:g} s")
    found = await console.discover()
    for device in found:
        desk.say(announcement_line(device), plain_announcement(device))
    if found:
        desk.note("`dsm-device sim console ADDRESS` shows one; --help has more")
        return _OK
    desk.note(f"no scanner answers on {where}: name another --interface, or an address")
    return _FAILED


async def _show(console: Console, address: str, desk: Desk) -> int:
    device = await console.find(address)
    service = device.service
    elements = await service.scanner_elements()
    picture = Picture(device, elements, await service.active_jobs(), await service.job_history())
    desk.say_all(picture.lines(), picture.as_json())
    desk.hint(console, address)
    return _OK


async def _validate(console: Console, address: str, arguments: argparse.Namespace, desk: Desk) -> int:
    ticket = _ticket(arguments)
    service = (await console.find(address)).service
    if ticket is None:
        ticket = (await service.scanner_elements(["DefaultScanTicket"])).get("DefaultScanTicket")
    if ticket is None:
        raise ConsoleError("the device has no default ticket: name one with --ticket")
    try:
        verdict = read_verdict(await service.validate(ticket))
    except Refused as refusal:
        desk.say(str(refusal), {"event": "fault", **asdict(refusal.fault)})
        return _FAILED
    images = {"front": verdict.front and asdict(verdict.front), "back": verdict.back and asdict(verdict.back)}
    corrected = None if verdict.corrected is None else as_plain(verdict.corrected)
    desk.say_all(
        verdict_lines(verdict), [{"event": "verdict", "valid": verdict.is_valid, **images, "corrected": corrected}]
    )
    desk.hint(console, address)
    return _OK if verdict.is_valid else _FAILED


def _ticket(arguments: argparse.Namespace) -> etree._Element | None:
    """The ticket of the command line; None where the device's own is meant. Raises TicketError."""
    if not arguments.ticket and not arguments.set:
        return None
    try:
        ticket = read_ticket(arguments.ticket) if arguments.ticket else new_ticket("console")
    except OSError as error:
        raise TicketError(f"cannot read {arguments.ticket}: {error.strerror}") from error
    for setting in arguments.set:
        path, equals, value = setting.partition("=")
        if not equals:
            raise TicketError(f"--set {setting}: write ELEMENT=VALUE, as in Format=png")
        set_value(ticket, path, value)
    return ticket


async def _watch(console: Console, address: str, desk: Desk) -> int:
    """Events of one device; without an address, Hello and Bye of all. Until Ctrl-C."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if not address:
        return await _watch_announcements(console, desk, stop)
    device = await console.find(address)
    return await _watch_events(console, device, desk, stop)


async def _watch_announcements(console: Console, desk: Desk, stop: asyncio.Event) -> int:
    async with console.discovery.announcements() as queue:
        desk.note(f"Hello and Bye on {', '.join(console.options.discovery.interfaces)} until Ctrl-C")
        await _until(stop, queue, lambda each: desk.say(announcement_line(each), plain_announcement(each)))
    return _OK


async def _watch_events(console: Console, device: Device, desk: Desk, stop: asyncio.Event) -> int:
    sink = await console.open_sink(device)
    ends: list[Event] = []

    def tell(event: Event) -> None:
        desk.say(event_line(event), event_json(event))
        if event.name.startswith("Subscription"):
            ends.append(event)
            stop.set()

    async with AsyncExitStack() as stack:
        subscriptions = [
            await stack.enter_async_context(Subscription(service, sink, _LEASE_S)) for service in device.services
        ]
        for service in device.services:
            desk.note(f"subscribed at {service.url}; Ctrl-C ends")
        await asyncio.gather(*(_until(stop, each.events, tell) for each in subscriptions))
    return _FAILED if ends else _OK


async def _until(stop: asyncio.Event, queue: asyncio.Queue[_Item], tell: Callable[[_Item], None]) -> None:
    """Tells each item of a queue until ``stop``, and what is still in it then."""
    stopped = asyncio.create_task(stop.wait())
    while not stopped.done():
        item = asyncio.create_task(queue.get())
        await asyncio.wait({stopped, item}, return_when=asyncio.FIRST_COMPLETED)
        if item.done():
            tell(item.result())
        else:
            item.cancel()
    while not queue.empty():
        tell(queue.get_nowait())


async def _check(console: Console, address: str, arguments: argparse.Namespace, desk: Desk) -> int:
    with_udp = not arguments.no_discovery
    steps = await check_device(console, address, desk.step, with_udp=with_udp, only=arguments.only)
    if not steps:
        raise SimUsageError(f"console check: no step has {arguments.only!r} in its name")
    total = len(console.findings.kept)
    broken = sum(bool(step.problem) for step in steps)
    must = sum(finding.level == "must" for finding in console.findings.kept)
    summary = {"event": "result", "steps": len(steps), "findings": total, "must": must, "broken": broken}
    what = f"{total} finding(s), {must} of them must" if total else "nothing is wrong"
    desk.say(f"{len(steps)} steps, {broken} broken off: {what}", summary)
    return _FAILED if total or broken else _OK
