"""The ticket engine: what a scanner can do and what a ticket asks, made into one plan. No I/O.

Three rules (Distributed Scan Management; WS-Scan, MustHonor): what is locked is met exactly or the job is refused
before anything moves; what is free comes as near as possible, and the difference is told; what is not stated
is this device's default ticket, :data:`DEFAULT_DPI` and its neighbours below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dsm_device.hardware import (
    MIL_PER_INCH,
    Capabilities,
    InputSource,
    ScanSettings,
    SourceCapabilities,
)
from dsm_device.imaging.formats import PageSpec
from dsm_device.job.file_choice import Formats, choose_file
from dsm_device.job.geometry import Surface, choose_surface
from dsm_device.job.not_applied import region_text, settle_back, settle_neutral
from dsm_device.job.outcomes import Ledger, Outcome, listed, refusal
from dsm_device.wire.ticket import Resolution, ScanTicket, Setting

# The default ticket: everything from the flatbed (the feeder where there is none), one page after the other, the
# whole sheet, RGB24 as jfif. What the ticket states of Format and ColorProcessing pulls the other along.
DEFAULT_DPI: Final = 300
DEFAULT_QUALITY: Final = 85
#: Where a source is taken from when the ticket names none, and what replaces one that is not there.
_SOURCES: Final = (InputSource.PLATEN, InputSource.ADF, InputSource.ADF_DUPLEX)
_REPLACEMENTS: Final = {
    InputSource.ADF: (InputSource.ADF_DUPLEX, InputSource.PLATEN),
    InputSource.ADF_DUPLEX: (InputSource.ADF, InputSource.PLATEN),
}

LOSSY_FORMATS: Final = frozenset(
    ("jfif", "exif", "jpeg2k", "pdf-a", "xps", "tiff-single-jpeg-tn2", "tiff-multi-jpeg-tn2")
)
_LOSSLESS_QUALITY = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """``settings`` for the driver, ``output`` for the encoder, ``outcomes`` for whoever asks what became of the
    ticket. ``settings.color`` may hold more than ``output.color``, which is then made from it. ``output`` is also
    what WS-Scan calls ImageInformation: its ``width_px`` is PixelsPerLine, its ``height_px`` NumberOfLines."""

    settings: ScanSettings
    output: PageSpec
    outcomes: tuple[Outcome, ...]

    @property
    def notes(self) -> tuple[Outcome, ...]:
        """What was asked and is not honoured as it stands."""
        return tuple(outcome for outcome in self.outcomes if outcome.override)


def make_plan(capabilities: Capabilities, ticket: ScanTicket, formats: Formats) -> Plan:
    """How ``ticket`` is scanned by a scanner of these ``capabilities``.

    ``formats`` maps each format that can be written to the colours it holds.
    Raises :class:`~dsm_device.errors.TicketRefused`, and nothing else, where it cannot be.
    """
    asked = ticket.parameters
    ledger = Ledger()
    source = _source(asked.input_source, capabilities, ledger)
    surface = choose_surface(asked.input_size, asked.front.region, source, ledger)
    file = choose_file(asked.format, asked.front.color, source.colors, formats, ledger)
    x_dpi, y_dpi = _resolution(asked.front.resolution, source, ledger)
    output = PageSpec(
        file.format,
        file.color,
        _pixels(surface.x.length_mil, x_dpi),
        _pixels(surface.y.length_mil, y_dpi),
        x_dpi,
        y_dpi,
        _quality(asked.compression_quality, file.format, ledger),
    )
    images = _images(asked.images_to_transfer, ledger)
    settings = ScanSettings(source.source, file.acquired, x_dpi, y_dpi, surface.area, surface.media, images)
    settle_back(asked.back, source.source, _front(output, surface), ledger)
    settle_neutral(ticket, ledger)
    return Plan(settings, output, tuple(ledger.outcomes))


def _source(asked: Setting[str] | None, capabilities: Capabilities, ledger: Ledger) -> SourceCapabilities:
    there = {each.source: each for each in capabilities.sources if each.source in _SOURCES}
    if not there:
        raise refusal("the scanner has neither a flatbed nor a document feeder")
    order: Sequence[InputSource] = _SOURCES
    if asked is not None and asked.value in list(_SOURCES):
        wanted = InputSource(asked.value)
        order = (wanted, *_REPLACEMENTS.get(wanted, ()), *_SOURCES)
    chosen = next(source for source in order if source in there)
    ledger.settle(
        "InputSource",
        None if asked is None else asked.value,
        chosen.value,
        locked=asked is not None and asked.must_honor,
        reason="the scanner has no such source that this device can use",
        possible=listed(there),
    )
    return there[chosen]


def _images(asked: Setting[int] | None, ledger: Ledger) -> int:
    images = 0 if asked is None else asked.value
    ledger.settle("ImagesToTransfer", None if asked is None else str(images), str(images))
    return images


# ---------------------------------------------------------------------------------------- resolution


def _resolution(asked: Setting[Resolution] | None, source: SourceCapabilities, ledger: Ledger) -> tuple[int, int]:
    wanted = Resolution(DEFAULT_DPI, DEFAULT_DPI) if asked is None else asked.value
    x_dpi, y_dpi = _nearest_pair(wanted, source)
    ledger.settle(
        "MediaFront/Resolution",
        None if asked is None else f"{wanted.x_dpi}x{wanted.y_dpi}",
        f"{x_dpi}x{y_dpi}",
        locked=asked is not None and asked.must_honor,
        reason="the scanner does not offer it",
        possible=_offered(source),
    )
    return x_dpi, y_dpi


def _nearest_pair(wanted: Resolution, source: SourceCapabilities) -> tuple[int, int]:
    if not source.square_only:
        return _nearest(source.x_resolutions_dpi, wanted.x_dpi), _nearest(source.y_resolutions_dpi, wanted.y_dpi)
    both = [dpi for dpi in source.x_resolutions_dpi if dpi in source.y_resolutions_dpi]
    dpi = _nearest(both, max(wanted.x_dpi, wanted.y_dpi))
    return dpi, dpi


def _nearest(offered: Sequence[int], wanted: int) -> int:
    """The nearest, of two equally near the higher: detail that is not needed can still be thrown away."""
    if not offered:
        raise refusal("the scanner offers no resolution")
    return min(offered, key=lambda dpi: (abs(dpi - wanted), -dpi))


def _offered(source: SourceCapabilities) -> str:
    across, down = listed(source.x_resolutions_dpi), listed(source.y_resolutions_dpi)
    return across if source.square_only else f"Width {across}; Height {down}"


def _pixels(length_mil: int, dpi: int) -> int:
    """Length in pixels, to the nearest; never none."""
    return max(1, (length_mil * dpi + MIL_PER_INCH // 2) // MIL_PER_INCH)


# ---------------------------------------------------------------------------------------------- file


def _quality(asked: Setting[int] | None, format_: str, ledger: Ledger) -> int:
    """1 to 100. Lossless formats have no use for it; locked at anything but 100 it is refused (WS-Scan)."""
    lossy = format_ in LOSSY_FORMATS
    if not lossy:
        used = _LOSSLESS_QUALITY
    elif asked is None:
        used = DEFAULT_QUALITY
    else:
        used = max(1, asked.value)
    ledger.settle(
        "CompressionQualityFactor",
        None if asked is None else str(asked.value),
        str(used),
        locked=asked is not None and asked.must_honor,
        reason="the encoder starts at 1" if lossy else f"{format_} is lossless",
        possible="1 to 100" if lossy else "100, or a lossy Format",
    )
    return used


def _front(output: PageSpec, surface: Surface) -> dict[str, str]:
    """What the front of a sheet becomes, in the words in which its back is compared with it."""
    x, y = surface.x, surface.y
    return {
        "ColorProcessing": output.color.value,
        "Resolution": f"{output.x_dpi}x{output.y_dpi}",
        "ScanRegion": region_text(x.offset_mil, y.offset_mil, x.length_mil, y.length_mil),
    }
