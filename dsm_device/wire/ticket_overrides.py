"""What the user sets at the device: ELEMENT=VALUE on top of the scan process's ticket.

The user may change every setting that is not locked by MustHonor; the device then scans by the ticket made
from it (Distributed Scan Management, the model of WS-DSP). What was asked for in this way is meant exactly.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from dsm_device.errors import UsageError
from dsm_device.wire.schema import Value
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.ticket_elements import GROUPS, LEAVES, PAIRS, setting_of, within

#: What stands where a ticket leaves a member of a stated composite out.
_IMPLIED: Final[dict[str, Value]] = {
    "InputSize/DocumentSizeAutoDetect": False,
    "Exposure/AutoExposure": False,
    "Exposure/ExposureSettings/Contrast": 0,
    "Exposure/ExposureSettings/Brightness": 0,
    "Exposure/ExposureSettings/Sharpness": 0,
    "MediaFront/ScanRegion/ScanRegionXOffset": 0,
    "MediaFront/ScanRegion/ScanRegionYOffset": 0,
    "MediaBack/ScanRegion/ScanRegionXOffset": 0,
    "MediaBack/ScanRegion/ScanRegionYOffset": 0,
}
_NAMES: Final = (*LEAVES, *PAIRS)
_EXAMPLE = "write ELEMENT=VALUE, as in --set Format=png or --set MediaFront/Resolution=300x300"


def with_overrides(ticket: ScanTicket, assignments: Sequence[str]) -> ScanTicket:
    """``ticket`` with each ``ELEMENT=VALUE`` set and locked. Of two for one element the later counts.

    Raises :class:`~dsm_device.errors.UsageError`: malformed, no such element (with a near name), not
    allowed there, or locked by the scan process at another value.
    """
    draft = _Draft(dict(ticket.values))
    for assignment in assignments:
        draft.assign(assignment)
    draft.check_complete()
    changed = replace(
        ticket,
        values=MappingProxyType({path: draft.values[path] for path in LEAVES if path in draft.values}),
        locks=ticket.locks | {setting_of(leaf) for leaf in draft.given},
    )
    for leaf, assignment in draft.given.items():
        _check_lock(ticket, changed, leaf, assignment)
    return changed


@dataclass
class _Draft:
    """Values being changed; ``given`` remembers which command line word each changed leaf came from."""

    values: dict[str, Value]
    given: dict[str, str] = field(default_factory=dict)

    def assign(self, assignment: str) -> None:
        path, equals, text = assignment.partition("=")
        path = path.strip().removeprefix("MediaSides/")
        if not equals or not path:
            raise UsageError(f'--set "{assignment}" has no element and value', _EXAMPLE)
        if path in PAIRS:
            self._set_pair(assignment, path, text)
        elif path in LEAVES:
            self._set(assignment, path, text)
        else:
            raise UsageError(f'--set "{assignment}": a ticket has no element {path}', _advice(path))

    def _set_pair(self, assignment: str, path: str, text: str) -> None:
        numbers = text.lower().split("x")
        first, second = (f"{path}/{name}" for name in PAIRS[path])
        if len(numbers) == 1 and path.endswith("/Resolution"):
            self.values.pop(second, None)
            self._set(assignment, first, text)
            return
        if len(numbers) != 2:
            raise UsageError(f'--set "{assignment}" is not WIDTHxHEIGHT', f"as in --set {path}=300x300")
        self._set(assignment, first, numbers[0])
        self._set(assignment, second, numbers[1])

    def _set(self, assignment: str, leaf: str, text: str) -> None:
        try:
            value = LEAVES[leaf].read(" ".join(text.split()))
        except ValueError as error:
            raise UsageError(f'--set "{assignment}" is not allowed', f"{leaf} takes {error}") from error
        self._drop_alternatives(leaf)
        self.values[leaf] = value
        self.given[leaf] = assignment

    def _drop_alternatives(self, leaf: str) -> None:
        """Of a choice that the ticket made otherwise, the other branch goes."""
        choice = leaf.split("/", maxsplit=1)[0]
        if choice not in GROUPS or not GROUPS[choice].choice:
            return
        branch = "/".join(leaf.split("/")[:2])
        for other in [path for path in self.values if path.startswith(f"{choice}/")]:
            if other != branch and not other.startswith(f"{branch}/") and other not in self.given:
                del self.values[other]

    def check_complete(self) -> None:
        for path, group in GROUPS.items():
            present = {
                name for name in group.members if any(within(leaf, f"{path}/{name}") for leaf in self.values)
            }
            problem = group.problem(present) if present else None
            given = [word for leaf, word in self.given.items() if within(leaf, path)]
            if problem and given:
                raise UsageError(f'--set "{given[-1]}": {path} then {problem}', f"set all that {path} needs")


def _check_lock(before: ScanTicket, after: ScanTicket, leaf: str, assignment: str) -> None:
    setting = setting_of(leaf)
    if before.locked(setting) and _effective(before, setting) != _effective(after, setting):
        raise UsageError(
            f'--set "{assignment}": {setting} is locked by the scan process',
            f"it stays {_shown(before, setting)}",
        )


def _effective(ticket: ScanTicket, setting: str) -> dict[str, Value]:
    """What holds below ``setting``, with that filled in which the ticket need not spell out."""
    values = {**_IMPLIED, **ticket.values}
    if setting.endswith("/Resolution") and f"{setting}/Width" in values:
        values.setdefault(f"{setting}/Height", values[f"{setting}/Width"])
    return {leaf: value for leaf, value in values.items() if within(leaf, setting)}


def _shown(ticket: ScanTicket, setting: str) -> str:
    values = [
        f"{leaf.rpartition('/')[2]} {str(value).lower() if isinstance(value, bool) else value}"
        for leaf, value in ticket.values.items()
        if within(leaf, setting)
    ]
    return ", ".join(values).removeprefix(f"{setting} ") or "as it is"


def _advice(path: str) -> str:
    """The nearest element names, found by the whole path or by its last name, without regard to case."""
    by_lower = {name.lower(): name for name in _NAMES} | {
        name.lower().rpartition("/")[2]: name for name in reversed(_NAMES) if not name.startswith("MediaBack")
    }
    wanted = (path.lower(), path.lower().rpartition("/")[2])
    near = [hit for word in wanted for hit in difflib.get_close_matches(word, by_lower, n=1, cutoff=0.6)]
    return f"did you mean {by_lower[near[0]]}?" if near else _EXAMPLE
