"""HTML from a tree: whatever strangers wrote becomes text in it, and never markup."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

#: What no XML or HTML document may hold (XML 1.0, 2.2).
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Child = etree._Element | str


def element(tag: str, *children: Child | None, **attributes: str) -> etree._Element:
    """An element; ``data_label="x"`` is the attribute data-label, ``class_`` is class. None is left out."""
    made = etree.Element(tag)
    for name, value in attributes.items():
        made.set(name.rstrip("_").replace("_", "-"), clean(value))
    for child in children:
        if isinstance(child, str):
            _append_text(made, clean(child))
        elif child is not None:
            made.append(child)
    return made


def name(text: str) -> etree._Element:
    """What a stranger chose to call something. Isolated, so that its writing direction stays its own."""
    return element("bdi", text)


def clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def html(root: etree._Element) -> bytes:
    return b"<!DOCTYPE html>\n" + etree.tostring(root, method="html", encoding="utf-8")


def _append_text(parent: etree._Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text
