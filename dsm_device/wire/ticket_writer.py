"""Scan tickets written as XML: what they state and no more, in the order of the schema (MS-BDSRR, ScanTicketType).

MustHonor is repeated where the schema has it. Elements of strangers are not: only their names are known here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from dsm_device.wire import names
from dsm_device.wire.schema import Value
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.ticket_elements import DOCUMENT_PARAMETERS, LEAVES, Group, join, setting_of, within

#: The largest of the schema's numbers, which are 32 bit; the pages name one that is larger by one.
LARGEST_INT: Final = 2_147_483_647
_MUST_HONOR = names.qname(names.WSCN, "MustHonor")
_SETTINGS = frozenset(map(setting_of, LEAVES))


def render(ticket: ScanTicket, namespace: str, local: str = "ScanTicket") -> etree._Element:
    """``ticket`` as the element ``local`` of ``namespace``, which is valid if its values are.

    Without any setting it has no DocumentParameters.
    """
    root = etree.Element(names.qname(namespace, local), nsmap={"wscn": names.WSCN})
    job = _add(root, "JobDescription")
    _add(job, "JobName").text = ticket.job_name
    _add(job, "JobOriginatingUserName").text = ticket.user_name
    if ticket.job_information:
        _add(job, "JobInformation").text = ticket.job_information
    parameters = Parameters.build("DocumentParameters", ticket.values, _empty_groups(ticket))
    for path, element in parameters.elements.items():
        if path in _SETTINGS and ticket.locked(path):
            element.set(_MUST_HONOR, "true")
    if parameters.elements:
        root.append(parameters.root)
    return root


def _empty_groups(ticket: ScanTicket) -> Collection[str]:
    """Locked settings without values: only exposure has none that it must have."""
    has_exposure = any(within(path, "Exposure") for path in ticket.values)
    return ("Exposure/ExposureSettings",) if "Exposure" in ticket.locks and not has_exposure else ()


@dataclass(frozen=True, slots=True)
class Parameters:
    """The elements of wscn:DocumentParametersType, by path."""

    root: etree._Element
    elements: dict[str, etree._Element] = field(default_factory=dict)

    @classmethod
    def build(cls, local: str, values: Mapping[str, Value], empty: Collection[str] = ()) -> Parameters:
        """With ``values`` at their paths and the groups ``empty``; ``local`` is the root's name."""
        made = cls(etree.Element(names.qname(names.WSCN, local), nsmap={"wscn": names.WSCN}))
        made._fill(made.root, DOCUMENT_PARAMETERS, "", values, (*values, *empty))
        return made

    def _fill(
        self,
        parent: etree._Element,
        group: Group,
        path: str,
        values: Mapping[str, Value],
        stated: Collection[str],
    ) -> None:
        for name, node in group.members.items():
            here = join(path, name)
            if not isinstance(node, Group):
                if here in values:
                    self.elements[here] = _add(parent, name)
                    self.elements[here].text = _written(values[here])
            elif _is_due(name, here, group, stated):
                element = _add(parent, name)
                if here != path:  # MediaSides has no path of its own
                    self.elements[here] = element
                self._fill(element, node, here, values, stated)


def _is_due(name: str, path: str, group: Group, stated: Collection[str]) -> bool:
    """Whether something is stated in a group, or it must be there beside another (MediaFront beside MediaBack)."""
    inside = ("MediaFront", "MediaBack") if name == "MediaSides" else (path,)
    return name in group.required or any(within(each, branch) for each in stated for branch in inside)


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _add(parent: etree._Element, local: str) -> etree._Element:
    return etree.SubElement(parent, names.qname(names.WSCN, local))
