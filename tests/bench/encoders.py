"""``python -m tests.bench.encoders``: each encoder alone against its peer, on the same scanned page.

The page is one of the simulator's, A4, with the noise of a sensor. What is compared is the work on the page
without any start-up: our process takes its time itself, from the first strip's reading to the finished file; from
a peer's time goes the median that the same command takes for a page of 64 x 64 pixels. Both read a file and write
a file, in memory (tmpfs) where there is such a folder. Runs alternate; figures are medians, ratios medians of the
pairs' ratios (above 1: we are slower). A peer's memory is the highest VmHWM seen in runs that are not timed
(tiffcp's has its input in it, which it maps); ours is that of the whole process, with Python and Pillow in it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import get_args

from PIL import Image, ImageChops

from dsm_device.imaging.encoders import ENCODERS
from dsm_device.imaging.formats import FORMATS
from dsm_sim.paper.originals import Kind, draw
from dsm_sim.paper.surface import grain

A4_MM = (210, 297)
#: Scanned paper is not quite white, and so its noise is not cut off.
PAPER_LEVEL = 243
NOISE_SIGMA = 2.5
QUALITY = 75
STRIP_LINES = 64
MIB = 1 << 20
MEMORY = Path("/dev/shm")
RGB, GRAY, BILEVEL = "RGB24", "Grayscale8", "BlackAndWhite1"
MODES = {RGB: "RGB", GRAY: "L", BILEVEL: "1"}


# ------------------------------------------------------------------------------------------- pages


@dataclass(frozen=True)
class Page:
    """A page as the peers read it (PNM, TIFF), and its raw samples."""

    pnm: Path
    tiff: Path
    raster: Path
    width: int
    height: int


def scanned(kind: Kind, dpi: int) -> Image.Image:
    """A drawn page with independent noise in each channel, the same every time."""
    page = draw(kind, A4_MM, dpi, "rgb", seed=1)
    rng = Random(1)
    noise = Image.merge("RGB", [grain(page.size, NOISE_SIGMA, rng) for _ in range(3)])
    return ImageChops.add(page, noise, 1, PAPER_LEVEL - 255 - 128)


def in_all_colors(image: Image.Image, folder: Path) -> Mapping[str, Page]:
    folder.mkdir()
    bilevel = image.convert("L").point(lambda level: 255 * (level >= 128), "1")
    images = {RGB: image, GRAY: image.convert("L"), BILEVEL: bilevel}
    return {color: written(each, folder / color) for color, each in images.items()}


def written(image: Image.Image, path: Path) -> Page:
    page = Page(path.with_suffix(".pnm"), path.with_suffix(".tif"), path.with_suffix(".raw"), *image.size)
    image.save(page.pnm, "PPM")
    image.save(page.tiff, "TIFF", tiffinfo={278: STRIP_LINES})  # RowsPerStrip
    page.raster.write_bytes(image.tobytes("raw", "1;I") if image.mode == "1" else image.tobytes())
    return page


# ---------------------------------------------------------------------------------------- contests

#: The command that makes the file from the page; it is told the size of ours in bytes.
Peer = Callable[[Page, Path, int], list[str]]


def cjpeg(page: Page, out: Path, _our_bytes: int) -> list[str]:
    return ["cjpeg", "-quality", str(QUALITY), "-outfile", str(out), str(page.pnm)]


def tiffcp(compression: str) -> Peer:
    return lambda page, out, _our_bytes: [
        *("tiffcp", "-c", compression, "-r", str(STRIP_LINES)),
        *(str(page.tiff), str(out)),
    ]


def to_stdout(program: str) -> Peer:
    return lambda page, out, _our_bytes: ["sh", "-c", f'exec {program} "$0" >"$1"', str(page.pnm), str(out)]


def opj_compress(page: Page, out: Path, our_bytes: int) -> list[str]:
    """To a file of our size."""
    ratio = max(1.0, page.raster.stat().st_size / our_bytes)
    return ["opj_compress", "-i", str(page.pnm), "-o", str(out), "-I", "-r", f"{ratio:.2f}"]


def pbmtojbg85(page: Page, out: Path, _our_bytes: int) -> list[str]:
    return ["pbmtojbg85", str(page.pnm), str(out)]


@dataclass(frozen=True)
class Contest:
    format: str
    color: str
    peer: Peer
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return " ".join((self.format, self.color, *self.options))


CONTESTS = (
    *(Contest(name, color, cjpeg) for name in ("jfif", "exif") for color in (RGB, GRAY)),
    Contest("jfif", RGB, cjpeg, ("without-turbojpeg",)),
    *(Contest("tiff-single-jpeg-tn2", color, tiffcp(f"jpeg:{QUALITY}")) for color in (RGB, GRAY)),
    *(Contest("png", color, to_stdout("pnmtopng")) for color in MODES),
    *(Contest("tiff-single-uncompressed", color, tiffcp("none")) for color in MODES),
    Contest("tiff-single-g4", BILEVEL, tiffcp("g4")),
    Contest("tiff-single-g3mh", BILEVEL, tiffcp("g3:1d")),
    *(Contest("jpeg2k", color, opj_compress) for color in (RGB, GRAY)),
    Contest("jbig", BILEVEL, pbmtojbg85),
    *(Contest("dib", color, to_stdout("ppmtobmp")) for color in MODES),
)


# --------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True)
class Measured:
    wall_s: float
    cpu_s: float
    peak_bytes: int = 0

    def less(self, other: Measured) -> Measured:
        return Measured(self.wall_s - other.wall_s, self.cpu_s - other.cpu_s)


def ours(contest: Contest, page: Page, dpi: int, out: Path) -> Measured:
    numbers = map(str, (page.width, page.height, dpi, QUALITY))
    script = Path(__file__).with_name("encode_page.py")
    command = [sys.executable, str(script), contest.format, contest.color, *numbers, str(page.raster), str(out)]
    done = subprocess.run([*command, *contest.options], stdout=subprocess.PIPE, text=True, check=True)
    return Measured(**json.loads(done.stdout))


def theirs(command: list[str]) -> Measured:
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        took_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Measured(took_s, usage.ru_utime + usage.ru_stime)


def peak_bytes(command: list[str]) -> int:
    """The highest resident memory, looked up again and again while the command runs."""
    peak_kib = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM"):
                    peak_kib = max(peak_kib, int(line.split()[1]))
    return peak_kib * 1024


def median(values: list[Measured], peak: int = 0) -> Measured:
    wall_s, cpu_s = (each.wall_s for each in values), (each.cpu_s for each in values)
    return Measured(statistics.median(wall_s), statistics.median(cpu_s), peak)


def ratio(pairs: list[tuple[float, float]]) -> str:
    """The median; none where a peer's work does not show beside its start-up (take a higher resolution)."""
    if min(peer for _, peer in pairs) <= 0:
        return "-"
    return f"{statistics.median(our / peer for our, peer in pairs):.2f}"


