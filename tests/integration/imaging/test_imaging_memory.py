"""Memory grows neither with the page nor with the number of pages, measured in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dsm_device.imaging.encoders import ENCODERS

PEAK_MIB = """
import random, sys
from pathlib import Path
from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging.formats import FORMATS, PageSpec
from dsm_device.imaging.page import open_page

name, path, dpi = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
colors = FORMATS[name].colors
color = ColorProcessing.RGB_24 if ColorProcessing.RGB_24 in colors else colors[0]
width, height = 8268 * dpi // 1000, 11693 * dpi // 1000  # A4
if name == "jpeg2k":  # slow; two rows of tiles suffice to see what they take
    height = 512
line = width * 3
frame = Frame(ColorProcessing.RGB_24, width, height, line, dpi, dpi)
page = open_page(path, PageSpec(name, color, width, height, dpi, dpi, 85), frame)
block = memoryview(bytearray(random.Random(1).randbytes(line) * (page.strip_bytes // line)))
for _ in range(0, height, len(block) // line):
    page.write(block)
page.finish()
path.unlink()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("name", ENCODERS)
def test_the_peak_does_not_follow_the_resolution(name: str, tmp_path: Path, python: Callable[..., str]) -> None:
    peaks_mib = [int(python(PEAK_MIB, name, tmp_path / "page", dpi)) / 1024 for dpi in (300, 600, 1200)]
    assert max(peaks_mib) < 40
    assert max(peaks_mib) - peaks_mib[0] < 4


RESIDENT_KIB_A_PAGE = """
import random, sys
from pathlib import Path
from dsm_device.hardware import Frame
from dsm_device.imaging.formats import FORMATS, PageSpec
from dsm_device.imaging.page import open_page

name, path = sys.argv[1], Path(sys.argv[2])
color = FORMATS[name].colors[-1]
line = color.bytes_per_line(400)
rows = random.Random(1).randbytes(line * 40)

def resident_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))

def write_pages(count):
    for number in range(count):
        page = open_page(path, PageSpec(name, color, 400, 40, 300, 300, 85), Frame(color, 400, 40, line, 300, 300))
        page.write(rows)
        page.discard() if number % 4 == 0 else page.finish()
        path.unlink(missing_ok=True)

write_pages(100)
before = resident_kib()
write_pages(400)
print((resident_kib() - before) / 400)
"""


@pytest.mark.parametrize("name", ENCODERS)
def test_pages_leave_nothing_behind(name: str, tmp_path: Path, python: Callable[..., str]) -> None:
    assert float(python(RESIDENT_KIB_A_PAGE, name, tmp_path / "page")) < 1
