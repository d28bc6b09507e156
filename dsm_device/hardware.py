"""The driver port: what a scanner is to the device.

A driver implements :class:`Driver`, :class:`Scanner` and :class:`Page`; everything else here is values that
cross the port. A driver is used by one process and one thread, with the single exception of
:meth:`Scanner.cancel`. Lengths are in 1/1000 inch ("mil"), as in WS-Scan; resolutions in pixels per inch.

Samples: bilevel is packed eight to a byte, most significant bit first, **1 is black**; 8 and 16 bit
have 0 as black, 16 bit in the host's byte order; colour is interleaved R, G, B. (SANE standard 1.06, 3.2.1.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

OptionValue = bool | int | float | str
MIL_PER_INCH = 1000
MM_PER_MIL = 0.0254


class InputSource(StrEnum):
    """wscn:InputSource: from where the scanner takes the original."""

    PLATEN = "Platen"
    ADF = "ADF"
    ADF_DUPLEX = "ADFDuplex"
    FILM = "Film"

    @property
    def is_feeder(self) -> bool:
        return self in (InputSource.ADF, InputSource.ADF_DUPLEX)


class ColorProcessing(StrEnum):
    """wscn:ColorProcessing, without the alpha forms, which no scanner delivers."""

    BLACK_AND_WHITE_1 = "BlackAndWhite1"
    GRAYSCALE_4 = "Grayscale4"
    GRAYSCALE_8 = "Grayscale8"
    GRAYSCALE_16 = "Grayscale16"
    RGB_24 = "RGB24"
    RGB_48 = "RGB48"

    @property
    def channels(self) -> int:
        return 3 if self in (ColorProcessing.RGB_24, ColorProcessing.RGB_48) else 1

    @property
    def bits_per_sample(self) -> int:
        return _BITS[self]

    def bytes_per_line(self, width_px: int) -> int:
        """Bytes of one packed line of ``width_px`` pixels."""
        return (width_px * self.channels * self.bits_per_sample + 7) // 8


class FilmType(StrEnum):
    """wscn:FilmScanMode, where it says something."""

    COLOR_SLIDE = "ColorSlideFilm"
    COLOR_NEGATIVE = "ColorNegativeFilm"
    BLACK_AND_WHITE_NEGATIVE = "BlackandWhiteNegativeFilm"


class Adjustment(StrEnum):
    """What a scanner may be able to adjust itself."""

    BRIGHTNESS = "brightness"
    CONTRAST = "contrast"
    SHARPNESS = "sharpness"
    THRESHOLD = "threshold"


_BITS = {
    ColorProcessing.BLACK_AND_WHITE_1: 1,
    ColorProcessing.GRAYSCALE_4: 4,
    ColorProcessing.GRAYSCALE_8: 8,
    ColorProcessing.GRAYSCALE_16: 16,
    ColorProcessing.RGB_24: 8,
    ColorProcessing.RGB_48: 16,
}


@dataclass(frozen=True, slots=True)
class Size:
    """Width (fast scan direction) and height, in 1/1000 inch, each >= 0."""

    width_mil: int
    height_mil: int


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle on the source's surface, in 1/1000 inch from its top left corner."""

    x_mil: int
    y_mil: int
    width_mil: int
    height_mil: int


@dataclass(frozen=True, slots=True)
class ScannerInfo:
    """One device as the driver lists it; ``device`` is the name by which it is opened.

    ``serial`` is its serial number where the driver learns it, if only when the device is open, else "".
    """

    device: str
    vendor: str
    model: str
    kind: str = ""
    serial: str = ""


