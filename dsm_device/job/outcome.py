"""What became of one setting of a ticket. Apart from the ticket engine, so that it can be shown without it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """One element (path as in ``--set``). ``asked`` is None where the ticket says nothing, ``used`` where the
    setting is not applied at all; ``reason`` says why the two differ."""

    element: str
    asked: str | None
    used: str | None
    reason: str = ""

    @property
    def used_default(self) -> bool:
        return self.asked is None

    @property
    def override(self) -> bool:
        return self.asked is not None and self.asked != self.used

    def __str__(self) -> str:
        if not self.override:
            return f"{self.element}: {self.used}"
        used = "not applied" if self.used is None else f"used {self.used}"
        return f"{self.element}: asked {self.asked}, {used}: {self.reason}"
