"""Octets that a stranger sent, as XML; and the reading of values that may be anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.errors import Unreadable
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.names import PREFIXES, tag

_MAX_DEPTH: Final = 64
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")


def parse(data: bytes, notes: Notes) -> etree._Element:
    """The root of ``data``. Raises :class:`Unreadable` for what SOAP does not allow at all."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        notes.record(rules.XML_WELL_FORMED, str(error))
        raise Unreadable(f"what came is no XML: {error}") from error
    _refuse_dtd(root, notes)
    encoding = str(root.getroottree().docinfo.encoding)
    notes.require(encoding.lower() in {"utf-8", "none"}, rules.XML_ENCODING, encoding)
    if (depth := _depth(root)) > _MAX_DEPTH:
        notes.record(rules.XML_DEPTH, f"{depth} levels")
        raise Unreadable(f"elements are nested {depth} deep")
    return root


def _refuse_dtd(root: etree._Element, notes: Notes) -> None:
    if has_dtd(root) or root.getroottree().xpath("//processing-instruction()"):
        notes.record(rules.XML_DTD)
        raise Unreadable("the message holds a DTD or a processing instruction")


def has_dtd(root: etree._Element) -> bool:
    """Whether the document declares a type, with or without a subset."""
    return bool(root.getroottree().docinfo.doctype)  # type: ignore[attr-defined]  # the stubs leave it out


def _depth(root: etree._Element) -> int:
    depth = deepest = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(deepest, depth)
    return deepest


def children(element: etree._Element | None) -> list[etree._Element]:
    """The child elements, without comments and the like; none of None."""
    return [] if element is None else list(element.iterchildren(tag=etree.Element))


def descendants(element: etree._Element, namespace: str, *locals_: str) -> Iterator[etree._Element]:
    """The element itself and all below it that have one of the names."""
    return element.iter(*(tag(namespace, local) for local in locals_))


def text_of(element: etree._Element | None) -> str:
    """The text with surrounding white space removed; "" for None."""
    return "" if element is None else (element.text or "").strip()


def child_text(element: etree._Element | None, namespace: str, *path: str) -> str:
    """The text at a path of local names in one namespace; "" where it is not."""
    return text_of(find(element, namespace, *path))


def find(element: etree._Element | None, namespace: str, *path: str) -> etree._Element | None:
    """The first element at a path of local names in one namespace."""
    return None if element is None else element.find("/".join(tag(namespace, local) for local in path))


def local_of(element: etree._Element) -> str:
    return etree.QName(element).localname


def namespace_of(element: etree._Element) -> str:
    return etree.QName(element).namespace or ""


def integer(text: str) -> int | None:
    """The number that ``text`` is, or None. Narrower than ``int``: no underscores, no digits of other scripts."""
    return int(text) if _INTEGER.fullmatch(text.strip()) else None


def boolean(text: str) -> bool | None:
    """The xs:boolean that ``text`` is, or None."""
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip())


def resolve(name: str, element: etree._Element) -> str | None:
    """The QName ``name`` in content of ``element`` as Clark name; None where its prefix is not bound."""
    prefix, _, local = name.strip().rpartition(":")
    namespace = element.nsmap.get(prefix or None)
    if prefix and namespace is None:
        return None
    return tag(namespace, local) if namespace else local


def add(
    parent: etree._Element, namespace: str, local: str, text: str = "", attributes: dict[str, str] | None = None
) -> etree._Element:
    """A new last child of ``parent``."""
    child = etree.SubElement(parent, tag(namespace, local), attributes)
    if text:
        child.text = text
    return child


def new(namespace: str, local: str) -> etree._Element:
    """A root that has all prefixes of the protocol bound, for QNames in content."""
    return etree.Element(tag(namespace, local), nsmap=PREFIXES)
