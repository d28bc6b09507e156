"""An example driver: a scanner without hardware that draws a test pattern. Copy it to begin your own.

Squares of a quarter inch, each column of them in a tone of its own, every second row of squares inverted; the
tones move on from page to page. The feeder holds ``pages`` sheets at the start of each job. Brightness moves the
tones, in gray and colour.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from dsm_device.errors import (
    Cancelled,
    DriverError,
    ScannerInvalid,
    ScannerNoDocuments,
    ScannerNotFound,
    ScannerUnsupported,
)
from dsm_device.hardware import (
    MIL_PER_INCH,
    Adjustment,
    Adjustments,
    Capabilities,
    ColorProcessing,
    Frame,
    InputSource,
    OptionValue,
    ScannerInfo,
    ScanSettings,
    Sensors,
    Size,
    SourceCapabilities,
)

_INFO = ScannerInfo("pattern", vendor="dsm-device", model="test pattern", kind="virtual device")
_COLORS = tuple(color for color in ColorProcessing if color is not ColorProcessing.GRAYSCALE_4)
_DPI = (75, 100, 150, 200, 300, 600, 1200)
_SQUARE_MIL = 250
_LONGEST_MIL = {InputSource.PLATEN: 11700, InputSource.ADF: 14000}


class PatternDriver:
    """Finds one scanner, always."""

    def scanners(self) -> list[ScannerInfo]:
        return [_INFO]

    def open(self, device: str, options: Mapping[str, OptionValue], scratch: Path) -> PatternScanner:  # noqa: ARG002
        """The only option is ``pages``, 0 to 1000 sheets in the feeder. Nothing is put into ``scratch``."""
        if device not in ("", _INFO.device):
            raise ScannerNotFound(f"there is no scanner {device}", f'the only one is "{_INFO.device}"')
        for name in options:
            if name != "pages":
                raise ScannerInvalid(f"the test pattern has no option {name}", "it has pages")
        pages = options.get("pages", 10)
        if type(pages) is not int or not 0 <= pages <= 1000:
            raise ScannerInvalid(f"the test pattern does not take pages = {pages}", "possible: 0 to 1000")
        return PatternScanner(pages)


class PatternScanner:
    """A platen and a feeder."""

    def __init__(self, sheets: int) -> None:
        self._sheets = sheets
        self._cancelled = threading.Event()
        self._closed = False

    def capabilities(self) -> Capabilities:
        return Capabilities(_INFO, tuple(_source(source) for source in _LONGEST_MIL))

    def sensors(self) -> Sensors:
        if self._closed:
            raise DriverError("the test pattern has been closed")
        return Sensors(page_loaded=self._sheets > 0, cover_open=False)

    def pages(self, settings: ScanSettings) -> Iterator[PatternPage]:
        # Not itself a generator: what is wrong is told, and what was cancelled is forgotten, at the call.
        if self._closed:
            raise DriverError("the test pattern has been closed")
        _check(settings)
        self._cancelled.clear()
        return self._feed(settings)

    def cancel(self) -> None:
        self._cancelled.set()

    def close(self) -> None:
        self._closed = True
        self._cancelled.set()

    def _feed(self, settings: ScanSettings) -> Iterator[PatternPage]:
        feeder = settings.source.is_feeder
        sheets = self._sheets if feeder else 1
        if not sheets:
            raise ScannerNoDocuments
        for number in range(min(sheets, (feeder and settings.images) or sheets)):
            page = PatternPage(settings, number, self._cancelled)
            page.check()
            yield page
            page.check()


class PatternPage:
    """Lines made a strip at a time out of two that are drawn beforehand."""

    def __init__(self, settings: ScanSettings, number: int, cancelled: threading.Event) -> None:
        area, color = settings.area, settings.color
        width_px = max(1, area.width_mil * settings.x_dpi // MIL_PER_INCH)
        height_px = max(1, area.height_mil * settings.y_dpi // MIL_PER_INCH)
        stride = color.bytes_per_line(width_px)
        self.frame = Frame(color, width_px, height_px, stride, settings.x_dpi, settings.y_dpi)
        self._cancelled = cancelled
        self._row = 0
        self._square_px = _SQUARE_MIL * settings.y_dpi // MIL_PER_INCH
        square_px = _SQUARE_MIL * settings.x_dpi // MIL_PER_INCH
        self._lines = [
            _line(self.frame, square_px, number, mask, settings.adjust.brightness) for mask in (0, 0xFF)
        ]

    def read_into(self, buffer: memoryview) -> int:
        view, stride = memoryview(buffer).cast("B"), self.frame.bytes_per_line
        room = len(view) // stride
        if not room:
            raise DriverError(f"a buffer of {len(view)} bytes does not hold a line of {stride}")
        self.check()
        first = self._row
        last = min(first + room, self.frame.height_px or 0)
        while self._row < last:
            square, into = divmod(self._row, self._square_px)
            lines = min(self._square_px - into, last - self._row)
            start = (self._row - first) * stride
            view[start : start + lines * stride] = self._lines[square % 2] * lines
            self._row += lines
        return (last - first) * stride

    def check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled("the scan of the test pattern was cancelled")


def _source(source: InputSource) -> SourceCapabilities:
    return SourceCapabilities(
        source=source,
        colors=_COLORS,
        x_resolutions_dpi=_DPI,
        y_resolutions_dpi=_DPI,
        minimum=Size(100, 100),
        maximum=Size(8500, _LONGEST_MIL[source]),
        square_only=False,
        adjustments=frozenset({Adjustment.BRIGHTNESS}),
    )


def _check(settings: ScanSettings) -> None:
    """Settings are within the capabilities if the caller is right; say so if it is not."""
    if settings.source not in _LONGEST_MIL or settings.color not in _COLORS:
        raise ScannerUnsupported(f"the test pattern has no {settings.color} from {settings.source}")
    if settings.x_dpi not in _DPI or settings.y_dpi not in _DPI:
        raise ScannerUnsupported(f"the test pattern has no {settings.x_dpi} x {settings.y_dpi} dpi")
    if settings.adjust != Adjustments(settings.adjust.brightness) or settings.film or settings.halftone:
        raise ScannerUnsupported("the test pattern adjusts its brightness and nothing else")
    area, limits = settings.area, _source(settings.source).maximum
    right_mil, bottom_mil = area.x_mil + area.width_mil, area.y_mil + area.height_mil
    if right_mil > limits.width_mil or bottom_mil > limits.height_mil:
        raise ScannerUnsupported(
            f"the test pattern ends at {limits.width_mil} x {limits.height_mil}/1000 inch, "
            f"the area at {right_mil} x {bottom_mil}"
        )


def _line(frame: Frame, square_px: int, number: int, mask: int, brightness: int) -> bytes:
    """One packed line of squares, inverted by a ``mask`` of 0xFF; bilevel ones are black and white in turns."""
    squares = frame.width_px // square_px + 1
    if frame.color.bits_per_sample == 1:
        pair = "1" * square_px + "0" * square_px
        bits = (pair * (squares // 2 + 1))[number % 2 * square_px :][: frame.width_px]
        packed = int(bits.ljust(frame.bytes_per_line * 8, "0"), 2).to_bytes(frame.bytes_per_line, "big")
        return bytes(each ^ mask for each in packed)
    tones = (
        (37 * (square + number) + 85 * channel) % 256 ^ mask
        for square in range(squares)
        for channel in range(frame.color.channels)
    )
    moved = (min(max(tone + brightness * 128 // 1000, 0), 255) for tone in tones)
    samples = [(tone * 257).to_bytes(2, sys.byteorder)[: frame.color.bits_per_sample // 8] for tone in moved]
    pixels = (
        b"".join(samples[at : at + frame.color.channels]) for at in range(0, len(samples), frame.color.channels)
    )
    return b"".join(pixel * square_px for pixel in pixels)[: frame.bytes_per_line]
