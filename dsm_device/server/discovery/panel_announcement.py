"""The panel's address by DNS-SD, so that people find it in a browser or on a phone without typing one.

Sources: RFC 6762 (multicast DNS), RFC 6763 (DNS-SD) 4 to 6. zeroconf speaks the protocol. The host name is one of
the panel's own: the machine's name may be in the hands of another responder (avahi) with other addresses.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dsm_device.server.discovery.interfaces import InterfaceAddress

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncZeroconf

_log = logging.getLogger(__name__)

#: RFC 6763, 4.1.1: an instance's name is one label (octets).
_LABEL_OCTETS: Final = 63
_ANY: Final = ("", "0.0.0.0", "::")  # noqa: S104 - only compared


@dataclass(frozen=True, slots=True)
class PanelAddress:
    """Where the panel is. ``name`` is shown to people, ``uuid`` the device's, ``listen`` the configuration's."""

    name: str
    uuid: str
    listen: str
    port: int
    #: It has a certificate, and so speaks HTTPS.
    is_secure: bool = False

    @property
    def is_for_others(self) -> bool:
        """Whether anybody but this machine can come there. A host name is somebody's, hence others'."""
        try:
            return self.listen in _ANY or not ipaddress.ip_address(self.listen).is_loopback
        except ValueError:
            return self.listen != "localhost"

    @property
    def service(self) -> str:
        """A browser that is led to HTTPS by ``_http`` would speak the wrong protocol."""
        return "_https._tcp.local." if self.is_secure else "_http._tcp.local."

    @property
    def instance(self) -> str:
        label = self.name.encode()[:_LABEL_OCTETS].decode(errors="ignore").strip().rstrip(".")
        return f"{label or 'Scanner'}.{self.service}"

    @property
    def server(self) -> str:
        return f"dsm-{self.uuid[:8]}.local."


class PanelAnnouncement:
    """Announces from :meth:`announce` until :meth:`aclose`. Raises nothing: people can still type an address."""

    def __init__(self, panel: PanelAddress) -> None:
        self._panel = panel
        self._zeroconf: AsyncZeroconf | None = None
        self._announced: tuple[str, ...] = ()

    async def announce(self, addresses: Collection[InterfaceAddress]) -> None:
        """Say that the panel is at those of ``addresses`` that it listens on, instead of what was said before."""
        wanted = self._wanted(addresses)
        if wanted == self._announced:
            return
        await self.aclose()
        if wanted:
            await self._register(wanted)

    def _wanted(self, addresses: Collection[InterfaceAddress]) -> tuple[str, ...]:
        if not self._panel.is_for_others:
            return ()
        served = (each.ip for each in addresses if self._panel.listen in (*_ANY, str(each.ip)))
        return tuple(sorted(str(ip) for ip in served if not ip.is_loopback and not _needs_a_zone(ip)))

    async def _register(self, addresses: tuple[str, ...]) -> None:
        from zeroconf import Error  # noqa: PLC0415 - it takes its time to load, and few panels are for others
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf  # noqa: PLC0415

        panel = self._panel
        info = AsyncServiceInfo(
            panel.service,
            panel.instance,
            port=panel.port,
            properties={"path": "/"},
            server=panel.server,
            parsed_addresses=list(addresses),
        )
        try:
            self._zeroconf = AsyncZeroconf(interfaces=list(addresses))
            await (await self._zeroconf.async_register_service(info, allow_name_change=True))
            self._announced = addresses
        except (Error, OSError, ValueError) as error:
            _log.warning("the panel's address is not announced by DNS-SD: %s", error or type(error).__name__)
            await self.aclose()

    async def aclose(self) -> None:
        """Take back what has been announced."""
        zeroconf, self._zeroconf = self._zeroconf, None
        self._announced = ()
        if zeroconf is not None:
            await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()


def _needs_a_zone(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return ip.version == 6 and ip.is_link_local
