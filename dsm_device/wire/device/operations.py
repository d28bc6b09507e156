"""The five operations of WS-DSD: what is asked, read liberally; what is answered, in the namespaces of the asker.

Source: WS-DSD, sections on namespaces, actions, the five operations and "liberal in". Operations are told by the
body's element, whose action has to fit; body and action may each be in the namespace of WS-DSD, of WS-Scan or of
WS-Scan's draft, in any combination.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from types import MappingProxyType
from typing import Final, Protocol

from lxml import etree

from dsm_device.wire import ticket_reader, xml
from dsm_device.wire.device import faults, jobs
from dsm_device.wire.device.elements import add, root
from dsm_device.wire.device.model import JobSummary
from dsm_device.wire.names import DSD, PREFIXES, WSCN, WSCN_DRAFT, qname
from dsm_device.wire.service_request import Request, RequestFault, action_not_supported, invalid_args
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.ticket_writer import LARGEST_INT
from dsm_device.wire.xml import XmlError

#: What may be asked for by name, in WS-Scan's namespace.
SCANNER_ELEMENTS: Final = ("ScannerDescription", "ScannerConfiguration", "ScannerStatus", "DefaultScanTicket")
JOB_ELEMENTS: Final = ("JobStatus", "ScanTicket", "Documents")
#: More names than this in one request are not answered: a few octets would order thousands of octets.
MAX_NAMES: Final = 16

_OURS: Final = (DSD, WSCN)
_NUMBER: Final = re.compile(r"([+-]?)0*([0-9]+)")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a question is answered: the body in ``namespace`` (DSD or WSCN), under ``action``."""

    namespace: str
    action: str


@dataclass(frozen=True, slots=True)
class RequestedName:
    """An element that is asked for. What we know is in WSCN; ``prefix`` is the client's, which it gets back."""

    namespace: str
    local: str
    prefix: str

    @property
    def known(self) -> str:
        """The local name of an element of WS-Scan, "" for others."""
        return self.local if self.namespace == WSCN else ""


@dataclass(frozen=True, slots=True)
class GetScannerElements:
    names: tuple[RequestedName, ...]


@dataclass(frozen=True, slots=True)
class GetActiveJobs:
    pass


@dataclass(frozen=True, slots=True)
class GetJobHistory:
    pass


@dataclass(frozen=True, slots=True)
class GetJobElements:
    """``job_id`` is 0 for a number that no job can have; ``job_id_text`` is what was sent."""

    job_id: int
    job_id_text: str
    names: tuple[RequestedName, ...]


@dataclass(frozen=True, slots=True)
class ValidateScanTicket:
    """``ticket`` may have values in no range and words of no list."""

    ticket: ScanTicket


Question = GetScannerElements | GetActiveJobs | GetJobHistory | GetJobElements | ValidateScanTicket

# --------------------------------------------------------------------------------------- what is asked


def read(request: Request) -> tuple[Question, Manner]:
    """What ``request`` asks and how it is to be answered.

    Raises :class:`RequestFault`: ``wsa:ActionNotSupported`` for whatever is no operation of WS-DSD,
    ``wscn:InvalidArgs`` for one that is malformed.
    """
    namespace, _, name = request.action.rpartition("/")
    if namespace not in (*_OURS, WSCN_DRAFT) or name not in _READERS:
        raise RequestFault(action_not_supported(request.action), request.message_id)
    try:
        body = _expect(request.body, name)
        question = _READERS[name](body)
    except XmlError as error:
        raise RequestFault(invalid_args(error.element), request.message_id) from error
    except RequestFault as refused:
        refused.message_id = request.message_id
        raise
    action = f"{WSCN if namespace == WSCN_DRAFT else namespace}/{name}Response"
    return question, Manner(xml.namespace(body), action)


