"""Which part of the sheet is scanned: InputSize and ScanRegion against what the scanner can reach.

What the file is promised to show (``Extent.length_mil``) and what is acquired for it differ in two cases: a
scanner that is up to 1.5 mm short of a paper size still gives the whole page, its edge white; and a scanner that
cannot take so small an area takes a larger one, of which the first part is kept. All numbers are 1/1000 inch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dsm_device.hardware import Area, Size, SourceCapabilities
from dsm_device.job.outcomes import Ledger, refusal
from dsm_device.wire.ticket import InputSize, ScanRegion, Setting

#: Drivers round paper sizes: A4 is 11693, and devices say 11690 or 11640 (1.5 mm short).
TOLERANCE_MIL: Final = 59
#: The elements of one axis of a region: offset and length.
_Names = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Extent:
    """One axis: ``length_mil`` from ``offset_mil`` is shown, ``acquired_mil`` from there is scanned."""

    offset_mil: int
    length_mil: int
    acquired_mil: int

    @property
    def end_mil(self) -> int:
        """Where the scanned part ends."""
        return self.offset_mil + self.acquired_mil


@dataclass(frozen=True, slots=True)
class Surface:
    """What one side's image shows. ``is_whole``: no part was asked for."""

    x: Extent
    y: Extent
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Those of all sides, in the order in which they were asked for, and the sheet's size where it is stated."""

    sides: tuple[Surface, ...]
    media: Size | None

    @property
    def area(self) -> Area:
        """What the scanner is to take: the rectangle that encloses what all sides need."""
        left, right = _span([side.x for side in self.sides])
        top, bottom = _span([side.y for side in self.sides])
        return Area(left, top, right - left, bottom - top)


def _span(extents: Sequence[Extent]) -> tuple[int, int]:
    return min(each.offset_mil for each in extents), max(each.end_mil for each in extents)


def choose_surfaces(
    size: Setting[InputSize] | None,
    regions: Mapping[str, ScanRegion | None],
    source: SourceCapabilities,
    ledger: Ledger,
) -> Surfaces:
    """``regions`` has what each side asks for by the side's element; None is the whole sheet.

    With DocumentSizeAutoDetect the sheet is as large as the source. Raises ``TicketRefused`` for a region wholly
    outside, or a locked number that cannot be met.
    """
    if min(source.maximum.width_mil, source.maximum.height_mil) < 1:
        raise refusal(f"the source {source.source} has no area to scan")
    stated = None if size is None else size.value.media
    locked = size is not None and size.must_honor
    least, most = source.minimum, _reach(source, stated)
    across = _Axis(
        least.width_mil, most.width_mil, None if stated is None else stated.width_mil, size_locked=locked
    )
    down = _Axis(
        least.height_mil, most.height_mil, None if stated is None else stated.height_mil, size_locked=locked
    )
    for region in filter(None, regions.values()):
        across.grow_for(region.x_mil, region.width_mil)
        down.grow_for(region.y_mil, region.height_mil)
    sides = tuple(_sides(regions, across, down, ledger))
    _settle_size(size, across, down, ledger)
    return Surfaces(sides, None if stated is None else Size(across.sheet_mil, down.sheet_mil))


def _reach(source: SourceCapabilities, stated: Size | None) -> Size:
    """A sheet that is longer than usual has to be asked for by its size."""
    most = source.maximum
    if stated is None or stated.height_mil <= most.height_mil:
        return most
    return Size(most.width_mil, max(most.height_mil, source.longest_mil))


def _sides(
    regions: Mapping[str, ScanRegion | None], across: _Axis, down: _Axis, ledger: Ledger
) -> Iterator[Surface]:
    for side, region in regions.items():
        x_names, y_names = (_names(side, *each) for each in (("XOffset", "Width"), ("YOffset", "Height")))
        if region is None:
            yield Surface(across.whole(x_names, ledger), down.whole(y_names, ledger), is_whole=True)
        else:
            yield Surface(
                across.place(x_names, region.x_mil, region.width_mil, ledger),
                down.place(y_names, region.y_mil, region.height_mil, ledger),
                is_whole=False,
            )


