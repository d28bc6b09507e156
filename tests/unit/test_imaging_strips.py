"""The way of a strip, and frames that do not serve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.errors import DriverError, ScannerMismatch
from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging.formats import MADE_FROM
from dsm_device.imaging.strips import STRIP_BYTES, lines_per_strip, steps

BW1, GRAY8, RGB24 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24


def frame(color: ColorProcessing, width_px: int, bytes_per_line: int | None = None) -> Frame:
    line = color.bytes_per_line(width_px) if bytes_per_line is None else bytes_per_line
    return Frame(color, width_px, 10, line, 300, 300)


@given(line_bytes=st.integers(1, 500_000))
def test_strips_are_whole_jpeg_block_rows_of_about_half_a_megabyte(line_bytes: int) -> None:
    lines = lines_per_strip(line_bytes)
    assert lines % 16 == 0
    assert lines == 16 or lines * line_bytes <= STRIP_BYTES
    assert lines == 4096 or (lines + 16) * line_bytes > STRIP_BYTES


@given(width_px=st.integers(1, 65_500), channels=st.sampled_from([1, 3]), block_px=st.sampled_from([8, 16]))
def test_a_strip_never_exceeds_a_jpeg_restart_interval(width_px: int, channels: int, block_px: int) -> None:
    lines = lines_per_strip(width_px * channels)
    assert -(-width_px // block_px) * (lines // block_px) <= 65_535


@pytest.mark.parametrize("color", [BW1, GRAY8, RGB24, ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_48])
def test_packed_lines_of_the_wanted_width_and_color_pass_untouched(color: ColorProcessing) -> None:
    assert steps(frame(color, 64), 64, color) == []


def test_bilevel_lines_with_a_torn_last_byte_are_cleared_of_its_stray_bits() -> None:
    (clear,) = steps(frame(BW1, 9), 9, BW1)
    assert clear(b"\xff\xff\x00\x7f", 2) == b"\xff\x80\x00\x00"


def test_bilevel_lines_grow_by_white_pixels_whatever_stood_in_their_padding() -> None:
    (grow,) = steps(frame(BW1, 3, bytes_per_line=4), 20, BW1)
    assert grow(b"\xff\xff\xff\xff", 1) == b"\xe0\x00\x00"


def test_gray_lines_are_cropped_and_grow_by_white() -> None:
    (crop,) = steps(frame(GRAY8, 3), 2, GRAY8)
    (grow,) = steps(frame(GRAY8, 3), 5, GRAY8)
    assert crop(b"abcdef", 2) == b"abde"
    assert grow(b"abcdef", 2) == b"abc\xff\xffdef\xff\xff"


def test_the_threshold_is_128_and_1_is_black() -> None:
    (threshold,) = steps(frame(GRAY8, 5), 5, BW1)
    assert threshold(bytes((0, 127, 128, 255, 1)), 1) == bytes((0b11001000,))


def test_colors_become_gray_by_their_luma() -> None:
    (luma,) = steps(frame(RGB24, 4), 4, GRAY8)
    assert luma(bytes((255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255)), 1) == bytes((76, 150, 29, 255))


@pytest.mark.parametrize(
    ("delivered", "wanted"),
    [(d, w) for w, possible in MADE_FROM.items() for d in ColorProcessing if d not in possible],
)
def test_a_color_that_cannot_be_made_of_the_delivered_one_is_named(
    delivered: ColorProcessing, wanted: ColorProcessing
) -> None:
    with pytest.raises(ScannerMismatch, match=f"delivers {delivered}.*{wanted}"):
        steps(frame(delivered, 8), 8, wanted)


@pytest.mark.parametrize(("width_px", "bytes_per_line"), [(100, 99), (0, 10), (-1, 10), (8, 0)])
def test_a_frame_that_contradicts_itself_is_the_drivers_fault(width_px: int, bytes_per_line: int) -> None:
    with pytest.raises(DriverError, match=f"{bytes_per_line} bytes for a line of {width_px} pixels"):
        steps(frame(GRAY8, width_px, bytes_per_line), 8, GRAY8)
