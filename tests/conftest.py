"""What tests of several kinds share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So starts what a script puts in the background; the device, which is started here, heeds it on purpose.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# ------------------------------------------------ every message of the device is valid, in whatever process

_WATCH: Final = Path(__file__).with_name("watch")


def _watch_messages() -> ModuleType:
    """From here on, in this process and in all that it starts."""
    folder = tempfile.mkdtemp(prefix="dsm-messages-")
    Path(folder).chmod(0o1777)  # some tests run the device as somebody else
    os.environ["DSM_TEST_MESSAGES"] = folder
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_WATCH), os.environ.get("PYTHONPATH"))))
    sys.path.insert(0, str(_WATCH))
    import message_watch

    import dsm_device.wire.xml

    message_watch.watch(dsm_device.wire.xml)
    return message_watch


_messages = _watch_messages()


def _assert_all_valid(item: pytest.Item) -> None:
    reports = _messages.reports()
    if reports and not item.get_closest_marker("writes_anything"):
        pytest.fail("The device wrote messages that are not valid:\n" + "\n".join(reports[:3]), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield
    _assert_all_valid(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Also what is sent when fixtures end: a device takes leave."""
    yield
    _assert_all_valid(item)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "writes_anything(why): what it has the device write need not be valid by the schemas"
    )


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["DSM_TEST_MESSAGES"], ignore_errors=True)


ODD_SOURCE = Path(__file__).with_name("libsane-odd.c")


@pytest.fixture(scope="session")
def odd_backend(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which libsane finds the backend `odd` and no other; `ODD` in it sets its moods."""
    folder = tmp_path_factory.mktemp("odd")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(folder / "libsane-odd.so.1"), str(ODD_SOURCE)], check=True)
    (folder / "dll.conf").write_text("odd\n")
    return {**os.environ, "SANE_CONFIG_DIR": str(folder), "LD_LIBRARY_PATH": str(folder)}
