"""Which part of the sheet is scanned: InputSize and ScanRegion against what the scanner can reach.

What the file is promised to show (``Extent.length_mil``) and what is acquired for it differ in two cases: a
scanner that is up to 1.5 mm short of a paper size still gives the whole page, its edge white; and a scanner that
cannot take so small an area takes a larger one, of which the first part is kept. All numbers are 1/1000 inch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dsm_device.hardware import Area, Size, SourceCapabilities
from dsm_device.job.outcomes import Ledger, refusal
from dsm_device.wire.ticket import InputSize, ScanRegion, Setting

#: Drivers round paper sizes: A4 is 11693, and devices say 11690 or 11640 (1.5 mm short).
TOLERANCE_MIL: Final = 59
_REGION: Final = "MediaFront/ScanRegion/ScanRegion"


@dataclass(frozen=True, slots=True)
class Extent:
    """One axis: ``length_mil`` from ``offset_mil`` is shown, ``acquired_mil`` from there is scanned."""

    offset_mil: int
    length_mil: int
    acquired_mil: int


@dataclass(frozen=True, slots=True)
class Surface:
    """Both axes, and the sheet's size where the ticket states it."""

    x: Extent
    y: Extent
    media: Size | None

    @property
    def area(self) -> Area:
        """What the scanner is to take."""
        return Area(self.x.offset_mil, self.y.offset_mil, self.x.acquired_mil, self.y.acquired_mil)


def choose_surface(
    size: Setting[InputSize] | None,
    region: ScanRegion | None,
    source: SourceCapabilities,
    ledger: Ledger,
) -> Surface:
    """Raises ``TicketRefused`` for a region wholly outside, or a locked number that cannot be met."""
    if min(source.maximum.width_mil, source.maximum.height_mil) < 1:
        raise refusal(f"the source {source.source} has no area to scan")
    stated = None if size is None else size.value.media
    locked = size is not None and size.must_honor
    least, most = source.minimum, source.maximum
    across = _Axis(
        ("XOffset", "Width"),
        (least.width_mil, most.width_mil),
        None if stated is None else stated.width_mil,
        size_locked=locked,
    )
    down = _Axis(
        ("YOffset", "Height"),
        (least.height_mil, most.height_mil),
        None if stated is None else stated.height_mil,
        size_locked=locked,
    )
    x = across.place(region.x_mil, region.width_mil, ledger) if region else across.whole(ledger)
    y = down.place(region.y_mil, region.height_mil, ledger) if region else down.whole(ledger)
    _settle_size(size, stated, across, down, ledger)
    return Surface(x, y, None if stated is None else Size(across.sheet_mil, down.sheet_mil))


def _settle_size(
    size: Setting[InputSize] | None, stated: Size | None, across: _Axis, down: _Axis, ledger: Ledger
) -> None:
    if size is not None and stated is None:
        ledger.settle(
            "InputSize/DocumentSizeAutoDetect",
            str(size.value.auto_detect).lower(),
            "false",
            locked=size.must_honor,
            reason="this device does not find the sheet's edges",
            possible="false, or an InputMediaSize",
        )
    largest = f"{across.maximum_mil}x{down.maximum_mil}"
    ledger.settle(
        "InputSize/InputMediaSize",
        None if stated is None else f"{stated.width_mil}x{stated.height_mil}",
        f"{across.limit_mil}x{down.limit_mil}",
        locked=size is not None and size.must_honor,
        reason=across.why_other_size or down.why_other_size or "",
        possible=f"up to {largest} mil",
    )


