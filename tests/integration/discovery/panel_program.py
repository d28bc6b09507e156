"""The panel's announcement by itself, or with ``browse`` what somebody else sees of it."""

from __future__ import annotations

import asyncio
import sys

from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from dsm_device.server.discovery.interfaces import read_addresses
from dsm_device.server.discovery.panel_announcement import PanelAddress, PanelAnnouncement

UUID = "6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7"


async def announce() -> None:
    panel = PanelAnnouncement(PanelAddress("Front desk scanner", UUID, "0.0.0.0", 8080))
    await panel.announce(read_addresses())
    print("announced", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        await panel.announce(read_addresses())
        print("announced", flush=True)
    await panel.aclose()


async def browse(interface: str) -> None:
    addresses = [str(each.ip) for each in read_addresses([interface]) if not each.ip.is_link_local]
    zeroconf = AsyncZeroconf(interfaces=addresses)
    tasks = set()

    def changed(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        tasks.add(asyncio.ensure_future(show(zeroconf, service_type, name, state_change)))

    AsyncServiceBrowser(zeroconf.zeroconf, "_http._tcp.local.", handlers=[changed])
    print("browsing", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await zeroconf.async_close()


async def show(zeroconf: Zeroconf, service_type: str, name: str, change: ServiceStateChange) -> None:
    info = AsyncServiceInfo(service_type, name)
    if change is not ServiceStateChange.Removed:
        await info.async_request(zeroconf, 3_000)
    print(change.name, name, info.server, info.port, *sorted(info.parsed_addresses()), info.properties, flush=True)


if __name__ == "__main__":
    asyncio.run(browse(sys.argv[2]) if sys.argv[1:2] == ["browse"] else announce())
