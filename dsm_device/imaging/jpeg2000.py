"""jpeg2k: JPEG 2000 (ISO/IEC 15444-1) in a JP2 file, made of tiles that are compressed one by one.

OpenJPEG, through Pillow, compresses each tile as a codestream of its own; joined under one main header the tiles'
data are those of one page. That works because tiles begin at multiples of a power of two: there all subbands,
code-blocks and precincts lie in the tile as they lie in an image of its own. Tiles at the edges may have fewer
wavelet levels; their tile-part headers then say so. One row of tiles is held; the wider the page, the lower it is.
"""

from __future__ import annotations

import io
import struct
import sys
from dataclasses import dataclass
from math import inf, log10
from typing import BinaryIO, Final

from PIL import Image, ImageChops, ImageStat, Jpeg2KImagePlugin, features

from dsm_device.errors import TicketRefused
from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.strips import Strip, picture

_SOC, _EOC = b"\xff\x4f", b"\xff\xd9"
_SIZ, _COD, _QCD, _SOT, _SOD = 0xFF51, 0xFF52, 0xFF5C, 0xFF90, 0xFF93
_SOT_SEGMENT: Final = struct.Struct(">HHHIBB")
_TILES_MAX: Final = 65_535
#: How much a row of tiles may hold. OpenJPEG needs some twenty bytes for each sample of a tile, and as long as it
#: takes Pillow keeps the interpreter lock.
_ROW_BYTES: Final = 2 * 1024 * 1024
_TILE_PX: Final = 128 * 1024
_TILE_LINES: Final = (256, 128, 64)
_LOSSLESS_QUALITY: Final = 100
#: What is asked for above the wanted ratio, one after the other.
_ASKED_ABOVE_DB: Final = (0, 4, 8, 12, 16)
_TOLERATED_DB: Final = 0.5
_MODES: Final = {
    ColorProcessing.GRAYSCALE_8: ("L", "L"),
    ColorProcessing.GRAYSCALE_16: ("I;16", "I;16" if sys.byteorder == "little" else "I;16B"),
    ColorProcessing.RGB_24: ("RGB", "RGB"),
}


@dataclass(frozen=True, slots=True)
class _Codestream:
    """One tile's, taken apart: main header segments with their markers, by marker code, and the packets."""

    segments: dict[int, bytes]
    packets: memoryview


