"""The private libsane configuration in which the simulated scanners are found, and nothing else is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from dsm_sim.sane_backend import library
from dsm_sim.scanner.hardware import SimulatedScanner
from dsm_sim.scanner.model import Fault, Quirks, ScannerModel

_FILE: Final = "dsmsim.conf"


def write_sane_config(
    folder: Path,
    scanners: Sequence[SimulatedScanner],
    *,
    backend: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Writes ``dll.conf`` and ``dsmsim.conf`` into ``folder``; returns the environment for libsane.

    ``backend``: another build of the library than the installed one, under the same file name. ``environment`` is
    the one to start from; None: this process's. Raises ValueError if two scanners share an address, and
    ``BackendError``.
    """
    addresses = [scanner.address for scanner in scanners if scanner.address]
    if len(set(addresses)) != len(addresses):
        raise ValueError(f"two scanners at one address ({', '.join(addresses)})")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dll.conf").write_text("dsmsim\n", "ascii")
    (folder / _FILE).write_text("\n".join(_described(each) for each in scanners), "utf-8")
    return _environment(folder, backend or library(), os.environ if environment is None else environment)


def change_sane_config(folder: Path, values: Mapping[str, str]) -> dict[str, str]:
    """Gives these keys of the ``dsmsim.conf`` in ``folder`` other values and leaves the rest, whoever wrote it.

    The environment as from ``write_sane_config``. Raises FileNotFoundError if there is none yet, and
    ``BackendError``.
    """
    before = (folder / _FILE).read_text("utf-8")
    after = "\n".join(_changed(line, values) for line in before.split("\n"))
    if after != before:
        (folder / _FILE).write_text(after, "utf-8")
    return _environment(folder, library(), os.environ)


def _changed(line: str, values: Mapping[str, str]) -> str:
    key = line.partition(" ")[0]
    return f"{key} {values[key]}" if key in values else line


def _environment(folder: Path, backend: Path, base: Mapping[str, str]) -> dict[str, str]:
    own = str(backend.parent)
    before = base.get("LD_LIBRARY_PATH", "")
    libraries = [own, *(each for each in before.split(":") if before and each != own)]
    # Without a colon at its end the variable replaces the default folders.
    return {**base, "SANE_CONFIG_DIR": str(folder.absolute()), "LD_LIBRARY_PATH": ":".join(libraries)}


def _described(scanner: SimulatedScanner) -> str:
    """One scanner as the backend reads it: a key and its value a line."""
    model = scanner.model
    if model.resolution_range:
        model = msgspec.structs.replace(model, resolutions=(model.resolutions[0], model.resolutions[-1]))
    lines = [("scanner", str(scanner.folder.absolute())), *_lines(model), *_lines(model.quirks)]
    return "".join(f"{key} {value}\n" for key, value in lines)


def _lines(described: ScannerModel | Quirks) -> Iterable[tuple[str, str]]:
    for field in msgspec.structs.fields(described):
        value = getattr(described, field.name)
        if isinstance(value, Quirks):
            continue
        if field.name == "faults":
            yield from (("fault", _fault(fault)) for fault in value)
        else:
            yield _in_small_units(field.encode_name, value)


def _fault(fault: Fault) -> str:
    return f"{fault.at} {fault.what} {fault.load} {fault.image} {fault.byte} {fault.times}"


def _in_small_units(key: str, value: object) -> tuple[str, str]:
    """Micrometres for millimetres, milliseconds for seconds: whole numbers read the same in every locale."""
    for unit, small in (("-mm", "-um"), ("-s", "-ms")):
        if key.endswith(unit) and isinstance(value, int | float):
            return key.removesuffix(unit) + small, str(round(value * 1000))
    if isinstance(value, bool):
        return key, str(int(value))
    if isinstance(value, tuple):
        separator = "|" if all(isinstance(each, str) for each in value) else " "
        return key, separator.join(str(each) for each in value)
    return key, str(value)
