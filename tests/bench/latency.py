"""The first byte, a slow server, a fast feeder, and what is written to the disk."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from dsm_sim.scan_process import ScanProcess
from dsm_sim.scanner import ScannerModel, Sheet, SimulatedScanner
from dsm_sim.scanner import write_sane_config as write_simulated_config

from .desk import PROCESS_NAME, desk, scan

SLOW_BYTES_PER_S = 100_000
_SHEETS = 20
_IMAGES_PER_MINUTE = 140


def bench_first_byte(runs: int) -> None:
    """Each in a process of its own that watches the events from inside; see first_byte.py."""
    script = Path(__file__).with_name("first_byte.py")
    values: list[tuple[float, float]] = []
    with desk() as place:
        for _ in range(runs):
            answer = subprocess.run(
                [sys.executable, str(script), str(place.folder / "config.toml"), PROCESS_NAME],
                env=place.environment,
                capture_output=True,
                text=True,
                check=True,
            )
            page_s, first_s = map(float, answer.stdout.split())
            values.append((page_s, first_s))
    first = statistics.median(first_s for _, first_s in values) * 1000
    page = statistics.median(page_s for page_s, _ in values) * 1000
    print(f"\nFrom the first row of page 1 to the first byte of its SendImage; median of {runs}")
    print(f"  {first:.0f} ms, of which {page:.0f} ms until the page's last row was encoded and synced")


def bench_slow_server(runs: int) -> None:
    fast, slow = [], []
    settings = ("CompressionQualityFactor=1", "MediaFront/Resolution=75")
    for _ in range(runs):
        with desk() as place:
            fast.append(scan(place.command(*settings), place.environment))
        with desk(SLOW_BYTES_PER_S) as place:
            slow.append(scan(place.command(*settings), place.environment))
    fast_s = statistics.median(run.acquired_s for run in fast)
    slow_s = statistics.median(run.acquired_s for run in slow)
    print(f"\nA server that takes {SLOW_BYTES_PER_S // 1000} kB/s: ten small pages; medians of {runs}")
    print(f"  last page acquired after {fast_s:.2f} s (fast server), {slow_s:.2f} s (slow server)")
    print(f"  last page delivered after {statistics.median(r.job_s for r in fast):.2f} s", end=" ")
    print(f"and {statistics.median(r.job_s for r in slow):.2f} s")


def bench_feeder(runs: int) -> None:
    """A duplex feeder at its rated speed, all processes of device, scanner and server on one core."""
    due_s = 2 * _SHEETS * 60 / _IMAGES_PER_MINUTE
    shares = []
    core = min(os.sched_getaffinity(0))
    for _ in range(max(1, runs // 3)):
        with tempfile.TemporaryDirectory() as folder:
            model = ScannerModel(images_per_minute=_IMAGES_PER_MINUTE)
            scanner = SimulatedScanner(Path(folder) / "hardware", model)
            scanner.load([Sheet(draws_back=True)] * _SHEETS)
            environment = write_simulated_config(Path(folder) / "sane.d", [scanner])
            process = ScanProcess(source="ADFDuplex", dpi=300)
            with desk(scanner=(scanner.device, environment), process=process) as place:
                run = scan(["taskset", "-c", str(core), *place.command()], place.environment)
            shares.append(due_s / run.acquired_s)
    rate = f"{_IMAGES_PER_MINUTE} images a minute"
    print(f"\nSimulated duplex feeder, {rate}, {2 * _SHEETS} sides, RGB 300 dpi jfif, everything on one core")
    print(f"  {statistics.median(shares):.1%} of its speed (aim: at least 97 %); median of {len(shares)}")


def bench_spool_writes(runs: int) -> None:
    """What the process tree writes to the disk (its I/O accounting), against the size of the page files."""
    print("\nWritten to the spool's disk, against the compressed size of the pages; 10 pages, A4 300 dpi")
    for label, settings in (
        ("jfif RGB", ("CompressionQualityFactor=75",)),
        ("g4", ("Format=tiff-single-g4", "MediaFront/ColorProcessing=BlackAndWhite1")),
        ("pdf-a RGB", ("Format=pdf-a",)),
    ):
        shares = []
        for _ in range(max(1, runs // 3)):
            with desk() as place:
                watch = [
                    sys.executable,
                    str(Path(__file__).with_name("written.py")),
                    str(place.folder / "written"),
                ]
                run = scan([*watch, *place.command(*settings)], place.environment)
                shares.append(int((place.folder / "written").read_text()) / run.bytes)
        print(f"  {label:<12} {statistics.median(shares):.2f} (aim: at most 1.10)")
