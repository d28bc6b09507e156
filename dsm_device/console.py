"""The console's endpoint put together: discovery, the front door, what is answered there, and events.

request ─► front_door ─► soap_endpoint ─► device_service ─► console_desk (what is so now)
what happens to scanner and jobs ─► console_desk ─► event_source ─► each subscriber's own line
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lxml import etree

from dsm_device.errors import ConfigurationError, SpoolError
from dsm_device.job.habits import Habits
from dsm_device.runner.console_desk import ConsoleDesk, Label
from dsm_device.runner.scanner_keeper import ScannerKeeper
from dsm_device.server.device_service import DeviceService, Endpoint
from dsm_device.server.discovery.directed_probe import probe_answer
from dsm_device.server.discovery.host import DiscoveryHost
from dsm_device.server.discovery.interfaces import InterfaceAddress, read_addresses
from dsm_device.server.discovery.options import DiscoveryOptions
from dsm_device.server.door_ports import DoorPorts, PortOptions
from dsm_device.server.event_sink import EventSink
from dsm_device.server.event_source import EventOptions, EventSource
from dsm_device.server.event_source_service import EventSourceService
from dsm_device.server.front_door import About, DoorOptions, FrontDoor
from dsm_device.server.http_server import HttpOptions
from dsm_device.server.identity import Identity
from dsm_device.server.networks import Networks
from dsm_device.server.sink_address import Interface, SinkRule
from dsm_device.server.soap_endpoint import SoapEndpoint
from dsm_device.server.subscriptions import Limits
from dsm_device.settings import ConsoleSettings
from dsm_device.spool import Spool
from dsm_device.wire import hosting
from dsm_device.wire.service_request import Request

_log = logging.getLogger(__name__)

#: DPWS's own port. A device that has it answers directed probes at port 80 as well, if that is free.
STANDARD_PORT: Final = 5357
DIRECTED_PROBE_PORT: Final = 80
#: For all farewells together: subscribers that do not answer, clients that do not read. The agent has 5 s in all.
LEAVE_LIMIT_S: Final = 3.5


class Console:
    """Open from ``async with`` on, answering, until :meth:`run` ends or the context does."""

    def __init__(
        self,
        settings: ConsoleSettings,
        label: Label,
        state_dir: Path,
        *,
        keeper: ScannerKeeper,
        spool: Spool,
        habits: Callable[[], Habits],
        sink: EventSink,
        is_shared: bool = False,
    ) -> None:
        """``sink`` is served behind the console's port where it has none of its own; ``is_shared``: other programs
        use the scanner as well, so it is not held open for a console.

        Raises ``SpoolError`` where the device's identity cannot be kept.
        """
        self._settings = settings
        self._sink = sink
        self._doors = AsyncExitStack()
        self._voices = AsyncExitStack()
        self._identity = Identity.open(state_dir)
        self._events = EventSource(
            SinkRule(lambda: _interfaces(read_addresses())),
            EventOptions(Limits(settings.subscriptions)),
        )
        self.desk = ConsoleDesk(
            label,
            self._identity.uuid,
            keeper=keeper,
            spool=spool,
            state_dir=state_dir,
            habits=habits,
            publish=self._events.publish,
            is_watched=lambda: len(self._events) > 0,
            is_shared=is_shared,
            on_metadata=self._announce_anew,
        )
        self._discovery: DiscoveryHost | None = None
        self._service: DeviceService | None = None

    @property
    def notice(self) -> str:
        """What a person should know about the device's identity, "" where all is well."""
        return self._identity.notice

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def run(self, until: asyncio.Event) -> None:
        """Watch the scanner until the event; then take leave of everybody, within :data:`LEAVE_LIMIT_S`."""
        watching = asyncio.create_task(self.desk.run())
        try:
            await until.wait()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            if self._service is not None:
                self._service.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._close(), LEAVE_LIMIT_S)

    async def _close(self) -> None:
        """Subscribers hear of the end, then the network; meanwhile doors close. May be repeated."""
        await asyncio.gather(self._voices.aclose(), self._doors.aclose())

    # ----------------------------------------------------------------------------------------- opening

    async def _open(self) -> None:
        """Doors first: what is announced has to be there."""
        await self.desk.prepare()
        self._identity.describe(hosting.digest(self.desk.metadata()))
        service = DeviceService(self.desk, _Subscriptions(self._events, self.desk), self._answer_probe)
        door = FrontDoor(
            SoapEndpoint(service, self._identity.uuid),
            self._sink,
            self._about,
            DoorOptions(needs_certificate=bool(self._settings.client_ca)),
        )
        ports = await self._doors.enter_async_context(DoorPorts(door, self._port_options()))
        await self._open_for_probes(door)
        self._serve_sink(ports)
        self._service = service
        await self._open_discovery(ports)
        self._voices.push_async_callback(self._events.aclose)

    def _port_options(self) -> PortOptions:
        settings = self._settings
        http = HttpOptions(
            networks=Networks.of(settings.networks),
            certificate=settings.certificate,
            key=settings.key,
            client_ca=settings.client_ca,
        )
        return PortOptions(settings.listen, settings.http_port, settings.https_port, http)

    async def _open_for_probes(self, door: FrontDoor) -> None:
        """A console that is given an address often asks at port 80 (DPWS hosting, open points)."""
        if self._settings.http_port != STANDARD_PORT:
            return
        http = replace(self._port_options().http, certificate="", key="", client_ca="")
        try:
            port = PortOptions(self._settings.listen, DIRECTED_PROBE_PORT, 0, http)
            await self._doors.enter_async_context(DoorPorts(door, port))
        except ConfigurationError as error:
            _log.info("directed probes are not answered at port %d: %s", DIRECTED_PROBE_PORT, error.message)

    def _serve_sink(self, ports: DoorPorts) -> None:
        """Events of scan servers come through the same door, unless they have one of their own."""
        if not self._sink.port:
            is_secure = bool(ports.https_port)
            self._sink.served_at("https" if is_secure else "http", ports.https_port or ports.http_port)

    async def _open_discovery(self, ports: DoorPorts) -> None:
        """HTTP is what is announced, since Windows ignores a mixture; HTTPS where HTTP answers nobody."""
        settings = self._settings
        is_secure = bool(settings.client_ca)
        port, scheme = (ports.https_port, "https") if is_secure else (ports.http_port, "http")
        options = DiscoveryOptions(
            settings.discovery_port, settings.interfaces, settings.listen, http_port=port, scheme=scheme
        )
        self._answer_to_probe = probe_answer(self._identity, options)
        if settings.discovery:
            self._discovery = await self._voices.enter_async_context(DiscoveryHost(self._identity, options))

    # ----------------------------------------------------------------------------------------- answers

    def _answer_probe(self, body: etree._Element, url: str) -> tuple[etree._Element, Sequence[bytes]]:
        return self._answer_to_probe(body, url)

    def _about(self) -> About:
        metadata = self.desk.metadata()
        return About(metadata.device.friendly_name, metadata.model.model_name)

    def _announce_anew(self) -> None:
        """The metadata has changed. A disk that refuses to keep that is no reason to say nothing of it."""
        with suppress(SpoolError):
            self._identity.describe(hosting.digest(self.desk.metadata()))
        if self._discovery is not None:
            self._discovery.announce()


class _Subscriptions:
    """:class:`EventSourceService`, whose subscribers want to know how the scanner is."""

    def __init__(self, events: EventSource, desk: ConsoleDesk) -> None:
        self._events = events
        self._desk = desk
        self._service = EventSourceService(events)

    async def answer(self, request: Request, endpoint: Endpoint, base_url: str, peer_host: str) -> bytes:
        before = len(self._events)
        answer = await self._service.answer(request, endpoint, base_url, peer_host)
        if not before and len(self._events):
            self._desk.note_interest()
        return answer


def _interfaces(addresses: Sequence[InterfaceAddress]) -> list[Interface]:
    """As :mod:`ipaddress` has them, those of a link with their zone."""
    found: list[Interface] = []
    for each in addresses:
        zone = f"%{each.interface}" if each.ip.is_link_local and each.ip.version == 6 else ""
        found.append(ipaddress.ip_interface(f"{each.ip}{zone}/{each.network.prefixlen}"))
    return found
