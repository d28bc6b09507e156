"""A private SANE configuration with libsane's ``test`` scanner, big enough for A4.

Source: sane-test(5), sane-dll(5), SANE_CONFIG_DIR in sane(7).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: The device's name in that configuration.
TEST_DEVICE: Final = "test:0"

#: Geometry in mm. The backend's own default of 200 mm cannot hold A4; a quantum would round its height.
_TEST_CONF: Final = """\
number_of_devices 1
mode Gray
depth 8
resolution_min 1.0
resolution_max 1200.0
resolution_quant 1.0
resolution 75.0
test-picture "Color pattern"
geometry_min 0.0
geometry_max 420.0
geometry_quant 0.0
tl_x 0.0
tl_y 0.0
br_x 210.0
br_y 297.0
"""


def write_sane_config(folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Writes ``dll.conf`` and ``test.conf`` into ``folder``; returns the environment that makes libsane read them.

    ``environment`` is the one to start from; None: this process's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dll.conf").write_text("test\n", "ascii")
    (folder / "test.conf").write_text(_TEST_CONF, "ascii")
    base = os.environ if environment is None else environment
    # Without a colon at its end the variable replaces the default folders.
    return {**base, "SANE_CONFIG_DIR": str(folder.absolute())}
