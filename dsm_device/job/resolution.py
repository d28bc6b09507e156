"""Resolutions: that of a file is met exactly up to the scanner's largest, by scanning finer and resampling.

A scanner that lacks the resolution is set to the next higher one that it has (on both axes, where it sets
them as one) and the image is brought down in software. Beyond the largest there is nothing to be had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from dsm_device.hardware import SourceCapabilities
from dsm_device.job.outcomes import Ledger, listed, refusal
from dsm_device.wire.ticket import Resolution, Setting

DEFAULT_DPI: Final = 300


def choose_resolution(
    element: str,
    asked: Setting[Resolution] | None,
    source: SourceCapabilities,
    ledger: Ledger,
    default: Resolution | None = None,
) -> Resolution:
    """The file's. ``default`` is what holds where nothing is stated; None: :data:`DEFAULT_DPI`, or near it."""
    x_offered, y_offered = _offered(source)
    if asked is None:
        used = default or _near_default(x_offered, y_offered)
    else:
        used = Resolution(
            max(1, min(asked.value.x_dpi, x_offered[-1])), max(1, min(asked.value.y_dpi, y_offered[-1]))
        )
    ledger.settle(
        element,
        asked,
        used,
        reason=f"{source.source} delivers at most {x_offered[-1]}x{y_offered[-1]}",
        possible=f"anything up to that; {_listed(x_offered, y_offered)} without resampling",
    )
    return used


def acquired(files: Iterable[Resolution], source: SourceCapabilities) -> Resolution:
    """At what to scan so that all of ``files``, as :func:`choose_resolution` gave them, can be made of it."""
    x_offered, y_offered = _offered(source)
    wanted = list(files)
    x_dpi = _next_higher(x_offered, max(each.x_dpi for each in wanted))
    y_dpi = _next_higher(y_offered, max(each.y_dpi for each in wanted))
    if source.square_only:
        x_dpi = y_dpi = max(x_dpi, y_dpi)
    return Resolution(x_dpi, y_dpi)


def _offered(source: SourceCapabilities) -> tuple[list[int], list[int]]:
    """Across and down, ascending; not empty."""
    across, down = sorted(source.x_resolutions_dpi), sorted(source.y_resolutions_dpi)
    if source.square_only:
        across = down = [dpi for dpi in across if dpi in down]
    if not across or not down:
        raise refusal("the scanner offers no resolution")
    return across, down


def _near_default(across: Sequence[int], down: Sequence[int]) -> Resolution:
    """One of the scanner's own, the same on both axes where it can be; of two equally near the higher."""
    common = [dpi for dpi in across if dpi in down]
    return Resolution(_nearest_default(common or across), _nearest_default(common or down))


def _nearest_default(offered: Sequence[int]) -> int:
    return min(offered, key=lambda dpi: (abs(dpi - DEFAULT_DPI), -dpi))


def _next_higher(offered: Sequence[int], wanted: int) -> int:
    return next(dpi for dpi in offered if dpi >= wanted)


def _listed(across: Sequence[int], down: Sequence[int]) -> str:
    return listed(across) if across == down else f"Width {listed(across)}, Height {listed(down)}"
