"""The console: finds devices, and holds what it needs to speak with them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

from dsm_sim.peers.console.announcements import Announcement, AnnouncementReader
from dsm_sim.peers.console.conversation import Conversation
from dsm_sim.peers.console.discovery import Discovery, directed_probe, merged
from dsm_sim.peers.console.errors import ConsoleError, NoAnswer
from dsm_sim.peers.console.findings import Findings
from dsm_sim.peers.console.metadata import Metadata, get_metadata
from dsm_sim.peers.console.names import DSD, HTTP_PORT
from dsm_sim.peers.console.options import ConsoleOptions
from dsm_sim.peers.console.service import Service
from dsm_sim.peers.console.sink import Sink, sink_host
from dsm_sim.peers.console.transport import Transport

_SECOND_PORT: Final = 80


@dataclass(frozen=True)
class Device:
    """A device that was found. ``origin`` is ``http://host:port``, ``url`` where Get is answered."""

    origin: str
    url: str
    metadata: Metadata
    conversation: Conversation

    @property
    def host(self) -> str:
        return urlsplit(self.origin).hostname or ""

    @property
    def services(self) -> list[Service]:
        """The services that answer WS-DSD or WS-Scan, each in its own namespace. Raises ConsoleError for none."""
        found = [Service(self.conversation, each.url, each.namespace) for each in self.metadata.scanner_services]
        if not found:
            raise ConsoleError(f"{self.url} hosts no scanner service")
        return found

    @property
    def service(self) -> Service:
        """The WS-DSD service where there is one, else WS-Scan's."""
        return min(self.services, key=lambda service: service.namespace != DSD)


class Console:
    """``async with Console(options) as console``. ``findings.kept`` is what was wrong with all answers so far."""

    def __init__(self, options: ConsoleOptions | None = None) -> None:
        self.options = options or ConsoleOptions()
        self.findings = Findings(self.options.tell)
        self.reader = AnnouncementReader()
        self.discovery = Discovery(self.options.discovery, self.findings, self.reader)
        self._transport = Transport(self.options)
        self.conversation = Conversation(self._transport, self.findings)

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(self._transport)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def discover(self) -> list[Announcement]:
        """The scanners that answer a multicast Probe; those that kept their addresses back are resolved."""
        found = await self.discovery.probe()
        silent = [device for device in found if not device.xaddrs]
        resolved = await asyncio.gather(*(self.discovery.resolve(device.endpoint) for device in silent))
        return merged([*found, *(device for devices in resolved for device in devices)])

    async def find(self, address: str) -> Device:
        """The device at a URL, at HOST[:PORT], or with a ``urn:uuid:`` address. Raises :class:`ConsoleError`."""
        if address.startswith("urn:uuid:"):
            return await self._find_endpoint(address)
        parts = split_address(address)
        self._transport.allow(parts.hostname or "")
        parts, match = await self._probe(parts)
        urls = [address] if parts.path.strip("/") else list(match.xaddrs) if match else [f"{origin_of(parts)}/"]
        endpoint = match.endpoint if match else ""
        return await self._read(urls, endpoint)

    async def open_sink(self, device: Device) -> Sink:
        """Where events of this device can arrive, until the console is closed. Raises :class:`ConsoleError`."""
        return await self._stack.enter_async_context(Sink(sink_host(self.options, device.origin)))

    async def _find_endpoint(self, endpoint: str) -> Device:
        found = await self.discovery.resolve(endpoint)
        if not found or not found[0].xaddrs:
            raise NoAnswer(f"{endpoint} does not answer on {', '.join(self.options.discovery.interfaces)}")
        return await self._read(list(found[0].xaddrs), endpoint)

    async def _probe(self, parts: SplitResult) -> tuple[SplitResult, Announcement | None]:
        """What the host says to a directed Probe, by HTTP and then by UDP, and at which port it speaks HTTP.

        What fails here is no finding.
        """
        quiet = Conversation(self._transport, Findings(lambda _: None))
        failures: list[NoAnswer] = []
        for port in [parts.port] if parts.port else [HTTP_PORT, _SECOND_PORT]:
            there = parts._replace(netloc=_netloc(parts.hostname or "", port))
            try:
                found = await directed_probe(quiet, AnnouncementReader(), origin_of(there))
            except NoAnswer as error:
                failures.append(error)
            except ConsoleError:
                return there, None
            else:
                return there, next(iter(found), None)
        if parts.path.strip("/"):
            return parts, None
        by_udp = Discovery(self.options.discovery, quiet.findings, AnnouncementReader())
        matches = await by_udp.probe_host(await _ip_address(parts.hostname or ""))
        if not matches:
            raise failures[0]  # at the usual port
        return parts, matches[0]

    async def _read(self, urls: list[str], endpoint: str) -> Device:
        error: ConsoleError = NoAnswer("the device names no address")
        for url in urls:
            try:
                metadata = await get_metadata(self.conversation, url, endpoint)
            except ConsoleError as problem:
                error = problem
                continue
            return Device(origin_of(urlsplit(url)), url, metadata, self.conversation)
        raise error


def split_address(address: str) -> SplitResult:
    """A URL, or HOST[:PORT] as one. Raises :class:`ConsoleError` for what is neither."""
    try:
        text = address if "://" in address else f"http://{_bracketed(address)}"
        parts = urlsplit(text)
        is_usable = (
            parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port)
        )
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConsoleError(f"{address!r} is no address: write HOST, HOST:PORT or http://HOST:PORT/PATH")
    return parts


def origin_of(parts: SplitResult) -> str:
    """``scheme://host:port``, with the port of the protocol where the URL names none."""
    return f"{parts.scheme}://{parts.netloc}"


def _bracketed(address: str) -> str:
    """An IPv6 address by itself gets its brackets."""
    try:
        return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    except ValueError:
        return address


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _ip_address(host: str) -> str:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise NoAnswer(f"{host} is not known: {error.strerror}") from error
    return str(found[0][4][0])
