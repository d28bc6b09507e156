"""What is not left half done by whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


async def to_its_end(change: Callable[..., None], *arguments: object) -> None:
    """Change the job on disk. Whoever cancels the task gets it back when that is done: nobody else may take the
    job while a thread still writes to it."""
    changing = asyncio.create_task(asyncio.to_thread(change, *arguments))
    await ended(changing)
    changing.result()


async def ended(task: asyncio.Task[Any]) -> None:
    """Wait for the end of ``task``, also if this one is cancelled meanwhile, even several times."""
    was_cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            was_cancelled = True
    if not task.cancelled():
        task.exception()  # seen, whoever asks for it
    if was_cancelled:
        raise asyncio.CancelledError
