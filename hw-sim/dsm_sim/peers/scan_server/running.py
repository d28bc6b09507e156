"""A scan server in a thread of its own, for tests and programs that are not asynchronous."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from anyio.from_thread import BlockingPortal, start_blocking_portal

from dsm_sim.peers.scan_server.options import ScanServerOptions
from dsm_sim.peers.scan_server.plan import Fault
from dsm_sim.peers.scan_server.report import JobReport, Report
from dsm_sim.peers.scan_server.server import ScanServer


class RunningScanServer:
    """What may be asked of a server from another thread."""

    def __init__(self, server: ScanServer, portal: BlockingPortal) -> None:
        self._server = server
        self._portal = portal
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
        return self._portal.call(self._settled_report)

    def expire_jobs(self) -> None:
        """Looks at the clock now instead of within the next second."""
        self._portal.call(self._server.expire_jobs)

    def replan(self, *faults: Fault) -> tuple[int, ...]:
        """From now on these go wrong, counted from here; how often each of those before them has happened."""
        return self._portal.call(self._server.replan, faults)

    def stop(self) -> None:
        """Listens no more and breaks off every connection, until :meth:`start`; the port stays its own."""
        self._portal.call(self._server.stop)

    def start(self) -> None:
        """Listens again. Raises OSError where the port is taken."""
        self._portal.call(self._server.start)

    def restart(self, *, remember: bool, orderly: bool = False) -> None:
        """See :meth:`ScanServer.restart`."""
        self._portal.call(partial(self._server.restart, remember=remember, orderly=orderly))

    async def _settled_report(self) -> Report:
        await self._server.settle()
        return self._server.report()


@contextmanager
def running_scan_server(options: ScanServerOptions) -> Iterator[RunningScanServer]:
    """A server that accepts connections on entry and is gone on exit. Raises what its start raises."""
    with start_blocking_portal() as portal:
        server = portal.call(ScanServer, options)
        with portal.wrap_async_context_manager(server):
            yield RunningScanServer(server, portal)