class _Axis:
    """One direction of the sheet. ``limit_mil`` is the sheet's end as far as it counts."""

    def __init__(
        self,
        elements: tuple[str, str],
        least_and_most_mil: tuple[int, int],
        stated_mil: int | None,
        *,
        size_locked: bool,
    ) -> None:
        self.offset_name, self.length_name = (_REGION + name for name in elements)
        least_mil, maximum_mil = least_and_most_mil
        self.minimum_mil = min(least_mil, maximum_mil)
        self.maximum_mil = maximum_mil
        self.why_other_size = ""
        self._reach_mil = maximum_mil + TOLERANCE_MIL
        self._may_grow = stated_mil is not None and not size_locked
        self._stated = stated_mil is not None
        self.limit_mil = maximum_mil if stated_mil is None else stated_mil
        if self.limit_mil > self._reach_mil:
            self.limit_mil = maximum_mil
            self.why_other_size = "the scanner's largest sheet is smaller"

    @property
    def sheet_mil(self) -> int:
        """The sheet's length as the driver may be told."""
        return max(self.minimum_mil, min(self.limit_mil, self.maximum_mil))

    def whole(self, ledger: Ledger) -> Extent:
        """The sheet from end to end."""
        ledger.settle(self.length_name, None, str(self.limit_mil))
        ledger.settle(self.offset_name, None, "0")
        return self._extent(0, self.limit_mil)

    def place(self, offset: Setting[int], length: Setting[int], ledger: Ledger) -> Extent:
        """Where the region lies on this axis once it fits."""
        end_mil = min(self.limit_mil, self.maximum_mil)
        if offset.value >= end_mil:
            raise refusal(f"{self.offset_name} {offset.value} is outside the sheet", f"0 to {end_mil - 1}")
        self._grow_for(offset, length)
        length_mil = self._fitting_length(offset, length)
        offset_mil = self._fitting_offset(offset, length_mil)
        self._settle(offset, offset_mil, length, length_mil, ledger)
        return self._extent(offset_mil, length_mil)

    def _extent(self, offset_mil: int, length_mil: int) -> Extent:
        reachable = min(length_mil, self.maximum_mil - offset_mil)
        return Extent(offset_mil, length_mil, max(reachable, self.minimum_mil))

    def _end_mil(self) -> int:
        """How far a region may reach: a stated sheet's end, else the scanner's with the tolerance."""
        return self.limit_mil if self._stated else self._reach_mil

    def _grow_for(self, offset: Setting[int], length: Setting[int]) -> None:
        """A free InputSize yields to a locked region, up to what the scanner reaches."""
        needed_mil = offset.value + length.value
        if not offset.must_honor and length.value <= self._reach_mil:
            needed_mil = min(needed_mil, self._reach_mil)
        if self._may_grow and length.must_honor and self._end_mil() < needed_mil <= self._reach_mil:
            self.limit_mil = needed_mil
            self.why_other_size = "the locked ScanRegion reaches further"

    def _fitting_length(self, offset: Setting[int], length: Setting[int]) -> int:
        """The length cut at the sheet's end, unless it is locked and the offset can yield instead."""
        if offset.value + length.value <= self._end_mil():
            return length.value
        if length.must_honor and not offset.must_honor and length.value <= self._end_mil():
            return length.value
        return self.limit_mil - offset.value

    def _fitting_offset(self, offset: Setting[int], length_mil: int) -> int:
        """The offset, moved back so far that the length fits and the smallest area does."""
        last = min(self._end_mil() - length_mil, self.maximum_mil - self.minimum_mil)
        return max(0, min(offset.value, last))

    def _settle(
        self, offset: Setting[int], offset_mil: int, length: Setting[int], length_mil: int, ledger: Ledger
    ) -> None:
        ledger.settle(
            self.length_name,
            str(length.value),
            str(length_mil),
            locked=length.must_honor,
            reason=f"with {self.offset_name} {offset.value} it reaches over the end at {self.limit_mil}",
            possible=f"up to {length_mil}",
        )
        ledger.settle(
            self.offset_name,
            str(offset.value),
            str(offset_mil),
            locked=offset.must_honor,
            reason=f"{max(length_mil, self.minimum_mil)} must fit between there and the end at {self.limit_mil}",
            possible=f"up to {offset_mil}",
        )
