"""How a scan is shown: JSON lines for scripts, one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from dsm_device.errors import DsmError
from dsm_device.job.outcome import Outcome
from dsm_device.runner.events import (
    Event,
    JobCreated,
    JobDone,
    PageArriving,
    PageGoing,
    PageLeftOut,
    PageSent,
    PageSpooled,
    StateChanged,
    Warned,
)
from dsm_device.runner.job_list import JobDetails

if TYPE_CHECKING:  # it loads the whole device
    from dsm_device.runner.doctor import Check

REDRAW_INTERVAL_S = 0.1


def say(text: str, stream: TextIO | None = None, end: str = "\n") -> None:
    """Write to ``stream`` (standard output) at once. A reader that has left stops no scan: it is told no more."""
    stream = stream or sys.stdout
    try:
        print(text, file=stream, end=end, flush=True)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class ScanOutput(Protocol):
    """Shows a scan's events and how it failed."""

    def show(self, event: Event) -> None: ...

    def failed(self, error: DsmError, /) -> None: ...


class JsonLines:
    """One object a line on standard output and nothing else there; ``people`` are shown the same as ever."""

    def __init__(self, people: ScanOutput) -> None:
        self._people = people

    def show(self, event: Event) -> None:
        self._people.show(event)
        if fields := _as_fields(event):
            _print_line(fields)

    def failed(self, error: DsmError) -> None:
        self._people.failed(error)
        fields = {
            "event": "failed",
            "code": error.exit_code,
            "message": str(error),
            "error": type(error).__name__,
            "remedy": error.remedy,
        }
        _print_line(fields)


def _as_fields(event: Event) -> dict[str, object]:
    """What scripts are told of an event; empty where nothing."""
    match event:
        case JobCreated():
            final = [_parameter(each) for each in event.parameters]
            return {"event": "created", "job": event.job, "process": event.process, "final_parameters": final}
        case PageSpooled():
            return {"event": "page", "n": event.n, "bytes": event.bytes, "format": event.format}
        case PageLeftOut():
            return {"event": "left_out", "n": event.n, "bytes": event.bytes}
        case PageSent():
            return {"event": "sent", "n": event.n}
        case StateChanged():
            return {"event": "state", "source": event.source, "state": event.state, "detail": event.detail}
        case JobDone():
            return {"event": "done", "job_token": event.job_token, "pages": event.pages}
        case _:
            return {}


def _print_line(fields: Mapping[str, object]) -> None:
    say(json.dumps(fields, ensure_ascii=False))


def agent_output(as_json: bool) -> Callable[[str, Event], None]:
    """Shows the events of all jobs: lines for people begin with the job, those for scripts have it as ``job``."""

    def show(job: str, event: Event) -> None:
        for line in _in_words(event).splitlines():
            say(f"{job}: {line}" if job else line, sys.stderr)
        if as_json and (fields := _as_fields(event)):
            _print_line({**fields, "job": job})

    return show


