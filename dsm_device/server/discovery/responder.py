"""Which datagrams are answered. No sockets and no clock: whatever comes in, nothing is ever raised."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from dsm_device.server.discovery.interfaces import IpAddress
from dsm_device.server.discovery.restraint import Restraint
from dsm_device.wire.announcing import (
    Announced,
    MatchingRuleNotSupported,
    Question,
    is_asked,
    read_question,
)
from dsm_device.wire.xml import XmlError

_log = logging.getLogger(__name__)

#: Enough to see in the log what somebody sends that we do not read.
_SHOWN_OCTETS: Final = 120


class Responder:
    """Decides for the device that ``announced()`` describes, on a clock that starts at ``now_s``."""

    def __init__(self, announced: Callable[[], Announced], now_s: float) -> None:
        self._announced = announced
        self._restraint = Restraint(now_s)

    def question(self, data: bytes, source: IpAddress, port: int, now_s: float) -> Question | None:
        """The question in ``data`` that is to be answered to ``source``; None for silence."""
        host = str(source)
        if not _is_a_host(source) or not self._restraint.allows(host, port, now_s):
            return None
        question = self._read(data, host)
        if question is None or self._restraint.is_repeated(question.message_id):
            return None
        self._restraint.note(question.message_id, host, port, now_s)
        return question

    def _read(self, data: bytes, host: str) -> Question | None:
        try:
            question = read_question(data)
            return question if is_asked(question, self._announced()) else None
        except (XmlError, MatchingRuleNotSupported) as error:
            _log.debug("a datagram from %s is not answered: %s: %r", host, error, data[:_SHOWN_OCTETS])
            return None


def _is_a_host(source: IpAddress) -> bool:
    """An answer goes to one machine."""
    return not (source.is_multicast or source.is_unspecified or str(source) == "255.255.255.255")
