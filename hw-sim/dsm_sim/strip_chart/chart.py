"""The chart from its title down to its axis."""

from __future__ import annotations

from typing import Final

from .events import draw_events
from .plot import LEFT_PX, RIGHT_PX, WIDTH_PX, Plot, plot_of
from .rows import draw_rows, rows_of
from .story import StripChart
from .strips import draw_states, draw_strips
from .svg import Svg, number, shortened
from .time_axis import Ticks, ticks

_TOP_PX: Final = 96.0


def strip_chart(chart: StripChart) -> str:
    """The SVG of ``chart``: 1200 px wide, as high as it needs; the same text for the same chart.

    The number of elements does not grow beyond some 2,000, however many pages there are.
    """
    out, plot = Svg(WIDTH_PX, shortened(chart.title, 300)), plot_of(chart)
    _draw_head(out, chart)
    rows = rows_of(chart.pages, _TOP_PX)
    draw_rows(out, chart, plot, rows)
    y = draw_strips(out, chart, plot, rows.bottom + 22)
    y = draw_states(out, chart, plot, y + 4)
    y = draw_events(out, chart.moments, plot, rows.middles(), (_TOP_PX, y + 2))
    _draw_axis(out, plot, ticks(chart.length_s), y + 4)
    return out.finish(y + 34)


def _draw_head(out: Svg, chart: StripChart) -> None:
    out.text((16, 32), shortened(chart.title, 110), "title")
    out.text((16, 52), shortened(chart.subtitle, 180), "quiet")
    out.text((16, 74), chart.summary())


def _draw_axis(out: Svg, plot: Plot, marks: Ticks, y: float) -> None:
    places = [plot.x(plot.begin_s + place_s) for place_s in marks.places_s]
    out.path((f"M{number(x)} {number(_TOP_PX - 6)}V{number(y)}" for x in places), "grid", behind=True)
    for x, label in zip(places, marks.labels, strict=True):
        out.text((x, y + 15), label, "quiet small mid")
    out.text((WIDTH_PX - 8, y + 15), marks.unit, "quiet small end")
    out.path([f"M{number(LEFT_PX)} {number(y)}H{number(RIGHT_PX)}"], "axis")
