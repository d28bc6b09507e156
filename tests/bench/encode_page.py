"""Encodes one page from a file of raw samples and prints JSON: seconds, CPU seconds, peak memory in bytes.

Usage: encode_page.py FORMAT COLOR WIDTH HEIGHT DPI QUALITY RASTER OUT [without-turbojpeg]

The clock runs while strips are read, encoded and written, not while Python starts. The peak is that of the whole
process with Python and Pillow in it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging import turbojpeg
from dsm_device.imaging.encoders import ENCODERS
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.strips import lines_per_strip

name, color_name, *numbers, raster, out = sys.argv[1:9]
color = ColorProcessing(color_name)
width, height, dpi, quality = map(int, numbers)
if sys.argv[9:] == ["without-turbojpeg"]:
    turbojpeg.LIBRARIES = ("libnothing.so.0",)  # type: ignore[misc]

line_bytes = color.bytes_per_line(width)
strip_lines = lines_per_strip(line_bytes)
buffer = memoryview(bytearray(strip_lines * line_bytes))

began, began_cpu = time.perf_counter(), time.process_time()
with Path(raster).open("rb", buffering=0) as rows, Path(out).open("w+b") as file:
    encoder = ENCODERS[name](file, PageSpec(name, color, width, height, dpi, dpi, quality), strip_lines)
    while size := rows.readinto(buffer):
        encoder.encode(buffer[:size], size // line_bytes)
    encoder.finish(height)
    encoder.close()
took, took_cpu = time.perf_counter() - began, time.process_time() - began_cpu

status = Path("/proc/self/status").read_text().splitlines()
peak_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({"wall_s": took, "cpu_s": took_cpu, "peak_bytes": peak_kib * 1024}))
