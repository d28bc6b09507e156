"""A row for each page, from the moment it was acquired until the server answered."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .plot import LEFT_PX, PLOT_PX, Plot
from .story import PAGE_LANES, PageLane, Span, StripChart
from .svg import Svg
from .time_axis import duration

_TALLEST_PX: Final = 16.0
_ALL_PX: Final = 480.0
_MOST: Final = 240
#: From one page number to the next; rows that are lower than one of these show fewer lanes, too.
_NUMBER_PX, _DETAIL_PX = 11.5, 5.0
#: Where a lane's bar lies in its row, as shares of the height: what overlaps in time stays visible.
_THICK, _THIN = (0.0, 1.0), (0.3, 0.4)
_IN_ROW: Final[dict[PageLane, tuple[float, float]]] = {
    "acquired": _THICK,
    "encoded": _THIN,
    "written": _THICK,
    "sent": _THICK,
    "answered": _THIN,
}
#: What is left of a page's life in a low row.
_OUTLINE: Final[tuple[PageLane, ...]] = ("acquired", "sent")


@dataclass(frozen=True)
class Rows:
    """Which pages share a row, and where the rows are."""

    groups: Sequence[Sequence[int]]
    top: float
    pitch: float

    @property
    def bottom(self) -> float:
        return self.top + len(self.groups) * self.pitch

    @property
    def bar_height(self) -> float:
        return self.pitch * (0.72 if self.detailed else 1)

    @property
    def detailed(self) -> bool:
        """High enough for bars inside bars."""
        return self.pitch >= _DETAIL_PX

    def y(self, index: int) -> float:
        return self.top + index * self.pitch

    def middles(self) -> Mapping[int, float]:
        """Where the row of each page is."""
        return {
            page: self.y(index) + self.bar_height / 2 for index, group in enumerate(self.groups) for page in group
        }


def rows_of(pages: Sequence[int], top: float) -> Rows:
    together = max(1, -(-len(pages) // _MOST))
    groups = [pages[start : start + together] for start in range(0, len(pages), together)]
    return Rows(groups, top, min(_TALLEST_PX, _ALL_PX / max(1, len(groups))))


def draw_rows(out: Svg, chart: StripChart, plot: Plot, rows: Rows) -> None:
    spans = [[span for page in group for span in chart.of_page[page]] for group in rows.groups]
    _draw_lives(out, plot, rows, spans)
    for lane in PAGE_LANES if rows.detailed else _OUTLINE:
        _draw_lane(out, plot, rows, spans, lane)
    _draw_numbers(out, rows)
    for index, group in enumerate(rows.groups):
        out.rect((LEFT_PX, rows.y(index)), (PLOT_PX, rows.pitch), "hover", _told(group, spans[index], plot))


def _draw_lives(out: Svg, plot: Plot, rows: Rows, spans: Sequence[Sequence[Span]]) -> None:
    """Something pale through the gaps: the pages are there and wait."""
    offset, height = (rows.bar_height / 2 - 0.5, 1.0) if rows.detailed else (0.0, rows.pitch)
    steps: list[str] = []
    for index, row in enumerate(spans):
        life = (min(span.start_s for span in row), max(span.end_s for span in row))
        steps += plot.boxes([life], rows.y(index) + offset, height)
    out.path(steps, "wait" if not rows.detailed else "life")


def _draw_lane(out: Svg, plot: Plot, rows: Rows, spans: Sequence[Sequence[Span]], lane: PageLane) -> None:
    offset, height = (share * rows.bar_height for share in _IN_ROW[lane])
    steps: list[str] = []
    for index, row in enumerate(spans):
        intervals = [(span.start_s, span.end_s) for span in row if span.lane == lane]
        steps += plot.boxes(intervals, rows.y(index) + offset, height)
    out.path(steps, lane)


def _draw_numbers(out: Svg, rows: Rows) -> None:
    """Every page where there is room, otherwise the first and round numbers."""
    each = _round_number(_NUMBER_PX * len(rows.groups[0]) / rows.pitch) if rows.groups else 1
    for index, group in enumerate(rows.groups):
        shown = next((page for page in group if page % each == 0 or page == rows.groups[0][0]), None)
        if shown is not None:
            out.text((LEFT_PX - 10, rows.y(index) + rows.bar_height / 2 + 4), f"{shown:,}", "quiet small end")


def _round_number(at_least: float) -> int:
    """1 where that is enough, otherwise 5, 10, 50, 100, … of at least twice as much: numbers that can breathe."""
    step, factors = 1, itertools.cycle((5, 2))
    while at_least > 1 and step < 2 * at_least:
        step *= next(factors)
    return step


def _told(group: Sequence[int], spans: Sequence[Span], plot: Plot) -> str:
    """What the reader is told who rests on a row."""
    if len(group) > 1:
        begin, end = min(span.start_s for span in spans), max(span.end_s for span in spans)
        return f"pages {group[0]} to {group[-1]}: {_when(begin, end, plot)}"
    lines = [f"{span.lane}: {_when(span.start_s, span.end_s, plot)}" for span in spans[:12]]
    if len(spans) > len(lines):
        lines.append(f"and {len(spans) - len(lines):,} more steps")
    return "\n".join([f"page {group[0]}", *lines])


def _when(start_s: float, end_s: float, plot: Plot) -> str:
    begin, end = start_s - plot.begin_s, end_s - plot.begin_s
    return f"{duration(begin)} to {duration(end)}, {duration(end - begin)}"
