"""wscn:DocumentFinalParameters: with which values a job is scanned, and which of them are not those asked for.

``wscn:Override`` marks a value that replaces what the ticket asked for, ``wscn:UsedDefault`` one of which it said
nothing (WS-Scan, DocumentFinalParameters). Both are reports and never stand in a ticket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from lxml import etree

from dsm_device.wire import names
from dsm_device.wire.schema import Flag, Value, Whole
from dsm_device.wire.ticket_elements import LEAVES, PAIRS
from dsm_device.wire.ticket_writer import LARGEST_INT, Parameters

_OVERRIDE = names.qname(names.WSCN, "Override")
_USED_DEFAULT = names.qname(names.WSCN, "UsedDefault")
#: The first of each choice, what makes it the one that counts, and the second.
_CHOICES = (
    ("InputSize/DocumentSizeAutoDetect", "InputSize/InputMediaSize"),
    ("Exposure/AutoExposure", "Exposure/ExposureSettings"),
)


class Reported(Protocol):
    """What became of an element, named by its path as in ``--set``; a pair is WIDTHxHEIGHT.

    ``asked`` is None where the ticket says nothing, ``used`` where the element is not applied.
    """

    @property
    def element(self) -> str: ...

    @property
    def asked(self) -> str | None: ...

    @property
    def used(self) -> str | None: ...


def render(reports: Iterable[Reported]) -> etree._Element:
    """The element with the value of every report that is an element of tickets."""
    found = {path: (asked, used) for report in reports for path, asked, used in _leaves(report)}
    for first, second in _CHOICES:
        first_counts = found.get(first, ("", ""))[1] == "true"
        found = {
            path: each for path, each in found.items() if not path.startswith(second if first_counts else first)
        }
    values = {path: _value(path, used) for path, (_, used) in found.items()}
    final = Parameters.build("DocumentFinalParameters", values)
    for path, (asked, used) in found.items():
        if isinstance(LEAVES[path], Flag):  # these take no mark
            continue
        if asked is None:
            final.elements[path].set(_USED_DEFAULT, "true")
        elif asked != used:
            final.elements[path].set(_OVERRIDE, "true")
    return final.root


def values(reports: Iterable[Reported]) -> dict[str, Value]:
    """The final values by path, as a ticket states them."""
    return {path: _value(path, used) for report in reports for path, _, used in _leaves(report)}


def _leaves(report: Reported) -> Iterator[tuple[str, str | None, str]]:
    """Path, value asked for and value used of each element with a value that the report is about."""
    if report.used is None:
        return
    if report.element in LEAVES:
        yield report.element, report.asked, report.used
    for index, name in enumerate(PAIRS.get(report.element, ())):
        asked = None if report.asked is None else report.asked.split("x")[index]
        yield f"{report.element}/{name}", asked, report.used.split("x")[index]


def _value(path: str, text: str) -> Value:
    kind = LEAVES[path]
    return min(int(text), LARGEST_INT) if isinstance(kind, Whole) else kind.read(text)