def _expect(body: etree._Element | None, name: str) -> etree._Element:
    """``body`` if it is the request called ``name``, what is of the draft made WS-Scan's."""
    if body is None or xml.local_name(body) not in (name, f"{name}Request"):
        raise XmlError(f"the body is not {name}Request", body)
    if xml.namespace(body) == WSCN_DRAFT or next(body.iter(f"{{{WSCN_DRAFT}}}*"), None) is not None:
        _make_current(body)
    if xml.namespace(body) not in _OURS:
        raise XmlError(f"{name} is of another namespace", body)
    return body


def _make_current(body: etree._Element) -> None:
    old, new = f"{{{WSCN_DRAFT}}}", f"{{{WSCN}}}"
    for element in body.iter(etree.Element):
        element.tag = str(element.tag).replace(old, new, 1)
        for attribute in [each for each in map(str, element.attrib) if each.startswith(old)]:
            element.set(attribute.replace(old, new, 1), element.attrib.pop(attribute))


def _read_scanner_elements(body: etree._Element) -> GetScannerElements:
    return GetScannerElements(_names(body, SCANNER_ELEMENTS))


def _read_job_elements(body: etree._Element) -> GetJobElements:
    text = xml.token(_argument(body, "JobId"))
    number = _NUMBER.fullmatch(text)
    if number is None:
        raise RequestFault(faults.bad_job_id(text))
    in_range = number[1] != "-" and len(number[2]) <= 10 and int(number[2]) <= LARGEST_INT
    return GetJobElements(int(number[2]) if in_range else 0, text, _names(body, JOB_ELEMENTS))


def _read_ticket(body: etree._Element) -> ValidateScanTicket:
    return ValidateScanTicket(ticket_reader.parse_any(_argument(body, "ScanTicket")))


_READERS: Final[Mapping[str, Callable[[etree._Element], Question]]] = MappingProxyType(
    {
        "GetScannerElements": _read_scanner_elements,
        "GetActiveJobs": lambda _: GetActiveJobs(),
        "GetJobHistory": lambda _: GetJobHistory(),
        "GetJobElements": _read_job_elements,
        "ValidateScanTicket": _read_ticket,
    }
)


def _argument(body: etree._Element, local: str) -> etree._Element:
    """The one argument of that name."""
    found = list(_children(body, local))
    if len(found) != 1:
        raise XmlError(
            f"{local} stands there {len(found)} times", found[1] if found else root(local, xml.namespace(body))
        )
    return found[0]


def _children(parent: etree._Element, local: str) -> Iterator[etree._Element]:
    return parent.iterchildren(*(qname(namespace, local) for namespace in _OURS))


def _names(body: etree._Element, known: Sequence[str]) -> tuple[RequestedName, ...]:
    requested = _argument(body, "RequestedElements")
    elements = list(_children(requested, "Name"))
    if not 1 <= len(elements) <= MAX_NAMES:
        raise XmlError(f"{len(elements)} names are asked for", requested)
    return tuple(_name(each, known) for each in elements)


def _name(element: etree._Element, known: Sequence[str]) -> RequestedName:
    """A QName in its scope. One of ``known`` may lack the prefix, or have WS-DSD's or one that is not declared."""
    prefix, colon, local = xml.token(element).rpartition(":")
    if (colon and not _is_ncname(prefix)) or not _is_ncname(local):
        raise XmlError("Name is no QName", element)
    namespace = element.nsmap.get(prefix or None) or ""
    if local in known and (not prefix or namespace in ("", *_OURS, WSCN_DRAFT)):
        return RequestedName(WSCN, local, prefix if prefix and namespace == WSCN else "wscn")
    return RequestedName(namespace, local, prefix if namespace else "")


def _is_ncname(text: str) -> bool:
    """Whether libxml2 takes ``text`` as a name without a colon."""
    try:
        etree.QName(None, text)
    except ValueError:
        return False
    return ":" not in text


# ------------------------------------------------------------------------------------- what is answered


#: The element of that name, None where there is none to give.
Contents = Callable[[str], etree._Element | None]


