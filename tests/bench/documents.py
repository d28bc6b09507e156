"""A PDF/A of many pages against img2pdf, both as whole Python programs that read JPEG files."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from dsm_device.imaging.color_profile import SRGB

from .desk import Desk, desk, ratio, seconds

_PAGES = 10
_OURS = Path(__file__).with_name("compose_document.py")
_IMG2PDF = str(Path(sys.executable).with_name("img2pdf"))


def bench_documents(runs: int) -> None:
    """The device's has every page's checksum to reckon as well, which it knows from writing them otherwise."""
    with desk() as place, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _pages(place, folder)
        (folder / "srgb.icc").write_bytes(SRGB)
        ours = [sys.executable, str(_OURS), str(folder), str(folder / "ours.pdf")]
        theirs = [_IMG2PDF, f"--pdfa={folder}/srgb.icc", "-o", str(folder / "theirs.pdf")]
        theirs += [str(path) for path in sorted(folder.glob("*.jpg"))]
        values = [(seconds(ours), seconds(theirs)) for _ in range(runs + 1)][1:]
        sizes = [(folder / f"{whose}.pdf").stat().st_size for whose in ("ours", "theirs")]
    mine, others = zip(*values, strict=True)
    print(f"\n{_PAGES} JPEG pages, A4, RGB 300 dpi, as one PDF/A; medians of {runs} pairs")
    print(f"  img2pdf --pdfa, whole program                   {statistics.median(others):6.2f} s", end="   ")
    print(f"1.00   {sizes[1]:,} bytes")
    print(f"  this device's documents, whole program          {statistics.median(mine):6.2f} s", end="   ")
    print(f"{ratio(mine, others):.2f}   {sizes[0]:,} bytes (aim: at most 1.2)")


def _pages(place: Desk, folder: Path) -> None:
    subprocess.run(place.command(), env=place.environment, capture_output=True, check=True)
    for number, path in enumerate(place.server.jobs[-1].files):
        (folder / f"{number:03}.jpg").write_bytes(path.read_bytes())
