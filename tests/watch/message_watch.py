"""Every message that the device writes in a test is held against the schemas, in whatever process it is written.

What is not valid is left as a file in the folder that ``DSM_TEST_MESSAGES`` names, through which
``tests/conftest.py`` looks after each test. The device itself does not notice.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_numbers = itertools.count(1)
_watching: set[int] = set()


def watch(module: ModuleType) -> None:
    """``module`` is :mod:`dsm_device.wire.xml`; a second time changes nothing."""
    if hasattr(module.serialize, "__wrapped__"):
        return
    write: Callable[..., bytes] = module.serialize

    @functools.wraps(write)
    def serialize(*arguments: Any) -> bytes:
        message = write(*arguments)
        _judge(message)
        return message

    module.serialize = serialize  # type: ignore[attr-defined]


def reports() -> list[str]:
    """What was not valid since this was last asked."""
    found = []
    for path in sorted(_folder().glob("invalid-*")):
        found.append(path.read_text("utf-8"))
        path.unlink()
    return found


def is_watching(pid: int) -> bool:
    """Whether that process has written a message, and each of them was looked at."""
    return (_folder() / f"watching-{pid}").exists()


def _judge(message: bytes) -> None:
    pid = os.getpid()
    if pid not in _watching:
        _watching.add(pid)
        (_folder() / f"watching-{pid}").touch()
    try:
        _validate()(message)
    except Exception as error:  # whatever is wrong, the test is to hear of it
        report = f"{error}\n{message.decode(errors='backslashreplace')}\n"
        (_folder() / f"invalid-{pid}-{next(_numbers):06}").write_text(report, "utf-8")


def _validate() -> Callable[[bytes], object]:
    """Loaded late: a process that sends nothing has no use for schemas."""
    if "tests.message_schema" not in sys.modules and str(_ROOT) not in sys.path:
        sys.path.append(str(_ROOT))
    from tests.message_schema import validate

    return validate


def _folder() -> Path:
    return Path(os.environ["DSM_TEST_MESSAGES"])