def _names(side: str, offset: str, length: str) -> _Names:
    return f"{side}/ScanRegion/ScanRegion{offset}", f"{side}/ScanRegion/ScanRegion{length}"


def _settle_size(size: Setting[InputSize] | None, across: _Axis, down: _Axis, ledger: Ledger) -> None:
    stated = None if size is None else size.value.media
    if size is not None and stated is None:
        detect = Setting(str(size.value.auto_detect).lower(), size.must_honor)
        ledger.settle("InputSize/DocumentSizeAutoDetect", detect, detect.value)
    ledger.settle(
        "InputSize/InputMediaSize",
        None if size is None or stated is None else Setting(stated, size.must_honor),
        Size(across.limit_mil, down.limit_mil),
        reason=across.why_other_size or down.why_other_size or "",
        possible=f"up to {across.maximum_mil}x{down.maximum_mil} mil",
    )


class _Axis:
    """One direction of the sheet. ``limit_mil`` is the sheet's end as far as it counts."""

    def __init__(self, least_mil: int, maximum_mil: int, stated_mil: int | None, *, size_locked: bool) -> None:
        self.minimum_mil = min(least_mil, maximum_mil)
        self.maximum_mil = maximum_mil
        self.why_other_size = ""
        self._reach_mil = maximum_mil + TOLERANCE_MIL
        self._may_grow = stated_mil is not None and not size_locked
        self._stated = stated_mil is not None
        self._of_what = " of the locked InputSize" if self._stated and size_locked else ""
        self.limit_mil = maximum_mil if stated_mil is None else max(1, stated_mil)
        if stated_mil is not None and stated_mil < 1:
            self.why_other_size = "there is no such sheet"
        if self.limit_mil > self._reach_mil:
            self.limit_mil = maximum_mil
            self.why_other_size = "the scanner's largest sheet is smaller"

    @property
    def sheet_mil(self) -> int:
        """The sheet's length as the driver may be told."""
        return max(self.minimum_mil, min(self.limit_mil, self.maximum_mil))

    def whole(self, names: _Names, ledger: Ledger) -> Extent:
        """The sheet from end to end."""
        offset_name, length_name = names
        ledger.settle(length_name, None, self.limit_mil)
        ledger.settle(offset_name, None, 0)
        return self._extent(0, self.limit_mil)

    def place(self, names: _Names, offset: Setting[int], length: Setting[int], ledger: Ledger) -> Extent:
        """Where the region lies on this axis once it fits."""
        end_mil = min(self.limit_mil, self.maximum_mil)
        if offset.value >= end_mil:
            raise refusal(f"{names[0]} {offset.value} is outside the sheet", f"0 to {end_mil - 1}")
        inside = Setting(max(0, offset.value), offset.must_honor)
        length_mil = max(1, self._fitting_length(inside, length))
        offset_mil = self._fitting_offset(inside, length_mil)
        self._settle(names, (offset, length), (offset_mil, length_mil), ledger)
        return self._extent(offset_mil, length_mil)

    def _extent(self, offset_mil: int, length_mil: int) -> Extent:
        reachable = min(length_mil, self.maximum_mil - offset_mil)
        return Extent(offset_mil, length_mil, max(reachable, self.minimum_mil))

    def _end_mil(self) -> int:
        """How far a region may reach: a stated sheet's end, else the scanner's with the tolerance."""
        return self.limit_mil if self._stated else self._reach_mil

    def grow_for(self, offset: Setting[int], length: Setting[int]) -> None:
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
        self,
        names: _Names,
        asked: tuple[Setting[int], Setting[int]],
        used_mil: tuple[int, int],
        ledger: Ledger,
    ) -> None:
        """Offset and length, as they were asked for and as they are used."""
        offset_name, length_name = names
        (offset, length), (offset_mil, length_mil) = asked, used_mil
        end = f"the end at {self.limit_mil}{self._of_what}"
        ledger.settle(
            length_name,
            length,
            length_mil,
            reason=f"with {offset_name} {offset.value} it reaches over {end}",
            possible=f"up to {length_mil}",
        )
        ledger.settle(
            offset_name,
            offset,
            offset_mil,
            reason=f"{max(length_mil, self.minimum_mil)} must fit between there and {end}",
            possible=f"up to {offset_mil}",
        )
