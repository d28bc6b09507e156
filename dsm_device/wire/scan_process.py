"""The scan process (psp:PostScanProcess, MS-BDSRR): where the images go, how they are made, what becomes of them.

A scan process that cannot be used raises :class:`~dsm_device.wire.xml.XmlError` with the reason in one line. What
the device does not know is let be and carried along; the instructions reach the server as they were read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from lxml import etree

from dsm_device.errors import UsageError
from dsm_device.wire import filters, names, ticket_reader, xml
from dsm_device.wire.filters import Filter
from dsm_device.wire.repository import Repository, host_name, parse_repository
from dsm_device.wire.schema import boolean, invalid, optional_child, string, the_child
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.xml import XmlError

#: The directory's limit for the whole document (MS-ADA2, msImaging-PSPString).
MAX_CHARACTERS: Final = 524_288
#: No encoding of XML takes more octets for a character; what is longer need not be decoded to be refused.
MAX_OCTETS: Final = 4 * MAX_CHARACTERS + 4

_STRING_LIMIT = 255
#: In single octets, so what it claims is wrong: Windows' text says so after it was saved as UTF-8.
_CLAIMS_UTF_16 = re.compile(rb"""\A\s*<\?xml[^>]*encoding\s*=\s*["']utf-16[^>]*\?>""", re.IGNORECASE)
_PROCESS = names.qname(names.PSP, "PostScanProcess")


@dataclass(frozen=True, slots=True)
class ScanProcess:
    """A usable scan process.

    ``identifier`` (GUID, upper case, no braces) and ``name`` are the directory's. ``document_root_name`` is as
    stored; it names files at the server and never one at the device. ``warnings`` are for the administrator.
    """

    identifier: str
    name: str
    repository: Repository
    ticket: ScanTicket
    document_root_name: str
    continue_on_error: bool
    filters: tuple[Filter, ...]
    may_change_file_name: bool
    may_change_file_path: bool
    instructions_xml: bytes
    warnings: tuple[str, ...] = ()

    @property
    def instructions(self) -> etree._Element:
        """psp:PostScanInstructions as stored, a copy of its own with every prefix that was in scope."""
        return xml.parse(self.instructions_xml, limit=len(self.instructions_xml))


# ------------------------------------------------------------------------------------------- reading


def read(data: bytes) -> etree._Element:
    """The document element of a stored scan process, within the limits; nothing else is checked yet."""
    if not data.strip(b" \t\r\n\0"):
        raise XmlError("is empty")
    if len(data) > MAX_OCTETS:
        raise _too_long()
    document = xml.parse(_CLAIMS_UTF_16.sub(b"", data), limit=MAX_OCTETS)
    encoding = document.getroottree().docinfo.encoding or "utf-8"
    if len(data) > MAX_CHARACTERS and len(data.decode(encoding, "replace")) > MAX_CHARACTERS:
        raise _too_long()
    return document


def _too_long() -> XmlError:
    return XmlError(f"is longer than {MAX_CHARACTERS:,} characters")


def stated_identifier(document: etree._Element) -> str | None:
    """The GUID of the ``<?psp-identifier GUID?>`` before or in the document; None without one.

    Raises :class:`~dsm_device.wire.xml.XmlError` where it is no GUID or there are different ones.
    """
    stated = {_guid(each.text or "") for each in _instructions_to_programs(document, "psp-identifier")}
    if len(stated) > 1:
        raise XmlError("has several psp-identifier instructions that differ")
    return stated.pop() if stated else None


def _instructions_to_programs(document: etree._Element, target: str) -> Iterator[etree._ProcessingInstruction]:
    outside = (
        *document.itersiblings(etree.ProcessingInstruction, preceding=True),
        *document.itersiblings(etree.ProcessingInstruction),
    )
    for each in (*outside, *document.iter(etree.ProcessingInstruction)):
        if isinstance(each, etree._ProcessingInstruction) and each.target == target:
            yield each


def _guid(text: str) -> str:
    bare = text.strip().removeprefix("{").removesuffix("}")
    if not re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", bare):
        raise XmlError(f'psp-identifier is no GUID: "{text[:60]}"')
    return str(UUID(bare)).upper()


def parse(document: etree._Element, *, identifier: str, name: str) -> ScanProcess:
    """The scan process in ``document``, under the ``identifier`` and ``name`` that the directory gives it."""
    if document.tag != _PROCESS:
        raise XmlError(f"is no scan process: its root is {xml.local_name(document)}, not psp:PostScanProcess")
    repository = parse_repository(string(the_child(document, names.PSP, "ScanRepository"), limit=_STRING_LIMIT))
    scan_ticket = ticket_reader.parse(the_child(document, names.PSP, "ScanTicket"))
    instructions = the_child(document, names.PSP, "PostScanInstructions")
    continue_on_error = optional_child(instructions, names.PSP, "ContinueOnError")
    root_name, name_warnings = _document_root_name(instructions)
    read_filters, filter_warnings = _filters(instructions)
    places = (document, instructions)
    return ScanProcess(
        identifier=identifier,
        name=name,
        repository=repository,
        ticket=scan_ticket,
        document_root_name=root_name,
        continue_on_error=continue_on_error is not None and boolean(continue_on_error),
        filters=read_filters,
        may_change_file_name=_allows(places, "AllowDeviceFileNameChange"),
        may_change_file_path=_allows(places, "AllowDeviceFilePathChange"),
        instructions_xml=_standalone(instructions),
        warnings=(*_order_warnings(document, instructions), *name_warnings, *filter_warnings),
    )


