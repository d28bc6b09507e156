"""Python imports this first of all in whatever process the tests start, as its folder is on PYTHONPATH.

There the one function that writes messages is watched, once its module is loaded. Nothing else is changed, and
nothing is loaded for it before the first message.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_WRITER = "dsm_device.wire.xml"


class _Watched(importlib.machinery.SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        import message_watch  # beside this file

        message_watch.watch(module)


class _Finder:
    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> Any:
        if name != _WRITER:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.origin is not None:
            spec.loader = _Watched(name, spec.origin)
        return spec


if os.environ.get("DSM_TEST_MESSAGES"):
    sys.meta_path.insert(0, _Finder())  # type: ignore[arg-type]  # it has no find_module, which is long gone
