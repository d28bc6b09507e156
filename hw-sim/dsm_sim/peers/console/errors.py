"""What a console's request may end in instead of an answer. Each error is one line for a person."""

from __future__ import annotations

from dataclasses import dataclass


class ConsoleError(Exception):
    """The one error that a device, however hostile, can cause."""


class NoAnswer(ConsoleError):
    """Nothing came, or not a whole HTTP answer."""


class Unreadable(ConsoleError):
    """What came is no message of SOAP 1.2, or not the one that was asked for."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault. ``code`` and ``subcode`` are Clark names (``{namespace}local``), "" where there is none."""

    code: str
    subcode: str
    reason: str
    detail: str

    @property
    def name(self) -> str:
        """The local name of the most specific code: ``ClientErrorJobIdNotFound``."""
        return (self.subcode or self.code).rpartition("}")[2]


class Refused(ConsoleError):
    """The device answered with a fault."""

    def __init__(self, operation: str, fault: Fault) -> None:
        detail = f" ({fault.detail})" if fault.detail else ""
        super().__init__(f"{operation} is refused: {fault.name}: {fault.reason}{detail}")
        self.fault = fault
