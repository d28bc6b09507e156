"""``make bench``: how fast and how small, against a peer in the same run. Medians; ratios hold, seconds do not.

The device is the installed command with a configuration file, the scanner is libsane's ``test`` backend with its
colour pattern, the server is the simulated one, in this process, over TLS on loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dsm_sim.peers.scan_server import ScanServerOptions
from dsm_sim.peers.scan_server.running import RunningScanServer, running_scan_server
from dsm_sim.sane_test_config import TEST_DEVICE, write_sane_config
from dsm_sim.scan_process import ScanProcess

PROCESS_NAME = "Bench"
DEVICE = [str(Path(sys.executable).parent / "dsm-device")]
MIB = 1 << 20
A4 = ["-x", "210", "-y", "297"]
SLOW_BYTES_PER_S = 100_000


@dataclass(frozen=True)
class Desk:
    """A server, a scanner and a configured device."""

    folder: Path
    server: RunningScanServer
    environment: Mapping[str, str]

    def command(self, *settings: str) -> list[str]:
        overrides = [part for setting in settings for part in ("--set", setting)]
        configuration = str(self.folder / "config.toml")
        return [*DEVICE, "--config", configuration, "--json", "scan", "--process", PROCESS_NAME, *overrides]


@contextmanager
def desk(read_rate: int | None = None, options: str = "") -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="dsm-bench-") as name:
        folder = Path(name)
        with running_scan_server(ScanServerOptions(out=folder / "out", read_rate=read_rate)) as server:
            ScanProcess(dpi=300).write(folder / "processes", PROCESS_NAME, f"{server.fqdn}:{server.port}")
            (folder / "config.toml").write_text(
                f'[device]\nstate_dir = "{folder}/state"\n[scanner]\ndevice = "{TEST_DEVICE}"\n{options}\n'
                f'[directory]\nsource = "files"\npath = "{folder}/processes"\n'
                f'[scan_server]\nca_file = "{server.ca_file}"\n'
            )
            yield Desk(folder, server, write_sane_config(folder / "sane"))


# ------------------------------------------------------------------------------------------ one run


@dataclass(frozen=True)
class Run:
    """Seconds: the whole command, and from acquisition's start to the last SendImageResponse."""

    whole_s: float
    job_s: float
    acquired_s: float
    pages: int


def scan(command: Sequence[str], environment: Mapping[str, str]) -> Run:
    began = time.perf_counter()
    moments: list[tuple[float, str]] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as device:
        assert device.stdout is not None
        for line in device.stdout:
            event = json.loads(line)
            name = event.get("state", "") if event["event"] == "state" else event["event"]
            moments.append((time.perf_counter(), name))
        words = device.stderr.read() if device.stderr else ""
    whole_s = time.perf_counter() - began
    if device.returncode:
        raise SystemExit(f"the device ended with {device.returncode}: {words}")
    start = next(moment for moment, name in moments if name == "acquiring")
    return Run(
        whole_s,
        max(moment for moment, name in moments if name == "sent") - start,
        max(moment for moment, name in moments if name == "page") - start,
        sum(name == "page" for _, name in moments),
    )


def scanimage(environment: Mapping[str, str]) -> float:
    """Seconds that scanimage takes for the same ten pages to a local folder, as JPEG of quality 75."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["scanimage", "-d", TEST_DEVICE, f"--batch={folder}/p%d.jpg", "--format=jpeg"]
        command += ["--source", "Automatic Document Feeder", "--mode", "Color", "--depth", "8"]
        command += ["--resolution", "300", *A4]
        began = time.perf_counter()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        took_s = time.perf_counter() - began
        if len(list(Path(folder).glob("*.jpg"))) != 10:
            raise SystemExit("scanimage did not scan ten pages")
        return took_s


# -------------------------------------------------------------------------------------------- speed


def bench_speed(runs: int) -> None:
    ours: list[Run] = []
    theirs: list[float] = []
    with desk() as place:
        for turn in range(runs + 1):
            peer_s = scanimage(place.environment)
            run = scan(place.command("CompressionQualityFactor=75"), place.environment)
            if turn:  # the first pair warms the caches
                ours.append(run)
                theirs.append(peer_s)
    job = statistics.median(run.job_s for run in ours)
    peer = statistics.median(theirs)
    print(f"\n10 feeder pages, A4, RGB 300 dpi, jfif quality 75; medians of {runs} pairs")
    print(f"  scanimage --batch to a folder, whole command    {peer:6.2f} s   {600 / peer:6.0f} pages/min   1.00")
    for label, values in (
        ("this device, scan to last SendImageResponse", [run.job_s for run in ours]),
        ("this device, whole command with all start-up", [run.whole_s for run in ours]),
    ):
        ratio = statistics.median(mine / other for mine, other in zip(values, theirs, strict=True))
        middle = statistics.median(values)
        print(f"  {label:<46}  {middle:6.2f} s   {600 / middle:6.0f} pages/min   {ratio:.2f}")
    print(f"  (aim: at most 1.50; spread of the job {min(r.job_s for r in ours):.2f} to", end=" ")
    print(f"{max(r.job_s for r in ours):.2f} s, median {job:.2f} s)")


# ------------------------------------------------------------------------------------------- memory


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
            sums = [memory for pid in _tree(self._pid) if (memory := _memory(pid))]
            self.rss = max(self.rss, sum(rss for rss, _ in sums))
            self.pss = max(self.pss, sum(pss for _, pss in sums))


def _tree(root: int) -> list[int]:
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                queue += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _memory(pid: int) -> tuple[int, int] | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    values = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines[1:]}
    return values["Rss:"], values["Pss:"]


def bench_memory(runs: int) -> None:
    print(f"\nPeak memory of the whole process tree, A4 RGB jfif, 2 pages; medians of {runs}, MiB")
    print("  dpi    sum of RSS   sum of PSS (shared pages counted once)")
    peaks = []
    with desk() as place:
        for dpi in (300, 600, 1200):
            rss, pss = [], []
            for _ in range(runs):
                command = place.command(f"MediaFront/Resolution={dpi}", "ImagesToTransfer=2")
                with (
                    subprocess.Popen(
                        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=place.environment
                    ) as device,
                    TreeMemory(device.pid) as memory,
                ):
                    _, words = device.communicate()
                if device.returncode:
                    raise SystemExit(f"the device ended with {device.returncode} at {dpi} dpi: {words.decode()}")
                rss.append(memory.rss / MIB)
                pss.append(memory.pss / MIB)
            peaks.append(statistics.median(rss))
            print(f"  {dpi:<5}  {statistics.median(rss):10.1f}   {statistics.median(pss):10.1f}")
    print(f"  between the three: {max(peaks) - min(peaks):.1f} (aims: at most 96, at most 8 between them)")


# ------------------------------------------------------------------------------------ first byte, slow


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each figure (default 7)")
    parser.add_argument("--only", choices=sorted(BENCHES), help="one part only")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for tool in ("scanimage",):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is missing: run `make setup`")
    for name, bench in BENCHES.items():
        if options.only in (None, name):
            bench(options.runs)


BENCHES = {
    "speed": bench_speed,
    "memory": bench_memory,
    "first-byte": bench_first_byte,
    "slow-server": bench_slow_server,
}

if __name__ == "__main__":
    main()
