"""Media types with parameters, read whatever their form, with a note of what was unusual about it.

Source: RFC 2045, 5.1; what Microsoft's SendImage example does wrong must still be read: parameters without
``;`` between them, a ``;`` left over at the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PARAMETER: Final = re.compile(
    r"""(?P<gap>[;\s]*) (?P<name>[^\s;="]+) \s*=\s* (?: "(?P<quoted>(?:\\.|[^"\\])*)" | (?P<bare>[^\s;"]*) )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class MediaType:
    """``name`` and the names of ``parameters`` are in lower case; ``quoted`` holds the names given in quotes."""

    name: str
    parameters: dict[str, str]
    quoted: frozenset[str]
    #: What a strict reader would refuse; "" for a well-formed value.
    oddity: str

    def parameter(self, name: str) -> str:
        return self.parameters.get(name, "")


def read_media_type(value: str) -> MediaType:
    """The media type in a Content-Type header; unreadable rests end up in ``oddity``."""
    name, separator, rest = value.strip().partition(";")
    words = name.split(None, 1)
    oddity = ""
    if len(words) == 2:
        name, rest, oddity = words[0], f"{words[1]}{separator}{rest}", "no ';' after the media type"
    parameters: dict[str, str] = {}
    quoted: set[str] = set()
    position = 0
    while match := _PARAMETER.match(rest, position):
        if position and ";" not in match["gap"]:
            oddity = oddity or f"no ';' before {match['name']}"
        key = match["name"].lower()
        if key in parameters:
            oddity = oddity or f"{key} given twice"
        if match["quoted"] is not None:
            quoted.add(key)
            parameters.setdefault(key, re.sub(r"\\(.)", r"\1", match["quoted"]))
        else:
            parameters.setdefault(key, match["bare"])
        position = match.end()
    left = rest[position:].strip()
    if left or (separator and not rest.strip()):
        oddity = oddity or (f"left over at its end: {left[:40]}" if left else "';' left over at its end")
    return MediaType(name.strip().lower(), parameters, frozenset(quoted), oddity)
