"""The ticket engine: what a scanner can do and what a ticket asks, made into one plan. No I/O.

    capabilities, formats, habits ─► offer ─► sources to try, the best first
    ticket ─┬─► source ─► film, images ─► surfaces ─► format, colours ─► resolutions      what each side's file is
            ╰─► look (content, exposure, scaling, rotation)                                            │
    plan ◄── settings for the driver, a treatment for each side ◄── processing: who does what ◄────────╯

Three rules (Distributed Scan Management; WS-Scan, MustHonor): what is locked is met exactly or the job is refused
before anything moves; what is free comes as near as possible, yields to what is locked, and the difference is
told; what is not stated is this device's default ticket.

The default ticket: everything from the flatbed (the feeder where there is none), one page after the other, the
whole sheet, RGB24 as jfif. What the ticket states of Format and ColorProcessing pulls the other along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dsm_device.errors import TicketRefused
from dsm_device.hardware import Capabilities, ScanSettings, Size
from dsm_device.imaging.formats import PageSpec
from dsm_device.job.file_choice import AskedColor, FileChoice, choose_file
from dsm_device.job.geometry import Surfaces, choose_surfaces
from dsm_device.job.habits import Habits
from dsm_device.job.image_information import ImageInformation, pixels, upright_px
from dsm_device.job.look import Look, choose_look, turned
from dsm_device.job.offer import Formats, Offer, SourceOffer, make_offer
from dsm_device.job.outcomes import Ledger, Outcome, refusal, text
from dsm_device.job.page_files import check_line, choose_quality, image_info, page_spec
from dsm_device.job.processing import Side, share_out
from dsm_device.job.resolution import acquired, choose_resolution
from dsm_device.job.sources import choose_film, choose_images, preferred_sources, settle_source
from dsm_device.wire.ticket import MediaSide, Resolution, ScanTicket

_FRONT: Final = "MediaFront"
_BACK: Final = "MediaBack"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a ticket is scanned, and what became of it.

    ``format`` is the job's wscn:Format; ``settings`` are for the driver, ``settings.color`` may hold more than a
    side's colour, which is then made from it. ``sides`` are the page files: front, and back with ADFDuplex.
    ``two_pass``: the feeder gives fronts only; the whole stack is fed, turned and fed again, both times by
    ``settings``, and of the images no more are used than are wanted.
    """

    format: str
    settings: ScanSettings
    sides: tuple[PageSpec, ...]
    two_pass: bool
    outcomes: tuple[Outcome, ...]
    image_information: ImageInformation
    images: int
    """ImagesToTransfer as it is met: images in all, both sides counted; 0 = until the feeder is empty."""

    @property
    def notes(self) -> tuple[Outcome, ...]:
        """What was asked and is not honoured as it stands."""
        return tuple(outcome for outcome in self.outcomes if outcome.override)


def make_plan(capabilities: Capabilities, ticket: ScanTicket, formats: Formats, habits: Habits) -> Plan:
    """How ``ticket`` is scanned by a scanner of these ``capabilities``.

    ``formats`` maps each format that can be written to the colours in which it is.
    Raises :class:`~dsm_device.errors.TicketRefused`, and nothing else, where it cannot be.
    """
    offer = make_offer(capabilities, formats, habits)
    first_refusal: TicketRefused | None = None
    for source in preferred_sources(ticket.parameters, offer):
        why_not_asked = first_refusal.message if first_refusal is not None else ""
        try:
            return _Planning(ticket, offer, source, habits).plan(why_not_asked)
        except TicketRefused as refused:
            first_refusal = first_refusal or refused
            if not ticket.locks:
                break
    raise first_refusal or refusal("there is no source to scan from")


