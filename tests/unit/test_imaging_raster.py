"""From packed lines to rasters and back, for every colour that is made of every other."""

from __future__ import annotations

import random
import struct

import pytest

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.formats import MADE_FROM
from dsm_device.imaging.raster import LineBuffer, Raster, pack, unpack, working_color

BW1, GRAY4, GRAY8 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_4, ColorProcessing.GRAYSCALE_8
GRAY16, RGB24, RGB48 = ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_24, ColorProcessing.RGB_48


def through(strip: bytes, delivered: ColorProcessing, wanted: ColorProcessing, width_px: int, lines: int) -> bytes:
    return pack(unpack(strip, delivered, working_color(delivered, wanted), width_px, lines), wanted)


def shorts(*samples: int) -> bytes:
    return struct.pack(f"={len(samples)}H", *samples)


@pytest.mark.parametrize("color", [BW1, GRAY8, GRAY16, RGB24, RGB48])
def test_a_raster_holds_every_sample(color: ColorProcessing) -> None:
    rows = random.Random(1).randbytes(color.bytes_per_line(24) * 7)
    assert through(rows, color, color, 24, 7) == rows


@pytest.mark.parametrize("delivered", [GRAY8, GRAY16, RGB24, RGB48])
def test_a_raster_shares_no_memory_with_the_strip(delivered: ColorProcessing) -> None:
    strip = bytearray(delivered.bytes_per_line(8) * 2)
    raster = unpack(strip, delivered, working_color(delivered, GRAY8), 8, 2)
    strip[:] = b"\xff" * len(strip)
    assert raster.planes[0].getextrema() == (0, 0)


def test_colors_become_gray_by_their_luma() -> None:
    rows = bytes((255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255))
    assert through(rows, RGB24, GRAY8, 4, 1) == bytes((76, 150, 29, 255))
    deep = shorts(65535, 0, 0, 0, 65535, 0, 0, 0, 65535, 65535, 65535, 65535)
    assert through(deep, RGB48, GRAY8, 4, 1) == bytes((76, 150, 29, 255))
    assert through(deep, RGB48, GRAY16, 4, 1) == shorts(
        *((65535 * w + 16384) >> 15 for w in (9798, 19235, 3735)), 65535
    )


def test_sixteen_bits_become_eight_by_their_high_byte() -> None:
    assert through(shorts(0x12FF, 0x0001, 0xFFFF), GRAY16, GRAY8, 3, 1) == b"\x12\x00\xff"
    assert through(shorts(0x12FF, 0x0001, 0xFFFF), RGB48, RGB24, 1, 1) == b"\x12\x00\xff"


def test_four_bits_are_rounded_and_packed_with_the_left_pixel_high() -> None:
    assert through(bytes((0, 8, 9, 255, 128)), GRAY8, GRAY4, 5, 1) == bytes((0x00, 0x1F, 0x80))
    every = bytes(range(256))
    packed = through(every, GRAY8, GRAY4, 256, 1)
    assert [byte >> 4 for byte in packed] == [round(level * 15 / 255) for level in range(0, 256, 2)]
    assert [byte & 15 for byte in packed] == [round(level * 15 / 255) for level in range(1, 256, 2)]


def test_the_working_color_is_never_more_than_the_file_holds() -> None:
    for wanted, possible in MADE_FROM.items():
        for delivered in possible:
            working = working_color(delivered, wanted)
            assert working.channels == wanted.channels
            assert working.bits_per_sample <= max(8, wanted.bits_per_sample)


def test_lines_are_found_by_their_number_until_they_are_dropped() -> None:
    buffer = LineBuffer()
    for first in range(0, 30, 3):
        buffer.push(unpack(bytes(range(first, first + 3)), GRAY8, GRAY8, 1, 3))
    assert buffer.bottom == 30
    assert buffer.lines(4, 11).planes[0].tobytes() == bytes(range(4, 11))
    buffer.drop_before(11)
    assert buffer.lines(11, 30).planes[0].tobytes() == bytes(range(11, 30))
    assert isinstance(buffer.lines(12, 13), Raster)
