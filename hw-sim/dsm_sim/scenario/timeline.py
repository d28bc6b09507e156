"""A performance as a strip chart: when each page was acquired, encoded, written, sent and answered."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dsm_sim.scenario.player import Performance
from dsm_sim.strip_chart import Moment, Span, StripChart

_Entry = dict[str, Any]


def chart_of(performance: Performance) -> StripChart:
    """The scans of a performance on one axis, pages numbered through."""
    spans: list[Span] = []
    moments: list[Moment] = []
    received = _received(performance)
    pages = 0
    for path in performance.traces:
        entries = _entries(path)
        of_this = [*_acquisition_spans(entries), *_delivery_spans(entries, received)]
        spans += [dataclasses.replace(span, page=(span.page or 0) + pages) for span in of_this]
        moments += _moments(entries)
        pages = max((span.page or 0 for span in spans), default=0)
    spans += _server_spans(performance)
    scenario = performance.scenario
    return StripChart(scenario.title, _subtitle(performance), tuple(spans), tuple(moments))


def _entries(path: Path) -> list[_Entry]:
    """The lines of a trace; a last one that was cut off is left out."""
    entries = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            entries.append(json.loads(line))
        except ValueError:
            break
    return entries


def _acquisition_spans(entries: list[_Entry]) -> Iterator[Span]:
    for entry in entries:
        if entry["event"] == "PageSpooled":
            times, n = entry["times"], entry["n"]
            yield Span("acquired", n, times["began_s"], times["acquired_s"])
            yield Span("encoded", n, times["acquired_s"], times["encoded_s"])
            yield Span("written", n, times["encoded_s"], entry["at_s"])


def _delivery_spans(entries: list[_Entry], received: list[float]) -> Iterator[Span]:
    """From the first octet to the server's having the last one, and from there to the answer.

    ``received``: when the server had images or documents whole. Of a repetition only the last attempt counts; the
    pages of a document go as one.
    """
    began: dict[int, float] = {}
    bytes_gone = 0
    for entry in entries:
        n, at_s = entry.get("n", 0), entry["at_s"]
        if entry["event"] == "PageGoing":
            if n not in began or entry["bytes"] < bytes_gone:
                began.update((page, at_s) for page in range(n, entry["last"] + 1))
            bytes_gone = entry["bytes"]
        elif entry["event"] == "PageSent" and n in began:
            whole_s = max((each for each in received if began[n] <= each <= at_s), default=at_s)
            yield Span("sent", n, began[n], whole_s)
            yield Span("answered", n, whole_s, at_s)


def _received(performance: Performance) -> list[float]:
    """When the server had an image or a document whole."""
    return [
        float(str(happening["body_s"]))
        for happening in performance.happenings
        if happening["event"] == "request" and happening["operation"] == "SendImage" and happening["body_s"]
    ]


def _moments(entries: list[_Entry]) -> Iterator[Moment]:
    for entry in entries:
        if entry["event"] == "Warned":
            yield Moment("sent", None, entry["at_s"], entry["message"])


def _server_spans(performance: Performance) -> Iterator[Span]:
    """Each state of each job, until its next one or the end."""
    states: dict[object, tuple[float, str]] = {}
    for happening in performance.happenings:
        if happening["event"] != "job":
            continue
        job, at_s, state = happening["job"], float(str(happening["at_s"])), str(happening["state"])
        since_s, before = states.get(job, (at_s, state))
        if before != state:
            yield Span("server", None, since_s, at_s, before)
            since_s = at_s
        states[job] = since_s, state
    for since_s, state in states.values():
        yield Span("server", None, since_s, max(since_s, performance.ended_s), state)


def _subtitle(performance: Performance) -> str:
    model = performance.scenario.scanner
    speed = f"{model.images_per_minute:g} images a minute" if model.images_per_minute else "as fast as it is read"
    return f"{model.vendor} {model.model}, {speed}"
