"""What some tests need of the machine. Elsewhere they are skipped, and the reason says what to install or to be.

In CI (the variable ``CI`` is set) nothing is skipped for that: what is missing there is a failure.
"""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import subprocess

import pytest

#: Where Debian keeps daemons; not everybody's PATH has it.
_PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def program(name: str) -> str:
    """Where it is, "" if it is nowhere."""
    return shutil.which(name, path=_PLACES) or ""


def needs_programs(*names: str) -> pytest.MarkDecorator:
    missing = [name for name in names if not program(name)]
    return needs(not missing, f"not installed (packaging/setup.sh test): {', '.join(missing)}")


def needs_networks() -> pytest.MarkDecorator:
    return needs(can_network(), "no network namespaces for this user: needs iproute2, and root")


def needs(is_there: bool, reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not is_there and not os.environ.get("CI"), reason=reason)


@functools.cache
def can_network() -> bool:
    """Whether this process may make a network of its own."""
    if not program("ip"):
        return False
    name = f"dsm{secrets.token_hex(3)}"
    try:
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
        try:  # to be made is not to be entered
            subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True, capture_output=True)
        finally:
            subprocess.run(["ip", "netns", "del", name], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        return False
    return True
