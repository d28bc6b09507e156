"""On which line each key and each item of a TOML text stands, which no parser of it tells."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

#: Keys, and positions in arrays from 0.
Place = tuple[str | int, ...]

_TOKENS: Final = re.compile(
    r'''(?P<skipped> [\ \t\r]+ | \#[^\n]*)
      | (?P<text> """(?:\\.|[^\\])*?"{3,5} | \'\'\'.*?\'{3,5} | "(?:\\.|[^"\\])*" | '[^']*')
      | (?P<sign> [\[\]{}=,\n])
      | (?P<bare> [^\s\[\]{}=,\#"']+)''',
    re.VERBOSE | re.DOTALL,
)
_ENDS: Final = frozenset(",]}\n")


def lines_of(text: str) -> dict[Place, int]:
    """The lines, from 1, of everything in ``text``, which must be valid TOML."""
    return _Reader(text).lines


class _Reader:
    def __init__(self, text: str) -> None:
        self.lines: dict[Place, int] = {}
        #: How many tables each array of tables has had.
        self._counts: dict[Place, int] = {}
        self._tokens = _tokens(text)
        self._line, self._token = 1, ""
        self._next()
        table: Place = ()
        while self._skip_newlines():
            if self._token == "[":
                table = self._header()
            else:
                self._assignment(table)

    def _next(self) -> str:
        """Goes on, and returns what was there."""
        token = self._token
        self._line, self._token = next(self._tokens, (self._line, ""))
        return token

    def _skip_newlines(self) -> str:
        while self._token == "\n":
            self._next()
        return self._token

    def _header(self) -> Place:
        """The full place of a header: ``[[step.meanwhile]]`` belongs to the last step there was."""
        line = self._line
        self._next()
        if is_array := self._token == "[":
            self._next()
        keys = self._keys("]")
        if is_array:
            self._next()
        place: Place = ()
        for number, key in enumerate(keys, start=1):
            place = (*place, key)
            self.lines.setdefault(place, line)
            if is_array and number == len(keys):
                self._counts[place] = self._counts.get(place, -1) + 1
            if place in self._counts:
                place = (*place, self._counts[place])
            self.lines.setdefault(place, line)
        return place

    def _assignment(self, table: Place) -> None:
        line = self._line
        place = table
        for key in self._keys("="):
            place = (*place, key)
            self.lines.setdefault(place, line)
        self._value(place)

    def _keys(self, end: str) -> list[str]:
        """The parts of a dotted key, up to and with ``end``."""
        keys: list[str] = []
        while self._token not in {end, ""}:
            token = self._next()
            keys += [token[1:-1]] if token[0] in "\"'" else filter(None, token.split("."))
        self._next()
        return keys

    def _value(self, place: Place) -> None:
        self.lines.setdefault(place, self._line)
        if self._token == "[":
            self._items(place)
        elif self._token == "{":
            self._inline_table(place)
        else:
            while self._token not in _ENDS and self._token:  # a date and a time are two
                self._next()

    def _items(self, place: Place) -> None:
        self._next()
        for number in itertools.count():
            if self._skip_newlines() in {"]", ""}:
                break
            self._value((*place, number))
            if self._skip_newlines() == ",":
                self._next()
        self._next()

    def _inline_table(self, place: Place) -> None:
        self._next()
        while self._skip_newlines() not in {"}", ""}:
            self._assignment(place)
            if self._skip_newlines() == ",":
                self._next()
        self._next()


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """Each with the line on which it begins."""
    line = 1
    for match in _TOKENS.finditer(text):
        if match.lastgroup != "skipped":
            yield line, match[0]
        line += match[0].count("\n")