class PlainLines:
    """A line for each thing that is finished, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, event: Event) -> None:
        if line := _in_words(event):
            say(line, self._stream)

    def failed(self, _: DsmError) -> None:
        """The caller prints the one line."""


class LiveLine:
    """One line that is drawn anew: pages, bytes, rate; notes and results stay above it."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._started_s = clock()
        self._drawn_s = 0.0
        self._arriving = ""
        self._spooled = 0
        self._sent = 0
        self._sent_bytes = 0
        self._going_bytes = 0
        self._sizes: dict[int, int] = {}

    def show(self, event: Event) -> None:
        self._count(event)
        if isinstance(event, JobCreated | Warned | JobDone):
            self._clear()
            say(_in_words(event), self._stream)
        elif not isinstance(event, PageArriving | PageGoing) or self._is_due():
            self._draw()

    def failed(self, _: DsmError) -> None:
        """Leave the terminal clean; the caller prints the one line."""
        self._clear()

    def _count(self, event: Event) -> None:
        match event:
            case PageArriving():
                share = f" {min(event.rows / event.of_rows, 1):4.0%}" if event.of_rows else ""
                self._arriving = f"scanning page {event.n}{share}"
            case PageSpooled():
                self._spooled += 1
                self._sizes[event.n] = event.bytes
                self._arriving = f"scanned {event.n}"
            case PageLeftOut():
                self._arriving = f"left out {event.n}, which is blank"
            case PageGoing():
                self._going_bytes = event.bytes
            case PageSent():
                self._sent += 1
                self._sent_bytes += self._sizes.get(event.n, 0)
                self._going_bytes = 0
            case _:
                pass

    def _is_due(self) -> bool:
        return self._clock() - self._drawn_s >= REDRAW_INTERVAL_S

    def _draw(self) -> None:
        self._drawn_s = self._clock()
        bar = "█" * self._sent + "▒" * (self._spooled - self._sent)
        sent = self._sent_bytes + self._going_bytes
        rate = sent / max(self._drawn_s - self._started_s, 0.001)
        line = (
            f"{bar[-30:]} {self._arriving} · {self._sent} sent · {size_in_words(sent)} · {size_in_words(rate)}/s"
        )
        say(f"\r\x1b[K{line[:110]}", self._stream, end="")

    def _clear(self) -> None:
        say("\r\x1b[K", self._stream, end="")


def scan_output(as_json: bool) -> ScanOutput:
    people: ScanOutput = LiveLine(sys.stderr) if sys.stderr.isatty() else PlainLines(sys.stderr)
    return JsonLines(people) if as_json else people


def _in_words(event: Event) -> str:
    match event:
        case JobCreated():
            notes = "".join(f"\nNote: {note}" for note in event.notes)
            return f"Job {event.job}: {event.process}{notes}"
        case PageSpooled():
            return f"Page {event.n} scanned: {size_in_words(event.bytes)}, {event.format}"
        case PageLeftOut():
            return f"Page {event.n} is blank and left out"
        case PageSent():
            return f"Page {event.n} sent"
        case StateChanged():
            detail = f" ({event.detail})" if event.detail else ""
            return f"{event.source.capitalize()}: {event.state}{detail}"
        case Warned():
            return f"Note: {event.message}"
        case JobDone():
            pages = "1 page" if event.pages == 1 else f"{event.pages} pages"
            return f"Done: {pages} delivered, post-scan job {event.job_token}"
        case _:
            return ""


def size_in_words(count: float) -> str:
    """Octets as people read them: 512 B, 1.5 kB, 3.2 MB, 1.1 GB (powers of 1000)."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def print_json(items: Iterable[Any]) -> None:
    """One JSON object a line; dataclasses by their fields."""
    for item in items:
        say(json.dumps(dataclasses.asdict(item), ensure_ascii=False))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Left-aligned columns on standard output."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_job(job: JobDetails, *, as_json: bool) -> None:
    fields = {each.name: getattr(job, each.name) for each in dataclasses.fields(job)}
    parameters: Iterable[Outcome] = fields.pop("final_parameters")
    if as_json:
        final = [_parameter(each) for each in parameters]
        say(json.dumps({**fields, "final_parameters": final}, ensure_ascii=False))
        return
    for name, value in fields.items():
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
        say(f"{name.replace('_', ' '):<9} {shown}".rstrip())
    say("settings")
    for each in parameters:
        say(f"  {each}{' (default)' if each.used_default else ''}")


def _parameter(outcome: Outcome) -> dict[str, object]:
    """One element of DocumentFinalParameters (WS-Scan): ``value`` is None where it is not applied."""
    return {
        "element": outcome.element,
        "value": outcome.used,
        "asked": outcome.asked,
        "override": outcome.override,
        "used_default": outcome.used_default,
        "reason": outcome.reason,
    }


def show_check(check: Check) -> None:
    remedy = f": {check.remedy}" if check.remedy else ""
    say(f"{'ok  ' if check.ok else 'FAIL'}  {check.check}: {check.message}{remedy}")


def show_check_as_json(check: Check) -> None:
    print_json([check])
