"""Lines as Pillow images: what the stages between the scanner's rows and the encoder's strips work on.

The working colour is the delivered one, brought down to the file's channels and depth where the file has fewer:
so the stages never carry samples that the file cannot hold. Bilevel stays bilevel (mode ``1``) until something
needs gray.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageMath

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.strips import Strip, picture

_LITTLE: Final = sys.byteorder == "little"
_RAW_16: Final = "I;16" if _LITTLE else "I;16B"
_RAW_HIGH_BYTE: Final = "L;16" if _LITTLE else "L;16B"
#: Gray in four bits, rounded.
_SIXTEEN_LEVELS: Final = [(level * 15 + 127) // 255 for level in range(256)]
#: The largest sample of a mode, which is white.
WHITE: Final = {"1": 255, "L": 255, "RGB": 255, "I;16": 65535}

BW1, GRAY4, GRAY8 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_4, ColorProcessing.GRAYSCALE_8
GRAY16, RGB24, RGB48 = ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_24, ColorProcessing.RGB_48


@dataclass(frozen=True, slots=True)
class Raster:
    """A number of whole lines, or any rectangle of a page, as planes of one size.

    One plane in mode ``1`` (255 = white), ``L``, ``RGB`` or ``I;16``; colour of 16 bit is three planes ``I;16``.
    """

    planes: tuple[Image.Image, ...]

    @property
    def mode(self) -> str:
        return self.planes[0].mode

    @property
    def width_px(self) -> int:
        return self.planes[0].width

    @property
    def height_px(self) -> int:
        return self.planes[0].height

    def map(self, change: Callable[[Image.Image], Image.Image]) -> Raster:
        return Raster(tuple(change(plane) for plane in self.planes))

    def crop(self, left: int, top: int, right: int, bottom: int) -> Raster:
        return self.map(lambda plane: plane.crop((left, top, right, bottom)))

    def lines(self, top: int, bottom: int) -> Raster:
        if (top, bottom) == (0, self.height_px):
            return self
        return self.crop(0, top, self.width_px, bottom)

    def paste(self, other: Raster, left: int, top: int) -> None:
        for plane, pasted in zip(self.planes, other.planes, strict=True):
            plane.paste(pasted, (left, top))

    def as_gray(self) -> Raster:
        """Bilevel as gray of 8 bit, anything else as it is."""
        return self.map(lambda plane: plane.convert("L")) if self.mode == "1" else self

    def in_eight_bits(self) -> Image.Image:
        """As one image in mode ``L`` or ``RGB``; of 16 bit the high bytes."""
        if self.mode == "1":
            return self.planes[0].convert("L")
        if self.mode != "I;16":
            return self.planes[0]
        high = [Image.frombytes("L", p.size, p.tobytes(), "raw", "L;16") for p in self.planes]
        return high[0] if len(high) == 1 else Image.merge("RGB", high)


def white(mode: str, planes: int, width_px: int, height_px: int) -> Raster:
    """A white rectangle."""
    level = WHITE[mode]
    color = (level,) * 3 if mode == "RGB" else level
    return Raster(tuple(Image.new(mode, (width_px, height_px), color) for _ in range(planes)))


def empty(mode: str, planes: int, width_px: int, height_px: int) -> Raster:
    """A rectangle that will be pasted over."""
    return Raster(tuple(Image.new(mode, (width_px, height_px), None) for _ in range(planes)))


def join(rasters: Sequence[Raster]) -> Raster:
    """Rasters of one width and mode, one below the other."""
    if len(rasters) == 1:
        return rasters[0]
    first = rasters[0]
    height_px = sum(each.height_px for each in rasters)
    joined = empty(first.mode, len(first.planes), first.width_px, height_px)
    top = 0
    for each in rasters:
        joined.paste(each, 0, top)
        top += each.height_px
    return joined


def working_color(delivered: ColorProcessing, wanted: ColorProcessing) -> ColorProcessing:
    """In which colour lines are worked on between the two."""
    if delivered is BW1:
        return BW1
    deep = wanted.bits_per_sample == 16
    if wanted.channels == 3:
        return RGB48 if deep else RGB24
    return GRAY16 if deep else GRAY8


def unpack(
    strip: Strip, delivered: ColorProcessing, working: ColorProcessing, width_px: int, lines: int
) -> Raster:
    """Packed delivered lines in the working colour. The raster shares no memory with the strip.

    Gray is ITU-R BT.601 luma; 8 bits are the high byte of 16.
    """
    size = (width_px, lines)
    if delivered is RGB48 and working in (RGB48, GRAY16):
        planes = _planes(strip, size)
        return Raster((_luma(planes),) if working is GRAY16 else planes)
    if delivered in (BW1, RGB24, RGB48):
        mode, raw = {BW1: ("1", "1;I"), RGB24: ("RGB", "RGB"), RGB48: ("RGB", "RGB;16N")}[delivered]
        image = _decoded(strip, mode, size, raw)
        return Raster((image.convert("L") if delivered is not BW1 and working is GRAY8 else image,))
    if delivered is GRAY16 and working is GRAY8:
        return Raster((_decoded(strip, "L", size, _RAW_HIGH_BYTE),))
    if delivered is GRAY16:
        return Raster((_decoded(strip, "I;16", size, _RAW_16),))
    return Raster((picture(strip, "L", width_px, lines).copy(),))


def pack(raster: Raster, color: ColorProcessing) -> bytes:
    """Packed lines for an encoder. ``color`` is what the raster's mode holds, or 4 bit of ``L``."""
    if color is BW1:
        return raster.planes[0].tobytes("raw", "1;I")
    if color is GRAY4:
        levels = raster.planes[0].point(_SIXTEEN_LEVELS)
        return picture(levels.tobytes(), "P", *levels.size).tobytes("raw", "P;4")
    if color is RGB48:
        return _interleaved(raster.planes)
    return raster.planes[0].tobytes("raw", _RAW_16 if color is GRAY16 else raster.mode)


