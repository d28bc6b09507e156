"""Reading what a SANE device can do, and setting it to do one thing.

Sources, modes and ranges depend on each other: one choice is made, the descriptors are read again, and only
then comes the next. What was set is read back; a device that does otherwise is not scanned from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dsm_device.errors import ScannerMismatch, ScannerUnsupported
from dsm_device.hardware import (
    MIL_PER_INCH,
    MM_PER_MIL,
    ColorProcessing,
    FilmType,
    Frame,
    InputSource,
    OptionValue,
    ScanSettings,
    Sensors,
    Size,
    SourceCapabilities,
)

from .borrowed import Borrowed
from .device import Device
from .exposure import Exposure
from .films import FilmChoice, film_choices, select_film
from .geometry import (
    ACROSS,
    ALONG,
    SMALLEST_MIL,
    Direction,
    Extent,
    Span,
    check_fixed,
    delivered_px,
    fixed_dpi,
    read_extent,
    set_page,
    set_spans,
)
from .modes import Modes, read_modes
from .multifeed import saw_multifeed, watch_for_multifeed
from .options import Options
from .resolution import Resolutions, read_resolutions
from .sensors import PAPER, read_sensors
from .serial import OPTIONS as SERIAL_OPTIONS
from .sources import SourceChoice, source_choices

#: What backends do to an image on their own. Images are to be as scanned, unless the configuration says so.
_HELPERS = ("preview", "swdeskew", "swcrop", "swdespeck", "swskip", "swderotate", "hand-scanner", "compression")
#: Some feeders report metres. A sheet is no longer than legal paper, or on wide feeders than A3 and ledger are in
#: proportion; `page-height` in the configuration allows for more.
_FEEDER_HEIGHT_MIL = 14000
_SHEET_PROPORTION = 1.55
#: In which mode the ranges are read, and at most which resolution: they may differ for the rare ones.
_USUAL_COLORS = (ColorProcessing.RGB_24, ColorProcessing.GRAYSCALE_8)
_USUAL_DPI = 300
_SAME_RATIO = 0.01
#: Raw options with these in their name let the backend choose the size, which then says nothing of resolution.
_RESIZING = ("crop", "auto", "ald", "size")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A device that stands ready, and the pixels that follow from its area where that can be known."""

    settings: ScanSettings
    fronts_only: bool
    offered_dpi: tuple[int, ...]
    width_px: float | None
    height_px: float | None

    def verify(self, frame: Frame) -> None:
        """Raise ``ScannerMismatch`` for a frame of another colour or, by its size, of another resolution."""
        if frame.color is not self.settings.color:
            raise ScannerMismatch(f"{self.settings.color} was asked for, the scanner delivers {frame.color}")
        if not (self.width_px and self.height_px and frame.height_px):
            return
        ratios = frame.width_px / self.width_px, frame.height_px / self.height_px
        for dpi in self.offered_dpi:
            expected = dpi / self.settings.x_dpi
            if expected != 1 and all(abs(ratio / expected - 1) < _SAME_RATIO for ratio in ratios):
                raise ScannerMismatch(f"{self.settings.x_dpi} dpi were asked for, the scanner delivers {dpi} dpi")


