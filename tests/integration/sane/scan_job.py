"""One scan job through the SANE driver in a process of its own, since libsane keeps its state in one.

Reads a job as JSON from standard input, writes the pages to its folder and what happened to standard output.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from dsm_device.errors import DsmError
from dsm_device.hardware import Area, ColorProcessing, InputSource, Page, ScanSettings, Size
from dsm_drivers.sane import Delays, SaneDriver, SaneScanner


def settings_of(job: dict) -> ScanSettings:
    given = job["settings"]
    return ScanSettings(
        source=InputSource(given["source"]),
        color=ColorProcessing(given["color"]),
        x_dpi=given["x_dpi"],
        y_dpi=given["y_dpi"],
        area=Area(*given["area"]),
        media=Size(*given["media"]) if given.get("media") else None,
        images=given.get("images", 0),
    )


def read_page(scanner: SaneScanner, page: Page, job: dict, path: Path) -> int:
    """Write the page to ``path``; the number of its lines."""
    buffer = memoryview(bytearray(job["buffer_lines"] * page.frame.bytes_per_line))
    total = 0
    with Path("/dev/null" if job.get("discard") else path).open("wb") as out:
        while got := page.read_into(buffer):
            out.write(buffer[:got])
            total += got
            if total >= job.get("cancel_after_bytes", sys.maxsize):
                scanner.cancel()
    return total // page.frame.bytes_per_line


def run(job: dict, report: dict) -> None:
    folder = Path(job["folder"])
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    busy_s, warming_up_s = job.get("delays", [[0.01] * 3, [0.01] * 3])
    driver = SaneDriver(Delays(busy_s, warming_up_s))
    scanner = driver.open(job["device"], job["options"], scratch)
    if "cancel_after_s" in job:
        threading.Timer(job["cancel_after_s"], scanner.cancel).start()
    try:
        if job.get("capabilities"):
            report["capabilities"] = asdict(scanner.capabilities())
        if "settings" in job:
            for number, page in enumerate(scanner.pages(settings_of(job)), 1):
                report["frames"].append(asdict(page.frame))
                report["rows"].append(read_page(scanner, page, job, folder / f"page-{number}.raw"))
    finally:
        scanner.close()
        report["scratch"] = [each.name for each in scratch.iterdir()]


def main() -> None:
    job = json.load(sys.stdin)
    report: dict = {"frames": [], "rows": [], "error": None, "message": ""}
    try:
        run(job, report)
    except DsmError as error:
        report["error"] = type(error).__name__
        report["message"] = str(error)
    report["peak_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
