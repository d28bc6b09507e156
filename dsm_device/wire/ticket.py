"""The scan ticket (WS-Scan ScanTicket, in the form that MS-BDSRR gives it inside a scan process).

A ticket states values by path (:mod:`~dsm_device.wire.ticket_elements`) and locks some of them with
``wscn:MustHonor``: exactly this value, or no scan. What it does not state is left to the device. Elements may
stand in any order (the WS-Scan pages list them alphabetically, the schema does not). Lengths are in 1/1000 inch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from lxml import etree

from dsm_device.hardware import Size
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
from dsm_device.wire.ticket_elements import CONTAINERS, DOCUMENT_PARAMETERS, Group, join

V = TypeVar("V")

_MUST_HONOR = names.qname(names.WSCN, "MustHonor")
_STRING_LIMIT = 255


@dataclass(frozen=True, slots=True)
class Setting(Generic[V]):
    """A value that a ticket states; with ``must_honor`` it is this value or no scan."""

    value: V
    must_honor: bool = False


@dataclass(frozen=True, slots=True)
class InputSize:
    """Either ``media`` or, where that is None, the answer to DocumentSizeAutoDetect."""

    auto_detect: bool = False
    media: Size | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """AutoExposure, or the three ExposureSettings: contrast and brightness ±1000, sharpness ±100, 0 = as is."""

    auto: bool = False
    contrast: int = 0
    brightness: int = 0
    sharpness: int = 0


@dataclass(frozen=True, slots=True)
class Scaling:
    """Percent, 1 to 1000; 100 = as is."""

    width_percent: int
    height_percent: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """Pixels per inch. A ticket without Height means the same as Width."""

    x_dpi: int
    y_dpi: int


@dataclass(frozen=True, slots=True)
class ScanRegion:
    """The part of the sheet to scan, each number with a lock of its own. An offset not stated is 0."""

    x_mil: Setting[int]
    y_mil: Setting[int]
    width_mil: Setting[int]
    height_mil: Setting[int]


@dataclass(frozen=True, slots=True)
class MediaSide:
    """wscn:MediaFront or wscn:MediaBack."""

    region: ScanRegion | None = None
    color: Setting[str] | None = None
    resolution: Setting[Resolution] | None = None


@dataclass(frozen=True, slots=True)
class DocumentParameters:
    """wscn:DocumentParameters; None = not stated.

    Keywords are spelt as in the schema; a vendor's own value stands as it is and is never supported here.
    """

    format: Setting[str] | None = None
    compression_quality: Setting[int] | None = None
    images_to_transfer: Setting[int] | None = None
    input_source: Setting[str] | None = None
    film_scan_mode: Setting[str] | None = None
    content_type: Setting[str] | None = None
    input_size: Setting[InputSize] | None = None
    exposure: Setting[Exposure] | None = None
    scaling: Setting[Scaling] | None = None
    rotation: Setting[str] | None = None
    front: MediaSide = field(default=MediaSide())
    back: MediaSide | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """An element of another namespace in the acquisition settings: nothing that this device knows."""

    name: str
    must_honor: bool


@dataclass(frozen=True)
class ScanTicket:
    """A valid ticket. ``values`` and ``locks`` are by path; :attr:`parameters` is their typed view."""

    job_name: str = ""
    user_name: str = ""
    job_information: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    locks: frozenset[str] = frozenset()
    foreign: tuple[Foreign, ...] = ()

    def locked(self, path: str) -> bool:
        """Whether ``path`` or an element around it carries MustHonor."""
        parts = path.split("/")
        return any("/".join(parts[:count]) in self.locks for count in range(1, len(parts) + 1))

    @cached_property
    def parameters(self) -> DocumentParameters:
        return _View(self).parameters()


# ------------------------------------------------------------------------------------------- reading


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


# ------------------------------------------------------------------------------------ the typed view


class _View:
    """Reads the typed parameters out of a ticket whose values are complete."""

    def __init__(self, ticket: ScanTicket) -> None:
        self._values = ticket.values
        self._locked = ticket.locked
        self._stated = set(ticket.locks) | {
            path[:end] for path in ticket.values for end, sign in enumerate(f"{path}/") if sign == "/"
        }

    def parameters(self) -> DocumentParameters:
        return DocumentParameters(
            format=self._leaf("Format"),
            compression_quality=self._leaf("CompressionQualityFactor"),
            images_to_transfer=self._leaf("ImagesToTransfer"),
            input_source=self._leaf("InputSource"),
            film_scan_mode=self._leaf("FilmScanMode"),
            content_type=self._leaf("ContentType"),
            input_size=self._whole("InputSize", self._input_size()),
            exposure=self._whole("Exposure", self._exposure()),
            scaling=self._scaling(),
            rotation=self._leaf("Rotation"),
            front=self._side("MediaFront"),
            back=self._side("MediaBack") if "MediaBack" in self._stated else None,
        )

    # Any: what stands at a path has the type that ticket_elements gives it.
    def _get(self, path: str, absent: Any = None) -> Any:
        return self._values.get(path, absent)

    def _leaf(self, path: str, absent: Any = None) -> Any:
        value = self._get(path, absent)
        return None if value is None else Setting(value, self._locked(path))

    def _whole(self, path: str, value: V) -> Setting[V] | None:
        return Setting(value, self._locked(path)) if path in self._stated else None

    def _input_size(self) -> InputSize:
        width_mil = self._get("InputSize/InputMediaSize/Width")
        height_mil = self._get("InputSize/InputMediaSize/Height")
        media = None if width_mil is None else Size(width_mil, height_mil)
        return InputSize(self._get("InputSize/DocumentSizeAutoDetect", False), media)

    def _exposure(self) -> Exposure:
        numbers = "Exposure/ExposureSettings"
        return Exposure(
            self._get("Exposure/AutoExposure", False),
            self._get(f"{numbers}/Contrast", 0),
            self._get(f"{numbers}/Brightness", 0),
            self._get(f"{numbers}/Sharpness", 0),
        )

    def _scaling(self) -> Setting[Scaling] | None:
        width, height = self._get("Scaling/ScalingWidth"), self._get("Scaling/ScalingHeight")
        return self._whole("Scaling", Scaling(width, height))

    def _side(self, side: str) -> MediaSide:
        x_dpi = self._get(f"{side}/Resolution/Width")
        y_dpi = self._get(f"{side}/Resolution/Height", x_dpi)
        return MediaSide(
            self._region(f"{side}/ScanRegion"),
            self._leaf(f"{side}/ColorProcessing"),
            self._whole(f"{side}/Resolution", Resolution(x_dpi, y_dpi)),
        )

    def _region(self, path: str) -> ScanRegion | None:
        if path not in self._stated:
            return None
        return ScanRegion(
            self._leaf(f"{path}/ScanRegionXOffset", 0),
            self._leaf(f"{path}/ScanRegionYOffset", 0),
            self._leaf(f"{path}/ScanRegionWidth"),
            self._leaf(f"{path}/ScanRegionHeight"),
        )
