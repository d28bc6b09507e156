"""Whether a ticket is valid, what its images will be, and the valid ticket that is nearest to it.

    offer ─► corrected by the table (corrections) ─► planned as a job would be ─► image information
                                                        ╰─ too large for a file: what makes it smaller, one by one

Also the default ticket, which is what a plan makes of a ticket that states nothing.
(WS-DSD, ValidateScanTicket and DefaultScanTicket.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from types import MappingProxyType
from typing import Final

from dsm_device.errors import TicketConflict, TicketRefused
from dsm_device.hardware import Capabilities, InputSource
from dsm_device.job.corrections import Defaults, corrected
from dsm_device.job.habits import Habits
from dsm_device.job.image_information import NO_IMAGE, ImageInformation
from dsm_device.job.offer import Formats, Offer, SourceOffer, make_offer
from dsm_device.job.plan import Plan, make_plan
from dsm_device.wire import final_parameters
from dsm_device.wire.schema import Value
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.ticket_elements import setting_of, within

_SOURCE: Final = "InputSource"
_JOB_NAME: Final = "Scan"
#: What a region lacks when only one of its numbers is looked at.
_REGION: Final[dict[str, Value]] = {"XOffset": 0, "YOffset": 0, "Width": 1, "Height": 1}


@dataclass(frozen=True, slots=True)
class Validation:
    """``corrected`` is the valid ticket that is nearest to one that is not valid; None where that is valid, or
    where this scanner can do nothing of the kind. ``image_information`` is all 0 for one that is not valid."""

    valid: bool
    image_information: ImageInformation
    corrected: ScanTicket | None


def default_ticket(capabilities: Capabilities, formats: Formats, habits: Habits) -> ScanTicket:
    """What holds where a ticket says nothing; states every element, for the first source that can be scanned from.

    Raises ``TicketRefused`` where there is none.
    """
    possible = _Validator(capabilities, formats, habits).defaults.values()
    values = next(iter(possible), None) or final_parameters.values(
        make_plan(capabilities, ScanTicket(), formats, habits).outcomes
    )
    return ScanTicket(job_name=_JOB_NAME, values=MappingProxyType(values))


def possible_offer(capabilities: Capabilities, formats: Formats, habits: Habits) -> Offer:
    """The offer without the sources from which nothing can be scanned, which tickets are held against."""
    return _Validator(capabilities, formats, habits).offer


def validate(capabilities: Capabilities, ticket: ScanTicket, formats: Formats, habits: Habits) -> Validation:
    """``ticket`` may have values in no range or list (:func:`~dsm_device.wire.ticket_reader.parse_any`).

    Raises :class:`~dsm_device.errors.TicketConflict` where settings that must be honoured could each be, but
    not together; nothing else.
    """
    validator = _Validator(capabilities, formats, habits)
    if not validator.defaults:
        return Validation(False, NO_IMAGE, None)
    validator.check_locks(ticket)
    right = validator.corrected(ticket)
    if right is not ticket:
        return Validation(False, NO_IMAGE, validator.reduced(right))
    plan = validator.planned(ticket)
    if plan is None:
        return Validation(False, NO_IMAGE, validator.reduced(ticket))
    return Validation(True, plan.image_information, None)


class _Validator:
    """A scanner to hold tickets against. Sources from which nothing can be scanned do not count."""

    def __init__(self, capabilities: Capabilities, formats: Formats, habits: Habits) -> None:
        self._scanner = (capabilities, formats, habits)

    @cached_property
    def defaults(self) -> Defaults:
        made: dict[str, dict[str, Value]] = {}
        for each in make_offer(*self._scanner).sources:
            plan = self.planned(ScanTicket(), each.source)
            if plan is not None:
                made[each.source.value] = final_parameters.values(plan.outcomes)
        return made

    @cached_property
    def offer(self) -> Offer:
        offer = make_offer(*self._scanner)
        return replace(offer, sources=tuple(each for each in offer.sources if each.source.value in self.defaults))

    def corrected(self, ticket: ScanTicket) -> ScanTicket:
        return corrected(ticket, self.offer, self.defaults)

    def planned(self, ticket: ScanTicket, source: InputSource | None = None) -> Plan | None:
        """The plan for exactly the source that the ticket names or the default one; None where there is none."""
        name = source.value if source is not None else ticket.values.get(_SOURCE, self._default_source)
        exact = replace(ticket, values={**ticket.values, _SOURCE: name}, locks=ticket.locks | {_SOURCE})
        capabilities, formats, habits = self._scanner
        try:
            return make_plan(capabilities, exact, formats, habits)
        except TicketRefused:
            return None

    @property
    def _default_source(self) -> str:
        return next(iter(self.defaults))

    # ------------------------------------------------------------------------------ pages too large

    def reduced(self, ticket: ScanTicket) -> ScanTicket | None:
        """The first of :meth:`_smaller` whose pages a file can hold; None where none are."""
        return next((each for each in self._smaller(ticket) if self.planned(each) is not None), None)

    def _smaller(self, ticket: ScanTicket) -> Iterator[ScanTicket]:
        yield ticket
        yield from self._coarser(ticket)
        unscaled = self._with(ticket, {"Scaling/ScalingWidth": 100, "Scaling/ScalingHeight": 100})
        yield unscaled
        yield from self._coarser(unscaled)
        neutral = self._with(unscaled, {"CompressionQualityFactor": 100})
        yield neutral
        yield from self._coarser(neutral)

    def _coarser(self, ticket: ScanTicket) -> Iterator[ScanTicket]:
        """The next lower resolutions that are offered, from the highest down."""
        name = ticket.values.get(_SOURCE, self._default_source)
        source = next(each for each in self.offer.sources if each.source == name)
        for dpi in sorted({*source.x_resolutions_dpi, *source.y_resolutions_dpi}, reverse=True):
            lower = {path: _at_most(source, path, dpi) for path in ticket.values if "/Resolution/" in path}
            changed = {path: found for path, found in lower.items() if found < int(ticket.values[path])}
            if changed:
                yield self.corrected(self._with(ticket, changed))

    def _with(self, ticket: ScanTicket, values: dict[str, int]) -> ScanTicket:
        stated = {path: value for path, value in values.items() if path in ticket.values}
        return replace(ticket, values=MappingProxyType({**ticket.values, **stated}))

    # ---------------------------------------------------------------------------------- locks alone

    def check_locks(self, ticket: ScanTicket) -> None:
        """Raises ``TicketConflict`` for locked settings that can be met one by one only."""
        locked = dict.fromkeys(setting_of(path) for path in ticket.values if ticket.locked(setting_of(path)))
        possible = [each for each in locked if self._can_meet(ticket, (each,))]
        if len(possible) < 2 or self._can_meet(ticket, possible):
            return
        pairs = combinations(possible, 2)
        clash = next((pair for pair in pairs if not self._can_meet(ticket, pair)), tuple(possible))
        raise TicketConflict(f"{' and '.join(clash)} must be honoured, but exclude each other", "free one of them")

    def _can_meet(self, ticket: ScanTicket, settings: Sequence[str]) -> bool:
        """Whether a ticket of these settings alone is valid with any source."""
        return any(self._is_valid(_only(ticket, settings, each)) for each in self.offer.sources)

    def _is_valid(self, ticket: ScanTicket) -> bool:
        return self.corrected(ticket) is ticket and self.planned(ticket) is not None


def _only(ticket: ScanTicket, settings: Sequence[str], source: SourceOffer) -> ScanTicket:
    """A ticket of ``settings`` and nothing else, from ``source`` if they do not name one, all of them locked."""
    values = {path: value for path, value in ticket.values.items() if any(within(path, each) for each in settings)}
    for side in ("MediaFront", "MediaBack"):
        region = f"{side}/ScanRegion/ScanRegion"
        if any(path.startswith(region) for path in values):
            values = {**{f"{region}{name}": value for name, value in _REGION.items()}, **values}
    return ScanTicket(values={_SOURCE: source.source.value, **values}, locks=frozenset(settings))


def _at_most(source: SourceOffer, path: str, dpi: int) -> int:
    """The highest that is offered on this axis and not above ``dpi``; the lowest where all are."""
    offered = source.x_resolutions_dpi if path.endswith("Width") else source.y_resolutions_dpi
    return max((each for each in offered if each <= dpi), default=min(offered))
