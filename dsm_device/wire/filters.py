"""The instructions that a scan server's filters know: e-mail, file share, SharePoint (MS-BDSRR).

The three are built alike: a switch for the submitting user's own mailbox or site, and a list of destinations.
They are read to be shown and checked; what is sent to the server is the stored XML itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_device.wire import names, xml
from dsm_device.wire.schema import boolean, boolean_attribute, invalid, string, the_child

CAN_ADD_ADDRESSES: Final = names.qname(names.EMLF, "CanAddAddresses")


@dataclass(frozen=True, slots=True)
class Filter:
    """One psp:Filter. ``label`` is "e-mail", "file share", "SharePoint", or "" for an unknown dialect.

    ``to_scan_user``: SendToScanUser, or SaveToMySite. ``destinations``: the addresses, share UNCs or site URLs
    as stored, white space included.
    """

    dialect: str
    label: str = ""
    to_scan_user: bool = False
    destinations: tuple[str, ...] = ()
    can_add_addresses: bool = False

    @property
    def known(self) -> bool:
        return bool(self.label)


@dataclass(frozen=True, slots=True)
class _Dialect:
    """The element names of one filter; ``switch`` is "" where it has none."""

    label: str
    config: str
    switch: str
    destinations: str
    destination: str
    limit: int


_DIALECTS: Final = {
    names.EMLF: _Dialect("e-mail", "EmailConfig", "SendToScanUser", "SendToAddresses", "EmailAddress", 255),
    names.FSF: _Dialect("file share", "FileShareConfig", "", "FileShares", "ShareUNC", 255),
    names.SPF: _Dialect(
        "SharePoint",
        "SharePointConfig",
        "SaveToMySite",
        "SaveToSharePointSites",
        "SaveToSharePointSiteURL",
        2048,
    ),
}


def parse(element: etree._Element) -> tuple[Filter, list[str]]:
    """The psp:Filter in ``element``, and warnings about what a scan server may not carry out.

    Raises :class:`~dsm_device.wire.xml.XmlError`: Dialect or Instructions missing, the instructions of
    another namespace than the dialect, or not as the dialect's schema has them.
    """
    dialect = xml.token(the_child(element, names.PSP, "Dialect"))
    instructions = the_child(element, names.PSP, "Instructions")
    for each in xml.elements(instructions):
        if xml.namespace(each) != dialect:
            raise invalid(each, f"is not in the namespace of its Dialect {dialect}")
    if dialect not in _DIALECTS:
        return Filter(dialect), [f"no scan server is known to have the filter {dialect}"]
    return _known_filter(instructions, dialect)


def _known_filter(instructions: etree._Element, dialect: str) -> tuple[Filter, list[str]]:
    known = _DIALECTS[dialect]
    configs = instructions.findall(names.qname(dialect, known.config))
    warnings = [
        f"{known.label} filter: {xml.local_name(each)} is not known"
        for each in xml.elements(instructions)
        if each not in configs
    ]
    if not configs:
        return Filter(dialect, known.label), [*warnings, f"the {known.label} filter has no {known.config}"]
    read = [_config(each, known, dialect) for each in configs]
    merged = Filter(
        dialect,
        known.label,
        any(each.to_scan_user for each in read),
        tuple(destination for each in read for destination in each.destinations),
        any(each.can_add_addresses for each in read),
    )
    if not merged.to_scan_user and not merged.destinations:
        warnings.append(f"the {known.label} filter has no destination")
    return merged, warnings


def _config(config: etree._Element, known: _Dialect, dialect: str) -> Filter:
    switch, listed = _in_order(config, dialect, [name for name in (known.switch, known.destinations) if name])
    destinations = () if listed is None else _destinations(listed, known, dialect)
    return Filter(
        dialect,
        known.label,
        switch is not None and boolean(switch),
        destinations,
        listed is not None and can_add_addresses(listed),
    )


def _in_order(
    config: etree._Element, dialect: str, members: list[str]
) -> tuple[etree._Element | None, etree._Element | None]:
    """The switch and the list of ``config``; the schema has each at most once, in this order."""
    _check_attributes(config, dialect)
    found: list[etree._Element] = []
    for each in xml.elements(config):
        if xml.namespace(each) not in (dialect, ""):
            continue
        if xml.namespace(each) == "" or xml.local_name(each) not in members:
            raise invalid(each, f"is no element of {xml.local_name(config)}")
        found.append(each)
    order = [members.index(xml.local_name(each)) for each in found]
    if order != sorted(set(order)):
        raise invalid(found[-1], f"stands twice or out of order: {', '.join(members)}")
    by_name = {xml.local_name(each): each for each in found}
    return by_name.get(members[0]) if len(members) == 2 else None, by_name.get(members[-1])


def _destinations(listed: etree._Element, known: _Dialect, dialect: str) -> tuple[str, ...]:
    """The list's members; an empty list is read, though the schema wants one (prose: "zero or more")."""
    _check_attributes(listed, dialect)
    destinations = []
    for each in xml.elements(listed):
        if xml.namespace(each) not in (dialect, ""):
            continue
        if each.tag != names.qname(dialect, known.destination):
            raise invalid(each, f"is no element of {xml.local_name(listed)}")
        _check_attributes(each, dialect)
        destinations.append(string(each, limit=known.limit))
    return tuple(destinations)


def _check_attributes(element: etree._Element, dialect: str) -> None:
    """Attributes of other namespaces are let be; of the dialect's own there is only CanAddAddresses.

    One without a namespace is invalid (MS-BDSRR declares CanAddAddresses global). It would count as absent,
    but the scan server refuses such instructions, and so does the device before anything is scanned.
    """
    for name in element.attrib:
        attribute = etree.QName(name)
        allowed = name == CAN_ADD_ADDRESSES and xml.local_name(element) == "SendToAddresses"
        if not attribute.namespace:
            raise invalid(element, f"has an attribute {attribute.localname} without its namespace")
        if attribute.namespace == dialect and not allowed:
            raise invalid(element, f"has an attribute {attribute.localname} that does not belong there")


def can_add_addresses(addresses: etree._Element) -> bool:
    """Whether the user may add to this emlf:SendToAddresses; no other list has the attribute."""
    return boolean_attribute(addresses, CAN_ADD_ADDRESSES)
