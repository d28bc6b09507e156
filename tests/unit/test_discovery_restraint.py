"""Who is answered, how often, and that nothing which comes in breaks anything."""

from __future__ import annotations

import ipaddress
import uuid
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.server.discovery.responder import Responder
from dsm_device.server.discovery.restraint import Newest, Restraint
from dsm_device.wire.announcing import Announced, Probe, Resolve
from dsm_device.wire.names import SOAP, WSA, WSD

DEVICE = Announced("urn:uuid:6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7", 1)


def datagram(body: str = "<d:Probe/>", action: str = "Probe", message_id: str = "") -> bytes:
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}" xmlns:d="{WSD}"><s:Header><a:To>urn:x</a:To>'
        f"<a:Action>{WSD}/{action}</a:Action><a:MessageID>{message_id or uuid.uuid4()}</a:MessageID></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


class Asked:
    """A responder and a clock."""

    def __init__(self) -> None:
        self.responder = Responder(lambda: DEVICE, 0.0)

    def is_answered(self, now_s: float, host: str = "192.0.2.9", port: int = 5000, data: bytes = b"") -> bool:
        source = ipaddress.ip_address(host)
        return self.responder.question(data or datagram(), source, port, now_s) is not None

    def count(self, times: list[float], host: str = "192.0.2.9", port: int = 5000) -> int:
        return sum(self.is_answered(now_s, host, port) for now_s in times)


def test_one_socket_is_answered_ten_times_a_second_at_most() -> None:
    assert Asked().count([number / 100 for number in range(100)]) == 10


def test_sockets_of_one_host_are_answered_apart_but_not_without_end() -> None:
    asked = Asked()
    assert sum(asked.is_answered(0.0, port=port) for port in range(1, 200)) == 20
    assert sum(asked.is_answered(1.0, port=port) for port in range(200, 400)) == 10
    assert asked.is_answered(1.0, host="192.0.2.10")


def test_all_together_are_answered_fifty_times_a_second_in_the_long_run() -> None:
    asked = Asked()
    hosts = [str(ipaddress.ip_address("10.0.0.0") + number) for number in range(10_000)]
    answered = sum(asked.is_answered(60 * number / 10_000, host) for number, host in enumerate(hosts))
    assert 3_000 <= answered <= 3_100


def test_a_message_is_answered_once_wherever_it_comes_in() -> None:
    asked, data = Asked(), datagram(message_id="urn:uuid:1")
    assert asked.is_answered(0.0, data=data)
    assert not asked.is_answered(0.2, data=data)
    assert not asked.is_answered(0.3, "fe80::1", 7, data)
    assert asked.is_answered(0.5, data=datagram(message_id="urn:uuid:2"))


def test_a_message_that_came_too_early_is_answered_when_it_is_repeated() -> None:
    asked, second = Asked(), datagram()
    assert asked.is_answered(0.0)
    assert not asked.is_answered(0.05, data=second)
    assert asked.is_answered(0.15, data=second)


def test_two_hundred_identifiers_are_remembered() -> None:
    asked, first = Asked(), datagram(message_id="urn:uuid:first")
    assert asked.is_answered(0.0, data=first)
    for number in range(1, 200):
        assert asked.is_answered(float(number))
    assert not asked.is_answered(500.0, data=first)
    assert asked.is_answered(501.0)
    assert asked.is_answered(502.0, data=first)


def test_questions_for_others_and_noise_cost_nobody_their_answer() -> None:
    asked = Asked()
    others = datagram("<d:Resolve/>", "Resolve")
    assert not any(asked.is_answered(0.0, data=data) for data in (others, b"noise", datagram(action="Hello")))
    assert asked.is_answered(0.0)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("0.0.0.0", 9),
        ("255.255.255.255", 9),
        ("239.255.255.250", 3702),
        ("ff02::c", 3702),
        ("::", 9),
        ("192.0.2.1", 0),
    ],
)
def test_nothing_is_sent_to_what_is_no_single_host(host: str, port: int) -> None:
    assert not Asked().is_answered(0.0, host, port)


def test_what_is_asked_is_told() -> None:
    responder, source = Responder(lambda: DEVICE, 0.0), ipaddress.ip_address("192.0.2.9")
    assert isinstance(responder.question(datagram(), source, 1, 0.0), Probe)
    address = f"<a:EndpointReference><a:Address>{DEVICE.endpoint}</a:Address></a:EndpointReference>"
    resolve = datagram(f"<d:Resolve>{address}</d:Resolve>", "Resolve", "7")
    assert responder.question(resolve, source, 2, 0.0) == Resolve("7", DEVICE.endpoint)


ADDRESSES = st.ip_addresses()
RULES = st.sampled_from(["", "urn:x", f"{WSD}/strcmp0", f"{WSD}/uuid", f"{WSD}/rfc2396"])
BODIES = st.builds(
    lambda types, rule, scopes: (
        f'<d:Probe><d:Types>{types}</d:Types><d:Scopes MatchBy="{rule}">{scopes}</d:Scopes></d:Probe>'
    ),
    st.text("abc:& <>", max_size=20),
    RULES,
    st.text("http:/[]%.@ ", max_size=30),
)


@given(st.lists(st.tuples(st.binary(max_size=500) | BODIES.map(datagram), ADDRESSES, st.integers(0, 65_535))))
def test_whatever_comes_in_raises_nothing(
    arrivals: list[tuple[bytes, ipaddress.IPv4Address | ipaddress.IPv6Address, int]],
) -> None:
    responder = Responder(lambda: DEVICE, 0.0)
    for number, (data, source, port) in enumerate(arrivals):
        responder.question(data, source, port, float(number))


@given(st.lists(st.tuples(st.floats(0, 0.3), st.integers(0, 3), st.integers(1, 3)), max_size=200))
def test_no_pattern_of_asking_gets_more(steps: list[tuple[float, int, int]]) -> None:
    restraint, now_s, answered = Restraint(0.0), 0.0, list[tuple[float, int, int]]()
    for number, (step_s, host, port) in enumerate(steps):
        now_s += step_s
        if restraint.allows(f"h{host}", port, now_s):
            restraint.note(str(number), f"h{host}", port, now_s)
            answered.append((now_s, host, port))
    assert len(answered) <= 100 + now_s * 50
    for host in range(4):
        mine = [each for each in answered if each[1] == host]
        assert len(mine) <= 20 + 1 + now_s * 10
        for port in range(1, 4):
            times = [each[0] for each in mine if each[2] == port]
            assert all(later - earlier >= 0.1 for earlier, later in pairwise(times))


def test_tables_keep_their_size() -> None:
    table = Newest[int, int](3)
    for number in (1, 2, 3, 1, 4):
        table.put(number, number)
    assert [number for number in range(6) if number in table] == [1, 3, 4]
