"""What stands in the place of a picture that cannot be shown: a sheet with a word on it."""

from __future__ import annotations

from lxml import etree

from dsm_sim.peers.scan_server.web.connection import WebAnswer
from dsm_sim.peers.scan_server.web.markup import element

_MAX_LETTERS = 24


def tile(word: str, status: int = 200) -> WebAnswer:
    """An SVG sheet in the size of a thumbnail; fit for light and dark."""
    root = element(
        "svg",
        element("path", d="M40 20h160l80 80v280h-240z", fill="#fff", stroke="#9aa3b2", stroke_width="3"),
        element("path", d="M200 20v80h80", fill="#e9ecf2", stroke="#9aa3b2", stroke_width="3"),
        element(
            "text",
            word[:_MAX_LETTERS],
            x="160",
            y="205",
            fill="#667085",
            text_anchor="middle",
            font_family="system-ui, sans-serif",
            font_size="26" if len(word) <= 14 else "16",
        ),
        xmlns="http://www.w3.org/2000/svg",
        viewBox="38 18 244 324",
    )
    return WebAnswer(etree.tostring(root, encoding="utf-8"), "image/svg+xml", status)
