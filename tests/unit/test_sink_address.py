"""Where events may be sent, and where nobody can make the device send anything."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.server.sink_address import Interface, NotAllowed, SinkAddress, SinkRule

OWN = [
    ipaddress.ip_interface(each)
    for each in ("127.0.0.1/8", "::1/128", "192.0.2.40/24", "10.1.0.1/16", "2001:db8::40/64", "fe80::40%eth0/64")
]
CONSOLE = "192.0.2.9"


def check(
    url: str,
    subscriber: str = CONSOLE,
    names: dict[str, list[str]] | None = None,
    own: Sequence[Interface] = OWN,
    local: str = "",
) -> SinkAddress:
    async def resolve(name: str) -> Sequence[str]:
        if names is None or name not in names:
            raise socket.gaierror("unknown")
        return names[name]

    return asyncio.run(SinkRule(lambda: own, resolve).check(url, subscriber, local))


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://192.0.2.9:5357/7e0d?a=b", SinkAddress("http", "192.0.2.9", 5357, "/7e0d?a=b", "192.0.2.9")),
        ("HTTP://192.0.2.9", SinkAddress("http", "192.0.2.9", 80, "/", "192.0.2.9")),
        ("https://192.0.2.9/x#part", SinkAddress("https", "192.0.2.9", 443, "/x", "192.0.2.9")),
        ("https://192.0.2.9?q", SinkAddress("https", "192.0.2.9", 443, "/?q", "192.0.2.9")),
    ],
)
def test_the_subscriber_itself_gets_its_events(url: str, found: SinkAddress) -> None:
    assert check(url) == found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://192.0.2.9/",
        "file:///etc/passwd",
        "urn:uuid:1",
        "//192.0.2.9/",
        "http://",
        "http:///x",
        "http://user@192.0.2.9/",
        "http://user:word@192.0.2.9/",
        "http://192.0.2.9:0/",
        "http://192.0.2.9:65536/",
        "http://192.0.2.9:80:80/",
        "http://192.0.2.9\\@10.1.0.2/",
        "http://192.0.2.9 /",
        "http://192.0.2.9/a b",
        "http://192.0.2.9/\r\nX: y",
        "http://192.0.2.9/\u00e9",
        "http://[::1",
        "http://[192.0.2.9]/",
        "http://[::12345]/",
        "http://[fe80::9%25eth0]/",
        "http://192.0.2.9/" + "x" * 2_048,
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(NotAllowed):
        check(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.8.8",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "169.254.1.1",
        "224.0.0.1",
        "239.255.255.250",
        "[ff02::c]",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.40",
        "10.1.0.1",
        "[2001:db8::40]",
        "[fe80::40]",
        "192.0.2.0",
        "192.0.2.255",
        "10.1.255.255",
        "198.51.100.1",
        "10.2.0.1",
        "[2001:db8:1::1]",
        "localhost",
        "nowhere.example.com",
    ],
)
def test_nobody_on_the_network_can_make_the_device_call_there(host: str) -> None:
    with pytest.raises(NotAllowed):
        check(f"http://{host}/", names={"localhost": ["127.0.0.1", "::1"]})


@pytest.mark.parametrize("host", ["192.0.2.10", "10.1.2.3", "[2001:db8::7]"])
def test_another_host_of_our_networks_may_be_named_by_one_who_is_in_them(host: str) -> None:
    assert check(f"http://{host}/").address == host.strip("[]")


def test_who_comes_through_a_router_may_name_itself_only() -> None:
    assert check("http://198.51.100.7/", "198.51.100.7").address == "198.51.100.7"
    with pytest.raises(NotAllowed, match="router"):
        check("http://192.0.2.10/", "198.51.100.7")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "[::1]"])
@pytest.mark.parametrize("subscriber", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_for_those_that_come_from_it(host: str, subscriber: str) -> None:
    assert check(f"http://{host}/", subscriber).address == host.strip("[]")


@pytest.mark.parametrize("subscriber", [CONSOLE, "127.0.0.1", "169.254.169.254", "fd00:ec2::254"])
@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "100.100.100.200"])
def test_a_metadata_service_is_nobodys_sink(host: str, subscriber: str) -> None:
    own = [*OWN, *map(ipaddress.ip_interface, ("169.254.3.4/16", "fd00:ec2::7/64", "100.100.0.1/16"))]
    with pytest.raises(NotAllowed, match="metadata"):
        check(f"http://{host}/", subscriber, own=own)


def test_a_console_on_this_machine_may_use_its_own_address() -> None:
    assert check("http://192.0.2.40:9000/", "192.0.2.40").address == "192.0.2.40"


@pytest.mark.parametrize("subscriber", ["", "unix", "testclient"])
def test_whoever_comes_from_nowhere_gets_nothing(subscriber: str) -> None:
    with pytest.raises(NotAllowed):
        check("http://192.0.2.9/", subscriber)


def test_a_subscriber_by_ipv4_in_ipv6_is_one_by_ipv4() -> None:
    assert check("http://192.0.2.9/", "::ffff:192.0.2.9").address == "192.0.2.9"
    assert check("http://[::ffff:192.0.2.9]/", "192.0.2.9").address == "192.0.2.9"


def test_a_link_local_address_gets_the_zone_of_the_subscriber_or_the_only_one() -> None:
    assert check("http://[fe80::9]:5357/", "fe80::9%eth1").address == "fe80::9%eth1"
    assert check("http://[fe80::9]:5357/", "fe80::9").address == "fe80::9%eth0"
    both = [*OWN, ipaddress.ip_interface("fe80::41%eth1/64")]
    with pytest.raises(NotAllowed, match="interface"):
        check("http://[fe80::9]:5357/", "fe80::9", own=both)
    assert check("http://[fe80::9]:5357/", "fe80::9", own=both, local="fe80::41").address == "fe80::9%eth1"


def test_a_name_is_looked_up_once_and_goes_to_the_address_that_was_allowed() -> None:
    names = {"console.example.com": ["127.0.0.1", "169.254.169.254", "192.0.2.10"]}
    found = check("http://console.example.com/x", names=names)
    assert (found.host, found.address) == ("console.example.com", "192.0.2.10")
    with pytest.raises(NotAllowed):
        check("http://console.example.com/x", names={"console.example.com": ["127.0.0.1", "192.0.2.40"]})


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
def test_an_address_in_another_spelling_is_a_name_that_means_loopback(spelling: str) -> None:
    """The system's resolver reads these as 127.0.0.1."""
    rule = SinkRule(lambda: OWN)
    with pytest.raises(NotAllowed):
        asyncio.run(rule.check(f"http://{spelling}/", CONSOLE))
    assert asyncio.run(rule.check(f"http://{spelling}/", "127.0.0.1")).address == "127.0.0.1"


def test_a_name_that_has_no_answer_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(name: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    monkeypatch.setattr("dsm_device.server.sink_address._LOOK_UP_S", 0.01)
    with pytest.raises(NotAllowed):
        asyncio.run(SinkRule(lambda: OWN, never).check("http://name/", CONSOLE))


@given(st.ip_addresses(), st.ip_addresses())
def test_whatever_is_allowed_is_the_subscribers_own_or_near(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    subscriber: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    try:
        found = ipaddress.ip_address(check(f"http://{host}/", str(subscriber)).address.partition("%")[0])
    except NotAllowed:
        return
    subscriber = getattr(subscriber, "ipv4_mapped", None) or subscriber
    assert not found.is_multicast
    assert not found.is_unspecified
    if found.is_loopback:
        assert subscriber.is_loopback
    else:
        assert found == subscriber or all(any(each in i.network for i in OWN) for each in (found, subscriber))
