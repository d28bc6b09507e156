"""``python -m tests.faults --runs 1000``: every fault at every step, then random sequences, and their figures."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
from pathlib import Path

from tests.faults.many import play_all, run_sequences, table
from tests.faults.singly import Played
from tests.faults.verdict import Outcome
from tests.faults.vocabulary import pairs
from tests.faults.world import ground


def main() -> int:
    """1 if a page was lost, doubled or misplaced, or a post-scan job left open."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=500, help="random sequences; 0 for none")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="to repeat sequences")
    parser.add_argument("--only", default="", help="only pairs with this in their name, 'none' for none")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the device is told a lot of trouble here
    wanted = [pair for pair in pairs() if chosen.only in str(pair)]
    print(f"{len(wanted)} pairs, then {chosen.runs} sequences from seed {chosen.seed}", flush=True)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ground(Path(folder)) as made:
        played = play_all(made, wanted, _tell)
        problems = run_sequences(made, chosen.runs, chosen.seed, outcomes.append)
    print(*problems, table(played, outcomes), sep="\n")
    return int(bool(problems) or any(each.problems for each in played))


def _tell(played: Played) -> None:
    if played.problems:
        print(f"PROBLEM ({played.pair})", *played.problems, *played.told, sep="\n  ", flush=True)


if __name__ == "__main__":
    sys.exit(main())
