"""Fixtures of the client's tests: an authority, a client that trusts it, and a page to send."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from dsm_device.client import TlsOptions, client_context
from dsm_sim.certificates import Authority, create_authority
from tests.integration.client.raw_server import server_context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return create_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def trusted(authority: Authority) -> ssl.SSLContext:
    """The server's side of a connection that the client has nothing against."""
    return server_context(authority.server(["localhost"]))


@pytest.fixture(scope="session")
def trusting(authority: Authority) -> ssl.SSLContext:
    """The client's side."""
    return client_context(TlsOptions(ca_file=str(authority.ca_file)))


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "1.png"
    path.write_bytes(bytes(range(256)) * 2000)
    return path
