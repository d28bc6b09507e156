"""A network in a thread of its own, for tests and programs that are not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from dsm_sim.network.behaviour import NetworkBehaviour, NetworkCounts
from dsm_sim.network.proxy import Proxy

_Result = TypeVar("_Result")


class RunningNetwork:
    """What may be asked of a network from another thread. Clients connect to ``port`` of 127.0.0.1."""

    def __init__(self, proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy = proxy
        self._loop = loop
        self.port = proxy.port

    @property
    def behaviour(self) -> NetworkBehaviour:
        return self._proxy.behaviour

    @property
    def counts(self) -> NetworkCounts:
        return self._proxy.counts

    def behave(self, behaviour: NetworkBehaviour) -> None:
        """From now on, for connections that exist as well. Raises OSError if the port was taken meanwhile."""
        self._ask(self._proxy.behave(behaviour))

    def lead_to(self, target_port: int) -> None:
        """Where new connections lead: a TCP port of 127.0.0.1."""
        self._proxy.target_port = target_port

    def _ask(self, question: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(question, self._loop).result()


@contextmanager
def running_network(
    behaviour: NetworkBehaviour | None = None, target_port: int | None = None
) -> Iterator[RunningNetwork]:
    """A network on entry, none on exit. Without a target it refuses to carry until :meth:`lead_to`."""
    started: Future[RunningNetwork] = Future()
    stop: Future[Callable[[], object]] = Future()
    arguments = (behaviour or NetworkBehaviour(), target_port, started, stop)
    thread = threading.Thread(target=_run, args=arguments, name="network")
    thread.start()
    try:
        yield started.result()
    finally:
        if started.exception() is None:
            stop.result()()
        thread.join()


def _run(
    behaviour: NetworkBehaviour,
    target_port: int | None,
    started: Future[RunningNetwork],
    stop: Future[Callable[[], object]],
) -> None:
    async def main() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        proxy = Proxy(target_port)
        await proxy.behave(behaviour)
        stop.set_result(lambda: loop.call_soon_threadsafe(ended.set))
        started.set_result(RunningNetwork(proxy, loop))
        await ended.wait()
        await proxy.close()

    try:
        asyncio.run(main())
    except Exception as error:
        if started.done():
            raise
        started.set_exception(error)
