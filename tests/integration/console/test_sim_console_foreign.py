"""Discovery against implementations that are not ours, each confined to a network namespace of its own.

The ports of WS-Discovery are fixed (UDP 3702), so that nothing of this may run beside others.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap

from tests.needs import needs

#: A network with one interface, on which multicast works and nobody else is.
NETWORK = (
    "ip link set lo up && ip link add desk0 type veth peer name desk1 && ip link set desk1 up "
    "&& ip addr add 192.0.2.10/24 dev desk0 && ip link set desk0 up "
    "&& ip -6 addr add 2001:db8::10/64 dev desk0 nodad && exec {program}"
)


def confined(program: str) -> subprocess.CompletedProcess[str]:
    """Runs a Python program in such a network."""
    source = textwrap.dedent(program)
    command = NETWORK.format(program=f'"{sys.executable}" -c "$0"')
    # Root needs no user namespace for it, and does not get one inside a chroot.
    words = ["unshare", "-n" if os.geteuid() == 0 else "-rn", "sh", "-c", command, source]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def can_confine() -> bool:
    return bool(shutil.which("unshare") and shutil.which("ip")) and confined("pass").returncode == 0


pytestmark = needs(can_confine(), "no network namespaces for this user")

CONSOLE = """
    import asyncio, socket, sys, time
    from dsm_sim.peers.console import Console, ConsoleOptions, DiscoveryOptions
    from dsm_sim.peers.console.announcements import DEVICE, SCAN_DEVICE
    from dsm_sim.peers.console.names import readable

    OPTIONS = ConsoleOptions(
        discovery=DiscoveryOptions(interfaces=("desk0",), window_s=1.0), is_network_allowed=True
    )

    async def until(job):
        # The other side has no way to say that it is ready: it is asked until it answers.
        for _ in range(15):
            if found := await job():
                return found
        raise SystemExit("no answer")
"""


def test_a_publisher_of_another_make_is_probed_and_resolved() -> None:
    done = confined(
        CONSOLE
        + """
    from dataclasses import replace
    from wsdiscovery import QName
    from wsdiscovery.publishing import ThreadedWSPublishing

    publisher = ThreadedWSPublishing()
    publisher.start()
    url = "http://192.0.2.10:5357/device"
    types = [QName(*DEVICE[1:].split("}")), QName(*SCAN_DEVICE[1:].split("}"))]
    publisher.publishService(types=types, scopes=[], xAddrs=[url])

    async def main():
        # Asked by IPv4 alone: a datagram of IPv6 ends this publisher's thread.
        ipv4 = replace(OPTIONS, discovery=replace(OPTIONS.discovery, group_ipv6="ff02::5a5a"))
        async with Console(ipv4) as console:
            (device,) = await until(console.discover)
            (resolved,) = await until(lambda: console.discovery.resolve(device.endpoint))
            print(device.endpoint == resolved.endpoint, *map(readable, device.types), *device.xaddrs)
            print(sorted({finding.rule for finding in console.findings.kept}))

    asyncio.run(main())
    publisher.clearLocalServices()
    publisher.stop()
    """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "True wsdp:Device wscn:ScanDeviceType http://192.0.2.10:5357/device"


def test_multicast_by_both_families_reaches_a_device_on_a_real_interface() -> None:
    """Loopback has no IPv6 multicast on Linux; here the group ff02::c is joined and asked for true."""
    done = confined(
        CONSOLE
        + """
    import threading
    from lxml import etree
    from dsm_sim.peers.console.datagrams import group_sockets

    heard = []

    def listen(udp):
        udp.setblocking(True)
        heard.append((udp.family.name, udp.recvfrom(65_536)[0]))

    threads = [threading.Thread(target=listen, args=[udp]) for udp in group_sockets(OPTIONS.discovery)]
    for thread in threads:
        thread.start()

    async def main():
        async with Console(OPTIONS) as console:
            assert await console.discover() == []

    asyncio.run(main())
    for thread in threads:
        thread.join()
    ids = {etree.fromstring(data).findtext(".//{*}MessageID") for _, data in heard}
    print(sorted(family for family, _ in heard), len(ids))
    """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "['AF_INET', 'AF_INET6'] 2"
