"""What a user asks for. Apart from what carries it out, so that a client of the agent loads nothing else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScanOrder:
    """What the user asks for: a process by identifier or name, who they are ("" = the configured user), ticket
    elements as ``ELEMENT=VALUE``, and further e-mail addresses."""

    process: str
    user: str = ""
    settings: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
