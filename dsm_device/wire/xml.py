"""XML from strangers: parsed without DTD, entities, network or surprise; and built without string pasting.

Limits apply before anything is looked at: size in octets by the caller's choice, depth here or by libxml2 (256).

lxml keeps every name that it ever read, and what else libxml2 calls a name (namespaces, short texts), until the
thread that has read it ends. Strangers make up as many as they like; so documents are read by threads that end.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from lxml import etree

MAX_DEPTH = 64
#: After so many octets of documents the next thread reads: at worst twice as much of them is remembered.
MAX_REMEMBERED_OCTETS: Final = 1 << 20
_NO_CHARACTER: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class XmlError(ValueError):
    """Not a document that we read; ``str()`` says why in one line, with the line where there is one.

    ``element`` is the one that is wrong, where it is one.
    """

    def __init__(self, problem: str, element: etree._Element | None = None) -> None:
        super().__init__(" ".join(problem.split()))
        self.element = element


def parse(data: bytes, *, limit: int, max_depth: int = MAX_DEPTH) -> etree._Element:
    """The root element of ``data``.

    ``limit`` is in octets. White space, comments and CDATA sections are kept as they stand; processing
    instructions are kept for whoever asks for them. Raises :class:`XmlError`.
    """
    if len(data) > limit:
        raise XmlError(f"larger than {limit:,} octets")
    return _READERS.read(data, max_depth)


class _Readers:
    """One thread after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = _new_thread()
        self._octets_left = MAX_REMEMBERED_OCTETS

    def read(self, data: bytes, max_depth: int) -> etree._Element:
        with self._lock:
            if self._octets_left < 0:
                self._thread.shutdown(wait=False)
                self._thread, self._octets_left = _new_thread(), MAX_REMEMBERED_OCTETS
            self._octets_left -= len(data)
            reading = self._thread.submit(_read, data, max_depth)
        return reading.result()


def _new_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "xml")


_READERS: Final = _Readers()


def _read(data: bytes, max_depth: int) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        strip_cdata=False,
        remove_comments=False,
        remove_pis=False,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise XmlError(f"not well-formed XML: {_first_line(error)}") from error
    except ValueError as error:
        raise XmlError(f"not XML: {_first_line(error)}") from error
    docinfo = root.getroottree().docinfo
    if docinfo is not None and docinfo.internalDTD is not None:
        raise XmlError("has a DOCTYPE, which is not allowed")
    _check_depth(root, max_depth)
    return root


def _first_line(error: Exception) -> str:
    text = " ".join(getattr(error, "msg", str(error)).split())
    return text if len(text) <= 200 else text[:200] + " …"


def _check_depth(root: etree._Element, limit: int) -> None:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > limit:
            raise XmlError(f"elements are nested more than {limit} deep")


def elements(parent: etree._Element) -> Iterator[etree._Element]:
    """The child elements, without comments and processing instructions."""
    return parent.iterchildren(tag=etree.Element)


def child(parent: etree._Element, namespace: str, local: str) -> etree._Element | None:
    """The first child element of that name, wherever it stands."""
    return parent.find(f"{{{namespace}}}{local}")


def text(element: etree._Element) -> str:
    """All character data directly in ``element``, comments and CDATA borders left out; white space kept."""
    return (element.text or "") + "".join(node.tail or "" for node in element)


def token(element: etree._Element | None) -> str:
    """The text with white space collapsed, as for URIs, numbers and keywords; "" for None."""
    return "" if element is None else " ".join(text(element).split())


def local_name(element: etree._Element) -> str:
    return etree.QName(element).localname


def namespace(element: etree._Element) -> str:
    return etree.QName(element).namespace or ""


def resolve_qname(value: str, element: etree._Element) -> tuple[str, str]:
    """Namespace and local name of a QName in element content; an undeclared prefix gives ""."""
    prefix, colon, local = value.partition(":")
    if not colon:
        return element.nsmap.get(None) or "", value
    return element.nsmap.get(prefix) or "", local


def writable(text: str, limit: int) -> str:
    """At most ``limit`` characters of a text of any origin, U+FFFD for what XML 1.0 has no place for."""
    return _NO_CHARACTER.sub("\ufffd", text[:limit])


def serialize(
    envelope: etree._Element, blocks: Sequence[bytes] = (), inserted: Mapping[bytes, bytes] = {}
) -> bytes:
    """UTF-8 with XML declaration, without BOM: every message that leaves the device is written here.

    ``blocks`` are further header blocks as text, each with all the declarations that it needs: they go in as they
    are, at the end of the header. ``inserted`` has what goes in, as it is, in the place of elements that are
    written like its keys.
    """
    data = b'<?xml version="1.0" encoding="utf-8"?>' + etree.tostring(envelope, encoding="utf-8")
    # "<" is escaped wherever it is not markup, so what is found first is not text of anybody's.
    for place, text in inserted.items():
        data = data.replace(place, text, 1)
    if not blocks:
        return data
    end = f"</{envelope.prefix}:Header>".encode()
    return data.replace(end, b"".join(blocks) + end, 1)
