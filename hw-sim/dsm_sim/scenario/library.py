"""Where the scenarios are: beside the package in a checkout, inside it where it was installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dsm_sim.scenario.format import Scenario
from dsm_sim.scenario.reading import ScenarioError, read_scenario

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_PLACES: Final = (_PACKAGE.parent / "scenarios", _PACKAGE / "scenarios")


@dataclass(frozen=True)
class Entry:
    """A scenario by the name of its file."""

    name: str
    path: Path
    scenario: Scenario


def folder() -> Path:
    """The folder of scenarios. Raises :class:`ScenarioError` where there is none."""
    for place in _PLACES:
        if place.is_dir():
            return place
    raise ScenarioError(f"there are no scenarios in {_PLACES[0]}: name files of your own")


def scenarios() -> Iterator[Entry]:
    """All of them by name. Raises :class:`ScenarioError`."""
    for path in sorted(folder().glob("*.toml")):
        yield Entry(path.stem, path, read_scenario(path))


def find(name: str) -> Entry:
    """A scenario by name, or a file of one's own. Raises :class:`ScenarioError`."""
    path = Path(name)
    if path.suffix == ".toml" or "/" in name:
        return Entry(path.stem, path, read_scenario(path))
    path = folder() / f"{name}.toml"
    if not path.is_file():
        raise ScenarioError(f"there is no scenario {name}: `dsm-device sim list` shows them")
    return Entry(name, path, read_scenario(path))
