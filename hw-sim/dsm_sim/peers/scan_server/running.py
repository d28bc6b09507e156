"""A scan server in a thread of its own, for tests and programs that are not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from dsm_sim.peers.scan_server.options import ScanServerOptions
from dsm_sim.peers.scan_server.report import JobReport, Report
from dsm_sim.peers.scan_server.server import ScanServer

_Result = TypeVar("_Result")


class RunningScanServer:
    """What may be asked of a server from another thread."""

    def __init__(self, server: ScanServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self.port: int = server.port
        self.fqdn: str = server.fqdn
        self.address: str = server.address
        self.web_address: str = server.web_address
        self.ca_file: Path = server.ca_file
        self.output: Path = server.output

    @property
    def jobs(self) -> tuple[JobReport, ...]:
        """All jobs, oldest first, after those that were ended have gone through their filters."""
        return self.report().jobs

    def report(self) -> Report:
        """Everything so far, after the filters of ended jobs have run and events have had a second to arrive."""
        return self._ask(self._settled_report())

    def expire_jobs(self) -> None:
        """Looks at the clock now instead of within the next second."""
        self._ask(self._call(self._server.expire_jobs))

    def stop(self) -> None:
        """Listens no more and breaks off every connection, until :meth:`start`; the port stays its own."""
        self._ask(self._server.stop())

    def start(self) -> None:
        """Listens again. Raises OSError where the port is taken."""
        self._ask(self._server.start())

    def restart(self, *, remember: bool, orderly: bool = False) -> None:
        """See :meth:`ScanServer.restart`."""
        self._ask(self._server.restart(remember=remember, orderly=orderly))

    async def _settled_report(self) -> Report:
        await self._server.settle()
        return self._server.report()

    async def _call(self, function: Callable[[], None]) -> None:
        function()

    def _ask(self, question: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(question, self._loop).result()


@contextmanager
def running_scan_server(options: ScanServerOptions) -> Iterator[RunningScanServer]:
    """A server that accepts connections on entry and is gone on exit. Raises what its start raises."""
    started: Future[RunningScanServer] = Future()
    stop: Future[Callable[[], object]] = Future()
    thread = threading.Thread(target=_run, args=(options, started, stop), name="scan-server")
    thread.start()
    try:
        yield started.result()
    finally:
        if started.exception() is None:
            stop.result()()
        thread.join()


def _run(
    options: ScanServerOptions,
    started: Future[RunningScanServer],
    stop: Future[Callable[[], object]],
) -> None:
    async def main() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        async with ScanServer(options) as server:
            stop.set_result(lambda: loop.call_soon_threadsafe(ended.set))
            started.set_result(RunningScanServer(server, loop))
            await ended.wait()

    try:
        asyncio.run(main())
    except Exception as error:
        if started.done():
            raise
        started.set_exception(error)
