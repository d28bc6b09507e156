"""Scenario files: TOML that is right, or one line that says where it is not: file, line and key."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dsm_sim.scenario.format import MisplacedError, Scenario
from dsm_sim.scenario.positions import Place, lines_of


class ScenarioError(Exception):
    """What is wrong with a file, in one line."""


def read_scenario(path: Path) -> Scenario:
    """Raises :class:`ScenarioError`."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: not UTF-8 text: save it as UTF-8") from error
    return parse_scenario(text, str(path))


def parse_scenario(text: str, name: str) -> Scenario:
    """``name`` is the file's, for messages. Raises :class:`ScenarioError`."""
    try:
        tables = tomllib.loads(text)
        for place in _endless(tables, ()):
            raise ScenarioError(
                f"{name}, line {_line(text, place)}: {_dotted(place)}: expected a number that has an end"
            )
        return msgspec.convert(tables, Scenario)
    except RecursionError as error:
        raise ScenarioError(f"{name}, line 1: brackets within brackets without end") from error
    except tomllib.TOMLDecodeError as error:
        problem = re.sub(r" \(at (line \d+), column (\d+)\)", "", str(error))
        raise ScenarioError(f"{name}, line {_toml_line(error, text)}: not valid TOML: {problem}") from error
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at ")
        place = _place(path)
        if isinstance(error.__cause__, MisplacedError):
            place = (*place, *error.__cause__.place)
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


def _endless(value: object, place: Place) -> Iterator[Place]:
    """Where infinities and what is no number stand, of which no limit can be checked."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _endless(inner, (*place, key))


def _place(path: str) -> Place:
    """``$.step[1].meanwhile[0].when`` as keys and positions."""
    steps = re.findall(r"\.([\w-]+)|\[(\d+)\]", path)
    return tuple(key or int(number) for key, number in steps)


def _dotted(place: Place) -> str:
    """As people count: the first step is step[1]."""
    text = "".join(f"[{each + 1}]" if isinstance(each, int) else f".{each}" for each in place)
    return text.removeprefix(".")


def _line(text: str, place: Place) -> int:
    """The line on which ``place`` is set, else that of the nearest thing around it that has one."""
    lines = lines_of(text)
    around = (place[:length] for length in range(len(place), 0, -1))
    return next((lines[each] for each in around if each in lines), 1)
