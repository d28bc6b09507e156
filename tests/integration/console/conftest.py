"""A console that is pointed at a raw device on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from dsm_sim.peers.console import Console, ConsoleOptions, DiscoveryOptions, Finding, Step, check_device
from tests.integration.console.raw_device import RawDevice

Result = TypeVar("Result")


@pytest.fixture
def ask() -> Callable[..., Any]:
    """Runs a coroutine function with a console that knows the device's ports, and returns its result."""

    def run(device: RawDevice, job: Callable[[Console], Awaitable[Result]], **discovery: Any) -> Result:
        async def main() -> Result:
            async with Console(options(device, **discovery)) as console:
                return await job(console)

        return asyncio.run(main())

    return run


@pytest.fixture
def check(ask: Callable[..., Any]) -> Callable[..., tuple[list[Step], list[Finding]]]:
    """A strict run; returns its steps and everything found."""

    def run(device: RawDevice, only: str = "", **discovery: Any) -> tuple[list[Step], list[Finding]]:
        async def job(console: Console) -> tuple[list[Step], list[Finding]]:
            steps = await check_device(console, device.url, lambda step: None, only=only)
            return steps, console.findings.kept

        result: tuple[list[Step], list[Finding]] = ask(device, job, **discovery)
        return result

    return run


def options(device: RawDevice, *, timeout_s: float = 10.0, **discovery: Any) -> ConsoleOptions:
    settings = {"port": device.udp_port, "window_s": 0.25, "grace_s": 0.25, **discovery}
    return ConsoleOptions(discovery=DiscoveryOptions(**settings), timeout_s=timeout_s)
