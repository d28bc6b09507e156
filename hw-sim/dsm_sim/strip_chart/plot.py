"""Where the time is on the paper: all parts of the chart lie above one another on the same axis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from .story import Interval, StripChart, merged
from .svg import box
from .time_axis import SHORTEST_S

WIDTH_PX: Final = 1200.0
LEFT_PX: Final = 104.0
RIGHT_PX: Final = 1116.0
PLOT_PX: Final = RIGHT_PX - LEFT_PX
#: What is shorter is drawn this wide, to be seen at all.
_THINNEST_PX: Final = 1.0


@dataclass(frozen=True)
class Plot:
    """The part of the paper between the labels at the left and the shares at the right."""

    begin_s: float
    length_s: float

    def x(self, time_s: float) -> float:
        return LEFT_PX + min(1.0, max(0.0, (time_s - self.begin_s) / self.length_s)) * PLOT_PX

    def bar(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Left edge and width, within the plot."""
        left = min(self.x(start_s), RIGHT_PX - _THINNEST_PX)
        return left, max(_THINNEST_PX, self.x(end_s) - left)

    def boxes(self, intervals: Iterable[Interval], y: float, height: float) -> Iterator[str]:
        """Bars as steps of a path; gaps too small to be seen are closed."""
        for start, end in merged(intervals, gap_s=self.length_s / PLOT_PX / 2):
            left, width = self.bar(start, end)
            yield box(left, y, width, height)


def plot_of(chart: StripChart) -> Plot:
    return Plot(chart.begin_s, max(chart.length_s, SHORTEST_S))