@dataclass(frozen=True, slots=True)
class SourceCapabilities:
    """What one source can deliver in hardware.

    ``colors`` holds only what the driver itself delivers. Resolutions are ascending and not empty. Where the
    hardware sets both axes as one, ``x_resolutions_dpi`` equals ``y_resolutions_dpi`` and ``square_only`` is
    true. ``adjustments`` are those that the scanner makes itself over the whole range of :class:`Adjustments`,
    in each of ``colors`` and in halftones, the threshold in BlackAndWhite1 alone; ``films`` those that it develops
    itself (slides come out as they are, negatives positive); ``halftone``: it has a bilevel pattern of its own.
    ``maximum`` is the usual limit; ``longest_mil`` the longest sheet a feeder takes if that is asked for, at least
    ``maximum.height_mil`` (0 says the same).
    """

    source: InputSource
    colors: tuple[ColorProcessing, ...]
    x_resolutions_dpi: tuple[int, ...]
    y_resolutions_dpi: tuple[int, ...]
    minimum: Size
    maximum: Size
    square_only: bool = True
    longest_mil: int = 0
    adjustments: frozenset[Adjustment] = frozenset()
    films: tuple[FilmType, ...] = ()
    halftone: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A scanner and its sources; ``sources`` is not empty and names each source once."""

    scanner: ScannerInfo
    sources: tuple[SourceCapabilities, ...]

    def source(self, source: InputSource) -> SourceCapabilities | None:
        return next((each for each in self.sources if each.source is source), None)


@dataclass(frozen=True, slots=True)
class Sensors:
    """What a scanner's sensors say while nothing is scanned; None where there is none, or it does not answer.

    ``page_loaded``: there is paper in the feeder. ``cover_open``: a cover of the feeder or of the glass is open.
    ``double_feed``: the last feed took two sheets.
    """

    page_loaded: bool | None = None
    cover_open: bool | None = None
    double_feed: bool | None = None

    @property
    def is_blind(self) -> bool:
        """Whether a reading tells nothing, so that there is no use in another."""
        return self == Sensors()


@dataclass(frozen=True, slots=True)
class Adjustments:
    """What the scanner itself is to do to the image; 0 and None leave it alone.

    In the units of WS-Scan ExposureSettings, mapped by the driver to its own: ``brightness`` and ``contrast``
    -1000 to 1000, ``sharpness`` -100 to 100; ``threshold`` 0 to 255, samples below it are black.
    """

    brightness: int = 0
    contrast: int = 0
    sharpness: int = 0
    threshold: int | None = None


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """What a driver is asked to acquire. All of it lies within the source's capabilities.

    ``media`` is the sheet's size (for feeders that place the area by it), ``images`` how many images to
    take: 0 = one on a platen, until the paper ends on a feeder. ``film`` only with the film source.
    """

    source: InputSource
    color: ColorProcessing
    x_dpi: int
    y_dpi: int
    area: Area
    media: Size | None = None
    images: int = 0
    adjust: Adjustments = Adjustments()
    film: FilmType | None = None
    halftone: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """Geometry of the page that is being delivered, exact once the page has begun.

    ``height_px`` is None where the scanner learns the length only at the end. ``bytes_per_line`` may exceed
    the packed line (padding at its end). ``x_dpi`` and ``y_dpi`` are what the scanner says it delivers.
    """

    color: ColorProcessing
    width_px: int
    height_px: int | None
    bytes_per_line: int
    x_dpi: int
    y_dpi: int


class Page(Protocol):
    """One image while it is being acquired."""

    @property
    def frame(self) -> Frame: ...

    def read_into(self, buffer: memoryview) -> int:
        """Fill ``buffer`` with whole lines as they come and return the number of bytes, 0 at the page's end.

        Blocks until the buffer has no room for a further line or the page ends. ``buffer`` is writable,
        contiguous and holds at least one line. Raises a :class:`~dsm_device.errors.ScannerError`, or
        :class:`~dsm_device.errors.Cancelled` after :meth:`Scanner.cancel`.
        """
        ...


class Scanner(Protocol):
    """An opened scanner."""

    def capabilities(self) -> Capabilities:
        """What it can do, read from the device. May change the device's current settings."""
        ...

    def sensors(self) -> Sensors:
        """Read the sensors: quick, without moving or lighting anything, and without using up a pressed button.

        Called about once a second between jobs. Raises ``ScannerNotFound`` or ``ScannerIoError`` where the scanner
        is gone, and another ``ScannerError`` during a job.
        """
        ...

    def pages(self, settings: ScanSettings) -> Iterator[Page]:
        """Acquire images one by one; each must be read to its end before the next is asked for.

        Ends after ``settings.images`` images, or when the feeder is empty after at least one image; an empty
        feeder before the first raises ``ScannerNoDocuments``. Settings that the device does not take, or
        takes differently, raise before the first page moves.
        """
        ...

    def cancel(self) -> None:
        """Stop the acquisition that the last call of :meth:`pages` began; one that begins later is not affected.

        The only method that another thread may call, at any moment; returns at once.
        """
        ...

    def close(self) -> None:
        """Release the device. Further calls do nothing."""
        ...


class Driver(Protocol):
    """A kind of scanner hardware. Made without arguments, once in a process."""

    def scanners(self) -> list[ScannerInfo]:
        """The devices that are there now; an empty list where there are none."""
        ...

    def open(self, device: str, options: Mapping[str, OptionValue], scratch: Path) -> Scanner:
        """Open ``device`` ("" = the first one found) and set the raw ``options`` once.

        ``scratch`` is a folder for temporary files, emptied by the caller. This is one attempt: patience with a
        scanner that is busy, cold or asleep is the caller's.
        Raises ``ScannerNotFound``, ``ScannerBusy``, ``ScannerAccessDenied`` or another ``ScannerError``.
        """
        ...
