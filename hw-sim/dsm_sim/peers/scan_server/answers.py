"""What goes back to a client: an HTTP answer and how it is put on the wire, or an end without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SOAP_TYPE: Final = "application/soap+xml; charset=utf-8"


class Hangup(Exception):
    """The connection ends here, without an answer; by a reset where ``is_reset``."""

    def __init__(self, *, is_reset: bool = False) -> None:
        super().__init__()
        self.is_reset = is_reset


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, and how it is put on the wire.

    ``rate`` is in octets a second, ``cut_after`` in octets of the whole answer, ``hold_s`` the wait before it
    (None: for ever, until the server stops or the client goes away).
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", SOAP_TYPE),)
    rate: int | None = None
    cut_after: int | None = None
    hold_s: float | None = 0.0
