"""A private libsane with the `test` backend for the drivers under test."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

TEST_CONF = """\
number_of_devices 2
geometry_max 420
geometry_quant 0
"""


@pytest.fixture(scope="session")
def sane_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SANE_CONFIG_DIR. libsane reads it once in a process, at its first use."""
    folder = tmp_path_factory.mktemp("sane.d")
    (folder / "dll.conf").write_text("test\n")
    (folder / "test.conf").write_text(TEST_CONF)
    return folder


@pytest.fixture
def private_sane(sane_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANE_CONFIG_DIR", str(sane_config))


@pytest.fixture(autouse=True)
def broken_pipes_stay_errors() -> Iterator[None]:
    """libsane's threads reset SIGPIPE, which would end this process at the next broken connection of any test."""
    yield
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
