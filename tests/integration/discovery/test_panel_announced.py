"""The panel's address by DNS-SD, seen from another machine."""

from __future__ import annotations

import sys

import pytest

from tests.integration.discovery.lab import HERE, lab
from tests.needs import needs_networks

pytest.importorskip("zeroconf")
pytestmark = needs_networks()

PROGRAM = str(HERE / "panel_program.py")
NAME = "Front desk scanner._http._tcp.local."


def test_a_browser_sees_it_come_change_and_go() -> None:
    with lab() as network:
        network.join(0, ("10.9.0.1/24", "10.9.0.2/24"), ("fd09::1/64", "fd09::2/64"))
        with network.start("peer", sys.executable, PROGRAM, "browse", "peer0") as browser:
            browser.line("browsing")
            with network.start("device", sys.executable, PROGRAM) as panel:
                panel.line("announced")
                seen = browser.line("Added", NAME, within_s=15)
                assert "dsm-6f1e7c1a.local. 8080 10.9.0.1 fd09::1 {b'path': b'/'}" in seen
                network.address("dev0", "10.9.0.1/24", verb="del")
                network.address("dev0", "10.9.0.7/24")
                panel.say("look again")
                panel.line("announced")
                browser.line(NAME, "10.9.0.7 fd09::1", within_s=15)
                assert panel.stop() == 0
            browser.line("Removed", NAME, within_s=15)


def test_without_a_network_it_comes_to_no_harm() -> None:
    with lab() as network, network.start("device", sys.executable, PROGRAM) as panel:
        panel.line("announced")
        assert panel.stop() == 0
