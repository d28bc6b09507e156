"""A small pen for SVG: places in px, classes for looks, and text that is always valid XML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from lxml import etree

_SVG: Final = "http://www.w3.org/2000/svg"
#: What XML 1.0 (section 2.2) does not allow, and controls that would turn the direction of the text around them.
_UNFIT: Final = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
#: The palette of Okabe and Ito, which people with any colour vision tell apart.
_STYLE: Final = """
text{font:12px system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:#1c1e21}
.paper{fill:#fff}.title{font-size:19px;font-weight:600}.quiet{fill:#666b73}.small{font-size:11px}
.end{text-anchor:end}.mid{text-anchor:middle}.num{font-size:10px;text-anchor:middle;fill:#fff}.on-light{fill:#1c1e21}
.grid{stroke:#e4e6ea;fill:none}.life{fill:#b4b9c1}.axis{stroke:#a9aeb6;fill:none}.strip{fill:#f1f2f4}.wait{fill:#eceef1}.hover{fill:transparent}
.acquired{fill:#56b4e9}.encoded{fill:#0072b2}.written{fill:#009e73}.sent{fill:#e69f00}.answered{fill:#b0578d}
.server{fill:#cdd1d8}.odd{fill-opacity:.68}.event{fill:#d0380a;stroke:#fff;stroke-width:1}
.when{stroke:#d0380a;stroke-dasharray:2 3;fill:none}.alarm{fill:#b52f06}
@media(prefers-color-scheme:dark){
text{fill:#e6e8eb}.paper{fill:#15171b}.quiet{fill:#9aa1ab}.grid{stroke:#2b2f36}.life{fill:#565d68}.axis{stroke:#5d646f}
.strip{fill:#1d2026}.server{fill:#454b55}.event{stroke:#15171b}.num{fill:#fff}.on-light{fill:#15171b}
.wait{fill:#23272e}.alarm{fill:#ff8a65}}
"""


class Svg:
    """A picture ``width`` px wide that grows downward; ``finish`` says how high it is."""

    def __init__(self, width: float, title: str) -> None:
        # None is the default namespace, of which the stubs do not know.
        self._root = etree.Element(f"{{{_SVG}}}svg", nsmap={None: _SVG})  # type: ignore[dict-item]
        self._root.set("width", number(width))
        self._width = width
        self._title(self._root, title)
        self._add("style").text = _STYLE
        self._add("rect", {"class": "paper", "width": "100%", "height": "100%"})
        self._behind = self._add("g")

    def rect(self, place: tuple[float, float], size: tuple[float, float], look: str, title: str = "") -> None:
        (x, y), (width, height) = place, size
        sides = {"x": number(x), "y": number(y), "width": number(width), "height": number(height), "class": look}
        self._title(self._add("rect", sides), title)

    def path(self, steps: Iterable[str], look: str, title: str = "", *, behind: bool = False) -> None:
        """Nothing is drawn for no steps; ``behind`` lies under all else."""
        if line := "".join(steps):
            element = etree.SubElement(self._behind if behind else self._root, f"{{{_SVG}}}path")
            element.set("d", line)
            element.set("class", look)
            self._title(element, title)

    def text(self, place: tuple[float, float], words: str, look: str = "") -> None:
        """``place`` is the left end of the baseline, its right end or middle in the looks ``end`` and ``mid``."""
        if not words:
            return
        element = self._add("text", {"x": number(place[0]), "y": number(place[1])})
        if look:
            element.set("class", look)
        element.text = fit_for_xml(words)

    def finish(self, height: float) -> str:
        self._root.set("height", number(height))
        self._root.set("viewBox", f"0 0 {number(self._width)} {number(height)}")
        return etree.tostring(self._root, encoding="unicode") + "\n"

    def _add(self, tag: str, attributes: dict[str, str] | None = None) -> etree._Element:
        return etree.SubElement(self._root, f"{{{_SVG}}}{tag}", attributes or {})

    @staticmethod
    def _title(element: etree._Element, words: str) -> None:
        if words:
            etree.SubElement(element, f"{{{_SVG}}}title").text = fit_for_xml(words)


def box(x: float, y: float, width: float, height: float) -> str:
    """A rectangle as a step of a path: hundreds of them are one element."""
    return f"M{number(x)} {number(y)}h{number(width)}v{number(height)}h{number(-width)}z"


def number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def shortened(words: str, most: int) -> str:
    """One line of at most ``most`` characters."""
    line = " ".join(words.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def fit_for_xml(words: str) -> str:
    return _UNFIT.sub("\ufffd", words)
