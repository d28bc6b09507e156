"""What keeps answers from becoming a flood, or a weapon against whoever's address a datagram bears.

The sender's address of a datagram is a claim. The rules, beside the size of an answer, which is small and does not
depend on the question but for its MessageID (:data:`dsm_device.wire.announcing` limits that):

* one answer in :data:`SOURCE_INTERVAL_S` to the same address and port;
* :data:`ADDRESS_RATE` to the same address, whatever the port;
* :data:`TOTAL_RATE` to all;
* to an address that is no neighbour's, never more than :data:`AMPLIFICATION` times the octets of the question, as
  QUIC has it (RFC 9000, 8.1). Neighbours get both transmissions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

#: Known clients repeat a question with fresh identifiers ten times a second.
SOURCE_INTERVAL_S: Final = 0.1
AMPLIFICATION: Final = 3
#: Entries of each table; the oldest goes.
_REMEMBERED: Final = 2_048
#: MessageIDs of datagrams.
_REMEMBERED_IDS: Final = 200


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, and so many at once."""

    per_second: float
    burst: int


ADDRESS_RATE: Final = Rate(10, 20)
TOTAL_RATE: Final = Rate(50, 100)


class Bucket:
    """Tokens of a :class:`Rate`, on a clock that is passed in."""

    def __init__(self, rate: Rate, now_s: float) -> None:
        self._rate = rate
        self._tokens = float(rate.burst)
        self._filled_s = now_s

    def has(self, now_s: float) -> bool:
        """Whether there is a token."""
        passed_s = max(now_s - self._filled_s, 0.0)
        self._tokens = min(self._tokens + passed_s * self._rate.per_second, self._rate.burst)
        self._filled_s = now_s
        return self._tokens >= 1

    def take(self) -> None:
        self._tokens -= 1


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Newest(Generic[Key, Value]):
    """A table that forgets what was entered longest ago beyond ``size`` entries."""

    def __init__(self, size: int = _REMEMBERED) -> None:
        self._size = size
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        return self._entries.get(key)

    def put(self, key: Key, value: Value) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def __contains__(self, key: Key) -> bool:
        return key in self._entries


class Restraint:
    """Who has been answered when. Every method takes the time of a clock that never goes back, in seconds."""

    def __init__(self, now_s: float) -> None:
        self._total = Bucket(TOTAL_RATE, now_s)
        self._answered_s: Newest[tuple[str, int], float] = Newest()
        self._addresses: Newest[str, Bucket] = Newest()
        self._ids: Newest[str, None] = Newest(_REMEMBERED_IDS)

    def allows(self, host: str, port: int, now_s: float) -> bool:
        """Whether a question from there may be answered at all; asked before it is read."""
        if not port:
            return False
        last_s = self._answered_s.get((host, port))
        is_too_soon = last_s is not None and now_s - last_s < SOURCE_INTERVAL_S
        bucket = self._addresses.get(host)
        is_too_much = bucket is not None and not bucket.has(now_s)
        return not is_too_soon and not is_too_much and self._total.has(now_s)

    def is_repeated(self, message_id: str) -> bool:
        """Whether this message has been answered: it may come twice, and over several interfaces."""
        return message_id in self._ids

    def note(self, message_id: str, host: str, port: int, now_s: float) -> None:
        """It is being answered."""
        self._ids.put(message_id, None)
        self._answered_s.put((host, port), now_s)
        bucket = self._addresses.get(host) or Bucket(ADDRESS_RATE, now_s)
        bucket.take()
        self._addresses.put(host, bucket)
        self._total.take()
