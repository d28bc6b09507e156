"""Many faults, side by side: what they cost is waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.sequences import machine, run_settings
from tests.faults.singly import Played, play
from tests.faults.verdict import Outcome
from tests.faults.vocabulary import Pair
from tests.faults.world import Ground

SIDE_BY_SIDE: Final = 12


def play_all(ground: Ground, pairs: Sequence[Pair], tell: Callable[[Played], None] | None = None) -> list[Played]:
    """``tell`` hears of each in turn."""
    played = []
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for each in pool.map(lambda pair: play(ground, pair), pairs):
            played.append(each)
            if tell is not None:
                tell(each)
    return played


def run_sequences(ground: Ground, sequences: int, first_seed: int, note: Callable[[Outcome], None]) -> list[str]:
    """About so many random sequences; what was wrong, shortened by Hypothesis."""
    shares = [sequences // SIDE_BY_SIDE + (n < sequences % SIDE_BY_SIDE) for n in range(SIDE_BY_SIDE)]

    def run(number: int, tries: int = 3) -> str:
        own = seed(first_seed + number)(machine(ground, note))
        try:
            run_state_machine_as_test(own, settings=run_settings(shares[number]))
        except SystemError as error:
            # Two threads that parse Python at once, as Hypothesis does, disturb each other before Python 3.11.8.
            return run(number, tries - 1) if tries > 1 else f"seed {first_seed + number}: {_told(error)}"
        except Exception as error:
            return f"seed {first_seed + number}: {_told(error)}"
        return ""

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        runs = pool.map(run, [number for number, share in enumerate(shares) if share])
        return [problem for problem in runs if problem]


def _told(error: BaseException) -> str:
    """With the steps that lead there, which Hypothesis puts into the notes."""
    return "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])


def table(played: Sequence[Played], outcomes: Sequence[Outcome]) -> str:
    """The counts, for people."""
    kinds = Counter(type(each.pair.action).__name__ for each in played)
    return "\n".join(
        (
            f"{len(played)} pairs of a fault and a step ({len(kinds)} kinds of faults)",
            *(f"  {_counts([each.outcome for each in played])}",) * bool(played),
            f"{len(outcomes)} random sequences",
            *(f"  {_counts(outcomes)}",) * bool(outcomes),
        )
    )


def _counts(outcomes: Sequence[Outcome]) -> str:
    jobs, delivered = sum(each.jobs for each in outcomes), sum(each.delivered for each in outcomes)
    fresh, kept = sum(each.fresh for each in outcomes), sum(each.kept for each in outcomes)
    cancelled, left = sum(each.cancelled for each in outcomes), sum(each.left_open for each in outcomes)
    return (
        f"{jobs} jobs: {delivered} delivered ({fresh} in a fresh token), {kept} wait for a person, "
        f"{cancelled} cancelled by the user; {left} post-scan jobs that the server would not or could not cancel"
    )
