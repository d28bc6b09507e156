"""Telling two sheets fed at once: switching its detection on, and asking whether it was that.

Every maker has names of its own for it; the spellings are those of real backends.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from dsm_device.errors import ScannerInvalid, ScannerUnsupported
from dsm_device.hardware import OptionValue

from .names import Spellings
from .option import Kind, Option
from .options import Options
from .sensors import DOUBLE_FEED

#: Strings that switch it on, the least likely to stop at a good sheet first.
_ON = Spellings(("stop", "normal", "on", "low", "thin", "high"))
#: Fujitsu and Canon DR, Panasonic (three spellings), Brother, PFU, Epson (two). Length is left alone: it stops at
#: every stack of mixed sizes. So is skew.
_SWITCHES = (
    "df-action",
    "df-thickness",
    "double-feed",
    "dfeed",
    "MultifeedDetection",
    "multifeed-detection",
    "mf-overlapping",
    "double-feed-detection",
    "double-feed-detection-sensitivity",
)
#: Whoever configures one of these has decided about all of it.
_FAMILY = ("df-", "dfeed", "dfstop", "mf-", "double-feed", "multifeed")


def watch_for_multifeed(options: Options, configured: Collection[str]) -> None:
    """Let the scanner stop where it sees two sheets at once, unless the configuration says something of that."""
    if any(name.casefold().startswith(_FAMILY) for name in configured):
        return
    for name in _SWITCHES:
        option = options.usable(name)
        on = _on(option) if option else None
        if option and on is not None:
            with suppress(ScannerInvalid, ScannerUnsupported):  # not every model of a backend has the sensor
                options.set(option, on)


def saw_multifeed(options: Options) -> bool:
    """Whether the sensor says so; false where there is none."""
    # Asked twice: some backends answer once from what they saw last, and only then look.
    return any(options.sensed(name) or options.sensed(name) for name in DOUBLE_FEED)


def _on(option: Option) -> OptionValue | None:
    return True if option.kind is Kind.BOOL else _ON.find(option.strings)
