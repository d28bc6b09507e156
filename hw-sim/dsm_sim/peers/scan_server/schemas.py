"""The schemas that messages and scan processes are validated against."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from lxml import etree

_FOLDER: Final = Path(__file__).resolve().parents[2] / "schemas"


@cache
def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(_FOLDER / name))


def message_error(body: etree._Element) -> tuple[str, etree._Element | None]:
    """Why a body element of WS-DSP is not valid, and the element at fault; ("", None) where it is valid."""
    return _error(_schema("dsp.xsd"), body)


def process_error(process: etree._Element) -> str:
    """Why a stored scan process is not valid; "" where it is."""
    return _error(_schema("psp.xsd"), process)[0]


def _error(schema: etree.XMLSchema, element: etree._Element) -> tuple[str, etree._Element | None]:
    # Through text: all namespaces in scope get declared on the new root, which values of type QName need.
    root = etree.fromstring(etree.tostring(element, with_tail=False))
    if schema.validate(root):
        return "", None
    error: Any = schema.error_log.last_error  # type: ignore[attr-defined]  # the stubs leave it out
    return error.message, _at(root, error.path)


def _at(root: etree._Element, path: str | None) -> etree._Element:
    """The element at a path of libxml2's; the root where the path uses a prefix that the root does not know."""
    known = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
    try:
        found = root.getroottree().xpath(path, namespaces=known) if path else None
    except etree.XPathError:
        return root
    match found:
        case [etree._Element() as element, *_]:
            return element
    return root