class Jpeg2000Encoder:
    """Writes one page. Raises ``TicketRefused`` where this Pillow has no OpenJPEG, or the page too many tiles."""

    def __init__(self, file: BinaryIO, spec: PageSpec, strip_lines: int) -> None:  # noqa: ARG002 - any will do
        if not features.check("jpg_2000"):
            raise TicketRefused("this Pillow cannot write JPEG 2000", "install Pillow from PyPI or Debian")
        self._file = file
        self._spec = spec
        self._line_bytes = spec.color.bytes_per_line(spec.width_px)
        self._tile = _tile_px(spec)
        tiles = -(-spec.width_px // self._tile[0]) * -(-spec.height_px // self._tile[1])
        if tiles > _TILES_MAX:
            raise TicketRefused("the page is too large for jpeg2k", "choose a smaller area or a lower resolution")
        self._held = bytearray()
        self._next_tile = 0
        self._common: dict[int, bytes] = {}
        file.write(_boxes(spec, spec.height_px))

    def encode(self, strip: Strip, lines: int) -> None:  # noqa: ARG002 - its bytes say it
        row_bytes = self._tile[1] * self._line_bytes
        rest = memoryview(strip)
        while rest:
            fitting = rest[: row_bytes - len(self._held)]
            self._held += fitting
            rest = rest[len(fitting) :]
            if len(self._held) == row_bytes:
                self._write_row()
                self._held.clear()

    def finish(self, height_px: int) -> None:
        if self._held:
            self._write_row()
        self._file.write(_EOC)
        if height_px != self._spec.height_px:
            self._file.seek(0)
            self._file.write(_boxes(self._spec, height_px) + self._main_header(height_px))

    def close(self) -> None:
        self._held = bytearray()

    def _write_row(self) -> None:
        """Compress what is held as a row of tiles."""
        lines = len(self._held) // self._line_bytes
        row = picture(self._held, "L", self._line_bytes, lines)
        pixel_bytes = self._line_bytes // self._spec.width_px
        step = self._tile[0] * pixel_bytes
        for left in range(0, self._line_bytes, step):
            samples = row.crop((left, 0, min(left + step, self._line_bytes), lines))
            self._write_tile(self._compress(samples.tobytes(), samples.width // pixel_bytes, lines))

    def _compress(self, samples: bytes, width_px: int, lines: int) -> _Codestream:
        mode, raw_mode = _MODES[self._spec.color]
        tile = Image.frombuffer(mode, (width_px, lines), samples, "raw", raw_mode, 0, 1)
        if self._spec.quality == _LOSSLESS_QUALITY:
            return _taken_apart(_codestream(tile))
        return _taken_apart(_lossy_codestream(tile, len(samples), _psnr_db(self._spec.quality)))

    def _write_tile(self, tile: _Codestream) -> None:
        if not self._common:
            self._common = tile.segments
            self._file.write(self._main_header(self._spec.height_px))
        own = b"".join(tile.segments[code] for code in (_COD, _QCD) if tile.segments[code] != self._common[code])
        length = _SOT_SEGMENT.size + len(own) + 2 + len(tile.packets)
        self._file.write(_SOT_SEGMENT.pack(_SOT, 10, self._next_tile, length, 0, 1))
        self._file.write(own + _SOD.to_bytes(2, "big"))
        self._file.write(tile.packets)
        self._next_tile += 1

    def _main_header(self, height_px: int) -> bytes:
        """The first tile's, with the sizes of page and tiles (SIZ: A.5.1)."""
        siz = bytearray(self._common[_SIZ])
        struct.pack_into(">II", siz, 6, self._spec.width_px, height_px)
        struct.pack_into(">II", siz, 22, *self._tile)
        return _SOC + bytes(siz) + self._common[_COD] + self._common[_QCD]


def _tile_px(spec: PageSpec) -> tuple[int, int]:
    """Width and height of tiles, powers of two: the highest whose row is not too large, else the lowest."""
    line_bytes = spec.color.bytes_per_line(spec.width_px)
    lines = next((each for each in _TILE_LINES if each * line_bytes <= _ROW_BYTES), _TILE_LINES[-1])
    return _TILE_PX // lines, lines


def _lossy_codestream(tile: Image.Image, samples_bytes: int, wanted_db: float) -> bytes:
    """A tile with about the peak signal-to-noise ratio that is wanted.

    Where a tile is nearly of one colour OpenJPEG misjudges what it loses: blank paper would come out up to 24
    levels darker. Such tiles come out small, and quickly: they are looked at, and more is asked for until it
    suffices.
    """
    for more_db in _ASKED_ABOVE_DB:
        stream = _codestream(tile, irreversible=True, quality_mode="dB", quality_layers=[wanted_db + more_db])
        if len(stream) > _looked_at_bytes(samples_bytes) or _reached_db(tile, stream) >= wanted_db - _TOLERATED_DB:
            return stream
    return _codestream(tile, irreversible=True)


def _looked_at_bytes(samples_bytes: int) -> int:
    """Up to which size a codestream is small: the headers, and next to nothing."""
    return 512 + samples_bytes // 32


def _codestream(tile: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()  # no file: where that fails OpenJPEG does not come back
    tile.save(stream, "JPEG2000", no_jp2=True, mct=int(tile.mode == "RGB"), **options)
    return stream.getvalue()


def _reached_db(tile: Image.Image, stream: bytes) -> float:
    """The peak signal-to-noise ratio of a compressed tile, in 8 bits."""
    decoded = Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(stream))
    statistics = ImageStat.Stat(ImageChops.difference(_in_8_bits(tile), _in_8_bits(decoded)))
    error = sum(statistics.sum2) / sum(statistics.count)
    return 10 * log10(255**2 / error) if error else inf


def _in_8_bits(image: Image.Image) -> Image.Image:
    """16 bit samples, least significant byte first, seen as pairs of which the second counts."""
    if image.mode != "I;16":
        return image
    return Image.frombuffer("LA", image.size, image.tobytes(), "raw", "LA", 0, 1).getchannel("A")


def _psnr_db(quality: int) -> float:
    """The peak signal-to-noise ratio of each tile that OpenJPEG is asked for.

    Reached on a smoothed page of text and a photograph, RGB at 300 dpi: 30.8, 33.6, 38.8, 43.3 and 45.5 dB for
    25, 50, 75, 90 and 99. jfif reaches 33.7, 36.9, 39.6, 45.4 and 49.9 dB there with 3.2, 3.0, 2.2, 2.8 and 5.8
    times the bytes.
    """
    share = quality / 100
    return 28 + 9 * share + 8 * share**3


def _taken_apart(stream: bytes) -> _Codestream:
    """Of a codestream with one tile-part."""
    segments: dict[int, bytes] = {}
    at = len(_SOC)
    while (code := int.from_bytes(stream[at : at + 2], "big")) != _SOD:
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        segments[code] = stream[at:end]
        at = end
    return _Codestream(segments, memoryview(stream)[at + 2 : -len(_EOC)])


def _boxes(spec: PageSpec, height_px: int) -> bytes:
    """The JP2 file up to its codestream (Annex I), which is the last box and so may leave its length open."""
    bits, channels = spec.color.bits_per_sample, spec.color.channels
    header = (
        _box(b"ihdr", struct.pack(">IIHBBBB", height_px, spec.width_px, channels, bits - 1, 7, 0, 0))
        + _box(b"colr", struct.pack(">BBBI", 1, 0, 0, 16 if channels == 3 else 17))
        + _box(b"res ", _resolution(b"resc", spec) + _resolution(b"resd", spec))
    )
    return (
        _box(b"jP  ", b"\r\n\x87\n")
        + _box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + _box(b"jp2h", header)
        + struct.pack(">I4s", 0, b"jp2c")
    )


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _resolution(kind: bytes, spec: PageSpec) -> bytes:
    """Pixels per metre, vertical first, as numerators, denominators and powers of ten: dpi / 254 * 10**4."""
    return _box(kind, struct.pack(">HHHHbb", spec.y_dpi, 254, spec.x_dpi, 254, 4, 4))
