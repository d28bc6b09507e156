"""A network in a thread of its own, for tests and programs that are not asynchronous."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from anyio.from_thread import BlockingPortal, start_blocking_portal

from dsm_sim.network.behaviour import NetworkBehaviour, NetworkCounts
from dsm_sim.network.proxy import Proxy


class RunningNetwork:
    """What may be asked of a network from another thread. Clients connect to ``port`` of 127.0.0.1."""

    def __init__(self, proxy: Proxy, portal: BlockingPortal) -> None:
        self._proxy = proxy
        self._portal = portal
        self.port = proxy.port

    @property
    def behaviour(self) -> NetworkBehaviour:
        return self._proxy.behaviour

    @property
    def counts(self) -> NetworkCounts:
        return self._proxy.counts

    def behave(self, behaviour: NetworkBehaviour) -> None:
        """From now on, for connections that exist as well. Raises OSError if the port was taken meanwhile."""
        self._portal.call(self._proxy.behave, behaviour)

    def lead_to(self, target_port: int) -> None:
        """Where new connections lead: a TCP port of 127.0.0.1."""
        self._proxy.target_port = target_port


@contextmanager
def running_network(
    behaviour: NetworkBehaviour | None = None, target_port: int | None = None
) -> Iterator[RunningNetwork]:
    """A network on entry, none on exit. Without a target it refuses to carry until :meth:`lead_to`."""
    with start_blocking_portal() as portal:
        proxy = portal.call(Proxy, target_port)
        portal.call(proxy.behave, behaviour or NetworkBehaviour())
        try:
            yield RunningNetwork(proxy, portal)
        finally:
            portal.call(proxy.close)
