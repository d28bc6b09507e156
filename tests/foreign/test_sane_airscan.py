"""sane-airscan, a backend for WS-Scan, lists the device, reads what it offers, and how it is.

It comes to know it by an entry of its configuration, or by discovery from another machine: the client's network
namespace has a D-Bus and an avahi-daemon of its own then, without which it finds nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dsm_sim.scanner import Sheet
from tests.foreign.agent import Agent, agent_in, agent_on_loopback, environment_of_client, until
from tests.integration.discovery.lab import Lab, lab
from tests.needs import needs_networks, needs_programs

DEVICE = "airscan:w0:Front desk"
V4 = ("10.9.1.1/24", "10.9.1.2/24")
V6 = ("fd09:1::1/64", "fd09:1::2/64")

pytestmark = needs_programs("scanimage", "airscan-discover")

#: A system bus and avahi in a /run that nobody else sees; then the client.
WITH_AVAHI = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/avahi-daemon
dbus-daemon --system --nofork --nopidfile & bus=$!
trap 'kill $bus $avahi 2>/dev/null' EXIT
until [ -S /run/dbus/system_bus_socket ]; do kill -0 $bus; done
avahi-daemon --no-drop-root --no-chroot --no-rlimits -f "$1" & avahi=$!
until dbus-send --system --dest=org.freedesktop.Avahi --print-reply / \
    org.freedesktop.Avahi.Server.GetState 2>/dev/null | grep -q 'int32 2'; do kill -0 $avahi; done
shift
"$@"
"""
AVAHI_CONFIGURATION = """
[server]
host-name=client
[publish]
disable-publishing=yes
[wide-area]
enable-wide-area=no
"""


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with agent_on_loopback(tmp_path) as made:
        yield made


@pytest.fixture
def network() -> Iterator[Lab]:
    with lab() as made:
        yield made


def scanimage(folder: Path, agent: Agent, *arguments: str) -> subprocess.CompletedProcess[str]:
    """With the scan service's URL written into the client's configuration."""
    entry = f'[devices]\n"Front desk" = {agent.url}/scan, wsd\n[options]\ndiscovery = disable\n'
    return subprocess.run(
        ["scanimage", *arguments],
        env=environment_of_client(folder / "client", airscan=entry),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        check=False,
    )


def test_it_lists_the_device_and_all_that_it_offers(agent: Agent, tmp_path: Path) -> None:
    listed = scanimage(tmp_path, agent, "-L")
    assert listed.stdout.startswith(f"device `{DEVICE}' is a WSD Front desk"), listed.stderr
    shown = scanimage(tmp_path, agent, "-d", DEVICE, "-A")
    assert shown.returncode == 0, shown.stderr
    assert {name: offered(shown.stdout, name) for name in ("mode", "source", "resolution")} == {
        "mode": "Color|Gray",
        "source": "Flatbed|ADF|ADF Duplex",
        "resolution": "|".join(map(str, agent.scanner.model.resolutions)) + "dpi",
    }
    model = agent.scanner.model
    assert offered(shown.stdout, "x") == f"0..{model.glass_width_mm:g}mm"
    assert offered(shown.stdout, "y") == f"0..{model.glass_height_mm:g}mm"


def offered(shown: str, option: str) -> str:
    """What scanimage says may be given for it."""
    found = re.search(rf"^    --?{option} (\S.*?) \[", shown, re.MULTILINE)
    assert found, shown
    return found[1]


def test_it_may_not_fetch_pages_and_tells_why_the_scanner_would_not(agent: Agent, tmp_path: Path) -> None:
    """Refused, it asks for the state, and makes of it what it tells its user."""
    agent.scanner.load([Sheet()])

    def told(words: str) -> Callable[[], bool]:
        return lambda: scan(tmp_path, agent).endswith(f"sane_start: {words}\n")

    until(told("Error during device I/O"), agent.log)
    assert agent.scanner.sheets_left == 1
    agent.scanner.empty_feeder()
    agent.scanner.open_cover()
    until(told("Scanner cover is open"), agent.log)
    agent.scanner.close_cover()
    until(told("Device busy"), agent.log)  # its word for a scanner that wants somebody's attention


def scan(folder: Path, agent: Agent) -> str:
    """What it says when it is refused."""
    page = str(folder / "page.png")
    refused = scanimage(folder, agent, "-d", DEVICE, "--source", "ADF", "--format", "png", "-o", page)
    assert refused.returncode != 0
    return refused.stderr.rstrip() + "\n"


@needs_networks()
@needs_programs("avahi-daemon", "dbus-daemon", "dbus-send")
@pytest.mark.parametrize(
    ("addresses", "shown"),
    [((V4,), "10.9.1.1"), ((V6,), "fd09:1::1"), ((V4, V6), "10.9.1.1, fd09:1::1")],
    ids=["IPv4", "IPv6", "both"],
)
def test_it_discovers_the_device_from_another_machine(
    network: Lab, tmp_path: Path, addresses: tuple[tuple[str, str], ...], shown: str
) -> None:
    network.join(0, *addresses)
    with agent_in(tmp_path, network.device, listen="::") as agent:
        _look_at_the_scanner(network)
        model = agent.scanner.model
        device = f"airscan:w0:{model.vendor} {model.model}"
        command = f'scanimage -L && scanimage -d "{device}" -A'
        done = in_the_other_network(network, tmp_path, "sh", "-c", command)
    assert done.returncode == 0, done.stderr
    assert f"device `{device}' is a WSD {model.vendor} {model.model} ip={shown}\n" in done.stdout
    assert offered(done.stdout, "source") == "Flatbed|ADF|ADF Duplex"


def _look_at_the_scanner(network: Lab) -> None:
    """A first question has the device open it, and know its model from then on."""
    command = [sys.executable, "-m", "dsm_device", "sim", "console", "show", "127.0.0.1"]
    with network.start("device", *command) as console:
        assert console.process.wait(30) == 0, console.seen


def in_the_other_network(network: Lab, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    script, configuration = folder / "with-avahi.sh", folder / "avahi.conf"
    script.write_text(WITH_AVAHI)
    configuration.write_text(AVAHI_CONFIGURATION)
    return subprocess.run(
        ["ip", "netns", "exec", network.peer, "unshare", "-m", "sh", str(script), str(configuration), *command],
        env=environment_of_client(folder / "client", airscan=""),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
