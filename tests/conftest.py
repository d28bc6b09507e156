"""What tests of several kinds share."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So starts what a script puts in the background; the device, which is started here, heeds it on purpose.
    signal.signal(signal.SIGINT, signal.default_int_handler)

ODD_SOURCE = Path(__file__).with_name("libsane-odd.c")


@pytest.fixture(scope="session")
def odd_backend(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which libsane finds the backend `odd` and no other; `ODD` in it sets its moods."""
    folder = tmp_path_factory.mktemp("odd")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(folder / "libsane-odd.so.1"), str(ODD_SOURCE)], check=True)
    (folder / "dll.conf").write_text("odd\n")
    return {**os.environ, "SANE_CONFIG_DIR": str(folder), "LD_LIBRARY_PATH": str(folder)}