def _filters(instructions: etree._Element) -> tuple[tuple[Filter, ...], list[str]]:
    listed = the_child(instructions, names.PSP, "FiltersToProcess")
    read_filters = [filters.parse(each) for each in listed.findall(names.qname(names.PSP, "Filter"))]
    if not read_filters:
        raise invalid(listed, "lacks Filter")
    return tuple(each for each, _ in read_filters), [warning for _, more in read_filters for warning in more]


def _allows(places: Sequence[etree._Element], name: str) -> bool:
    """One of the later permissions, wherever it stands; the schema gives an empty one its default, false."""
    found = [each for place in places for each in place.findall(names.qname(names.SPX, name))]
    permissions = [boolean(each) for each in found if xml.token(each)]
    return any(permissions)


def _standalone(instructions: etree._Element) -> bytes:
    """The instructions by themselves, all prefixes in scope declared, without processing instructions.

    A SOAP message must not carry processing instructions (SOAP 1.2 part 1, 5); all else stays as it was.
    """
    data = etree.tostring(instructions, encoding="utf-8", with_tail=False)
    copy = xml.parse(data, limit=len(data))
    etree.strip_elements(copy, etree.ProcessingInstruction, with_tail=False)
    return etree.tostring(copy, encoding="utf-8")


_ORDER: Final = (
    ("ScanRepository", "ScanTicket", "PostScanInstructions"),
    ("ContinueOnError", "DocumentRootName", "FiltersToProcess"),
)


def _order_warnings(document: etree._Element, instructions: etree._Element) -> Iterator[str]:
    """The schema fixes an order; the device does not need it, the scan server may."""
    for parent, order in zip((document, instructions), _ORDER, strict=True):
        found = [xml.local_name(each) for each in xml.elements(parent) if xml.namespace(each) == names.PSP]
        unknown = [name for name in found if name not in order]
        if unknown:
            yield f"{xml.local_name(parent)}: {unknown[0]} is not known"
        elif found != sorted(found, key=order.index):
            yield f"{xml.local_name(parent)}: the schema's order is {', '.join(order)}"


# -------------------------------------------------------------------------------------- file name

_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)


def _document_root_name(instructions: etree._Element) -> tuple[str, list[str]]:
    """The stem of the file names, as stored. The server makes files of it, so it must not lead elsewhere."""
    element = the_child(instructions, names.PSP, "DocumentRootName")
    text = string(element, limit=_STRING_LIMIT)
    if not text.strip(" ."):
        raise invalid(element, "is empty or only dots")
    if any(sign in text for sign in "/\\:"):
        raise invalid(element, "is a path: a file name must not hold / \\ or :")
    if any(ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 for sign in text):
        raise invalid(element, "holds control characters or line ends")
    if any(sign in text for sign in '*?"<>|') or _RESERVED.fullmatch(text.strip()):
        return text, [f"DocumentRootName {text!r} is no file name for a Windows server"]
    return text, []


# ----------------------------------------------------------------------------------- added addresses

_ADDRESS = re.compile(r"""[^\s@<>()\[\]\\,;:"\x00-\x1f\x7f-\x9f]{1,64}@[^\s@<>()\[\]\\,;:"_/]+""")


def with_added_addresses(process: ScanProcess, addresses: Sequence[str]) -> etree._Element:
    """A copy of the process's instructions with ``addresses`` after those of its e-mail filter.

    Only where the process allows it (emlf:CanAddAddresses, MS-BDSRR). An address that is there already, in
    whatever case, is not added again. Raises :class:`~dsm_device.errors.UsageError`.
    """
    instructions = process.instructions
    if not addresses:
        return instructions
    path = f".//{names.qname(names.PSP, 'Instructions')}/*/{names.qname(names.EMLF, 'SendToAddresses')}"
    open_lists = [each for each in instructions.iterfind(path) if filters.can_add_addresses(each)]
    if not open_lists:
        raise UsageError(
            f'scan process "{process.name}" does not let you add e-mail addresses',
            "leave --email out, or ask its administrator to set emlf:CanAddAddresses",
        )
    for address in addresses:
        _append(open_lists[0], _plausible(address))
    return instructions


def _plausible(address: str) -> str:
    try:
        if len(address) > _STRING_LIMIT or not _ADDRESS.fullmatch(address):
            raise ValueError
        host_name(address.rpartition("@")[2])
    except ValueError as error:
        raise UsageError(
            f'--email "{address[:80]}" is no e-mail address', "as in --email name@example.com"
        ) from error
    return address


def _append(listed: etree._Element, address: str) -> None:
    given = listed.findall(names.qname(names.EMLF, "EmailAddress"))
    if address.lower() in (xml.text(each).strip().lower() for each in given):
        return
    added = etree.Element(names.qname(names.EMLF, "EmailAddress"))
    added.text = address
    listed.insert(listed.index(given[-1]) + 1 if given else 0, added)
