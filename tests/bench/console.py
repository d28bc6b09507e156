"""The console's endpoint of a running agent: how fast it answers, what that costs a job, and what it holds."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .console_desk import IMAGES_PER_MINUTE, ConsoleDesk, console_desk, load_average
from .probes import flood

_A_SECOND: Final = 100
_ASKED: Final = 1_000
#: A little more than the time in which so many questions are asked.
_SHEETS: Final = _ASKED // _A_SECOND * IMAGES_PER_MINUTE // 120 + 3
_OTHERS: Final = ("GetActiveJobs", "GetJobHistory", "ValidateScanTicket", "Get")
_ELEMENTS: Final = ("GetScannerElements",)
_FOLDER: Final = Path(__file__).parent
#: About as much as an answer to GetScannerElements has.
_PEER_OCTETS: Final = 9_000


@dataclass(frozen=True)
class Answers:
    times_ms: list[float]
    took_s: float
    failed: int

    @property
    def a_second(self) -> float:
        return len(self.times_ms) / self.took_s

    def share_ms(self, share: float) -> float:
        """What that share of the answers does not exceed."""
        return sorted(self.times_ms)[min(len(self.times_ms) - 1, int(len(self.times_ms) * share))]

    def __str__(self) -> str:
        figures = (self.share_ms(0.5), self.share_ms(0.99), max(self.times_ms))
        times = "p50 {:.1f}   p99 {:.1f}   max {:.1f} ms".format(*figures)
        return f"{times}   {self.a_second:.0f} a second" + (f"   {self.failed} FAILED" if self.failed else "")


def ask(port: int, names: Sequence[str], count: int, a_second: float) -> Answers:
    """By a process of its own."""
    return _result(_asking(port, names, count, a_second))


def _asking(port: int, names: Sequence[str], count: int, a_second: float) -> subprocess.Popen[str]:
    order = json.dumps({"port": port, "names": list(names), "count": count, "a_second": a_second})
    command = [sys.executable, str(_FOLDER / "console_load.py"), order]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _result(process: subprocess.Popen[str]) -> Answers:
    said, _ = process.communicate()
    return Answers(**json.loads(said))


@contextmanager
def _peer() -> Iterator[int]:
    command = [sys.executable, str(_FOLDER / "console_peer.py"), str(_PEER_OCTETS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        yield int(peer.stdout.readline())
        peer.stdin.close()


# ------------------------------------------------------------------------------------------- questions


def bench_console_questions(runs: int) -> None:
    """Each figure beside that of a server that does nothing, asked in the same way at about the same time."""
    print(f"\nGetScannerElements, all four names, {_ASKED:,} at {_A_SECOND} a second (aim: p99 under 20 ms)")
    with console_desk() as desk, _peer() as peer_port:
        ask(desk.http_port, (*_ELEMENTS, *_OTHERS), 200, 0)
        for is_busy in (False, True):
            for _ in range(max(1, runs // 2)):
                for whose, port in (("a server that does nothing", peer_port), ("the agent", desk.http_port)):
                    label = f"{whose}, {'duplex job' if is_busy else 'no job'}"
                    with desk.job(_SHEETS) if is_busy else nullcontext():
                        before_s = desk.agent_cpu_s
                        answers = ask(port, _ELEMENTS, _ASKED, _A_SECOND)
                        used_s = (desk.agent_cpu_s - before_s) / answers.took_s
                    print(
                        f"  {label:<40} {answers}   {used_s:4.0%} CPU of the agent   {load_average()}", flush=True
                    )
        print("  as fast as they are answered, over four connections, no job")
        for name in (*_ELEMENTS, *_OTHERS):
            print(f"  {name:<40} {ask(desk.http_port, (name,), _ASKED, 0)}   {load_average()}", flush=True)
        print(f"  {_A_SECOND} a second, in turn all five operations, duplex job")
        with desk.job(_SHEETS):
            mixed = ask(desk.http_port, (*_ELEMENTS, *_OTHERS), _ASKED, _A_SECOND)
        print(f"  {'mixed':<40} {mixed}   {load_average()}", flush=True)


# ---------------------------------------------------------------------------------------------- feeder


def bench_console_feeder(runs: int) -> None:
    """The same job with and without questions, in turn: by the scanner's log, from its first image to its last."""
    print(f"\nFeeder, {IMAGES_PER_MINUTE} images a minute, {2 * _SHEETS} sides: from first row to last byte")
    _compare_jobs("", runs)
    print("  The agent and all its processes on one core:")
    _compare_jobs(str(min(os.sched_getaffinity(0))), runs)


