"""The highest memory of the whole process tree: sums of resident pages, as a small board has to hold them."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dsm_sim.scan_process import ScanProcess
from dsm_sim.scanner import ScannerModel, Sheet, SimulatedScanner
from dsm_sim.scanner import write_sane_config as write_simulated_config
from tests.process_tree import Memory, family, memory_of

from .desk import MIB, Desk, desk

_CGROUP = Path("/sys/fs/cgroup/memory")
_A3_LIMIT_BYTES = 256 * MIB
_FORMATS = (
    ("jfif", "RGB24"),
    ("exif", "RGB24"),
    ("png", "RGB24"),
    ("png", "RGB48"),
    ("dib", "RGB24"),
    ("tiff-single-uncompressed", "RGB48"),
    ("tiff-single-jpeg-tn2", "RGB24"),
    ("tiff-single-g4", "BlackAndWhite1"),
    ("jbig", "BlackAndWhite1"),
    ("jpeg2k", "RGB24"),
    ("pdf-a", "RGB24"),
    ("tiff-multi-uncompressed", "RGB48"),
    ("xps", "RGB24"),
    ("jfif", "RGB24", "Rotation=90"),
    ("jfif", "RGB24", "Scaling=141x141"),
    ("png", "RGB48", "Rotation=90"),
)


class TreeMemory:
    """Watches a process and all its descendants: the highest sum of resident and of proportional memory."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.rss = 0
        self.pss = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> TreeMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            now = sum((memory for pid in family(self._pid) if (memory := memory_of(pid))), Memory())
            self.rss = max(self.rss, now.rss)
            self.pss = max(self.pss, now.pss)


def _peak_mib(place: Desk, settings: Sequence[str]) -> tuple[float, float]:
    with (
        subprocess.Popen(
            place.command(*settings), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=place.environment
        ) as device,
        TreeMemory(device.pid) as memory,
    ):
        _, words = device.communicate()
    if device.returncode:
        raise SystemExit(f"the device ended with {device.returncode} at {settings}: {words.decode()}")
    return memory.rss / MIB, memory.pss / MIB


def bench_memory(runs: int) -> None:
    """Two A4 pages in every kind of file. The sum counts shared pages in each process; PSS once.

    From the simulated scanner: libsane's ``test`` backend holds more of its pattern at 16 bits and 1200 dpi, in
    the device's process as in scanimage's.
    """
    print("\nPeak memory of the whole process tree, A4, 2 pages, MiB (sum of RSS / of PSS); medians of few")
    print(f"  {'':<38}{'300 dpi':>14}{'600 dpi':>14}{'1200 dpi':>14}   slope")
    repeats = max(1, runs // 3)
    with tempfile.TemporaryDirectory() as folder:
        scanner = SimulatedScanner(Path(folder) / "hardware", ScannerModel())
        environment = write_simulated_config(Path(folder) / "sane.d", [scanner])
        with desk(scanner=(scanner.device, environment)) as place:
            for format_, color, *more in _FORMATS:
                peaks = []
                for dpi in (300, 600, 1200):
                    settings = [f"Format={format_}", f"MediaFront/ColorProcessing={color}", *more]
                    settings.append(f"MediaFront/Resolution={dpi}")
                    values = [_peak_of_two_sheets(scanner, place, settings) for _ in range(repeats)]
                    peaks.append([statistics.median(each) for each in zip(*values, strict=True)])
                shown = "".join(f"{rss:8.1f}/{pss:5.1f}" for rss, pss in peaks)
                slope = max(rss for rss, _ in peaks) - min(rss for rss, _ in peaks)
                print(f"  {' '.join((format_, color, *more)):<38}{shown}   {slope:5.1f}", flush=True)
    print("  (aims: at most 96, slope at most 8)")


def _peak_of_two_sheets(scanner: SimulatedScanner, place: Desk, settings: Sequence[str]) -> tuple[float, float]:
    scanner.load([Sheet(draws_back=True)] * 2)
    return _peak_mib(place, settings)


def bench_many_pages(runs: int) -> None:
    """100 and 500 small pages in one job, for a job of files and one of a single document."""
    print("\nMany pages in one job, A4 gray 75 dpi: peak of the tree in MiB (sum of RSS)")
    for format_ in ("jfif", "pdf-a"):
        peaks = []
        for sheets in (100, 500):
            with tempfile.TemporaryDirectory() as folder:
                scanner = SimulatedScanner(Path(folder) / "hardware", ScannerModel())
                scanner.load([Sheet()] * sheets)
                environment = write_simulated_config(Path(folder) / "sane.d", [scanner])
                process = ScanProcess(format=format_, color="Grayscale8", dpi=75)  # type: ignore[arg-type]
                with desk(scanner=(scanner.device, environment), process=process) as place:
                    peaks.append(_peak_mib(place, ())[0])
        slope = (peaks[1] - peaks[0]) * 1024 / 400
        shown = f"100 pages {peaks[0]:6.1f}   500 pages {peaks[1]:6.1f}   {slope:5.2f} KiB a page"
        print(f"  {format_:<8} {shown} (aim: under 5)", flush=True)


def bench_largest_page(runs: int) -> None:
    """A3, 1200 dpi, RGB48: 1.67 GB of samples, in a memory control group of 256 MB."""
    print("\nA3, 1200 dpi, RGB48 (1.67 GB of samples), process tree in a memory control group of 256 MB")
    if not os.access(_CGROUP, os.W_OK):
        print("  not measured: this machine has no memory controller that this user may write to")
        return
    group = _CGROUP / f"dsm-bench-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(_A3_LIMIT_BYTES))
        for format_ in ("png", "tiff-single-uncompressed"):
            _scan_largest(group, format_)
    finally:
        with suppress(OSError):
            group.rmdir()


def _scan_largest(group: Path, format_: str) -> None:
    process = ScanProcess(
        format=format_,  # type: ignore[arg-type]
        color="RGB48",
        dpi=1200,
        source="Platen",
        width_mm=297,
        height_mm=420,
    )
    with desk(process=process) as place:
        join = f"echo $$ > {group}/cgroup.procs && exec " + '"$@"'
        command = ["sh", "-c", join, "sh", *place.command()]
        before = (group / "memory.max_usage_in_bytes").write_text("0")
        result = subprocess.run(command, env=place.environment, capture_output=True, text=True, check=False)
        peak = int((group / "memory.max_usage_in_bytes").read_text()) / MIB
    verdict = "passes" if result.returncode == 0 and before else f"FAILS: {result.stderr.strip()[-300:]}"
    print(f"  {format_:<28} {verdict}; highest usage with the page cache {peak:.0f} MiB", flush=True)
