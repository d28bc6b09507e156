"""Elements of WS-Scan, one line each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from dsm_device.wire import xml
from dsm_device.wire.names import DSD, WSCN, qname
from dsm_device.wire.ticket_writer import LARGEST_INT

#: WS-Scan, text of descriptions and jobs, in characters.
MAX_TEXT: Final = 255
_DECLARED: Final = {WSCN: {"wscn": WSCN}, DSD: {"dsd": DSD, "wscn": WSCN}}


def root(local: str, namespace: str = WSCN) -> etree._Element:
    """A new element of WSCN or DSD under which only WS-Scan's stand."""
    return etree.Element(qname(namespace, local), nsmap=_DECLARED[namespace])


def add(parent: etree._Element, local: str, value: str | int | bool | None = None) -> etree._Element:
    """A new child of WSCN; words, numbers and flags as its text."""
    child = etree.SubElement(parent, qname(WSCN, local))
    if value is not None:
        child.text = _written(value)
    return child


def add_text(parent: etree._Element, local: str, value: str) -> etree._Element:
    """A new child with text of any origin, of which at most :data:`MAX_TEXT` characters."""
    return add(parent, local, xml.writable(value, MAX_TEXT))


def add_time(parent: etree._Element, local: str, time: datetime) -> etree._Element:
    """A new child with ``time`` as xs:dateTime in UTC, in whole seconds."""
    return add(parent, local, time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z")


def add_reasons(parent: etree._Element, group: str, local: str, reasons: Iterable[str]) -> None:
    """The reasons in ``group``, each once; "None" if and only if there is no other."""
    holder = add(parent, group)
    for reason in [each for each in dict.fromkeys(reasons) if each != "None"] or ["None"]:
        add(holder, local, reason)


def _written(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(min(value, LARGEST_INT))
