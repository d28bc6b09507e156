"""Every message that the device writes in a test is held against the schemas, in whatever process it is written.

What is not valid is left as a file in the folder that ``DSM_TEST_MESSAGES`` names, through which
``tests/conftest.py`` looks after each test. The device itself does not notice.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

_SCHEMA = Path(__file__).resolve().parents[1] / "message_schema.py"
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
        name = f"{pid}-{next(_numbers):06}"
        written = _folder() / f"part-{name}"
        written.write_text(report, "utf-8")
        written.rename(_folder() / f"invalid-{name}")  # never seen by halves


@functools.cache
def _validate() -> Callable[[bytes], object]:
    """Loaded late, as a process that sends nothing has no use for it; by its place, whatever is installed."""
    spec = importlib.util.spec_from_file_location("message_schema", _SCHEMA)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    validate: Callable[[bytes], object] = module.validate
    return validate


def _folder() -> Path:
    return Path(os.environ["DSM_TEST_MESSAGES"])
