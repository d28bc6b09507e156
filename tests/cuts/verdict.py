"""Whether the scan server got what the user was told is safe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dsm_sim.peers.scan_server import JobReport
from tests.cuts.desk import Desk, Device, sheets_in


@dataclass(frozen=True)
class Outcome:
    """The post-scan jobs of one scan, and what is wrong with them. ``shown``: pages that the user was told of."""

    shown: int
    delivered: int
    tokens: int
    completed: int
    #: Created as the power went: the device never heard the token, and cannot cancel it. The server's clock does.
    unheard: int
    problems: tuple[str, ...]


def judge(desk: Desk, device: Device, load: int, shown: Sequence[int], known: set[str]) -> Outcome:
    """``known``: tokens from before the scan; ``shown``: the numbers of the ``page`` lines."""
    jobs = [job for job in desk.server.report().jobs if job.token not in known]
    completed = [job for job in jobs if job.state == "Completed"]
    sheets = [sheets_in(job, load) for job in completed]
    unheard = [job for job in jobs if job.state == "Creating" and not job.documents]
    delivered = max(map(len, sheets), default=0)
    problems = (
        *page_problems(sheets, shown),
        *_open_problems(jobs, len(unheard)),
        *(f"pages of job {name} are left in the spool" for name in device.waiting_jobs()),
    )
    return Outcome(len(shown), delivered, len(jobs), len(completed), len(unheard), problems)


def page_problems(jobs: Sequence[Sequence[int]], shown: Sequence[int]) -> Iterator[str]:
    """``jobs``: the sheets in each completed post-scan job, in the order of arrival."""
    if len(jobs) > 1:
        yield f"{len(jobs)} completed post-scan jobs hold pages of the one scan: {list(map(list, jobs))}"
    for sheets in jobs:
        if list(sheets) != list(range(1, len(sheets) + 1)):
            yield f"a completed post-scan job holds the sheets {list(sheets)}"
    if len(set(shown)) != len(shown):
        yield f"pages were shown twice: {list(shown)}"
    if lost := sorted(set(shown).difference(*jobs)):
        yield f"pages {lost} were shown and are in no completed job"


def _open_problems(jobs: Sequence[JobReport], unheard: int) -> Iterator[str]:
    for job in jobs:
        if job.state == "Creating" and job.documents:
            yield f"post-scan job {job.token} is left open with {len(job.documents)} pages"
    if unheard > 1:
        yield f"{unheard} empty post-scan jobs are left open"
