"""The name of a scan server as scan processes give it."""

from __future__ import annotations

import pytest

from dsm_device.client.server_name import ServerName
from dsm_device.errors import ProcessUnusable


@pytest.mark.parametrize(
    ("repository", "host", "port"),
    [
        ("scan01", "scan01", 5362),
        (" scan01.corp.example.com. ", "scan01.corp.example.com", 5362),
        ("SCAN01:444", "SCAN01", 444),
        ("192.0.2.7:444", "192.0.2.7", 444),
        ("[2001:db8::7]", "2001:db8::7", 5362),
        ("[2001:db8::7]:444", "2001:db8::7", 444),
    ],
)
def test_names_of_servers(repository: str, host: str, port: int) -> None:
    assert ServerName.parse(repository, 5362) == ServerName(host, port)


@pytest.mark.parametrize(
    "repository", ["", ":1", "a b", "https://scan01/", "scan01/x", "user@scan01", "scan01:0", "scan01:65536",
                   "a" * 64, "[x]", "-a", "a..b", "scan01:"]
)  # fmt: skip
def test_what_is_no_name_of_a_server_is_the_processes_fault(repository: str) -> None:
    with pytest.raises(
        ProcessUnusable, match=r"ScanRepository .*(no host name|empty|impossible port).*full DNS name"
    ):
        ServerName.parse(repository, 5362)


@pytest.mark.parametrize(
    ("server", "url"),
    [
        (ServerName("scan01", 5362), "https://scan01:5362/ScanServer"),
        (ServerName("2001:db8::7", 444), "https://[2001:db8::7]:444/ScanServer"),
    ],
)
def test_addresses_of_servers(server: ServerName, url: str) -> None:
    assert server.url("/ScanServer") == url