def _decoded(strip: Strip, mode: str, size: tuple[int, int], raw: str) -> Image.Image:
    image = Image.frombuffer(mode, size, strip, "raw", raw, 0, 1)  # type: ignore[arg-type] # takes any buffer
    return image.copy() if image.readonly else image


def _planes(strip: Strip, size: tuple[int, int]) -> tuple[Image.Image, ...]:
    samples = array("H", bytes(strip))
    return tuple(_decoded(samples[channel::3].tobytes(), "I;16", size, _RAW_16) for channel in range(3))


def _interleaved(planes: Sequence[Image.Image]) -> bytes:
    samples = array("H", bytes(planes[0].width * planes[0].height * 6))
    for channel, plane in enumerate(planes):
        samples[channel::3] = array("H", plane.tobytes("raw", _RAW_16))
    return samples.tobytes()


def _luma(planes: Sequence[Image.Image]) -> Image.Image:
    """In fractions of 15 bits, so that the sum stays within Pillow's 32."""
    red, green, blue = (plane.convert("I") for plane in planes)
    luma: Image.Image = ImageMath.lambda_eval(
        lambda names: (names["r"] * 9798 + names["g"] * 19235 + names["b"] * 3735 + 16384) >> 15,
        r=red,
        g=green,
        b=blue,
    )
    return luma.convert("I;16")


class LineBuffer:
    """The last lines of a page that a stage still needs, addressed by their number on the page."""

    def __init__(self) -> None:
        self._pieces: list[Raster] = []
        self._top = 0
        self.bottom = 0

    def push(self, lines: Raster) -> None:
        self._pieces.append(lines)
        self.bottom += lines.height_px

    def lines(self, top: int, bottom: int) -> Raster:
        """Lines from ``top`` to before ``bottom``, which have come and are not dropped yet."""
        found, at = [], self._top
        for piece in self._pieces:
            first, last = max(top, at), min(bottom, at + piece.height_px)
            if first < last:
                found.append(piece.lines(first - at, last - at))
            at += piece.height_px
        return join(found)

    def drop_before(self, line: int) -> None:
        while self._pieces and self._top + self._pieces[0].height_px <= line:
            self._top += self._pieces.pop(0).height_px