@dataclass(frozen=True)
class Result:
    ours: Measured
    peer: Measured
    wall_ratio: str
    cpu_ratio: str
    our_bytes: int
    peer_bytes: int


def hold(contest: Contest, page: Page, empty: Page, dpi: int, runs: int, folder: Path) -> Result:
    """A run of each that is not timed, then ``runs`` pairs."""
    suffix = FORMATS[contest.format].suffix
    our_file, peer_file = (folder / f"{name}{suffix}" for name in ("ours", "peer"))
    ours(contest, page, dpi, our_file)
    our_bytes = our_file.stat().st_size
    command = contest.peer(page, peer_file, our_bytes)
    idle = contest.peer(empty, folder / f"idle{suffix}", our_bytes)
    peak = max(peak_bytes(command) for _ in range(3))
    turns = [(ours(contest, page, dpi, our_file), theirs(command), theirs(idle)) for _ in range(runs)]
    start_up = median([idle for _, _, idle in turns])
    mine, peers = [mine for mine, _, _ in turns], [whole.less(start_up) for _, whole, _ in turns]
    return Result(
        median(mine, max(each.peak_bytes for each in mine)),
        median(peers, peak),
        ratio([(our.wall_s, peer.wall_s) for our, peer in zip(mine, peers, strict=True)]),
        ratio([(our.cpu_s, peer.cpu_s) for our, peer in zip(mine, peers, strict=True)]),
        our_bytes,
        peer_file.stat().st_size,
    )


def bench(kind: Kind, dpi: int, runs: int, only: str) -> None:
    print(f"\nA4 {kind} at {dpi} dpi with noise, quality {QUALITY}; medians of {runs} pairs, ours / peer's")
    print(f"  {'':<40} {'peer':<12} {'ratio':>5} {'CPU':>6}   {'wall ms':>15}  {'file KiB':>15}  {'peak MiB':>11}")
    with tempfile.TemporaryDirectory(prefix="dsm-bench-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        pages = in_all_colors(scanned(kind, dpi), folder / "page")
        empty = in_all_colors(Image.new("RGB", (64, 64), "white"), folder / "empty")
        for contest in CONTESTS:
            program = contest.peer(empty[contest.color], folder, 1)
            peer = program[2].split()[1] if program[0] == "sh" else program[0]
            if only not in contest.name:
                continue
            if contest.format not in ENCODERS or shutil.which(peer) is None:
                print(f"  {contest.name:<40} {peer:<12} is missing")
                continue
            result = hold(contest, pages[contest.color], empty[contest.color], dpi, runs, folder)
            print(f"  {contest.name:<40} {peer:<12} {row(result)}", flush=True)


def row(result: Result) -> str:
    mine, peer = result.ours, result.peer
    walls = f"{mine.wall_s * 1000:.1f} / {peer.wall_s * 1000:.1f}"
    sizes = f"{result.our_bytes / 1024:.0f} / {result.peer_bytes / 1024:.0f}"
    peaks = f"{mine.peak_bytes / MIB:.0f} / {peer.peak_bytes / MIB:.0f}"
    return f"{result.wall_ratio:>5} {result.cpu_ratio:>6}   {walls:>15}  {sizes:>15}  {peaks:>11}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.encoders", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="pairs that count (default 7)")
    parser.add_argument("--dpi", type=int, default=300, help="default 300")
    parser.add_argument("--kind", choices=get_args(Kind), default="invoice", help="what is on the page")
    parser.add_argument("--only", default="", help="only contests whose name has this in it")
    options = parser.parse_args()
    bench(options.kind, options.dpi, options.runs, options.only)


if __name__ == "__main__":
    main()
