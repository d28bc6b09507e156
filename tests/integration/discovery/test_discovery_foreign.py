"""Clients and daemons that are not ours find the device, resolve it, hear it come and go, and live beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsm_device.server.identity import Identity
from tests.integration.discovery.device_program import NAME
from tests.integration.discovery.lab import Lab, lab
from tests.needs import needs_networks, needs_programs, program

pytestmark = needs_networks()

V4, V6 = ("10.9.0.1/24", "10.9.0.2/24"), ("fd09::1/64", "fd09::2/64")
LOCAL = ("fe80::1/64", "fe80::2/64")
WSDD = program("wsdd")
needs_wsdd = needs_programs("wsdd")


@pytest.fixture
def network() -> Iterator[Lab]:
    with lab() as made:
        yield made


#: python-ws-discovery. It resolves of itself only what gave no XAddrs, so here it is told to.
WSDISCOVERY = """
import sys
from wsdiscovery import QName, Scope
from wsdiscovery.discovery import ThreadedWSDiscovery

def tell(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\\n")  # in one piece: several threads have something to say
    sys.stdout.flush()

class Client(ThreadedWSDiscovery):
    def _handle_resolvematches(self, env, addr):
        tell("resolved", *(match.getXAddrs()[0] for match in env.getProbeResolveMatches()))
        super()._handle_resolvematches(env, addr)

client = Client()
client.setRemoteServiceHelloCallback(lambda service: tell("hello", *service.getXAddrs()))
client.setRemoteServiceByeCallback(lambda epr: tell("bye", epr))
client.start()
tell("listening")
sys.stdin.readline()
types = [QName("http://schemas.microsoft.com/windows/2006/08/wdp/scan", "ScanDeviceType")]
for service in client.searchServices(types=types, timeout=2):
    tell("found", service.getEPR(), *service.getTypes())
    tell("at", *service.getXAddrs())
client.clearRemoteServices()
tell("elsewhere", client.searchServices(scopes=[Scope("http://example.com/x")], timeout=1))
client._sendResolve(sys.argv[1])
sys.stdin.readline()
client.stop()
"""


def test_the_wsdiscovery_package_finds_resolves_and_hears_it(network: Lab, tmp_path: Path) -> None:
    network.join(0, V4, V6)
    endpoint = Identity.open(tmp_path).endpoint
    script = tmp_path / "client.py"
    script.write_text(WSDISCOVERY)
    with network.start("peer", sys.executable, str(script), endpoint) as client:
        client.line("listening")
        device = network.start_device(tmp_path)
        client.line("hello", "http://10.9.0.1:5357/")
        client.say("search")
        assert "scan:ScanDeviceType" in client.line("found", endpoint)
        assert f":5357/{endpoint.removeprefix('urn:uuid:')}" in client.line("at http://")
        client.line("elsewhere []")
        assert ":5357/" in client.line("resolved http://")
        assert device.stop() == 0
        client.line("bye", endpoint)
        client.say("end")


@needs_wsdd
@pytest.mark.parametrize(
    ("addresses", "shown"), [((V4,), "10.9.0.1"), ((LOCAL,), "[fe80::")], ids=["IPv4", "IPv6"]
)
def test_wsdd_finds_it_and_reads_what_it_is(
    network: Lab, tmp_path: Path, addresses: tuple[tuple[str, str], ...], shown: str
) -> None:
    """By IPv6 it adds the zone to every address, which is right for those of the link alone."""
    network.join(0, *addresses)
    endpoint = Identity.open(tmp_path).endpoint
    device = network.start_device(tmp_path)
    with network.start("peer", WSDD, "--discovery", "--no-host", "-vv", "-i", "peer0") as client:
        client.line(f"discovered {NAME} on {shown}")
        assert device.stop() == 0
        client.line("Bye", endpoint)


@needs_wsdd
@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_it_lives_on_one_machine_with_wsdd(network: Lab, tmp_path: Path, is_first: bool) -> None:
    """Both answer multicasts; TCP port 5357 is wsdd's then, and the device has another."""
    network.join(0, V4)
    daemon = [WSDD, "-vv", "-i", "dev0", "-n", "daemon", "-4"]
    with network.start_neighbour() as neighbour:
        started = [network.start("device", *daemon)] if is_first else []
        if is_first:
            started[0].line("joined multicast group")
        with network.start_device(tmp_path, http_port=5999):
            neighbour.heard("Hello", "10.9.0.1:5999")
            if not is_first:
                started.append(network.start("device", *daemon))
                started[0].line("joined multicast group")
            neighbour.say("probe 4")
            neighbour.heard("ProbeMatches", ":5999/")
            with network.start("peer", WSDD, "--discovery", "--no-host", "-vv", "-4", "-i", "peer0") as client:
                client.line(f"discovered {NAME} on 10.9.0.1%peer0")
        for program in started:
            program.process.terminate()
            program.stop()


def test_the_simulated_console_finds_it_from_another_machine(network: Lab, tmp_path: Path) -> None:
    network.join(0, V4, V6)
    console = [sys.executable, "-m", "dsm_device", "sim", "console", "discover", "--interface", "peer0"]
    with network.start_device(tmp_path), network.start("peer", *console) as client:
        line = client.line("ProbeMatch ", uuid_in(tmp_path))
        assert "http://10.9.0.1:5357/" in line
        assert "http://[fd09::1]:5357/" in line
        assert client.process.wait(10) == 0


def uuid_in(state_dir: Path) -> str:
    return str(json.loads((state_dir / "identity.json").read_text())["uuid"])
