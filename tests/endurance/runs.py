"""What is done with the agent: many jobs, many pages, many replugs, many presses; figures and broken limits."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dsm_device.errors import ScannerNotFound
from dsm_device.runner.events import Event, PageSent
from tests.endurance.census import Moment, growth, table, take
from tests.endurance.desk import KEPT_HISTORY, Desk, until

#: Seconds. Issue 5, shows 5 and 6.
REPLUG_LIMIT_S: Final = 5.0
PRESS_LIMIT_S: Final = 1.0
_LEAVE_LIMIT_S: Final = 5.0
_PAGES_A_MOMENT: Final = 10
_SHOWN: Final = (("p50", 50), ("p95", 95), ("max", 100))
#: Every so many replugs somebody scans while the scanner is away.
_VAIN_EVERY: Final = 4


@dataclass(frozen=True)
class Findings:
    """``figures`` for people; ``problems`` says which limits were broken."""

    figures: str
    problems: tuple[str, ...]


def many_jobs(desk: Desk, count: int) -> Findings:
    """Jobs of one page, one after the other."""
    moments = []
    for done in range(1, count + 1):
        desk.load()
        desk.scan()
        moments.append(Moment(done, take(desk)))
    until(lambda: not take(desk).spool, _LEAVE_LIMIT_S, "the end of what lies in the spool")
    openings, past = len(desk.since(0, "open")), len(list((desk.state / "history").iterdir()))
    shown = [max(1, count * share // 1000) for share in (50, 250, 500, 750, 1000)]
    figures = (
        f"{table('after jobs', moments, shown)}\nthe scanner was opened {openings} x, {past} jobs are history"
    )
    too_many = [f"{past} jobs are history, limit {KEPT_HISTORY}"] if past > KEPT_HISTORY else []
    return Findings(figures, (*too_many, *growth(moments)))


def many_pages(desk: Desk, count: int) -> Findings:
    """One job."""
    moments = []

    def look(event: Event) -> None:
        if isinstance(event, PageSent) and event.n % _PAGES_A_MOMENT == 0:
            moments.append(Moment(event.n, take(desk)))

    desk.load(count)
    desk.scan(look)
    shown = [count * share // 10 for share in (1, 2, 5, 8, 10)]
    # Files of a job that is being scanned are no leak.
    problems = tuple(each for each in growth(moments) if not each.startswith(("spool", "scratch")))
    return Findings(table("after pages", moments, shown), problems)


def replugs(desk: Desk, count: int) -> Findings:
    """Each time under another address. It is usable again when a sheet moves, for who presses at once."""
    desk.load()
    desk.scan()
    waits_s = []
    moments = []
    for number in range(1, count + 1):
        desk.scanner.unplug()
        if number % _VAIN_EVERY == 0:
            _scan_in_vain(desk)
        desk.scanner.plug(f"{number // 120 + 1:03}:{number % 120 + 5:03}")
        waits_s.append(_until_a_sheet_moves(desk, desk.scan))
        moments.append(Moment(number, take(desk)))
    worst = max(waits_s)
    figures = f"{count} replugs, usable again after: median {statistics.median(waits_s):.2f} s, max {worst:.2f} s"
    late = (
        [f"a replugged scanner took {worst:.2f} s, limit {REPLUG_LIMIT_S:g} s"] if worst > REPLUG_LIMIT_S else []
    )
    return Findings(f"{figures}\n{table('after replugs', moments, [count])}", (*late, *growth(moments)))


def _scan_in_vain(desk: Desk) -> None:
    try:
        desk.scan()
    except ScannerNotFound:
        return
    raise AssertionError("a scanner that is not there has scanned")


def presses(desk: Desk, count: int, percent: int = 95, limit_s: float = PRESS_LIMIT_S) -> Findings:
    """From the press to ``sane_start``, on a warm scanner. The limit is on what ``percent`` do not exceed."""
    desk.load()
    desk.scan()
    ways: dict[str, Callable[[], None]] = {"socket": desk.scan, "dsm-device scan": desk.scan_by_command}
    figures, problems = [], []
    for name, press in ways.items():
        waits_s = [_until_it_starts(desk, press) for _ in range(count)]
        shown = (f"{label} {percentile(waits_s, at) * 1000:.0f} ms" for label, at in _SHOWN)
        figures.append(f"{count} presses by {name}: {', '.join(shown)}")
        judged_s = percentile(waits_s, percent)
        if judged_s >= limit_s:
            problems.append(f"p{percent} of a press by {name} is {judged_s:.2f} s, limit {limit_s:g} s")
    return Findings("\n".join(figures), tuple(problems))


def _until_it_starts(desk: Desk, press: Callable[[], None]) -> float:
    return _until_event(desk, press, "start")


def _until_a_sheet_moves(desk: Desk, press: Callable[[], None]) -> float:
    return _until_event(desk, press, "image-begin")


def _until_event(desk: Desk, press: Callable[[], None], event: str) -> float:
    desk.load()
    pressed_s = time.clock_gettime(time.CLOCK_MONOTONIC)
    press()
    return desk.since(pressed_s, event)[0].t - pressed_s


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that so many percent do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * percent // 100) - 1]
