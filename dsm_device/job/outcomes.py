"""What became of each setting of a ticket. Nothing is changed or left out without a word here.

The same list is what WS-Scan reports as DocumentFinalParameters: an element's final value, ``Override`` where
it replaces what was asked for, ``UsedDefault`` where nothing was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from dsm_device.errors import TicketRefused
from dsm_device.hardware import Size
from dsm_device.job.outcome import Outcome as Outcome  # noqa: PLC0414 - what this is about
from dsm_device.wire.ticket import Resolution, Scaling, Setting

Stated = int | str | bool | Size | Resolution | Scaling


class Ledger:
    """Every decision passes here, so that no locked value is ever met otherwise than exactly."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def settle(
        self,
        element: str,
        asked: Setting[str] | Setting[int] | Setting[Resolution] | Setting[Scaling] | Setting[Size] | None,
        used: Stated,
        *,
        reason: str = "",
        possible: str = "",
    ) -> None:
        """Record that ``element`` becomes ``used``. Raises ``TicketRefused`` if it is locked at another value."""
        before, now = None if asked is None else text(asked.value), text(used)
        if before in (None, now):
            self.outcomes.append(Outcome(element, before, now))
            return
        if asked is not None and asked.must_honor:
            raise refusal(f"{element} must be {before}, but {reason}", possible)
        self.outcomes.append(Outcome(element, before, now, reason))

    def leave_out(self, element: str, asked: str, *, locked: bool, reason: str) -> None:
        """Record that ``element`` is not applied. Raises ``TicketRefused`` if it is locked."""
        if locked:
            raise refusal(f"{element} must be honoured, but {reason}")
        self.outcomes.append(Outcome(element, asked, None, reason))


def refusal(message: str, possible: str = "") -> TicketRefused:
    """The ticket cannot be met; ``possible`` says what could be."""
    return TicketRefused(message, f"possible: {possible}" if possible else "")


def text(value: Stated) -> str:
    """A value in one word, as ``--set`` takes it."""
    match value:
        case bool():
            return str(value).lower()
        case Size():
            return f"{value.width_mil}x{value.height_mil}"
        case Resolution():
            return f"{value.x_dpi}x{value.y_dpi}"
        case Scaling():
            return f"{value.width_percent}x{value.height_percent}"
        case _:
            return str(value)


def listed(values: Iterable[object]) -> str:
    """``values`` for a message, a long list cut in its middle."""
    words = [str(value) for value in values]
    if len(words) > 12:
        words = [*words[:6], "…", *words[-5:]]
    return ", ".join(words) or "none"
