"""Scan tickets: read from a file, looked into, changed.

Source: WS-Scan ScanTicket, JobDescription, DocumentParameters; WS-DSD (scan process documents).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lxml import etree

from dsm_sim.peers.console.names import WSCN, tag
from dsm_sim.peers.console.xml import add, children, find, has_dtd, integer, new, text_of

Tree = dict[str, "Tree"]

_PAIR: Final = re.compile(r"(\d+)x(\d+)")
_SIZE: Final[Tree] = {"Width": {}, "Height": {}}
_SIDE: Final[Tree] = {
    "ScanRegion": {
        "ScanRegionXOffset": {},
        "ScanRegionYOffset": {},
        "ScanRegionWidth": {},
        "ScanRegionHeight": {},
    },
    "ColorProcessing": {},
    "Resolution": _SIZE,
}
#: The elements of a ticket in the order of the schema.
_STRUCTURE: Final[Tree] = {
    "JobDescription": {"JobName": {}, "JobOriginatingUserName": {}, "JobInformation": {}},
    "DocumentParameters": {
        "Format": {},
        "CompressionQualityFactor": {},
        "ImagesToTransfer": {},
        "InputSource": {},
        "FilmScanMode": {},
        "ContentType": {},
        "InputSize": {"DocumentSizeAutoDetect": {}, "InputMediaSize": _SIZE},
        "Exposure": {
            "AutoExposure": {},
            "ExposureSettings": {"Contrast": {}, "Brightness": {}, "Sharpness": {}},
        },
        "Scaling": {"ScalingWidth": {}, "ScalingHeight": {}},
        "Rotation": {},
        "MediaSides": {"MediaFront": _SIDE, "MediaBack": _SIDE},
    },
}
#: Elements of which one only may stand beside the others of its parent.
_CHOICES: Final = frozenset({"InputSize", "Exposure"})
_TICKETS: Final = ("ScanTicket", "DefaultScanTicket", "ValidScanTicket")


class TicketError(Exception):
    """A ticket file or a setting that cannot be used; one line for a person."""


def read_ticket(path: Path) -> etree._Element:
    """The ticket of a scan process, or a ScanTicket by itself. Raises :class:`TicketError` or OSError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        root = etree.fromstring(path.read_bytes(), parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise TicketError(f"{path} is no XML: {error}") from error
    if has_dtd(root):
        raise TicketError(f"{path} has a DTD, which no ticket needs: remove it")
    found = next(root.iter(*(f"{{*}}{name}" for name in _TICKETS)), None)
    if found is None:
        raise TicketError(f"{path} holds no ScanTicket: name a scan process or a ticket")
    ticket = new(WSCN, "ScanTicket")
    ticket.extend(children(found))
    return ticket


def new_ticket(job_name: str) -> etree._Element:
    """A ticket that leaves everything to the device."""
    ticket = new(WSCN, "ScanTicket")
    set_value(ticket, "JobName", job_name)
    set_value(ticket, "JobOriginatingUserName", "console")
    return ticket


def value_at(ticket: etree._Element | None, path: str) -> str:
    """The text at a path like ``MediaFront/Resolution/Width``; "" where it is not set."""
    return text_of(element_at(ticket, path))


def number_at(ticket: etree._Element | None, path: str) -> int | None:
    return integer(value_at(ticket, path))


def element_at(ticket: etree._Element | None, path: str) -> etree._Element | None:
    """The element at a path of a ticket. Raises :class:`TicketError` for a path that no ticket has."""
    return find(ticket, WSCN, *_whole_path(path))


def set_value(ticket: etree._Element, path: str, text: str) -> None:
    """Sets the element at a path, creating what is missing in the right order.

    ``300x300`` sets both children of an element that has two. Raises :class:`TicketError`.
    """
    whole = _whole_path(path)
    tree, element = _STRUCTURE, ticket
    for name in whole:
        element = _child(element, name, list(tree))
        tree = tree[name]
    if not tree:
        element.text = text
        return
    pair = _PAIR.fullmatch(text)
    if pair is None or len(tree) != 2:
        raise TicketError(f"{path} has elements of its own ({', '.join(tree)}): set those, or WIDTHxHEIGHT")
    for name, value in zip(tree, pair.groups(), strict=True):
        _child(element, name, list(tree)).text = value


def demand(ticket: etree._Element, path: str) -> None:
    """Marks an element as one that must be honoured."""
    element = element_at(ticket, path)
    if element is not None:
        element.set(tag(WSCN, "MustHonor"), "true")


def leaves(ticket: etree._Element | None) -> dict[str, str]:
    """All values by their path."""
    return dict(_leaves(ticket, _STRUCTURE, ()))


def _leaves(element: etree._Element | None, tree: Tree, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, below in tree.items():
        child = find(element, WSCN, name)
        if child is not None and not below:
            yield "/".join((*path, name)), text_of(child)
        elif child is not None:
            yield from _leaves(child, below, (*path, name))


def _child(parent: etree._Element, name: str, order: list[str]) -> etree._Element:
    if any(parent.tag == tag(WSCN, choice) for choice in _CHOICES):
        for other in children(parent):
            if other.tag != tag(WSCN, name):
                parent.remove(other)
    known = find(parent, WSCN, name)
    if known is not None:
        return known
    child = add(parent, WSCN, name)
    before = {tag(WSCN, each) for each in order[: order.index(name)]}
    place = 1 + max((index for index, each in enumerate(children(parent)[:-1]) if each.tag in before), default=-1)
    parent.insert(place, child)
    return child


def _whole_path(path: str) -> tuple[str, ...]:
    """The first path of the structure that ends in the given one: of the front side, where both sides have it."""
    wanted = tuple(path.split("/"))
    for known in _paths(_STRUCTURE, ()):
        if known[-len(wanted) :] == wanted:
            return known
    raise TicketError(f"no ticket has an element {path}: write it like Format or MediaFront/Resolution")


def _paths(tree: Tree, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, below in tree.items():
        yield (*path, name)
        yield from _paths(below, (*path, name))
