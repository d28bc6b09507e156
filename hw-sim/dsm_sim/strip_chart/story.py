"""What happened to the pages of a job, and what can be said about it in one line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, get_args

from .time_axis import duration

PageLane = Literal["acquired", "encoded", "written", "sent", "answered"]
Lane = Literal["acquired", "encoded", "written", "sent", "answered", "server"]
#: In the order of a page's life.
PAGE_LANES: Final[tuple[PageLane, ...]] = get_args(PageLane)
LANES: Final[tuple[Lane, ...]] = get_args(Lane)
#: About 30 years of a monotonic clock; beyond it seconds lose their fractions.
_LATEST_S: Final = 1e9

Interval = tuple[float, float]


@dataclass(frozen=True)
class Span:
    """A step in a page's life, or, in the lane ``server``, a state of the whole job that ``text`` names.

    Seconds of any one clock. Raises ``ValueError`` where the times are no times or run backwards, and for a
    step without a page.
    """

    lane: Lane
    page: int | None
    start_s: float
    end_s: float
    text: str = ""

    def __post_init__(self) -> None:
        _check(self.lane, self.page, self.start_s, self.end_s)
        if self.lane != "server" and self.page is None:
            raise ValueError(f"span in lane {self.lane}: needs a page")
        if self.end_s < self.start_s:
            raise ValueError(
                f"span in lane {self.lane}: ends at {self.end_s} s, before its start at {self.start_s} s"
            )


@dataclass(frozen=True)
class Moment:
    """Something that happened at once: a fault, a retry, a cancel, a jam, a restart. No page: to the whole job."""

    lane: Lane
    page: int | None
    at_s: float
    text: str

    def __post_init__(self) -> None:
        _check(self.lane, self.page, self.at_s)


@dataclass(frozen=True)
class StripChart:
    """A job to be drawn; spans and moments in any order. A page whose last step is ``answered`` was delivered."""

    title: str
    subtitle: str = ""
    spans: Sequence[Span] = field(default=())
    moments: Sequence[Moment] = field(default=())

    @cached_property
    def pages(self) -> list[int]:
        return sorted({span.page for span in self.spans if span.page is not None})

    @cached_property
    def begin_s(self) -> float:
        return min(self._times(), default=0.0)

    @cached_property
    def length_s(self) -> float:
        return max(self._times(), default=0.0) - self.begin_s

    @cached_property
    def of_page(self) -> dict[int, list[Span]]:
        """The spans of each page by their start."""
        found: defaultdict[int, list[Span]] = defaultdict(list)
        for span in sorted(self.spans, key=lambda span: (span.start_s, span.end_s)):
            if span.page is not None:
                found[span.page].append(span)
        return dict(found)

    def in_lane(self, lane: Lane) -> list[Span]:
        return sorted((span for span in self.spans if span.lane == lane), key=lambda span: span.start_s)

    def busy_share(self, lane: Lane) -> float:
        """How much of the whole time anything was going on in ``lane``, 0 to 1."""
        busy = sum(end - start for start, end in merged(map(_interval, self.in_lane(lane))))
        return min(1.0, busy / self.length_s) if self.length_s > 0 else 0.0

    def summary(self) -> str:
        """Pages, time, pace, first delivery and the longest wait."""
        delivered = [spans[-1].end_s for spans in self.of_page.values() if spans[-1].lane == "answered"]
        count = len(self.pages)
        parts = [f"{count:,} {'page' if count == 1 else 'pages'} in {duration(self.length_s)}"]
        if len(delivered) > 1 and self.length_s > 0:
            parts.append(f"{len(delivered) / self.length_s * 60:,.0f} images a minute")
        if delivered:
            parts.append(f"first page delivered after {duration(min(delivered) - self.begin_s)}")
        if len(delivered) < count:
            parts.append(f"{count - len(delivered):,} not delivered")
        return " · ".join([*parts, *self._longest_wait()])

    def _longest_wait(self) -> list[str]:
        waits = [wait for page in self.pages for wait in _waits(self.of_page[page])]
        if not waits:
            return []
        length, span = max(waits, key=lambda wait: wait[0])
        return [f"longest wait {duration(length)} (page {span.page}, before it was {span.lane})"]

    def _times(self) -> Iterable[float]:
        for span in self.spans:
            yield from (span.start_s, span.end_s)
        yield from (moment.at_s for moment in self.moments)


def merged(intervals: Iterable[Interval], gap_s: float = 0.0) -> list[Interval]:
    """Intervals in order without overlaps; what is at most ``gap_s`` apart becomes one."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if found and start - found[-1][1] <= gap_s:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _interval(span: Span) -> Interval:
    return span.start_s, span.end_s


def _waits(spans: Sequence[Span]) -> Iterable[tuple[float, Span]]:
    """How long nothing happened to a page before each of its steps."""
    free_s = spans[0].end_s
    for span in spans[1:]:
        if span.start_s > free_s:
            yield span.start_s - free_s, span
        free_s = max(free_s, span.end_s)


def _check(lane: Lane, page: int | None, *times_s: float) -> None:
    if lane not in LANES:
        raise ValueError(f"lane {lane!r}: must be one of {', '.join(LANES)}")
    if page is not None and page < 1:
        raise ValueError(f"page {page} in lane {lane}: pages count from 1")
    for time_s in times_s:
        if not abs(time_s) <= _LATEST_S:  # nor is a NaN
            raise ValueError(f"time {time_s} in lane {lane}: must be a number of seconds within ±{_LATEST_S:g}")
