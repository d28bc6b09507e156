"""The subscriptions there are: how many, whose, and how long they last. No I/O; the clock is the caller's.

All times are seconds of one monotonic clock. Sources: WS-Eventing (2004/08) 3; the project's reference on DPWS
hosting, section 6, for the limits.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: Subscribers whose pace is remembered. More forget the one that asked least lately.
_PACES: Final = 1_024


@dataclass(frozen=True, slots=True)
class Limits:
    """``per_host`` holds for subscriptions *to* one host and for those *from* one.

    A subscriber may ask ``burst`` times at once and ``per_minute`` times in the long run.
    """

    subscriptions: int = 32
    per_host: int = 4
    min_s: float = 60.0
    max_s: float = 86_400.0
    burst: int = 12
    per_minute: float = 30.0

    def granted_s(self, asked_s: float | None) -> float:
        """``asked_s`` is positive, None for as long as possible."""
        return self.max_s if asked_s is None else max(self.min_s, min(asked_s, self.max_s))


@dataclass(eq=False, slots=True)
class Subscription:
    """``subscriber`` is where the Subscribe came from, ``sink`` where the events go: literal addresses.

    ``actions`` has the action to send by the name of each wanted event.
    """

    id: str
    subscriber: str
    sink: str
    actions: Mapping[str, str]
    expires_at: float


class TooMany(Exception):
    """There is no place for another; ``str()`` says why in one line."""


class Subscriptions:
    """Those that last. Whatever is asked of it has forgotten what had expired by ``now``.

    Of those to one host the oldest makes way for a new one, but only for the same subscriber: otherwise anybody
    could end another's subscriptions by naming its host.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        #: The oldest first.
        self._all: dict[str, Subscription] = {}
        self._paces: OrderedDict[str, _Pace] = OrderedDict()

    def __len__(self) -> int:
        return len(self._all)

    def check_pace(self, subscriber: str, now: float) -> None:
        """Counts a Subscribe. Raises :class:`TooMany`."""
        key = _pace_key(subscriber)
        pace = self._paces.pop(key, None) or _Pace(float(self._limits.burst), now)
        self._paces[key] = pace
        if len(self._paces) > _PACES:
            self._paces.popitem(last=False)
        if not pace.take(now, self._limits):
            raise TooMany("this subscriber asks too often")

    def add(self, new: Subscription, now: float) -> Subscription | None:
        """What has to make way for ``new``, and is no more. Raises :class:`TooMany`."""
        displaced = self._displaced(new, now)
        if displaced is None and len(self._live(now)) >= self._limits.subscriptions:
            raise TooMany("there are too many subscriptions")
        if displaced is not None:
            del self._all[displaced.id]
        self._all[new.id] = new
        return displaced

    def _displaced(self, new: Subscription, now: float) -> Subscription | None:
        live = self._live(now)
        own = [each for each in live if each.subscriber == new.subscriber]
        there = [each for each in live if each.sink == new.sink]
        if len(there) >= self._limits.per_host:
            oldest = next((each for each in there if each.subscriber == new.subscriber), None)
            if oldest is None:
                raise TooMany("others have subscribed for this host")
            return oldest
        return own[0] if len(own) >= self._limits.per_host else None

    def find(self, ids: Sequence[str], now: float) -> Subscription | None:
        """The first of ``ids`` that there is."""
        return next((self._all[each] for each in ids if each in self._all and self._lasts(each, now)), None)

    def remove(self, subscription: Subscription) -> bool:
        """Whether it was still there."""
        return self._all.pop(subscription.id, None) is not None

    def take_expired(self, now: float) -> list[Subscription]:
        """Those that have expired and are no more."""
        expired = [each for each in self._all.values() if each.expires_at <= now]
        for each in expired:
            del self._all[each.id]
        return expired

    def next_expiry(self) -> float | None:
        return min((each.expires_at for each in self._all.values()), default=None)

    def wanting(self, name: str, now: float) -> Iterator[Subscription]:
        return (each for each in self._all.values() if name in each.actions and each.expires_at > now)

    def take_all(self) -> list[Subscription]:
        everything = list(self._all.values())
        self._all.clear()
        return everything

    def _live(self, now: float) -> list[Subscription]:
        return [each for each in self._all.values() if each.expires_at > now]

    def _lasts(self, subscription_id: str, now: float) -> bool:
        return self._all[subscription_id].expires_at > now


@dataclass(slots=True)
class _Pace:
    """A bucket of tokens, one for each Subscribe."""

    tokens: float
    at: float

    def take(self, now: float, limits: Limits) -> bool:
        self.tokens = min(float(limits.burst), self.tokens + (now - self.at) * limits.per_minute / 60)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def _pace_key(subscriber: str) -> str:
    """A host of IPv6 has as many addresses as it likes within its network of 64 bits."""
    try:
        address = ipaddress.ip_address(subscriber.partition("%")[0])
    except ValueError:
        return subscriber[:64]
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None and not address.is_link_local:
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)
