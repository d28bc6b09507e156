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
STRIP_BYTES: Final = 512 * 1024
#: Strips are a multiple of the tallest row of JPEG blocks, which is 16 lines at 4:2:0.
_LINES_MULTIPLE: Final = 16
#: Keeps a strip of very narrow lines within one JPEG restart interval (65,535 blocks).
_LINES_MAX: Final = 4096


def lines_per_strip(line_bytes: int) -> int:
    """How many lines of ``line_bytes`` make a strip: about 512 KiB, a multiple of 16, at least 16."""
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


def steps(frame: Frame, width_px: int, color: ColorProcessing) -> list[Step]:
    """What must be done to strips of ``frame`` to get packed lines of ``width_px`` pixels in ``color``.

    Raises ``ScannerMismatch`` where ``color`` cannot be made of the delivered one, and ``DriverError`` where
    the frame contradicts itself.
    """
    if frame.color not in MADE_FROM[color]:
        raise ScannerMismatch(f"the scanner delivers {frame.color}, of which no {color} can be made")
    if frame.width_px < 1 or frame.bytes_per_line < frame.color.bytes_per_line(frame.width_px):
        raise DriverError(
            f"the driver announces {frame.bytes_per_line} bytes for a line of {frame.width_px} pixels"
            f" in {frame.color}"
        )
    return [*_width_steps(frame, width_px), *_color_steps(frame.color, color, width_px)]


def _width_steps(frame: Frame, width_px: int) -> list[Step]:
    """Drop the padding of the lines, crop them or pad them with white, and clear stray bits behind them."""
    line_bytes = frame.color.bytes_per_line(width_px)
    kept_px = min(frame.width_px, width_px)
    kept_bytes = frame.color.bytes_per_line(kept_px)
    stray_bits = kept_bytes * 8 - kept_px * frame.color.channels * frame.color.bits_per_sample
    if line_bytes == kept_bytes == frame.bytes_per_line and not stray_bits:
        return []
    white = white_byte(frame.color)
    cleared = [byte >> stray_bits << stray_bits for byte in range(256)]

    def set_width(strip: Strip, lines: int) -> Strip:
        kept = picture(strip, "L", frame.bytes_per_line, lines).crop((0, 0, kept_bytes, lines))
        if stray_bits:
            last_bytes = kept.crop((kept_bytes - 1, 0, kept_bytes, lines))
            kept.paste(last_bytes.point(cleared), (kept_bytes - 1, 0))
        if line_bytes > kept_bytes:
            padded = Image.new("L", (line_bytes, lines), white)
            padded.paste(kept, (0, 0))
            return padded.tobytes()
        return kept.tobytes()

    return [set_width]


def _color_steps(delivered: ColorProcessing, wanted: ColorProcessing, width_px: int) -> list[Step]:
    def threshold(strip: Strip, lines: int) -> Strip:
        """Pillow's conversion makes samples below 128 black; ``1;I`` packs black as 1."""
        gray = picture(strip, "L", width_px, lines)
        return gray.convert("1", dither=Image.Dither.NONE).tobytes("raw", "1;I")

    def luma(strip: Strip, lines: int) -> Strip:
        """ITU-R BT.601 luma, which is Pillow's conversion from RGB."""
        return picture(strip, "RGB", width_px, lines).convert("L").tobytes()

    chosen: list[Step] = []
    if delivered is ColorProcessing.RGB_24 and wanted is not delivered:
        chosen.append(luma)
    if wanted is ColorProcessing.BLACK_AND_WHITE_1 and wanted is not delivered:
        chosen.append(threshold)
    return chosen
