"""Where the panel is announced, and by which names."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.server.discovery.interfaces import InterfaceAddress
from dsm_device.server.discovery.panel_announcement import PanelAddress, PanelAnnouncement

UUID = "6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7"


def address(ip: str) -> InterfaceAddress:
    return InterfaceAddress(ipaddress.ip_address(ip), ipaddress.ip_network(ip), "eth0", 2)


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("", True),
        ("192.0.2.1", True),
        ("panel.example.com", True),
    ],
)
def test_only_a_panel_for_others_is_announced(listen: str, expected: bool) -> None:
    assert PanelAddress("Scanner", UUID, listen, 8080).is_for_others is expected


def test_its_names() -> None:
    panel = PanelAddress("Front desk scanner", UUID, "0.0.0.0", 8080)
    assert (panel.instance, panel.server) == ("Front desk scanner._http._tcp.local.", "dsm-6f1e7c1a.local.")
    secure = PanelAddress("Front desk scanner", UUID, "0.0.0.0", 8443, is_secure=True)
    assert secure.instance == "Front desk scanner._https._tcp.local."


@given(st.text(max_size=100))
def test_any_name_of_a_device_becomes_one_label(name: str) -> None:
    label = PanelAddress(name.encode(errors="ignore").decode(), UUID, "", 1).instance.removesuffix(
        "._http._tcp.local."
    )
    assert 0 < len(label.encode()) <= 63


@pytest.mark.parametrize("listen", ["127.0.0.1", "192.0.2.9"])
def test_where_there_is_nothing_to_announce_nothing_is_loaded(
    listen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zeroconf", None)  # importing it would raise
    panel = PanelAnnouncement(PanelAddress("Scanner", UUID, listen, 8080))
    asyncio.run(panel.announce([address("127.0.0.1"), address("192.0.2.1"), address("fe80::1")]))
