"""One fault at one step of one job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.faults.verdict import Outcome, judge
from tests.faults.vocabulary import Pair
from tests.faults.world import Ground, World, world

PAGES: Final = 3
_RENEWAL_LIMIT_S: Final = 5.0
_TRIES: Final = 3


@dataclass(frozen=True)
class Played:
    """``met``: how often the fault has happened."""

    pair: Pair
    met: int
    outcome: Outcome
    #: Operations that the device has asked for.
    requests: frozenset[str]
    told: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        unmet = () if self.met else ("the fault has not happened: nothing was tested",)
        return (*unmet, *self.outcome.problems)


def play(ground: Ground, pair: Pair) -> Played:
    """The agent delivers until it is done or puts the job off; from then on nothing goes wrong any more.

    Again where the fault has not happened: on a slow machine the agent may give up a subscription in time.
    """
    for number in range(_TRIES):
        played = _play(ground, pair, number)
        if played.met or played.outcome.problems:
            break
    return played


def _play(ground: Ground, pair: Pair, number: int) -> Played:
    with world(ground, f"{number}-{pair}".replace("/", "_")[:100], *pair.plan) as it:
        job = it.add_job(PAGES)
        it.start_agent()
        it.until(lambda: _is_over(it, job.id))
        if pair.step.renews:
            it.until(lambda: bool(it.traffic.requests["Renew"]), _RENEWAL_LIMIT_S)
        it.stop_agent()
        met = it.replan()[-1]
        it.finish()
        return Played(pair, met, judge(it), frozenset(it.traffic.requests), tuple(it.told))


def _is_over(it: World, job_id: str) -> bool:
    record = it.record(job_id)
    return record is None or record.state.needs_person or record.retries > 0
