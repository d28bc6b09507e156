"""Strips: from rows as the scanner delivers them to packed lines of the file's width and colour.

A strip is a number of whole lines in one buffer. Every step is a library call on a strip. Where the samples
need no change the strip passes through uncopied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PIL import Image

from dsm_device.errors import DriverError, ScannerMismatch
from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging.formats import MADE_FROM

Strip = bytes | bytearray | memoryview
#: Takes a strip and its number of lines, gives the changed strip.
Step = Callable[[Strip, int], Strip]

#: Large enough that calls cost nothing beside the work in them, small enough to be no burden.
STRIP_BYTES: Final = 1024 * 1024
#: Strips are a multiple of the tallest row of JPEG blocks, which is 16 lines at 4:2:0.
_LINES_MULTIPLE: Final = 16
#: Keeps a strip of very narrow lines within one JPEG restart interval (65,535 blocks).
_LINES_MAX: Final = 4096


def lines_per_strip(line_bytes: int) -> int:
    """How many lines of ``line_bytes`` make a strip: about 1 MiB, a multiple of 16, at least 16."""
    lines = STRIP_BYTES // line_bytes // _LINES_MULTIPLE * _LINES_MULTIPLE
    return min(max(lines, _LINES_MULTIPLE), _LINES_MAX)


def picture(strip: Strip, mode: str, width_px: int, lines: int) -> Image.Image:
    """The strip as Pillow sees it; in mode ``L`` the strip's own memory, not a copy.

    Mode ``L`` with the bytes of a line as its width serves any sample format: so Pillow crops, pads, shifts
    and subtracts whole lines whatever their samples are.
    """
    size = (width_px, lines)
    return Image.frombuffer(mode, size, strip, "raw", mode, 0, 1)  # type: ignore[arg-type] # takes any buffer


def white_byte(color: ColorProcessing) -> int:
    """The byte of which white consists: a delivered bilevel 1 is black, all other samples are brightness."""
    return 0x00 if color is ColorProcessing.BLACK_AND_WHITE_1 else 0xFF


def check(frame: Frame, color: ColorProcessing) -> None:
    """Raises ``ScannerMismatch`` where ``color`` cannot be made of the delivered one, and ``DriverError`` where
    the frame contradicts itself.
    """
    if frame.color not in MADE_FROM[color]:
        raise ScannerMismatch(f"the scanner delivers {frame.color}, of which no {color} can be made")
    if frame.width_px < 1 or frame.bytes_per_line < frame.color.bytes_per_line(frame.width_px):
        raise DriverError(
            f"the driver announces {frame.bytes_per_line} bytes for a line of {frame.width_px} pixels"
            f" in {frame.color}"
        )


def columns(frame: Frame, left_px: int, width_px: int, fill: int) -> Step | None:
    """From delivered lines to packed ones of ``width_px`` pixels that begin at pixel ``left_px``.

    Drops the padding of the lines and clears stray bits; what lies beyond the image consists of the byte ``fill``.
    None where the lines are so already.
    """
    color = frame.color
    kept_px = max(0, min(frame.width_px - left_px, width_px))
    line_bytes, kept_bytes = color.bytes_per_line(width_px), color.bytes_per_line(kept_px)
    stray_bits = kept_bytes * 8 - kept_px * color.channels * color.bits_per_sample
    if left_px == 0 and line_bytes == kept_bytes == frame.bytes_per_line and not stray_bits:
        return None
    mask = 0xFF >> 8 - stray_bits
    cleared = [byte & ~mask | fill & mask for byte in range(256)]
    kept_of = _bits if left_px % 8 and color is ColorProcessing.BLACK_AND_WHITE_1 else _bytes

    def set_columns(strip: Strip, lines: int) -> Strip:
        if not kept_px:
            return bytes((fill,)) * (line_bytes * lines)
        kept = kept_of(picture(strip, "L", frame.bytes_per_line, lines), color, left_px, kept_px)
        if stray_bits:
            last_bytes = kept.crop((kept_bytes - 1, 0, kept_bytes, lines))
            kept.paste(last_bytes.point(cleared), (kept_bytes - 1, 0))
        if line_bytes == kept_bytes:
            return kept.tobytes()
        padded = Image.new("L", (line_bytes, lines), fill)
        padded.paste(kept, (0, 0))
        return padded.tobytes()

    return set_columns


def _bytes(strip: Image.Image, color: ColorProcessing, left_px: int, width_px: int) -> Image.Image:
    left = color.bytes_per_line(left_px)
    return strip.crop((left, 0, left + color.bytes_per_line(width_px), strip.height))


def _bits(strip: Image.Image, color: ColorProcessing, left_px: int, width_px: int) -> Image.Image:
    """Bilevel pixels that begin within a byte."""
    pixels = Image.frombytes("1", (strip.width * 8, strip.height), strip.tobytes())
    packed = pixels.crop((left_px, 0, left_px + width_px, strip.height)).tobytes()
    return picture(packed, "L", color.bytes_per_line(width_px), strip.height).copy()


class Cutter:
    """Cuts rows that come in any portions into strips of ``strip_lines`` lines; the last may have fewer.

    Whole strips are handed on where they lie; only torn ones are copied.
    """

    def __init__(self, line_bytes: int, strip_lines: int, hand_on: Callable[[memoryview, int], None]) -> None:
        self._line_bytes = line_bytes
        self._strip = bytearray(strip_lines * line_bytes)
        self._filled_bytes = 0
        self._hand_on = hand_on

    @property
    def strip_bytes(self) -> int:
        return len(self._strip)

    def push(self, rows: memoryview) -> None:
        """Take whole lines; ``rows`` may be reused afterwards."""
        rest = rows
        while self._filled_bytes + len(rest) >= self.strip_bytes:
            if self._filled_bytes:
                rest = self._keep(rest)
                self._filled_bytes = 0
                self._hand_on_lines(memoryview(self._strip))
            else:
                self._hand_on_lines(rest[: self.strip_bytes])
                rest = rest[self.strip_bytes :]
        self._keep(rest)

    def finish(self) -> None:
        """Hand on what is left."""
        if self._filled_bytes:
            self._hand_on_lines(memoryview(self._strip)[: self._filled_bytes])
            self._filled_bytes = 0

    def _keep(self, rows: memoryview) -> memoryview:
        """Copy rows into the torn strip; gives those that no longer fit."""
        fitting = rows[: self.strip_bytes - self._filled_bytes]
        end = self._filled_bytes + len(fitting)
        self._strip[self._filled_bytes : end] = fitting
        self._filled_bytes = end
        return rows[len(fitting) :]

    def _hand_on_lines(self, strip: memoryview) -> None:
        self._hand_on(strip, len(strip) // self._line_bytes)
