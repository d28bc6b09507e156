"""Sending datagrams as SOAP-over-UDP has it: after a random delay, and once more.

Sources: SOAP-over-UDP, appendix I; DPWS 1.0, appendix I (UDP repeat 2: the message and one repetition).
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dsm_device.server.discovery.sockets import SocketAddress

_log = logging.getLogger(__name__)

#: UDP_MIN_DELAY and UDP_MAX_DELAY for the first repetition, which is the only one here.
REPEAT_DELAY_S: Final = (0.05, 0.25)
#: Letters under way; more than the limits of answering let come up.
_MOST: Final = 1_024


def _nothing() -> None:
    """Nobody minds."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way: written when it is first sent, so that numbers rise in the order of sending."""

    udp: socket.socket
    to: SocketAddress
    write: Callable[[], bytes]
    #: All transmissions together stay within so many octets; None: no limit.
    budget_octets: int | None = None
    #: Called where it cannot be sent.
    lost: Callable[[], None] = _nothing


class Outbox:
    """For the running loop."""

    def __init__(self) -> None:
        self._pending: set[asyncio.TimerHandle] = set()

    def post(self, letter: Letter, delay_s: float = 0.0) -> None:
        """Send it after a random time of at most ``delay_s``, and once more a little later."""
        self._later(random.uniform(0, delay_s), lambda: self._send(letter))  # noqa: S311 - no secret

    def cancel(self) -> None:
        """Send nothing any more."""
        for handle in self._pending:
            handle.cancel()
        self._pending.clear()

    def _send(self, letter: Letter) -> None:
        data = letter.write()
        budget = 2 * len(data) if letter.budget_octets is None else letter.budget_octets
        if len(data) > budget:
            return
        if not send(letter.udp, data, letter.to):
            letter.lost()
        elif 2 * len(data) <= budget:
            self._later(repeat_delay_s(), lambda: send(letter.udp, data, letter.to))

    def _later(self, delay_s: float, action: Callable[[], object]) -> None:
        if len(self._pending) >= _MOST:
            return

        def run() -> None:
            self._pending.discard(handle)
            action()

        handle = asyncio.get_running_loop().call_later(delay_s, run)
        self._pending.add(handle)


def repeat_delay_s() -> float:
    """How long to wait with the repetition."""
    return random.uniform(*REPEAT_DELAY_S)  # noqa: S311 - no secret


def send(udp: socket.socket, data: bytes, to: SocketAddress) -> bool:
    """Whether it went out as far as this machine can tell. A datagram may be lost anyway, so nothing is raised."""
    try:
        udp.sendto(data, to)
    except OSError as error:
        _log.debug("nothing can be sent to %s: %s", to[0], error.strerror or error)
        return False
    return True
