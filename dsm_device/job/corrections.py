"""Which settings of a ticket are not valid, and what is put in their place (WS-DSD, ValidateScanTicket).

By contrast to a job, which meets whatever it can, a ticket is valid if it keeps to what is offered. Nothing is
added that the ticket does not state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from dsm_device.hardware import InputSource
from dsm_device.job.file_choice import NEAREST_COLORS, Candidate, meeting, possible_files
from dsm_device.job.offer import NO_FILM, Offer, Range, SourceOffer
from dsm_device.wire.schema import Value
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.ticket_elements import within
from dsm_device.wire.ticket_writer import LARGEST_INT

#: What each source gives a ticket that states nothing else, by InputSource; the default source is the first.
Defaults = Mapping[str, Mapping[str, Value]]

_SIZE: Final = "InputSize/InputMediaSize"
_COLORS: Final = ("MediaFront/ColorProcessing", "MediaBack/ColorProcessing")
_LOSSLESS_QUALITY: Final = 100


def corrected(ticket: ScanTicket, offer: Offer, defaults: Defaults) -> ScanTicket:
    """``ticket`` with everything replaced or removed that is not offered; equal to it if it is valid.

    ``defaults`` has all sources of ``offer``. What only the whole page decides (too large for its file) is not
    looked at here.
    """
    draft = _Draft(ticket, offer, defaults)
    draft.settle_words()
    draft.settle_numbers()
    for side in draft.sides:
        draft.settle_region(side)
        draft.settle_resolution(f"{side}/Resolution")
    draft.settle_file()
    return draft.ticket()


def nearest(offered: Sequence[int], wanted: int) -> int:
    """The nearest of a list, the lower of two."""
    return min(offered, key=lambda each: (abs(each - wanted), each))


class _Draft:
    """The values of a ticket while they are being corrected."""

    def __init__(self, ticket: ScanTicket, offer: Offer, defaults: Defaults) -> None:
        self._sent = ticket
        self._offer = offer
        self.values = dict(ticket.values)
        default_source = next(iter(defaults))
        self._default = defaults[default_source]
        self._keyword("InputSource", defaults)
        source = str(self.values.get("InputSource", default_source))
        self._default = defaults[source]
        self._source = _offered(offer, source)
        if not self._source.is_duplex:
            self._remove("MediaBack")

    @property
    def sides(self) -> tuple[str, ...]:
        return ("MediaFront", "MediaBack") if self._source.is_duplex else ("MediaFront",)

    def ticket(self) -> ScanTicket:
        """A lock on what is gone goes too, as do demands of strangers, which nothing here can meet."""
        foreign = tuple(each for each in self._sent.foreign if not each.must_honor)
        if self.values == self._sent.values and foreign == self._sent.foreign:
            return self._sent
        gone = [path for path in self._sent.values if path not in self.values]
        locks = frozenset(path for path in self._sent.locks if not self._is_gone(path, gone))
        return replace(self._sent, values=MappingProxyType(self.values), locks=locks, foreign=foreign)

    def _is_gone(self, path: str, gone: Iterable[str]) -> bool:
        return any(within(each, path) for each in gone) and not any(within(each, path) for each in self.values)

    # ----------------------------------------------------------------------------------------- words

    def settle_words(self) -> None:
        source, offer = self._source, self._offer
        writable = [name for name, colors in offer.formats.items() if set(colors) & set(source.colors)]
        self._keyword("Format", writable)
        if source.source is InputSource.FILM:
            self._keyword("FilmScanMode", source.films)
        elif self.values.get("FilmScanMode", NO_FILM) != NO_FILM:
            self._remove("FilmScanMode")
        self._keyword("ContentType", offer.content_types)
        self._keyword("Rotation", offer.rotations)
        for side in self.sides:
            self._keyword(f"{side}/ColorProcessing", source.colors)

    def _keyword(self, path: str, offered: Iterable[str]) -> None:
        """One that is not offered becomes the default ticket's, or the first that is."""
        words = [str(each) for each in offered]
        if path in self.values and self.values[path] not in words:
            default = self._default.get(path)
            self.values[path] = default if default in words else words[0]

    def _remove(self, branch: str) -> None:
        self.values = {path: value for path, value in self.values.items() if not within(path, branch)}

    # --------------------------------------------------------------------------------------- numbers

    def settle_numbers(self) -> None:
        offer, source = self._offer, self._source
        lowest, highest = offer.quality
        is_locked = self._sent.locked("CompressionQualityFactor")
        self._bound("CompressionQualityFactor", (lowest if is_locked else 0, highest))
        self._bound("ImagesToTransfer", (0, LARGEST_INT if source.source.is_feeder else 1))
        self._bound(f"{_SIZE}/Width", (source.minimum.width_mil, source.maximum.width_mil))
        self._bound(f"{_SIZE}/Height", (source.minimum.height_mil, source.maximum.height_mil))
        for name, limits in (
            ("Contrast", offer.contrast),
            ("Brightness", offer.brightness),
            ("Sharpness", offer.sharpness),
        ):
            self._bound(f"Exposure/ExposureSettings/{name}", limits)
        self._bound("Scaling/ScalingWidth", offer.scaling_percent)
        self._bound("Scaling/ScalingHeight", offer.scaling_percent)

    def _bound(self, path: str, limits: Range) -> None:
        if path in self.values:
            low, high = limits
            self.values[path] = max(low, min(int(self.values[path]), high))

    def settle_resolution(self, path: str) -> None:
        """Each axis alone. Where the height is left to the width it must be one that both axes have."""
        width, height = f"{path}/Width", f"{path}/Height"
        across, down = self._source.x_resolutions_dpi, self._source.y_resolutions_dpi
        if width not in self.values:
            return
        if height in self.values:
            self.values[height] = nearest(down, int(self.values[height]))
        else:
            across = tuple(dpi for dpi in across if dpi in down)
        if across:
            self.values[width] = nearest(across, int(self.values[width]))
        else:
            self._remove(path)

    def settle_region(self, side: str) -> None:
        """Clipped at the input size; wholly outside of it the whole of it is taken."""
        region = f"{side}/ScanRegion/ScanRegion"
        if f"{region}Width" not in self.values:
            return
        least, most = self._source.hardware.minimum, self._source.maximum
        x_mil, width_mil = self._clipped(region, "XOffset", "Width", least.width_mil, most.width_mil)
        y_mil, height_mil = self._clipped(region, "YOffset", "Height", least.height_mil, most.height_mil)
        if width_mil < 1 or height_mil < 1:
            x_mil, width_mil, y_mil, height_mil = 0, self._size("Width"), 0, self._size("Height")
        for name, number in (("XOffset", x_mil), ("YOffset", y_mil)):
            if f"{region}{name}" in self.values:
                self.values[f"{region}{name}"] = number
        self.values[f"{region}Width"], self.values[f"{region}Height"] = width_mil, height_mil

    def _clipped(self, region: str, offset: str, length: str, least_mil: int, most_mil: int) -> tuple[int, int]:
        """Offset and length; the smallest area that the scanner takes must fit behind the offset."""
        start_mil = int(self.values.get(f"{region}{offset}", 0))
        stop_mil = min(start_mil + int(self.values[f"{region}{length}"]), self._size(length))
        start_mil = max(0, start_mil)
        return min(start_mil, max(0, most_mil - least_mil)), stop_mil - start_mil

    def _size(self, length: str) -> int:
        most = self._source.maximum
        otherwise = most.width_mil if length == "Width" else most.height_mil
        return int(self.values.get(f"{_SIZE}/{length}", otherwise))

    # ------------------------------------------------------------------------------------------ file

    def settle_file(self) -> None:
        """Format and colours that can be combined, the locked ones kept first; then a quality for the format."""
        candidates = list(possible_files(len(self.sides), self._source.hardware.colors, self._offer.formats))
        stated = [path for path in ("Format", *_COLORS) if path in self.values]
        for path in sorted(stated, key=lambda each: not self._sent.locked(each)):
            fitting = meeting(candidates, {path: str(self.values[path])})
            if not fitting:
                self.values[path] = self._nearest_word(path, candidates)
                fitting = meeting(candidates, {path: str(self.values[path])})
            candidates = fitting
        quality = "CompressionQualityFactor"
        is_demanded = quality in self.values and self._sent.locked(quality)
        if is_demanded and "Format" in self.values and not self._offer.is_lossy(str(self.values["Format"])):
            self.values[quality] = _LOSSLESS_QUALITY

    def _nearest_word(self, path: str, candidates: Sequence[Candidate]) -> str:
        words = [str(each.value(path)) for each in candidates]
        default = str(self._default[path])
        order = [default] if path == "Format" else NEAREST_COLORS[str(self.values[path])]
        return next((str(word) for word in order if word in words), words[0])


def _offered(offer: Offer, source: str) -> SourceOffer:
    return next(each for each in offer.sources if each.source == source)
