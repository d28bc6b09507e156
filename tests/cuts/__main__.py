"""``python -m tests.cuts --cuts 1000``: many power cuts, and figures of them."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.cuts.counts import table
from tests.cuts.desk import open_desk
from tests.cuts.forgetting import build_layer
from tests.cuts.player import Cut, Played, play


def main() -> int:
    """1 if a page was lost, doubled or misplaced."""
    parser = argparse.ArgumentParser(prog="python -m tests.cuts", description=__doc__)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="to repeat a run")
    parser.add_argument("--only", type=int, default=-1, help="only the cut of this number")
    parser.add_argument("--mode", choices=("standalone", "agent"), default="agent")
    parser.add_argument(
        "--forget",
        action=argparse.BooleanOptionalAction,
        help="what was not synced is lost as well: in every cut, or in none; otherwise in every second one",
    )
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    numbers = range(chosen.cuts) if chosen.only < 0 else (chosen.only,)
    all_played: list[Played] = []
    with tempfile.TemporaryDirectory(prefix="dsm-cuts-") as folder:
        layer = build_layer(Path(folder)) if chosen.forget is not False else None
        with open_desk(Path(folder)) as desk:
            for number in numbers:
                own_layer = layer if chosen.forget or number % 2 else None
                all_played.append(play(desk, Cut(f"{chosen.seed}-{number}", chosen.mode, own_layer)))
                _tell(all_played[-1], len(all_played), len(numbers))
    print(table(all_played))
    return int(any(played.problems for played in all_played))


def _tell(played: Played, done: int, of: int) -> None:
    outcome = played.outcome
    figures = f"{outcome.shown} shown, {outcome.delivered} delivered, {outcome.tokens} tokens"
    print(f"{done}/{of} {played.moment}: {played.phase}; {figures}", *played.problems, sep="\n  ", flush=True)


if __name__ == "__main__":
    sys.exit(main())
