"""What a running agent holds at a moment, and whether that grows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final

from tests.endurance.desk import Desk
from tests.process_tree import Memory, family, handles_of, memory_of, threads_of

_MIB: Final = 1 << 20
#: What the median of the last tenth may be, of that of the first; 1 for what is not named. Connections that are
#: kept alive come and go, and threads of a pool are only started when they are first needed. The proportional
#: memory is only shown: it rises when another program of this machine that shares our libraries ends.
LIMITS: Final = {
    "rss": 1.05,
    "pss": math.inf,
    "anonymous": 1.08,
    "handles": 1.25,
    "sockets": 1.25,
    "threads": 1.5,
}
#: So many moments at least are a tenth: at the start it is a matter of luck which connections are open.
_FEWEST: Final = 5


@dataclass(frozen=True)
class Census:
    """Of the agent and all its processes; memory in MiB. ``spool`` and ``scratch`` count files left on disk."""

    rss: float
    pss: float
    anonymous: float
    handles: float
    sockets: float
    threads: float
    processes: float
    subscriptions: float
    spool: float
    scratch: float


@dataclass(frozen=True)
class Moment:
    """``done``: so many jobs, or pages, were done."""

    done: int
    census: Census


def take(desk: Desk) -> Census:
    pids = family(desk.agent.pid)
    memory = sum((found for pid in pids if (found := memory_of(pid))), Memory())
    handles = [target for pid in pids for target in handles_of(pid)]
    jobs, scratch = _left_behind(desk.state / "spool")
    return Census(
        rss=memory.rss / _MIB,
        pss=memory.pss / _MIB,
        anonymous=memory.anonymous / _MIB,
        handles=len(handles),
        sockets=sum(target.startswith("socket:") for target in handles),
        threads=sum(map(threads_of, pids)),
        processes=len(pids),
        subscriptions=len(desk.subscriptions),
        spool=jobs,
        scratch=scratch,
    )


def _left_behind(spool: Path) -> tuple[int, int]:
    """Files and folders of jobs, and what lies in hidden folders; one empty one is the open scanner's."""
    hidden = [path for path in spool.iterdir() if path.name.startswith(".")]
    jobs = [path for path in spool.iterdir() if not path.name.startswith(".")]
    return _count(jobs), _count(hidden)


def _count(folders: Sequence[Path]) -> int:
    return len(folders) + sum(1 for folder in folders for _ in folder.rglob("*"))


def growth(moments: Sequence[Moment]) -> Iterator[str]:
    """What has grown, in words: the medians of the last tenth against those of the first."""
    tenth = max(_FEWEST, len(moments) // 10)
    first, last = _medians(moments[:tenth]), _medians(moments[-tenth:])
    for field in fields(Census):
        before, after = getattr(first, field.name), getattr(last, field.name)
        limit = LIMITS.get(field.name, 1.0)
        if after > before * limit:
            share = f" ({after / before:.3f} times)" if before else ""
            yield f"{field.name} has grown from {before:.1f} to {after:.1f}{share}, limit {limit:g} times"


def _medians(moments: Sequence[Moment]) -> Census:
    return Census(*map(statistics.median, zip(*(astuple(each.census) for each in moments), strict=True)))


def table(what: str, moments: Sequence[Moment], shown: Sequence[int]) -> str:
    """A line for each of ``shown``, and the medians of the first and the last tenth."""
    tenth = max(_FEWEST, len(moments) // 10)
    names = [field.name for field in fields(Census)]
    by_count = {each.done: each.census for each in moments}
    lines = [f"{what:>12}" + "".join(f"{name:>14}" for name in names)]
    lines += [_line(str(count), by_count[count]) for count in shown if count in by_count]
    lines.append(_line("first tenth", _medians(moments[:tenth])))
    lines.append(_line("last tenth", _medians(moments[-tenth:])))
    return "\n".join(lines)


def _line(label: str, census: Census) -> str:
    memory = f"{census.rss:14.1f}{census.pss:14.1f}{census.anonymous:14.1f}"
    return f"{label:>12}" + memory + "".join(f"{value:14g}" for value in astuple(census)[3:])
