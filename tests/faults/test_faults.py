"""Every fault of the simulated server's plan at every step, and random sequences of them.

``make test-faults`` plays all variants, and as many sequences as one likes; ``python -m tests.faults --help``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsm_sim.peers.scan_server import Fault, LoseAnswer
from tests.faults.many import play_all, run_sequences
from tests.faults.verdict import Outcome, judge
from tests.faults.vocabulary import FORGOTTEN_OPERATIONS, NEVER_ASKED, STEPS, few_pairs
from tests.faults.world import Ground, ground, world

_SEQUENCES = 24
_SEED = 20
#: So that workers share the steps.
_PARTS = tuple(STEPS[start::3] for start in range(3))

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def shared() -> Iterator[Ground]:
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ground(Path(folder)) as made:
        yield made


def test_every_word_of_the_plan_has_its_step() -> None:
    assert not FORGOTTEN_OPERATIONS, "say in vocabulary.STEPS how a job comes there"


@pytest.mark.parametrize("steps", _PARTS, ids=lambda steps: steps[0].name)
def test_whatever_goes_wrong_each_page_arrives_once_or_stays(steps: tuple, shared: Ground) -> None:
    played = play_all(shared, [pair for pair in few_pairs() if pair.step in steps])
    problems = {str(each.pair): each.problems for each in played if each.problems}
    assert not problems
    assert not any(set(each.requests) & NEVER_ASKED for each in played)


def test_so_it_does_in_any_sequence(shared: Ground) -> None:
    outcomes: list[Outcome] = []
    assert not run_sequences(shared, _SEQUENCES, _SEED, outcomes.append)
    assert sum(each.delivered for each in outcomes) >= _SEQUENCES // 2


def test_the_verdict_finds_what_is_wrong(shared: Ground) -> None:
    """A page that nobody has sent, one that is gone from the disk, and a post-scan job that is left open."""
    with world(shared, "verdict", Fault("EndPostScanJob", None, LoseAnswer(by_reset=True))) as it:
        sent, kept = it.add_job(2), it.add_job(3)
        it.replan()
        it.start_agent()
        it.until(lambda: it.record(sent.id) is None and it.record(kept.id) is None)
        it.finish()
        assert not judge(it).problems
        sent.pages = (*sent.pages, "of a page that never was")
        assert any("half a job was ended" in each for each in judge(it).problems)
        lost = it.add_job(2)
        folder = it.spool.find(lost.id)
        folder.file(folder.job.pages[0]).write_bytes(b"")
        assert any("not what was put there" in each for each in judge(it).problems)
        assert any("left in the spool" in each for each in judge(it).problems)
