"""What went wrong and what was done about it: marks on the axis of time, with words where there is room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from .plot import LEFT_PX, RIGHT_PX, WIDTH_PX, Plot
from .story import Moment
from .svg import Svg, number, shortened
from .time_axis import duration

#: Events nearer to each other than this share one mark.
_SHARED_PX: Final = 9.0
_LINES_MOST: Final = 4
_LINE_PX: Final = 15.0
_CHARACTER_PX: Final = 5.9
_LABEL_MOST: Final = 44


@dataclass(frozen=True)
class _Mark:
    x: float
    moments: Sequence[Moment]

    @property
    def label(self) -> str:
        more = f" (+{len(self.moments) - 1:,})" if len(self.moments) > 1 else ""
        return shortened(self.moments[0].text, _LABEL_MOST) + more


def draw_events(
    out: Svg, moments: Sequence[Moment], plot: Plot, page_rows: Mapping[int, float], span_y: tuple[float, float]
) -> float:
    """Marks from ``span_y``'s end downward, lines up to its start; returns where the next part begins."""
    if not moments:
        return span_y[1]
    marks = list(_marks(moments, plot))
    top, foot = span_y
    out.text((LEFT_PX - 10, foot + 12), "events", "end")
    out.path((f"M{number(mark.x)} {number(top)}V{number(foot)}" for mark in marks), "when")
    for mark in marks:
        tip = f"M{number(mark.x)} {number(foot)}l4.5 9h-9z"
        out.path([tip], "event", "\n".join(_told(moment, plot) for moment in mark.moments[:10]))
    rows = ((plot.x(moment.at_s), page_rows.get(moment.page or 0)) for moment in moments)
    out.path([_dot(x, y) for x, y in rows if y is not None][:1000], "event")
    return _draw_labels(out, marks, foot + 22)


def _marks(moments: Sequence[Moment], plot: Plot) -> Iterator[_Mark]:
    ordered = sorted(moments, key=lambda moment: moment.at_s)
    for _, group in groupby(ordered, key=lambda moment: int((plot.x(moment.at_s) - LEFT_PX) / _SHARED_PX)):
        together = list(group)
        yield _Mark(plot.x(together[0].at_s), together)


def _draw_labels(out: Svg, marks: Sequence[_Mark], top: float) -> float:
    """Each label in the first line where it touches no other; those without a place are in the tooltips only."""
    line_ends: list[float] = []
    for mark in marks:
        width = len(mark.label) * _CHARACTER_PX
        left = max(8.0, min(mark.x - 4, WIDTH_PX - 8 - width))
        line = next((index for index, end in enumerate(line_ends) if left > end), len(line_ends))
        if line >= _LINES_MOST:
            continue
        line_ends[line : line + 1] = [left + width + 12]
        out.text((left, top + line * _LINE_PX), mark.label, "small alarm")
    return top + len(line_ends) * _LINE_PX


def _dot(x: float, y: float) -> str:
    inside = max(LEFT_PX + 3.5, min(RIGHT_PX - 3.5, x))
    return f"M{number(inside - 3.5)} {number(y)}l3.5-4 3.5 4-3.5 4z"


def _told(moment: Moment, plot: Plot) -> str:
    page = f"page {moment.page} " if moment.page is not None else ""
    return f"{duration(moment.at_s - plot.begin_s)}, {page}{moment.lane}: {shortened(moment.text, 200)}"
