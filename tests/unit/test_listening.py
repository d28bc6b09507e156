"""Listening sockets: everywhere, somewhere, and where this machine is not yet."""

from __future__ import annotations

import logging
import socket

import pytest

from dsm_device.errors import ConfigurationError
from dsm_device.server.listening import EVERYWHERE, listen


@pytest.mark.parametrize("host", EVERYWHERE)
def test_everywhere_is_everywhere(host: str):
    with listen(host, 0, "console.http_port") as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), 5):
            pass


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77"])
def test_an_address_that_is_still_to_come_is_listened_on(address: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING), listen(address, 0, "console.http_port") as listening:
        assert listening.getsockname()[0] == address
    assert address in caplog.text


def test_a_taken_port_is_told_with_its_setting():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigurationError, match=r"taken.*console\.http_port"),
    ):
        listen("127.0.0.1", taken.getsockname()[1], "console.http_port")


@pytest.mark.parametrize("nonsense", ["no.such.host.invalid", "300.1.1.1"])
def test_what_is_no_address_is_refused_in_one_line(nonsense: str):
    with pytest.raises(ConfigurationError, match="cannot be listened on"):
        listen(nonsense, 0, "console.http_port")
