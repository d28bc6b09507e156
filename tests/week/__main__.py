"""``python -m tests.week --steps 1000000``"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .week import Week


def main() -> int:
    parser = argparse.ArgumentParser(description="The agent on a clock that does not wait, with faults at random.")
    parser.add_argument("--steps", type=int, default=1_000_000, help="operations at the servers")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    memory = Path("/dev/shm")  # the disk is not what is tested
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as root:
        week = Week(Path(root), options.seed, options.steps)
        began = time.monotonic()
        week.play()
    print(f"seed {options.seed}: {week.done_steps:,} operations in {time.monotonic() - began:.0f} s")
    for name, count in sorted(week.counts.items()):
        print(f"{count:>10,}  {name}")
    faults: Counter[str] = sum((server.met for server in week.servers.values()), Counter())
    print(f"{sum(faults.values()):>10,}  faults of {len(faults)} kinds")
    for problem in week.problems[:50]:
        print(f"WRONG: {problem}")
    return bool(week.problems)


sys.exit(main())
