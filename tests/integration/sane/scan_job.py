"""One scan job through the SANE driver in a process of its own, since libsane keeps its state in one.

Reads a job as JSON from standard input, writes the pages to its folder and what happened to standard output.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from dsm_device.errors import Cancelled, DsmError, ScannerNoDocuments
from dsm_device.hardware import Adjustments, Area, ColorProcessing, FilmType, InputSource, Page, ScanSettings, Size
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
        adjust=Adjustments(**given.get("adjust") or {}),
        film=FilmType(given["film"]) if given.get("film") else None,
        halftone=given.get("halftone", False),
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


def noted_calls() -> list[str]:
    log = Path(os.environ.get("ODD_LOG", os.devnull))
    return log.read_text().splitlines() if log.exists() else []


def cancel_storm(driver: SaneDriver, job: dict, scratch: Path) -> int:
    """Jobs, each cancelled at whatever moment it has come to; how many of them were. Then the device is closed."""
    scanner = driver.open(job["device"], job["options"], scratch)
    over = threading.Event()

    def storm() -> None:
        while not over.wait(random.random() * 0.002):
            scanner.cancel()

    thread = threading.Thread(target=storm, daemon=True)
    thread.start()
    cancelled = 0
    for _ in range(job["storm"]):
        try:
            for page in scanner.pages(settings_of(job)):
                line = memoryview(bytearray(page.frame.bytes_per_line))
                while page.read_into(line):
                    pass
        except Cancelled:
            cancelled += 1
        except ScannerNoDocuments:
            pass  # a sheet that was cancelled while it started is gone all the same
    scanner.close()
    over.set()
    thread.join()
    return cancelled


def read_job(driver: SaneDriver, job: dict, scratch: Path) -> None:
    """A job in the same process, before the one that is looked at."""
    scanner = driver.open(job["device"], job["options"], scratch)
    for page in scanner.pages(settings_of(job)):
        read_page(scanner, page, job, Path(os.devnull))
    scanner.close()


def run(job: dict, report: dict) -> None:
    folder = Path(job["folder"])
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    given = job.get("delays", [])
    driver = SaneDriver(Delays(*given, *[[0.01] * 3] * (3 - len(given))))
    if "storm" in job:
        report["cancelled"] = cancel_storm(driver, job, scratch)
    for earlier in job.get("earlier", ()):
        read_job(driver, {**job, "settings": {**job["settings"], **earlier}}, scratch)
    scanner = driver.open(job["device"], job["options"], scratch)
    if "cancel_after_s" in job:
        threading.Timer(job["cancel_after_s"], scanner.cancel).start()
    try:
        if job.get("sensors"):
            report["sensors"] = [asdict(scanner.sensors()) for _ in range(2)]
        if job.get("capabilities"):
            report["capabilities"] = asdict(scanner.capabilities())
        if "settings" in job:
            for number, page in enumerate(scanner.pages(settings_of(job)), 1):
                report["frames"].append(asdict(page.frame))
                report["rows"].append(read_page(scanner, page, job, folder / f"page-{number}.raw"))
                if number == job.get("cancel_after_page"):
                    scanner.cancel()
    except DsmError:
        report["calls_at_error"] = noted_calls()
        raise
    finally:
        scanner.close()
        report["scratch"] = [each.name for each in scratch.iterdir()]


def main() -> None:
    job = json.load(sys.stdin)
    report: dict = {
        "frames": [],
        "rows": [],
        "scratch": [],
        "cancelled": 0,
        "calls_at_error": [],
        "sensors": [],
        "error": None,
        "message": "",
    }
    try:
        run(job, report)
    except DsmError as error:
        report["error"] = type(error).__name__
        report["message"] = str(error)
    report["peak_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    json.dump(report, sys.stdout, default=sorted)  # the only other values are sets


if __name__ == "__main__":
    main()