def _compare_jobs(cores: str, runs: int) -> None:
    quiet_s, asked_s = [], []
    with console_desk(cores) as desk:
        _job_s(desk, is_asked=False)
        for _ in range(runs):
            quiet_s.append(_job_s(desk, is_asked=False))
            asked_s.append(_job_s(desk, is_asked=True))
    slower = [asked / quiet - 1 for asked, quiet in zip(asked_s, quiet_s, strict=True)]
    for label, values in (("no questions", quiet_s), (f"{_A_SECOND} questions a second", asked_s)):
        print(f"  {label:<40} {statistics.median(values):.3f} s (from {min(values):.3f} to {max(values):.3f})")
    shown = f"median {statistics.median(slower):+.2%} (from {min(slower):+.2%} to {max(slower):+.2%})"
    print(f"  slower by {shown}, {runs} pairs (aim: at most 2 %)   {load_average()}", flush=True)


def _job_s(desk: ConsoleDesk, *, is_asked: bool) -> float:
    began_s = time.monotonic()
    # More than the job takes: the questions end when it does.
    asking = _asking(desk.http_port, _ELEMENTS, 100 * _ASKED, _A_SECOND) if is_asked else None
    try:
        with desk.job(_SHEETS):
            pass
    finally:
        if asking is not None:
            asking.kill()
            asking.communicate()
    ends_s = desk.images_since(began_s)
    if len(ends_s) != 2 * _SHEETS:
        raise SystemExit(f"{len(ends_s)} sides were scanned, not {2 * _SHEETS}")
    return ends_s[-1] - desk.starts_since(began_s)[0]


# ---------------------------------------------------------------------------------- what it holds, floods


def bench_console_memory(runs: int, questions: int = 100_000) -> None:
    """All five operations in turn, connections renewed now and then."""
    del runs
    print(f"\nThe agent's own process over {questions:,} mixed questions, as fast as they are answered")
    with console_desk() as desk:
        ask(desk.http_port, (*_ELEMENTS, *_OTHERS), 2_000, 0)
        print(f"  {'after 2,000 to warm up':<40} {desk.held()}", flush=True)
        for part in range(1, 6):
            answers = ask(desk.http_port, (*_ELEMENTS, *_OTHERS), questions // 5, 0)
            after = f"after {part * questions // 5:,}"
            print(f"  {after:<40} {desk.held()}   {answers}   {load_average()}", flush=True)


def bench_console_probes(runs: int, seconds: float = 60) -> None:
    """A minute is a minute, whatever ``runs`` is; jobs run meanwhile, one after the other."""
    del runs
    print(f"\n10,000 probes in a minute ({seconds:g} s of it) to the agent, from 250 addresses, while it scans")
    with console_desk() as desk:
        sheets = round(seconds * IMAGES_PER_MINUTE / 120) + 3
        quiet_s = _whole_job_s(desk, sheets, 0)
        held, cpu_s = desk.held(), desk.agent_cpu_s
        flooded_s = _whole_job_s(desk, sheets, seconds)
        used_s = desk.agent_cpu_s - cpu_s
        print(f"  held before {held}; after {desk.held()}")
    shown = f"{quiet_s:.2f} s without, {flooded_s:.2f} s with ({flooded_s / quiet_s - 1:+.2%})"
    print(f"  job {shown}; CPU of the agent in it {used_s:.1f} s   {load_average()}", flush=True)


def _whole_job_s(desk: ConsoleDesk, sheets: int, seconds: float) -> float:
    """From the first row to the last byte of a job, with a flood of ``seconds`` in it."""
    began_s, cpu_s = time.monotonic(), desk.agent_cpu_s
    with desk.job(sheets):
        if seconds:
            print(f"  {flood(desk.discovery_port, 10_000 / 60, seconds)}", flush=True)
    if not seconds:
        print(f"  CPU of the agent in the same job without probes {desk.agent_cpu_s - cpu_s:.1f} s")
    return desk.images_since(began_s)[-1] - desk.starts_since(began_s)[0]
