"""Scenario files: TOML that is right, or one line that says where it is not: file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from dsm_sim.scenario.format import Scenario

#: A key, or the position in an array of tables.
_Place = tuple[str | int, ...]


class ScenarioError(Exception):
    """What is wrong with a file, in one line."""


def read_scenario(path: Path) -> Scenario:
    """Raises :class:`ScenarioError`."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: not UTF-8 text: save it as UTF-8") from error
    return parse_scenario(text, str(path))


def parse_scenario(text: str, name: str) -> Scenario:
    """``name`` is the file's, for messages. Raises :class:`ScenarioError`."""
    try:
        return msgspec.convert(tomllib.loads(text), Scenario)
    except tomllib.TOMLDecodeError as error:
        problem = re.sub(r" \(at (line \d+), column (\d+)\)", "", str(error))
        raise ScenarioError(f"{name}, line {_toml_line(error, text)}: not valid TOML: {problem}") from error
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at ")
        place = _place(path)
        if unknown := re.search(r"unknown field `(.*)`", problem):
            place = (*place, unknown[1])
            problem = "there is no such key"
        key = _dotted(place)
        where = f"{name}, line {_line(text, place)}"
        raise ScenarioError(f"{where}: {key}: {problem}" if key else f"{where}: {problem}") from error


def _toml_line(error: tomllib.TOMLDecodeError, text: str) -> int:
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else max(1, len(text.splitlines()))


# ------------------------------------------------------------------------------------- where it stands


def _place(path: str) -> _Place:
    """``$.step[1].meanwhile[0].when`` as keys and positions."""
    steps = re.findall(r"\.([\w-]+)|\[(\d+)\]", path)
    return tuple(key or int(number) for key, number in steps)


def _dotted(place: _Place) -> str:
    """As people count: the first step is step[1]."""
    text = "".join(f"[{each + 1}]" if isinstance(each, int) else f".{each}" for each in place)
    return text.removeprefix(".")


def _line(text: str, place: _Place) -> int:
    """The line on which ``place`` is set, else that of the nearest thing around it that has one."""
    best, length = 1, -1
    for number, found in _places(text):
        if place[: len(found)] == found and len(found) > length:
            best, length = number, len(found)
    return best


_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\]#]+?)\s*\]\]?\s*(?:#.*)?")
_ASSIGNMENT: Final = re.compile(r"\s*([\w.\s\"'-]+?)\s*=")


def _places(text: str) -> Iterator[tuple[int, _Place]]:
    """Line and place of each header and assignment, as far as single lines show them."""
    table: _Place = ()
    counts: dict[_Place, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            table = _table(_keys(header[2]), counts, is_array=header[1] == "[[")
            yield number, table
        elif assignment := _ASSIGNMENT.match(line):
            yield number, table + _keys(assignment[1])


def _table(keys: _Place, counts: dict[_Place, int], *, is_array: bool) -> _Place:
    """The full place of a header: ``[[step.meanwhile]]`` belongs to the last step there was."""
    place: _Place = ()
    for position, key in enumerate(keys, start=1):
        place = (*place, key)
        if is_array and position == len(keys):
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place


def _keys(text: str) -> _Place:
    return tuple(part.strip("\"'") for part in re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", text))
