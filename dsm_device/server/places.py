"""The places that there are for connections: few, and not all of them for one host.

Who does nothing makes room: a connection that only waits for its next request is given up for one that comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class PlaceLimits:
    """Connections at the same time. Source of ``total``: DPWS hosting; the other keeps places for other hosts."""

    total: int = 16
    per_host: int = 8


class Place:
    """What one connection holds until :meth:`leave`."""

    def __init__(self, places: Places, host: str) -> None:
        self._places = places
        self._close: Callable[[], None] | None = None
        self.host = host
        self.idle_since = 0

    @property
    def is_idle(self) -> bool:
        return self._close is not None

    def idle(self, close: Callable[[], None]) -> None:
        """Between two requests: ``close`` may be called from now on, once, until :meth:`busy`."""
        self._close = close
        self.idle_since = next(self._places.clock)

    def busy(self) -> None:
        """Something is under way: nobody is sent away."""
        self._close = None

    def leave(self) -> None:
        """May be repeated."""
        self._close = None
        self._places.taken.discard(self)

    def give_up(self) -> None:
        close = self._close
        self.leave()
        if close is not None:
            close()


class Places:
    """Of one server or of several together."""

    def __init__(self, limits: PlaceLimits | None = None) -> None:
        self._limits = limits or PlaceLimits()
        self.taken: set[Place] = set()
        self.clock = count(1)

    def take(self, host: str) -> Place | None:
        """A place for a connection of ``host``; None where all are taken by somebody who is at it."""
        theirs = [each for each in self.taken if each.host == host]
        if len(theirs) >= self._limits.per_host:
            crowd = theirs
        elif len(self.taken) >= self._limits.total:
            crowd = list(self.taken)
        else:
            return self._new(host)
        waiting = [each for each in crowd if each.is_idle]
        if not waiting:
            return None
        min(waiting, key=lambda each: each.idle_since).give_up()
        return self._new(host)

    def _new(self, host: str) -> Place:
        place = Place(self, host)
        self.taken.add(place)
        return place
