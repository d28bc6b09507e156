"""What a simulated scanner notes about itself."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Literal

import msgspec

Event = Literal[
    "open",
    "close",
    "exit",
    "start",
    "image-begin",
    "image-end",
    "status",
    "cancel",
    "button",
    "fault",
    "double-feed",
    "jammed",
]


class ScannerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the scanner's log.

    ==============  ===================================================================================
    event           members
    ==============  ===================================================================================
    open            address
    close           cpu_s: what the simulation itself has used since the opening
    exit            sane_exit of a process that had the scanner configured
    start           source: sane_start was called
    image-begin     load, sheet, side, image, plane, lines: sane_start brought an image
    image-end       load, sheet, side, image, plane, bytes: its last byte was read
    status          call, status: what a call returned, other than GOOD and EOF
    cancel          sane_cancel was called
    button          button: a press was read
    fault           call, what: a fault of the configuration happened
    double-feed     sheet, unseen: the sheet that nobody saw under it (0: none)
    jammed          paper is stuck from now on: by a fault, by a double feed that stops the feeder, or by hand
    ==============  ===================================================================================
    """

    #: Seconds of CLOCK_MONOTONIC, which all processes of a machine share.
    t: float
    pid: int
    event: Event
    address: str = ""
    source: str = ""
    load: int = 0
    sheet: int = 0
    side: Literal["front", "back"] = "front"
    #: Within the load, from 1, both sides counted if both are scanned; on the glass always 1.
    image: int = 0
    #: Of three-pass colour: 0 red, 1 green, 2 blue.
    plane: int = 0
    lines: int = 0
    bytes: int = 0
    call: str = ""
    status: str = ""
    what: str = ""
    button: str = ""
    unseen: int = 0
    #: Processor time of the thread in sane_start and sane_read, reckoned from some of the reads; no cost of the
    #: program that scans. A program that ends without sane_close or sane_exit leaves none behind.
    cpu_s: float = 0


_DECODER = msgspec.json.Decoder(ScannerEvent)


def note_event(log: Path, event: Event) -> None:
    """Adds what hands did, in one write, as the backend does: lines of several processes do not mix."""
    line = {"t": time.clock_gettime(time.CLOCK_MONOTONIC), "pid": os.getpid(), "event": event}
    with log.open("ab", buffering=0) as file:
        file.write(msgspec.json.encode(line) + b"\n")


def read_events(log: Path) -> list[ScannerEvent]:
    """The events in the file; none if there is none. A last line that is still being written is left out."""
    try:
        text = log.read_bytes()
    except FileNotFoundError:
        return []
    whole, _, _half = text.rpartition(b"\n")
    return [_DECODER.decode(line) for line in whole.splitlines()]
