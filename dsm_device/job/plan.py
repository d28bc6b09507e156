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
    ColorProcessing,
    InputSource,
    ScanSettings,
    SourceCapabilities,
)
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
#: Pixels a side that JPEG can count (ISO/IEC 10918-1, 16 bit; libjpeg stops at 65500).
_JPEG_LARGEST_SIDE_PX = 65_500
#: Pixels a side that PNG can count (PNG, 11.2.1) and libtiff keeps.
_LARGEST_SIDE_PX = 2_147_483_647
#: A classic TIFF addresses 4 GiB (TIFF 6.0 section 2), its directory included.
_LARGEST_UNCOMPRESSED_TIFF_BYTES = 2**32 - 2**20


@dataclass(frozen=True, slots=True)
class Output:
    """What every file of the job holds (WS-Scan ImageInformation, and its format).

    ``width_px`` is PixelsPerLine, ``height_px`` NumberOfLines; the image keeps to them exactly, whatever the
    scanner delivers. ``quality`` is 1 to 100, 100 where the format is lossless.
    """

    format: str
    quality: int
    color: ColorProcessing
    width_px: int
    height_px: int
    x_dpi: int
    y_dpi: int

    @property
    def bytes_per_line(self) -> int:
        return self.color.bytes_per_line(self.width_px)


@dataclass(frozen=True, slots=True)
class Plan:
    """``settings`` for the driver, ``output`` for the encoder, ``outcomes`` for whoever asks what became of the
    ticket. ``settings.color`` may hold more than ``output.color``, which is then made from it."""

    settings: ScanSettings
    output: Output
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
    output = Output(
        file.format,
        _quality(asked.compression_quality, file.format, ledger),
        file.color,
        _pixels(surface.x.length_mil, x_dpi),
        _pixels(surface.y.length_mil, y_dpi),
        x_dpi,
        y_dpi,
    )
    _check_size(output)
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


def _check_size(output: Output) -> None:
    """No file is begun that its format cannot end."""
    largest = _JPEG_LARGEST_SIDE_PX if output.format in LOSSY_FORMATS else _LARGEST_SIDE_PX
    advice = "a lower resolution, a smaller ScanRegion, or another Format"
    if max(output.width_px, output.height_px) > largest:
        raise refusal(f"{output.width_px} x {output.height_px} pixels are more than {output.format} holds", advice)
    size = output.bytes_per_line * output.height_px
    if output.format.endswith("-uncompressed") and size > _LARGEST_UNCOMPRESSED_TIFF_BYTES:
        raise refusal(f"{size:,} bytes are more than {output.format} holds", advice)


def _front(output: Output, surface: Surface) -> dict[str, str]:
    """What the front of a sheet becomes, in the words in which its back is compared with it."""
    x, y = surface.x, surface.y
    return {
        "ColorProcessing": output.color.value,
        "Resolution": f"{output.x_dpi}x{output.y_dpi}",
        "ScanRegion": region_text(x.offset_mil, y.offset_mil, x.length_mil, y.length_mil),
    }
