"""A page that is turned, straightened or scaled takes little memory, measured in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

EXTRA_MIB = """
import random, sys
from pathlib import Path
from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.page import open_page
from dsm_device.imaging.stages import hold
from dsm_device.imaging.treatment import Bilevel, Box, Treatment

path, name, dpi, what = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
color = ColorProcessing(name)
width, height = 8268 * dpi // 1000, 11693 * dpi // 1000 // 4  # A4, a quarter of its height
size = {"rotation": (height, width), "scale": (width * 141 // 100, height * 141 // 100)}.get(what, (width, height))
treatment = {
    "rotation": Treatment(rotation=90),
    "skew": Treatment(deskew=True),
    "scale": Treatment(region=Box(0, 0, width, height)),
    "sharpness": Treatment(sharpness=50),
    "adaptive": Treatment(bilevel=Bilevel.ADAPTIVE),
}[what]
hold.skew_degrees = lambda overview: 4.0  # what is to be measured is how it is done
made = ColorProcessing.BLACK_AND_WHITE_1 if what == "adaptive" else color
line = color.bytes_per_line(width)
frame = Frame(color, width, height, line, dpi, dpi)
page = open_page(path, PageSpec("tiff-single-uncompressed", made, *size, dpi, dpi, 85, treatment), frame)
block = memoryview(bytearray(random.Random(1).randbytes(line) * (page.strip_bytes // line)))

def peak_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

before = peak_kib()
for _ in range(0, height, len(block) // line):
    page.write(block)
page.finish()
path.unlink()
print((peak_kib() - before) / 1024)
"""


@pytest.mark.parametrize(
    ("color", "dpi", "what", "most_mib"),
    [
        ("RGB24", 1200, "rotation", 20),
        ("RGB48", 600, "rotation", 16),
        ("BlackAndWhite1", 1200, "rotation", 26),  # a byte a pixel while it is turned
        ("RGB24", 600, "skew", 20),
        ("RGB24", 1200, "scale", 16),
    ],
)
def test_what_is_done_to_a_page_takes_little_memory(
    color: str, dpi: int, what: str, most_mib: int, tmp_path: Path, python: Callable[..., str]
) -> None:
    assert float(python(EXTRA_MIB, tmp_path / "page", color, dpi, what)) < most_mib
