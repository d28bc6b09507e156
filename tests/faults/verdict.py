"""Whether every page was delivered once and in order, or is still there with the reason; and every job closed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dsm_device.job.model import Job
from dsm_device.job.states import JobState
from dsm_sim.peers.scan_server import JobReport
from tests.cuts.verdict import page_problems
from tests.faults.world import KnownJob, World


@dataclass(frozen=True)
class Outcome:
    """``kept``: jobs in the spool that wait for a person; ``fresh``: those that needed more than one token."""

    jobs: int
    delivered: int
    kept: int
    cancelled: int
    fresh: int
    #: Post-scan jobs whose cancel the server refused for good or called unneeded, or which the user cancelled
    #: while it could not be told: its clock closes them.
    left_open: int
    problems: tuple[str, ...]


def judge(world: World) -> Outcome:
    """To be asked when the world has been finished."""
    posts = world.server.report().jobs
    past = {job.id: job for job in world.spool.history()}
    waiting = {folder.job.id: folder.job for folder in world.folders()}
    problems: list[str] = []
    for known in world.jobs.values():
        own = [post for post in posts if _pages_of(post, known)]
        problems += (f"{known.id}: {each}" for each in _of_job(world, known, own, waiting, past))
    left_open = [post for post in posts if _is_left_open(world, post)]
    excused = [post for post in left_open if _is_excused(world, post)]
    problems += (
        f"post-scan job {post.token} is left open with {len(post.documents)} pages"
        for post in left_open
        if post not in excused
    )
    problems += world.server.report().internal_errors
    completed = [known for known in world.jobs.values() if any(_is_complete(p, known) for p in posts)]
    tokens = [sum(bool(_pages_of(post, known)) for post in posts) for known in world.jobs.values()]
    return Outcome(
        jobs=len(world.jobs),
        delivered=len(completed),
        kept=len(waiting),
        cancelled=sum(job.state is JobState.CANCELED for job in past.values()),
        fresh=sum(count > 1 for count in tokens),
        left_open=len(excused),
        problems=tuple(problems),
    )


def _pages_of(post: JobReport, known: KnownJob) -> list[int]:
    """The numbers of this job's pages in a post-scan job, in the order of arrival; 0 for what is another's."""
    numbers = {digest: n for n, digest in enumerate(known.pages, 1)}
    found = [numbers.get(document.sha256, 0) for document in post.documents]
    return found if any(found) else []


def _is_complete(post: JobReport, known: KnownJob) -> bool:
    return post.state == "Completed" and _pages_of(post, known) == list(range(1, len(known.pages) + 1))


def _of_job(
    world: World, known: KnownJob, posts: Sequence[JobReport], waiting: dict[str, Job], past: dict[str, Job]
) -> Iterator[str]:
    ended = [post for post in posts if post.state not in ("Creating", "Canceled")]
    sheets = [_pages_of(post, known) for post in ended]
    everything = list(range(1, len(known.pages) + 1))
    yield from (f"half a job was ended: {each} of {everything}" for each in sheets if each != everything)
    is_in_spool = known.id in waiting
    shown = [] if is_in_spool or known.is_cancelled else everything
    yield from page_problems(sheets[:1] if known.is_at_own_risk else sheets, shown)
    if is_in_spool:
        yield from _of_waiting(world, known, waiting[known.id])
    elif known.id not in past:
        yield "it is neither in the spool nor in the history"
    elif past[known.id].state is JobState.CANCELED and not known.is_cancelled:
        yield "the history calls it canceled, and nobody has cancelled it"


def _of_waiting(world: World, known: KnownJob, job: Job) -> Iterator[str]:
    """What is wrong with a job that is still there although nothing goes wrong any more."""
    if not job.state.needs_person:
        yield f"it is left in the spool as {job.state.value!r} ({job.error})"
    elif not job.error:
        yield f"it is {job.state.value!r}, and does not say why"
    folder = world.spool.find(job.id)
    files = tuple(hashlib.sha256(folder.file(page).read_bytes()).hexdigest() for page in job.pages)
    if files != known.pages:
        yield "its pages in the spool are not what was put there"


def _is_left_open(world: World, post: JobReport) -> bool:
    """Every path ends with End or Cancel. Of a job whose token never came the server's clock makes an end."""
    is_known = bool(post.documents) or post.token in world.traffic.known_tokens
    return post.state == "Creating" and is_known and not post.is_forgotten


def _is_excused(world: World, post: JobReport) -> bool:
    owners = [job for job in world.jobs.values() if _pages_of(post, job)] or list(world.jobs.values())
    return world.denies_jobs or any(job.is_cancelled or world.was_refused_a_cancel(job.id) for job in owners)
