"""What every command of the simulator refuses in the same way."""

from __future__ import annotations


class SimUsageError(Exception):
    """What cannot be started; one line for a person."""
