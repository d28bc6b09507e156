"""One strip a lane: bars where they can be told apart, otherwise how busy it was; and the server's states."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Final

from .plot import LEFT_PX, PLOT_PX, WIDTH_PX, Plot
from .story import PAGE_LANES, PageLane, Span, StripChart, merged
from .svg import Svg, box, number, shortened
from .time_axis import duration

STRIP_PX: Final = 18.0
_PITCH_PX: Final = 25.0
#: Lanes whose colour needs dark figures on it.
_LIGHT: Final = frozenset[PageLane]({"acquired", "sent"})
_BAR_PX: Final = 4.0
_BARS_MOST: Final = 250
#: The resolution of the curve that says how busy a lane was.
_BIN_PX: Final = 2.0
_CHARACTER_PX: Final = 6.6


def draw_strips(out: Svg, chart: StripChart, plot: Plot, top: float) -> float:
    """All lanes of pages, from ``top``; returns where the next part begins."""
    out.text((WIDTH_PX - 8, top - 7), "busy", "quiet small end")
    for index, lane in enumerate(PAGE_LANES):
        y = top + index * _PITCH_PX
        spans = chart.in_lane(lane)
        _draw_frame(out, lane, y)
        if _can_be_told_apart(spans, plot):
            _draw_bars(out, lane, spans, plot, y)
        else:
            _draw_density(out, lane, spans, plot, y)
        if spans:
            out.text((WIDTH_PX - 8, y + 13), f"{chart.busy_share(lane):.0%}".replace("%", " %"), "quiet small end")
    return top + len(PAGE_LANES) * _PITCH_PX


def draw_states(out: Svg, chart: StripChart, plot: Plot, top: float) -> float:
    """The server's job states in two shades; nothing where there are none. Those wide enough tell their names."""
    spans = chart.in_lane("server")
    if not spans:
        return top
    out.text((LEFT_PX - 10, top + 13), "server", "end")
    bars = [(span, *plot.bar(span.start_s, span.end_s)) for span in spans]
    for first, look in enumerate(("server", "server odd")):
        out.path((box(left, top, width, STRIP_PX) for _, left, width in bars[first::2]), look)
    for span, left, width in [bar for bar in bars if bar[2] >= _BAR_PX][:_BARS_MOST]:
        out.rect((left, top), (width, STRIP_PX), "hover", f"server: {_told(span, plot)}")
        room = int((width - 10) / _CHARACTER_PX)
        if room >= min(6, len(span.text)):
            out.text((left + 5, top + 13), shortened(span.text, room), "small")
    return top + _PITCH_PX


def _draw_frame(out: Svg, lane: PageLane, y: float) -> None:
    out.rect((LEFT_PX, y), (PLOT_PX, STRIP_PX), "strip")
    out.rect((16, y + 4), (10, 10), lane)
    out.text((32, y + 13), lane)


def _can_be_told_apart(spans: Sequence[Span], plot: Plot) -> bool:
    return len(spans) <= 40 or (len(spans) <= _BARS_MOST and _median_width(spans, plot) >= _BAR_PX)


def _median_width(spans: Sequence[Span], plot: Plot) -> float:
    return statistics.median(plot.bar(span.start_s, span.end_s)[1] for span in spans)


def _draw_bars(out: Svg, lane: PageLane, spans: Sequence[Span], plot: Plot, y: float) -> None:
    """Numbered where most of the numbers have room: some here and there would look like a message."""
    numbered = bool(spans) and _median_width(spans, plot) >= max(map(_number_px, spans))
    for index, span in enumerate(spans):
        left, width = plot.bar(span.start_s, span.end_s)
        look = f"{lane} odd" if index % 2 else lane
        out.rect((left, y), (width, STRIP_PX), look, f"page {span.page} {lane}: {_told(span, plot)}")
        if numbered and width >= _number_px(span):
            out.text((left + width / 2, y + 13), str(span.page), "num on-light" if lane in _LIGHT else "num")


def _number_px(span: Span) -> float:
    return 3 + 6.2 * len(str(span.page))


def _draw_density(out: Svg, lane: PageLane, spans: Sequence[Span], plot: Plot, y: float) -> None:
    """The higher, the larger the share of the time in which something was going on."""
    shares = list(_busy(spans, plot))
    steps = (f"V{number(y + STRIP_PX * (1 - share))}h{number(_BIN_PX)}" for share in shares)
    foot = number(y + STRIP_PX)
    out.path(
        [f"M{number(LEFT_PX)} {foot}", *steps, f"V{foot}z"],
        lane,
        f"{len({span.page for span in spans}):,} pages {lane}",
    )


def _busy(spans: Sequence[Span], plot: Plot) -> Iterator[float]:
    """The covered share of each bin of ``_BIN_PX``, 0 to 1."""
    covered = [0.0] * round(PLOT_PX / _BIN_PX)
    for start, end in merged((span.start_s, span.end_s) for span in spans):
        first, last = ((plot.x(time_s) - LEFT_PX) / _BIN_PX for time_s in (start, end))
        for index in range(int(first), min(len(covered), int(last) + 1)):
            covered[index] += min(last, index + 1) - max(first, index)
    return (min(1.0, share) for share in covered)


def _told(span: Span, plot: Plot) -> str:
    begin, end = span.start_s - plot.begin_s, span.end_s - plot.begin_s
    words = f"{shortened(span.text, 200)}, " if span.text else ""
    return f"{words}{duration(begin)} to {duration(end)}, {duration(end - begin)}"
