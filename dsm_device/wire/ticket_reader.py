"""Scan tickets read from XML, valid or refused with element and line.

Elements may stand in any order: the WS-Scan pages list them alphabetically, the schema of MS-BDSRR does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from lxml import etree

from dsm_device.wire import names, xml
from dsm_device.wire.schema import (
    Kind,
    Value,
    boolean_attribute,
    invalid,
    optional_child,
    string,
    the_child,
    value,
)
from dsm_device.wire.ticket import Foreign, ScanTicket
from dsm_device.wire.ticket_elements import CONTAINERS, DOCUMENT_PARAMETERS, Group, join

_MUST_HONOR = names.qname(names.WSCN, "MustHonor")
_STRING_LIMIT = 255


def parse(element: etree._Element) -> ScanTicket:
    """The ticket in ``element`` (psp:ScanTicket or wscn:ScanTicket).

    Elements and attributes of other namespaces are let be. Raises :class:`~dsm_device.wire.xml.XmlError` that
    names the element, its line, and what is allowed there.
    """
    job = the_child(element, names.WSCN, "JobDescription")
    information = optional_child(job, names.WSCN, "JobInformation")
    parameters = optional_child(element, names.WSCN, "DocumentParameters")
    reader = _Reader()
    if parameters is not None:
        reader.group(parameters, DOCUMENT_PARAMETERS, "", must_honor=False)
    return ScanTicket(
        job_name=_string(the_child(job, names.WSCN, "JobName")),
        user_name=_string(the_child(job, names.WSCN, "JobOriginatingUserName")),
        job_information="" if information is None else _string(information),
        values=MappingProxyType(reader.values),
        locks=frozenset(reader.locks),
        foreign=(*reader.foreign, *_foreign_children(element)),
    )


def _string(element: etree._Element) -> str:
    return string(element, limit=_STRING_LIMIT)


class _Reader:
    """Collects what stands in DocumentParameters."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.locks: set[str] = set()
        self.foreign: list[Foreign] = []

    def group(self, element: etree._Element, group: Group, path: str, *, must_honor: bool) -> None:
        lock = _must_honor(element) or must_honor
        if lock and path not in CONTAINERS:
            self.locks.add(path)
        seen: set[str] = set()
        for each in _known_children(element):
            name = xml.local_name(each)
            if name not in group.members:
                raise invalid(each, f"is no element of {xml.local_name(element)}")
            if name in seen:
                raise invalid(each, "stands twice")
            seen.add(name)
            self._member(each, group.members[name], join(path, name), must_honor=lock)
        if problem := group.problem(seen):
            raise invalid(element, problem)
        self.foreign += _foreign_children(element)

    def _member(self, element: etree._Element, node: Kind | Group, path: str, *, must_honor: bool) -> None:
        if isinstance(node, Group):
            self.group(element, node, path, must_honor=must_honor)
            return
        self.values[path] = value(element, node)
        if _must_honor(element) or must_honor:
            self.locks.add(path)


def _must_honor(element: etree._Element) -> bool:
    """Whether the element carries MustHonor; refuses attributes that have no place in a ticket.

    Override and UsedDefault belong to results (WS-Scan, DocumentFinalParameters). An attribute without
    namespace is in no schema, and a lock that was meant must not be overlooked.
    """
    for name in element.attrib:
        attribute = etree.QName(name)
        if not attribute.namespace:
            raise invalid(element, f"has an attribute {attribute.localname} without a namespace")
        if attribute.namespace == names.WSCN and name != _MUST_HONOR:
            raise invalid(element, f"has wscn:{attribute.localname}, which has no place in a ticket")
    return boolean_attribute(element, _MUST_HONOR)


def _known_children(element: etree._Element) -> Iterator[etree._Element]:
    for each in xml.elements(element):
        if not xml.namespace(each):
            raise invalid(each, "has no namespace")
        if xml.namespace(each) == names.WSCN:
            yield each


def _foreign_children(element: etree._Element) -> Iterator[Foreign]:
    for each in xml.elements(element):
        if xml.namespace(each) != names.WSCN:
            prefix = f"{each.prefix}:" if each.prefix else f"{{{xml.namespace(each)}}}"
            lock = each.get(_MUST_HONOR, "false").strip() in ("true", "1")
            yield Foreign(prefix + xml.local_name(each), lock)