class Setup:
    """The settings of an opened device.

    ``configured`` are raw options: they are set at once, or as soon as another setting makes them active, and what
    would be switched off or on is left as they say. ``kind`` gives the device's SANE_Device.type where that is
    needed. ``borrowed`` outlives this object, as values of options do.
    """

    def __init__(
        self, device: Device, configured: Mapping[str, OptionValue], kind: Callable[[], str], borrowed: Borrowed
    ) -> None:
        self._device = device
        self._configured = configured
        self._kind = kind
        self._borrowed = borrowed
        self._sources: dict[InputSource, SourceChoice] = {}
        self._modes: dict[InputSource, Modes] = {}
        self._films: dict[FilmType, FilmChoice] | None = None
        self._is_watching = False
        self._options = Options(device)
        self._exposure = Exposure(self._options, configured, borrowed)
        self._switch_helpers_off()
        self._waiting = dict(configured)
        self._set_configured()

    def serial(self) -> str:
        """The serial number that an option tells, else ""."""
        return self._options.told(SERIAL_OPTIONS)

    def sources(self) -> tuple[SourceCapabilities, ...]:
        """What each source can do. Changes the device's settings."""
        return tuple(self._capabilities(source) for source in self._source_choices())

    def prepare(self, settings: ScanSettings) -> Prepared:
        """Set everything, in an order in which no setting undoes an earlier one."""
        choice = self._select_source(settings.source)
        self._select_film(settings)
        self._select_mode(settings)
        self._set_configured()
        resolutions = self._resolutions()
        resolutions.select(self._options, settings.x_dpi, settings.y_dpi)
        width_px, height_px = self._set_area(settings)
        self._exposure.apply(settings.adjust, settings.color, halftone=settings.halftone)
        self._switch_helpers_off()
        if settings.source.is_feeder:
            self._watch_feeder()
        resolutions.verify(self._options, settings.x_dpi, settings.y_dpi)
        if any(part in name for name in self._configured for part in _RESIZING):
            width_px = height_px = None
        return Prepared(settings, choice.fronts_only, resolutions.x.offered_dpi, width_px, height_px)

    def reload(self) -> None:
        self._options.reload()

    def has_paper(self) -> bool:
        """Whether a sensor says that there are sheets in the feeder; false where nobody can say."""
        return any(self._options.sensed(name) for name in PAPER)

    def sensors(self) -> Sensors:
        has_feeder = any(source.is_feeder for source in self._source_choices())
        return read_sensors(self._options, has_feeder=has_feeder)

    def saw_multifeed(self) -> bool:
        """Whether a sensor says that two sheets were fed at once; false where nobody can say."""
        return saw_multifeed(self._options)

    def _set_configured(self) -> None:
        """Set the raw options, each once. One may activate another; what is inactive in the end (`three-pass`
        in a gray mode) waits for a job in which it is not."""
        while ready := [name for name in self._waiting if not self._options.is_inactive(name)]:
            for name in ready:
                self._options.require(name, self._waiting.pop(name))

    # -------------------------------------------------------------------------------- capabilities

    def _capabilities(self, source: InputSource) -> SourceCapabilities:
        self._select_source(source)
        films = tuple(self._film_choices()) if source is InputSource.FILM else ()
        modes = self._read_modes(source)
        usual = [color for color in _USUAL_COLORS if color in modes.colors]
        modes.colors[next(iter([*usual, *modes.colors]))].select(self._options)
        resolutions = self._resolutions()
        x_dpi, y_dpi = (_usual_dpi(offered) for offered in resolutions.offered_dpi)
        resolutions.select(self._options, x_dpi, y_dpi)
        across = self._extent(source, ACROSS, x_dpi)
        along = self._extent(source, ALONG, y_dpi)
        return SourceCapabilities(
            source=source,
            colors=tuple(modes.colors),
            x_resolutions_dpi=resolutions.offered_dpi[0],
            y_resolutions_dpi=resolutions.offered_dpi[1],
            minimum=Size(across.minimum_mil, along.minimum_mil),
            maximum=Size(across.maximum_mil, along.maximum_mil),
            longest_mil=self._raw_extent(source, ALONG, y_dpi).maximum_mil,
            square_only=resolutions.y is None,
            adjustments=modes.adjustments,
            films=films,
            halftone=modes.halftone is not None,
        )

    def _extent(self, source: InputSource, direction: Direction, dpi: int) -> Extent:
        extent = self._raw_extent(source, direction, dpi)
        if direction is not ALONG or not source.is_feeder:
            return extent
        width = read_extent(self._options, ACROSS, dpi, with_page=True)
        longest_mil = min(extent.maximum_mil, self._feeder_limit_mil(width.maximum_mil if width else 0))
        return Extent(min(extent.minimum_mil, longest_mil), longest_mil)

    def _raw_extent(self, source: InputSource, direction: Direction, dpi: int) -> Extent:
        extent = read_extent(self._options, direction, dpi, with_page=source.is_feeder)
        return extent or self._fixed_extent(direction, dpi)

    def _feeder_limit_mil(self, width_mil: int) -> int:
        configured = self._configured.get(ALONG.page)
        configured_mil = round(configured / MM_PER_MIL) if isinstance(configured, int | float) else 0
        return max(_FEEDER_HEIGHT_MIL, round(width_mil * _SHEET_PROPORTION), configured_mil)

    def _fixed_extent(self, direction: Direction, dpi: int) -> Extent:
        """Where the area cannot be set: what the device says that it delivers, if it knows."""
        parameters = self._device.parameters()
        length_px = parameters.pixels_per_line if direction is ACROSS else parameters.lines
        if length_px <= 0:
            return Extent(SMALLEST_MIL, _FEEDER_HEIGHT_MIL)
        length_mil = math.floor(length_px * MIL_PER_INCH / dpi)
        return Extent(length_mil, length_mil)

    # ------------------------------------------------------------------------------------- choices

    def _source_choices(self) -> dict[InputSource, SourceChoice]:
        if not self._sources:
            self._sources = source_choices(self._options, self._kind)
        return self._sources

    def _read_modes(self, source: InputSource) -> Modes:
        if source not in self._modes:
            self._modes[source] = read_modes(self._options, self._device, self._exposure)
        return self._modes[source]

    def _film_choices(self) -> dict[FilmType, FilmChoice]:
        if self._films is None:
            name = self._source_choices()[InputSource.FILM].name
            self._films = film_choices(self._options, name, self._configured)
        return self._films

    def _resolutions(self) -> Resolutions:
        return read_resolutions(self._options, lambda: fixed_dpi(self._options, self._device.parameters()))

    def _select_source(self, source: InputSource) -> SourceChoice:
        choice = self._source_choices().get(source)
        if choice is None:
            raise ScannerUnsupported(f"the scanner {self._device.name} has no source {source}")
        choice.select(self._options)
        return choice

    def _select_film(self, settings: ScanSettings) -> None:
        if settings.source is InputSource.FILM:
            select_film(self._options, self._borrowed, self._film_choices(), settings.film)
        elif settings.film is not None:
            raise ScannerUnsupported(f"there is no {settings.film} in {settings.source}")

    def _select_mode(self, settings: ScanSettings) -> None:
        modes, color = self._read_modes(settings.source), settings.color
        choice = modes.colors.get(color)
        if settings.halftone:
            choice = modes.halftone if color is ColorProcessing.BLACK_AND_WHITE_1 else None
        if choice is None:
            kind = f"halftones in {color}" if settings.halftone else color
            raise ScannerUnsupported(f"the scanner {self._device.name} does not deliver {kind}")
        choice.select(self._options)

    def _watch_feeder(self) -> None:
        """Once: what is set stays as long as the device is open."""
        if not self._is_watching:
            watch_for_multifeed(self._options, self._configured)
            self._is_watching = True

    def _set_area(self, settings: ScanSettings) -> tuple[float | None, float | None]:
        area, sheet = settings.area, settings.media or Size(0, 0)
        across = Span(ACROSS, area.x_mil, area.width_mil, sheet.width_mil, settings.x_dpi)
        along = Span(ALONG, area.y_mil, area.height_mil, sheet.height_mil, settings.y_dpi)
        if settings.source.is_feeder:
            set_page(self._options, across)
            set_page(self._options, along)
        set_spans(self._options, (across, along))
        return self._delivered_px(settings, across), self._delivered_px(settings, along)

    def _delivered_px(self, settings: ScanSettings, span: Span) -> float | None:
        if read_extent(self._options, span.direction, span.dpi, with_page=False) is None:
            check_fixed(span, self._extent(settings.source, span.direction, span.dpi))
            return None
        return delivered_px(self._options, span)

    def _switch_helpers_off(self) -> None:
        self._options.switch_off(name for name in _HELPERS if name not in self._configured)


def _usual_dpi(offered: tuple[int, ...]) -> int:
    return max((dpi for dpi in offered if dpi <= _USUAL_DPI), default=offered[0])
