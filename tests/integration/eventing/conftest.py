from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from dsm_sim.certificates import create_authority


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def unknown_certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's, from an authority that nobody has heard of."""
    credentials = create_authority(Path(tmp_path_factory.mktemp("authority"))).server(["elsewhere.example.com"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credentials.certificate, credentials.key)
    return context
