"""Fixtures of the door's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsm_sim.certificates import Authority, create_authority


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("authority")
    return create_authority(folder)