def scanner_elements(manner: Manner, names: Sequence[RequestedName], contents: Contents) -> etree._Element:
    """GetScannerElementsResponse: for each name, in order, what ``contents`` gives."""
    return _elements(manner, "GetScannerElementsResponse", "ScannerElements", names, contents)


def job_elements(manner: Manner, names: Sequence[RequestedName], contents: Contents) -> etree._Element:
    """GetJobElementsResponse, likewise."""
    return _elements(manner, "GetJobElementsResponse", "JobElements", names, contents)


def _elements(
    manner: Manner, local: str, holder: str, names: Sequence[RequestedName], contents: Contents
) -> etree._Element:
    prefixes = _prefixes(names)
    declared = {prefix: uri for (_, uri), prefix in prefixes.items() if uri}
    declared |= {"wscn": WSCN, "dsd": DSD} if manner.namespace == DSD else {"wscn": WSCN}
    response = etree.Element(qname(manner.namespace, local), nsmap=declared)
    elements = etree.SubElement(response, qname(manner.namespace, holder))
    for name in names:
        content = contents(name.known) if name.known else None
        data = add(elements, "ElementData")
        prefix = prefixes[name.prefix, name.namespace]
        data.set(qname(WSCN, "Name"), f"{prefix}:{name.local}" if prefix else name.local)
        data.set(qname(WSCN, "Valid"), "false" if content is None else "true")
        if content is not None:
            data.append(content)
    return response


def _prefixes(names: Sequence[RequestedName]) -> dict[tuple[str, str], str]:
    """The prefix in the answer of each prefix and namespace in the question: the same, unless it is another's."""
    taken = {prefix: PREFIXES[prefix] for prefix in ("soap", "wsa", "wscn", "dsd")}
    given = {("", ""): ""}
    for name in names:
        key = (name.prefix, name.namespace)
        if key in given:
            continue
        is_free = taken.get(name.prefix, name.namespace) == name.namespace
        given[key] = name.prefix if name.prefix and is_free else _unused(taken)
        taken[given[key]] = name.namespace
    return given


def _unused(taken: Container[str]) -> str:
    return next(prefix for prefix in map("asked{}".format, count(1)) if prefix not in taken)


def job_list(
    manner: Manner, question: GetActiveJobs | GetJobHistory, summaries: Sequence[JobSummary]
) -> etree._Element:
    """GetActiveJobsResponse or GetJobHistoryResponse."""
    active = isinstance(question, GetActiveJobs)
    response = root("GetActiveJobsResponse" if active else "GetJobHistoryResponse", manner.namespace)
    holder = etree.SubElement(response, qname(manner.namespace, "ActiveJobs" if active else "JobHistory"))
    for summary in summaries:
        jobs.add_summary(holder, summary)
    return response


class ImageSize(Protocol):
    """``bytes_per_line`` is 0 for compressed formats."""

    @property
    def pixels_per_line(self) -> int: ...

    @property
    def number_of_lines(self) -> int: ...

    @property
    def bytes_per_line(self) -> int: ...


def validation(
    manner: Manner, *, front: ImageSize, back: ImageSize | None, valid: bool, corrected: ScanTicket | None
) -> etree._Element:
    """ValidateScanTicketResponse; ``corrected`` only where the ticket is not valid."""
    response = root("ValidateScanTicketResponse", manner.namespace)
    info = etree.SubElement(response, qname(manner.namespace, "ValidationInfo"))
    add(info, "ValidTicket", valid)
    images = add(info, "ImageInformation")
    _add_image(images, "MediaFrontImageInfo", front)
    if back is not None:
        _add_image(images, "MediaBackImageInfo", back)
    if corrected is not None:
        info.append(jobs.render_ticket(corrected, "ValidScanTicket"))
    return response


def _add_image(parent: etree._Element, local: str, size: ImageSize) -> None:
    element = add(parent, local)
    add(element, "PixelsPerLine", size.pixels_per_line)
    add(element, "NumberOfLines", size.number_of_lines)
    add(element, "BytesPerLine", size.bytes_per_line)
