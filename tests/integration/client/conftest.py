"""Fixtures of the client's tests: an authority, a client that trusts it, and a page to send."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dsm_device.client import ScanServer, ServerOptions, TimeLimits, TlsOptions, client_context
from dsm_sim.certificates import Authority, create_authority
from tests.integration.client.raw_server import Conversation, RawServer, Script, server_context, serving

LIMITS = TimeLimits(connect_s=5, write_s=5, silence_s=5, answer_s=5, probe_s=5, datagram_s=0.05)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


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


@pytest.fixture
def conversation(trusting: ssl.SSLContext, trusted: ssl.SSLContext) -> Conversation:
    @asynccontextmanager
    async def against(script: Script, limits: TimeLimits = LIMITS) -> AsyncIterator[tuple[RawServer, ScanServer]]:
        async with serving(script, trusted) as server, connected(server, limits) as client:
            yield server, client

    def connected(server: RawServer, limits: TimeLimits) -> ScanServer:
        return ScanServer(f"localhost:{server.port}", ServerOptions(limits=limits), trusting)

    return against