class _Planning:
    """The plan for one source. Each step settles what it decides in the ledger."""

    def __init__(self, ticket: ScanTicket, offer: Offer, source: SourceOffer, habits: Habits) -> None:
        self._ticket = ticket
        self._asked = ticket.parameters
        self._offer = offer
        self._source = source
        self._habits = habits
        self._ledger = Ledger()

    def plan(self, why_not_asked: str) -> Plan:
        asked, source, ledger = self._asked, self._source, self._ledger
        settle_source(asked.input_source, source, self._offer, why_not_asked, ledger)
        images = choose_images(asked.images_to_transfer, source, ledger)
        film = choose_film(asked.film_scan_mode, source, ledger)
        surfaces = self._surfaces()
        colors = [AskedColor(f"{name}/ColorProcessing", each.color) for name, each in self._media.items()]
        file = choose_file(
            asked.format, colors, source.hardware.colors, self._offer.formats, film=film, ledger=ledger
        )
        resolutions = self._resolutions()
        look = choose_look(self._ticket, self._offer, source.hardware, ledger)
        quality = choose_quality(asked.compression_quality, file.format, ledger)
        self._leave_out()
        sides = self._sides(surfaces, file, resolutions, look)
        resolution, area = acquired(resolutions, source.hardware), surfaces.area
        shared = share_out(
            sides,
            look,
            film=film,
            habits=self._habits,
            source=source.hardware,
            area=area,
            resolution=resolution,
        )
        check_line(shared.color, pixels(area.width_mil, resolution.x_dpi))
        settings = ScanSettings(
            source=source.hardware.source,
            color=shared.color,
            x_dpi=resolution.x_dpi,
            y_dpi=resolution.y_dpi,
            area=area,
            media=surfaces.media,
            images=images,
            adjust=shared.adjust,
            film=shared.film,
            halftone=shared.halftone,
        )
        specs = tuple(
            page_spec(
                file.format,
                side,
                quality,
                treatment,
                exact=surfaces.media is not None or not side.surface.is_whole,
            )
            for side, treatment in zip(sides, shared.treatments, strict=True)
        )
        return self._planned(file.format, settings, specs, images)

    def _planned(self, format_: str, settings: ScanSettings, specs: tuple[PageSpec, ...], images: int) -> Plan:
        """In two passes the feeder is emptied each time: what is left in it would be taken for backs."""
        two_pass = self._source.two_pass and images != 1
        return Plan(
            format=format_,
            settings=replace(settings, images=0) if two_pass else settings,
            sides=specs,
            two_pass=two_pass,
            outcomes=tuple(self._ledger.outcomes),
            image_information=ImageInformation(*(image_info(format_, spec) for spec in specs)),
            images=images,
        )

    @property
    def _media(self) -> Mapping[str, MediaSide]:
        """What is asked of each side that there is. A back of which nothing is said asks for nothing."""
        if not self._source.is_duplex:
            return {_FRONT: self._asked.front}
        return {_FRONT: self._asked.front, _BACK: self._asked.back or MediaSide()}

    def _surfaces(self) -> Surfaces:
        """Without MediaBack the back is as the front; a MediaBack without ScanRegion is the whole (WS-Scan)."""
        regions = {name: each.region for name, each in self._media.items()}
        asked_back, front = self._asked.back, self._asked.front
        if _BACK in regions and asked_back is None and front.region is not None:
            alike = choose_surfaces(
                self._asked.input_size, {_FRONT: front.region}, self._source.hardware, self._ledger
            )
            self._settle_alike("ScanRegion/")
            return replace(alike, sides=alike.sides * 2)
        return choose_surfaces(self._asked.input_size, regions, self._source.hardware, self._ledger)

    def _settle_alike(self, below: str) -> None:
        """The back gets the front's values without having been asked."""
        for outcome in tuple(self._ledger.outcomes):
            if outcome.element.startswith(f"{_FRONT}/{below}") and outcome.used is not None:
                self._ledger.settle(outcome.element.replace(_FRONT, _BACK), None, outcome.used)

    def _resolutions(self) -> list[Resolution]:
        made: list[Resolution] = []
        for name, each in self._media.items():
            like = made[0] if made else None
            made.append(
                choose_resolution(f"{name}/Resolution", each.resolution, self._source.hardware, self._ledger, like)
            )
        return made

    def _sides(
        self, surfaces: Surfaces, file: FileChoice, resolutions: Sequence[Resolution], look: Look
    ) -> list[Side]:
        """The sheet's edges are found where the whole of it is wanted; a region says itself how large it is."""
        size = self._asked.input_size
        find_edges = size is not None and size.value.auto_detect and size.value.media is None
        turns = (look.rotation, turned(look.rotation, self._habits.rotate_back))
        return [
            Side(
                surface=surface,
                resolution=resolution,
                color=color,
                upright_px=upright_px(surface.x.length_mil, surface.y.length_mil, resolution, look.scaling),
                rotation=rotation,
                find_edges=find_edges and surface.is_whole,
            )
            for surface, resolution, color, rotation in zip(
                surfaces.sides, resolutions, file.colors, turns, strict=False
            )
        ]

    def _leave_out(self) -> None:
        """What this device cannot act on: MediaBack without a back (WS-Scan), elements of strangers."""
        if not self._source.is_duplex and self._asked.back is not None:
            reason = f"there is no back with InputSource {self._source.source}"
            for element, value in _stated_of(self._asked.back):
                self._ledger.leave_out(f"{_BACK}/{element}", value, locked=False, reason=reason)
        for foreign in self._ticket.foreign:
            self._ledger.leave_out(
                foreign.name, "stated", locked=foreign.must_honor, reason="this device does not know it"
            )


def _stated_of(back: MediaSide) -> Iterator[tuple[str, str]]:
    """The settings of MediaBack, each in one word; a region as X11 writes geometries."""
    if back.color is not None:
        yield "ColorProcessing", back.color.value
    if back.resolution is not None:
        yield "Resolution", text(back.resolution.value)
    if (region := back.region) is not None:
        size = text(Size(region.width_mil.value, region.height_mil.value))
        yield "ScanRegion", f"{size}+{region.x_mil.value}+{region.y_mil.value}"
