"""``make bench``: how fast and how small, against a peer in the same run. Medians; ratios hold, seconds do not.

The device is the installed command with a configuration file, the scanner is libsane's ``test`` backend with its
colour pattern or the simulated one, the server is the simulated one, in this process, over TLS on loopback.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from functools import partial

from .console import bench_console_feeder, bench_console_memory, bench_console_probes, bench_console_questions
from .documents import bench_documents
from .encoders import bench as bench_encoders
from .latency import bench_feeder, bench_first_byte, bench_slow_server, bench_spool_writes
from .memory import bench_largest_page, bench_many_pages, bench_memory
from .probes import bench_probes
from .speed import bench_speed
from .subscribers import bench_subscribers

BENCHES = {
    "speed": bench_speed,
    "feeder": bench_feeder,
    "memory": bench_memory,
    "many-pages": bench_many_pages,
    "largest-page": bench_largest_page,
    "spool-writes": bench_spool_writes,
    "encoders": partial(bench_encoders, "invoice", 300, only=""),
    "documents": bench_documents,
    "first-byte": bench_first_byte,
    "slow-server": bench_slow_server,
    "probes": bench_probes,
    "console-questions": bench_console_questions,
    "console-feeder": bench_console_feeder,
    "subscribers": bench_subscribers,
    "console-memory": bench_console_memory,
    "console-probes": bench_console_probes,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each figure (default 7)")
    parser.add_argument("--only", choices=sorted(BENCHES), help="one part only")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if shutil.which("scanimage") is None:
        raise SystemExit("scanimage is missing: run `make setup`")
    for name, bench in BENCHES.items():
        if options.only in (None, name):
            bench(runs=options.runs)


if __name__ == "__main__":
    main()
