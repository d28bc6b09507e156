"""Scans once and prints two numbers, seconds since the first row of page 1: when the page was in the spool, and
when the first byte of its SendImage went out. Usage: first_byte.py CONFIGURATION PROCESS."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from dsm_device import settings
from dsm_device.app import Device
from dsm_device.runner.attendant import Nobody
from dsm_device.runner.events import Event, PageArriving, PageGoing, PageSpooled
from dsm_device.runner.scan_order import ScanOrder

moments: dict[type, float] = {}


def note(event: Event) -> None:
    if type(event) in (PageArriving, PageSpooled, PageGoing):
        moments.setdefault(type(event), time.perf_counter())


Device(settings.load(Path(sys.argv[1])), sys.argv[1]).scan(
    ScanOrder(sys.argv[2], settings=("ImagesToTransfer=2",)), note, Nobody()
)
print(moments[PageSpooled] - moments[PageArriving], moments[PageGoing] - moments[PageArriving])
