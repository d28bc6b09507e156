"""How a network behaves, and what has gone through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

Rate = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=1)]


class NetworkBehaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """How a network behaves. Rates are octets a second of each connection; None is as fast as it goes."""

    to_server_bytes_per_s: Rate | None = None
    to_client_bytes_per_s: Rate | None = None
    #: Each way.
    latency_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    #: A connection that is cut is reset after so many octets, both ways together; None: at once.
    cut_after_bytes: Annotated[int, Meta(ge=0)] | None = None
    #: Which connections are cut: every n-th. None: all if ``cut_after_bytes`` is given, else none.
    cut_every_nth_connection: Count | None = None
    #: Connections are accepted, and nothing comes through any more.
    black_hole: bool = False
    #: Connections are refused, and those that exist are reset.
    down: bool = False

    def cuts(self, number: int) -> bool:
        """Whether the connection of that number, from 1, is cut."""
        if self.cut_every_nth_connection is None:
            return self.cut_after_bytes is not None
        return number % self.cut_every_nth_connection == 0


@dataclass(frozen=True)
class NetworkCounts:
    """What has gone through: accepted connections, those that were cut, and octets each way."""

    connections: int = 0
    cut: int = 0
    to_server_bytes: int = 0
    to_client_bytes: int = 0
