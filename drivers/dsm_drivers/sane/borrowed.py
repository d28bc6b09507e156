"""Options that one job sets and the next must find as they were."""

from __future__ import annotations

from collections.abc import Iterable

from dsm_device.hardware import OptionValue

from .option import Option
from .options import Options


class Borrowed:
    """What options were set to before a job set them.

    Backends keep values over sane_close and sane_open until sane_exit, so this outlives an opened device: one for
    a device and a process. Nothing is read or set for a job that borrows nothing after one that did not either.
    """

    def __init__(self) -> None:
        self._before: dict[str, OptionValue] = {}

    def set(self, options: Options, option: Option, value: OptionValue) -> OptionValue:
        """Set for this job; what the device made of it is returned."""
        if option.name not in self._before:
            before = options.value(option)
            if before is not None:
                self._before[option.name] = before
        return options.set(option, value)

    def give_back(self, options: Options, names: Iterable[str]) -> None:
        """Set those of ``names`` that were borrowed to what they were. One that is inactive now waits."""
        for name in names:
            option = options.usable(name) if name in self._before else None
            if option:
                options.set(option, self._before.pop(name))
