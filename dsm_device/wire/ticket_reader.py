"""Scan tickets read from XML, valid or refused with element and line.

Elements may stand in any order: the WS-Scan pages list them alphabetically, the schema of MS-BDSRR does not.

A ticket of a scan process is read strictly (:func:`parse`). One that is only to be validated may have values that
no schema allows, which the answer then corrects; it is read for what it means (:func:`parse_any`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from lxml import etree

from dsm_device.wire import names, xml
from dsm_device.wire.schema import (
    Keyword,
    Kind,
    Value,
    Whole,
    boolean_attribute,
    invalid,
    optional_child,
    string,
    the_child,
    value,
)
from dsm_device.wire.ticket import Foreign, ScanTicket
from dsm_device.wire.ticket_elements import CONTAINERS, DOCUMENT_PARAMETERS, Group, join, within

_MUST_HONOR = names.qname(names.WSCN, "MustHonor")
_STRING_LIMIT = 255
_ANY_WORD: Final = re.compile(r"\S+")
_ANY_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
#: Numbers further out than any range, in which they are read as this.
FAR_OUT: Final = 9_999_999_999


def parse(element: etree._Element) -> ScanTicket:
    """The ticket in ``element`` (psp:ScanTicket or wscn:ScanTicket).

    Elements and attributes of other namespaces are let be. Raises :class:`~dsm_device.wire.xml.XmlError` that
    names the element, its line, and what is allowed there.
    """
    return _parse(element, _Reader(lenient=False))


def parse_any(element: etree._Element) -> ScanTicket:
    """The ticket in ``element`` as far as it can be understood: numbers in no range, words of no list.

    Of two members of a choice a first one that is true counts, else the second; MustHonor may lack its
    namespace; other attributes are let be (WS-DSD, ValidateScanTicket). Raises
    :class:`~dsm_device.wire.xml.XmlError` for what is malformed: no number where one is due, no JobDescription.
    """
    return _parse(element, _Reader(lenient=True))


def _parse(element: etree._Element, reader: _Reader) -> ScanTicket:
    job = the_child(element, names.WSCN, "JobDescription")
    information = optional_child(job, names.WSCN, "JobInformation")
    parameters = optional_child(element, names.WSCN, "DocumentParameters")
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
    """Collects what stands in DocumentParameters; ``lenient`` as :func:`parse_any` says."""

    def __init__(self, *, lenient: bool) -> None:
        self.values: dict[str, Value] = {}
        self.locks: set[str] = set()
        self.foreign: list[Foreign] = []
        self._lenient = lenient

    def group(self, element: etree._Element, group: Group, path: str, *, must_honor: bool) -> None:
        lock = self._is_locked(element) or must_honor
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
        if self._lenient and group.choice and len(seen) > 1:
            seen = self._settle_choice(group, path)
        if problem := group.problem(seen):
            raise invalid(element, problem)
        self.foreign += _foreign_children(element)

    def _member(self, element: etree._Element, node: Kind | Group, path: str, *, must_honor: bool) -> None:
        if isinstance(node, Group):
            self.group(element, node, path, must_honor=must_honor)
            return
        self.values[path] = _any_value(element, node) if self._lenient else value(element, node)
        if self._is_locked(element) or must_honor:
            self.locks.add(path)

    def _is_locked(self, element: etree._Element) -> bool:
        if not self._lenient:
            return _must_honor(element)
        return any(boolean_attribute(element, name) for name in (_MUST_HONOR, "MustHonor"))

    def _settle_choice(self, group: Group, path: str) -> set[str]:
        """Of both members of a choice the first counts if it is true, else the second; returns its name."""
        first, second = group.members
        kept, gone = (first, second) if self.values[join(path, first)] is True else (second, first)
        branch = join(path, gone)
        self.values = {each: found for each, found in self.values.items() if not within(each, branch)}
        self.locks = {each for each in self.locks if not within(each, branch)}
        return {kept}


def _any_value(element: etree._Element, kind: Kind) -> Value:
    """What ``element`` holds, whatever range or list ``kind`` has."""
    if isinstance(kind, Keyword):
        return value(element, Keyword(kind.names, _ANY_WORD))
    token = xml.token(element)
    if isinstance(kind, Whole) and _ANY_NUMBER.fullmatch(token):
        digits = token.lstrip("+-").lstrip("0") or "0"
        size = FAR_OUT if len(digits) > 10 else int(digits)
        return -size if token.startswith("-") else size
    return value(element, kind)


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
