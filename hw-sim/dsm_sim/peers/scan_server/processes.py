"""The stored scan processes, and whether the instructions of a request are those of one of them.

Compared are names, attributes, text and order, not prefixes and not white space between elements. A device may
change the document root name, the shares and the list of addresses where the process permits it.
Source: WS-DSP CreatePostScanJob; MS-BDSRR 2.2 (PostScanInstructions); scan process extensions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server.names import EMLF, FSF, PSP, SPX, tag
from dsm_sim.peers.scan_server.schemas import process_error

_SIZE_LIMIT: Final = 4 * 524_288
_TRUE: Final = {"true", "1"}


@dataclass(frozen=True)
class Instructions:
    """What a job does with its images: ``filters`` are dialects with their configuration elements, in order."""

    root_name: str
    continue_on_error: bool
    filters: tuple[tuple[str, etree._Element | None], ...]


def read_instructions(element: etree._Element) -> Instructions:
    """The instructions below ``dsp:PostScanInstructions``, which must be valid."""
    filters = tuple(
        (_text(each.find(tag(PSP, "Dialect"))).strip(), _first_child(each.find(tag(PSP, "Instructions"))))
        for each in element.iterfind(f"{tag(PSP, 'FiltersToProcess')}/{tag(PSP, 'Filter')}")
    )
    return Instructions(
        root_name=_text(element.find(tag(PSP, "DocumentRootName"))),
        continue_on_error=_text(element.find(tag(PSP, "ContinueOnError"))).strip() in _TRUE,
        filters=filters,
    )


@dataclass(frozen=True)
class StoredProcess:
    """A scan process in the folder. ``identifier`` is "" where the file names none: it then fits any."""

    name: str
    identifier: str
    root: etree._Element
    knows_extensions: bool = True

    @property
    def instructions(self) -> etree._Element:
        found = self.root.find(tag(PSP, "PostScanInstructions"))
        if found is None:
            raise ValueError(f"{self.name} has no instructions")
        return found

    def permits(self, name: str) -> bool:
        """Whether the extension element ``spx:name`` is true, in the process or in its instructions."""
        places = (self.root, self.instructions)
        return self.knows_extensions and any(
            _text(place.find(tag(SPX, name))).strip() in _TRUE for place in places
        )

    def difference(self, requested: etree._Element) -> str:
        """Where requested instructions depart from the stored ones; "" where they do not."""
        return _difference(self, self.instructions, requested, "PostScanInstructions", is_root=True)


def load_processes(folder: Path) -> tuple[list[StoredProcess], list[str]]:
    """The usable processes of a folder, and one line for each file that is not."""
    usable: list[StoredProcess] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.xml")):
        try:
            usable.append(_load(path))
        except (OSError, ValueError, etree.XMLSyntaxError) as error:
            problems.append(f"{path.name}: {' '.join(str(error).split())}")
    return usable, problems


def _load(path: Path) -> StoredProcess:
    if path.stat().st_size > _SIZE_LIMIT:
        raise ValueError("too large for a scan process")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    tree = etree.parse(path, parser)
    if tree.docinfo.internalDTD:
        raise ValueError("has a DOCTYPE")
    root = tree.getroot()
    if root.tag != tag(PSP, "PostScanProcess"):
        raise ValueError(f"its root is {root.tag}")
    if error := process_error(root):
        raise ValueError(error)
    return StoredProcess(path.stem, _identifier(root), root)


def _identifier(root: etree._Element) -> str:
    found = root.xpath("string(//processing-instruction('psp-identifier'))")
    return re.sub(r"[\s{}]", "", str(found)).upper()


def matching_process(
    folder: Path, identifier: str, requested: etree._Element, *, knows_extensions: bool = True
) -> tuple[StoredProcess | None, str]:
    """The stored process that a request is made from, else None and why there is none.

    The folder is read anew each time, as the server compares with the current version. Where the server does not
    know the extensions, nothing may differ that they would permit.
    """
    stored, _ = load_processes(folder)
    named = [process for process in stored if process.identifier == identifier.strip("{}").upper()]
    candidates = named or [process for process in stored if not process.identifier]
    problem = f"No scan process has the identifier {identifier}."
    for process in candidates:
        difference = replace(process, knows_extensions=knows_extensions).difference(requested)
        if not difference:
            return process, ""
        problem = f"The instructions are not those of {process.name}: {difference}."
    return None, problem


# ----------------------------------------------------------------------------------------- comparison


def _difference(
    process: StoredProcess, stored: etree._Element, requested: etree._Element, path: str, *, is_root: bool = False
) -> str:
    # The wrapper is in another namespace in the request than in the stored process.
    if not is_root and stored.tag != requested.tag:
        return f"{path} is {etree.QName(requested).localname}"
    if sorted(stored.items()) != sorted(requested.items()):
        return f"attributes of {path} differ"
    before, after = list(_children(stored)), list(_children(requested))
    if not before and not after:
        return "" if _may_differ(process, stored) or _text(stored) == _text(requested) else f"{path} differs"
    if _is_open_list(stored):
        after = after[: len(before)] if len(after) > len(before) else after
        if any(each.tag != tag(EMLF, "EmailAddress") for each in requested.iterchildren(tag=etree.Element)):
            return f"{path} holds something else than addresses"
    if len(before) != len(after):
        return f"{path} has {len(after)} elements instead of {len(before)}"
    for old, new in zip(before, after, strict=True):
        found = _difference(process, old, new, f"{path}/{etree.QName(old).localname}")
        if found:
            return found
    return ""


def _may_differ(process: StoredProcess, element: etree._Element) -> bool:
    permission = {
        tag(PSP, "DocumentRootName"): "AllowDeviceFileNameChange",
        tag(FSF, "ShareUNC"): "AllowDeviceFilePathChange",
    }.get(str(element.tag))
    return permission is not None and process.permits(permission)


def _is_open_list(element: etree._Element) -> bool:
    return (
        element.tag == tag(EMLF, "SendToAddresses")
        and element.get(tag(EMLF, "CanAddAddresses"), "").strip() in _TRUE
    )


def _children(element: etree._Element) -> Iterator[etree._Element]:
    return element.iterchildren(tag=etree.Element)


def _first_child(element: etree._Element | None) -> etree._Element | None:
    return None if element is None else next(_children(element), None)


def _text(element: etree._Element | None) -> str:
    """All text directly in an element, comments left out."""
    if element is None:
        return ""
    return (element.text or "") + "".join(node.tail or "" for node in element)
