"""The configuration: every key of the contract, and one clear line for whatever is wrong."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device import settings
from dsm_device.errors import ConfigurationError

CONTRACT = """
[device]
name = "Front desk scanner"
state_dir = "/var/lib/dsm-device"
location = ""
[scanner]
driver = "sane"
device = ""
[scanner.options]
"read-limit" = true
[directory]
source = "ldap"
domain = "corp.example.com"
servers = ["ldap://dc1.corp.example.com"]
bind = "kerberos"
path = "/etc/dsm-device/scan-processes"
user = ""
sid = "S-1-5-21-0-0-0-1000"
email = ""
[scan_server]
port = 5362
probe = ["https", "udp"]
ca_file = ""
client_cert = ""
client_key = ""
events = true
event_port = 0
event_address = ""
connect_timeout = 10
retry_first = 1
retry_max = 300
[console]
listen = "0.0.0.0"
http_port = 5357
https_port = 5358
certificate = ""
key = ""
client_ca = ""
networks = []
discovery = true
discovery_port = 3702
interfaces = []
[panel]
listen = "127.0.0.1"
port = 8080
certificate = ""
key = ""
idle_logout = 120
[spool]
max_bytes = 4_000_000_000
keep_history = 200
[metrics]
listen = "127.0.0.1"
port = 9464
"""


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        settings.parse(text, "config.toml")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_key_of_the_contract_is_known():
    read = settings.parse(CONTRACT, "config.toml")
    assert read.device.name == "Front desk scanner"
    assert read.scanner.options == {"read-limit": True}
    assert read.directory.servers == ("ldap://dc1.corp.example.com",)
    assert read.scan_server.connect_timeout == 10.0


def test_the_contract_shows_the_defaults():
    read = settings.parse(CONTRACT, "config.toml")
    plain = settings.parse("", "config.toml")
    differs = [
        f"{section.name}.{key.name}"
        for section in dataclasses.fields(settings.Settings)
        for key in dataclasses.fields(getattr(plain, section.name))
        if getattr(getattr(plain, section.name), key.name) != getattr(getattr(read, section.name), key.name)
    ]
    assert differs == ["device.name", "scanner.options", "directory.domain", "directory.servers"]


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.parse("", "config.toml").device.name = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.parse("", "config.toml").scanner.options["x"] = 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[device]\n\nnaem = 'x'\n", 3, ["naem", "[device]", "name"]),
        ("# c\n[devise]\n", 2, ["devise", "device"]),
        ("nmae = 1\n", 1, ["nmae"]),
        ("[device]\nname = 3", 2, ["device.name", "string"]),
        ("[scan_server]\n# port\nport = true", 3, ["scan_server.port", "whole number"]),
        ("[scan_server]\nport = 5362.0", 2, ["scan_server.port", "whole number"]),
        ("[scan_server]\nport = 0", 2, ["scan_server.port"]),
        ("[console]\nhttp_port = 65536", 2, ["console.http_port", "65535"]),
        ("[scan_server]\nevents = 'yes'", 2, ["scan_server.events", "true or false"]),
        ("[scan_server]\nprobe = ['http']", 2, ["scan_server.probe", '"http"']),
        ("[scan_server]\nprobe = 'https'", 2, ["scan_server.probe", "list of strings"]),
        ("[scan_server]\nconnect_timeout = -1", 2, ["scan_server.connect_timeout", "greater than 0"]),
        ("[scan_server]\nconnect_timeout = nan", 2, ["scan_server.connect_timeout"]),
        ("[directory]\nsource = 'nis'", 2, ["directory.source", '"ldap" or "files"']),
        ("[directory]\nsid = 'root'", 2, ["directory.sid", "S-1-5-21"]),
        ("[device]\nstate_dir = ''", 2, ["device.state_dir", "path"]),
        ("[scanner]\noptions = 3", 2, ["scanner.options"]),
        ("[scanner]\n[scanner.options]\n'x y' = [1]", 3, ["x y"]),
        ("device.name = 1", 1, ["device.name"]),
        ("[spool]\nmax_bytes = 0", 2, ["spool.max_bytes"]),
        ("[scan_server]\nretry_max = 5\nretry_first = 6", 3, ["retry_first", "retry_max"]),
        ("[panel]\nport = 80\nlisten = '0.0.0.0'", 3, ["panel.listen", "certificate"]),
        ("[scan_server]\nclient_key = 'key.pem'", 2, ["client_key", "client_cert"]),
        ("[console]\nkey = 'key.pem'", 2, ["console.key", "certificate"]),
        ("[console]\nclient_ca = 'ca.pem'", 2, ["console.client_ca", "certificate"]),
        ("[console]\ncertificate = 'c.pem'\nhttps_port = 5357", 3, ["console.https_port", "http_port", "5357"]),
        ("[console]\nnetworks = '10.0.0.0/8'", 2, ["console.networks", "list of strings"]),
        ("[console]\nnetworks = ['::1', '10.0.0.0/33']", 2, ["console.networks", "10.0.0.0/33", "192.0.2.0/24"]),
        ("[console]\nnetworks = ['office']", 2, ["console.networks", '"office"']),
        ("[console]\nnetworks = ['192.0.2.7/24']", 2, ["console.networks", '"192.0.2.7/24"', '"192.0.2.0/24"']),
        ("[device]\nname = 'a'\nname = 'b'", 3, ["TOML"]),
        ("[device\n", 1, ["TOML"]),
    ],
)
def test_what_is_wrong_is_told_with_key_and_line(text: str, line: int, words: list[str]):
    told = refusal(text)
    assert re.search(rf"\bline {line}\b", told), told
    assert all(word in told for word in words), told


def test_a_file_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"missing\.toml.*--config"):
        settings.load(tmp_path / "missing.toml")
    with pytest.raises(ConfigurationError, match="directory"):
        settings.load(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"[device]\nname = 'B\xfcro'\n")
    with pytest.raises(ConfigurationError, match="line 2: not UTF-8"):
        settings.load(latin)


@given(st.text(alphabet=st.sampled_from("[]=\"'\n.#abc1 {},-\t"), max_size=200))
def test_any_text_is_read_or_refused_in_one_line(text: str):
    try:
        settings.parse(text, "config.toml")
    except ConfigurationError as error:
        assert "\n" not in str(error)
