"""Ctrl-C and SIGTERM as the cancelling of a task, so that whatever runs can clean up."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from dsm_device.errors import Cancelled

T = TypeVar("T")


def run_cancellable(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end; Ctrl-C, SIGTERM and SIGHUP cancel it, which raises ``Cancelled``."""

    async def cancellable() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is one
        on_signals(task.cancel)
        return await work

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise Cancelled("cancelled") from None


def on_signals(cancel: Callable[[], object]) -> None:
    """From now on Ctrl-C, SIGTERM and SIGHUP call ``cancel``, instead of tearing apart what runs."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            loop.add_signal_handler(number, cancel)
