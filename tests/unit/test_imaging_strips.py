"""The way of a strip, and frames that do not serve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.errors import DriverError, ScannerMismatch
from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging.formats import MADE_FROM
from dsm_device.imaging.strips import STRIP_BYTES, Cutter, Strip, check, columns, lines_per_strip

BW1, GRAY8, RGB24 = ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24


def frame(color: ColorProcessing, width_px: int, bytes_per_line: int | None = None) -> Frame:
    line = color.bytes_per_line(width_px) if bytes_per_line is None else bytes_per_line
    return Frame(color, width_px, 10, line, 300, 300)


def changed(frame: Frame, left_px: int, width_px: int, fill: int, strip: bytes, lines: int) -> Strip:
    step = columns(frame, left_px, width_px, fill)
    assert step is not None
    return step(strip, lines)


@given(line_bytes=st.integers(1, 500_000))
def test_strips_are_whole_jpeg_block_rows_of_about_a_megabyte(line_bytes: int) -> None:
    lines = lines_per_strip(line_bytes)
    assert lines % 16 == 0
    assert lines == 16 or lines * line_bytes <= STRIP_BYTES
    assert lines == 4096 or (lines + 16) * line_bytes > STRIP_BYTES


@given(width_px=st.integers(1, 65_500), channels=st.sampled_from([1, 3]), block_px=st.sampled_from([8, 16]))
def test_a_strip_never_exceeds_a_jpeg_restart_interval(width_px: int, channels: int, block_px: int) -> None:
    lines = lines_per_strip(width_px * channels)
    assert -(-width_px // block_px) * (lines // block_px) <= 65_535


@pytest.mark.parametrize("color", [BW1, GRAY8, RGB24, ColorProcessing.GRAYSCALE_16, ColorProcessing.RGB_48])
def test_packed_lines_of_the_wanted_width_pass_untouched(color: ColorProcessing) -> None:
    assert columns(frame(color, 64), 0, 64, 0xFF) is None


def test_bilevel_lines_with_a_torn_last_byte_are_cleared_of_its_stray_bits() -> None:
    assert changed(frame(BW1, 9), 0, 9, 0x00, b"\xff\xff\x00\x7f", 2) == b"\xff\x80\x00\x00"


def test_bilevel_lines_grow_by_white_pixels_whatever_stood_in_their_padding() -> None:
    assert changed(frame(BW1, 3, bytes_per_line=4), 0, 20, 0x00, b"\xff\xff\xff\xff", 1) == b"\xe0\x00\x00"
    assert changed(frame(BW1, 3, bytes_per_line=4), 0, 20, 0xFF, b"\x00\x00\x00\x00", 1) == b"\x1f\xff\xff"


def test_bilevel_lines_begin_at_any_bit() -> None:
    assert changed(frame(BW1, 24), 5, 9, 0x00, b"\x07\xf8\x00", 1) == b"\xff\x00"
    assert changed(frame(BW1, 24), 6, 8, 0x00, b"\x03\xfc\x00", 1) == b"\xff"
    assert changed(frame(BW1, 10), 7, 9, 0x00, b"\xff\xff", 1) == b"\xe0\x00"


def test_gray_lines_are_cropped_and_grow_by_white() -> None:
    assert changed(frame(GRAY8, 3), 0, 2, 0xFF, b"abcdef", 2) == b"abde"
    assert changed(frame(GRAY8, 3), 1, 2, 0xFF, b"abcdef", 2) == b"bcef"
    assert changed(frame(GRAY8, 3), 0, 5, 0xFF, b"abcdef", 2) == b"abc\xff\xffdef\xff\xff"
    assert changed(frame(GRAY8, 3), 2, 2, 0xFF, b"abcdef", 2) == b"c\xfff\xff"


def test_columns_beyond_the_image_are_white() -> None:
    assert changed(frame(RGB24, 2), 2, 1, 0xFF, b"abcdef", 1) == b"\xff\xff\xff"
    assert changed(frame(BW1, 10), 11, 3, 0x00, b"\xff\xff", 1) == b"\x00"


@given(portions=st.lists(st.integers(0, 40)), strip_lines=st.integers(1, 20))
def test_rows_are_cut_into_strips_and_nothing_is_lost(portions: list[int], strip_lines: int) -> None:
    strips = []
    cutter = Cutter(3, strip_lines, lambda strip, lines: strips.append((bytes(strip), lines)))
    rows = bytes(number % 251 for number in range(3 * sum(portions)))
    at = 0
    for lines in portions:
        cutter.push(memoryview(rows)[at : at + 3 * lines])
        at += 3 * lines
    cutter.finish()
    assert b"".join(strip for strip, _ in strips) == rows
    assert all(len(strip) == 3 * lines for strip, lines in strips)
    assert [lines for _, lines in strips[:-1]] == [strip_lines] * (len(strips) - 1)


def test_whole_strips_are_handed_on_where_they_lie() -> None:
    seen = []
    cutter = Cutter(4, 2, lambda strip, _: seen.append(strip.obj))
    rows = bytearray(16)
    cutter.push(memoryview(rows))
    assert all(each is rows for each in seen)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("delivered", "wanted"),
    [(d, w) for w, possible in MADE_FROM.items() for d in ColorProcessing if d not in possible],
)
def test_a_color_that_cannot_be_made_of_the_delivered_one_is_named(
    delivered: ColorProcessing, wanted: ColorProcessing
) -> None:
    with pytest.raises(ScannerMismatch, match=f"delivers {delivered}.*{wanted}"):
        check(frame(delivered, 8), wanted)


@pytest.mark.parametrize(("width_px", "bytes_per_line"), [(100, 99), (0, 10), (-1, 10), (8, 0)])
def test_a_frame_that_contradicts_itself_is_the_drivers_fault(width_px: int, bytes_per_line: int) -> None:
    with pytest.raises(DriverError, match=f"{bytes_per_line} bytes for a line of {width_px} pixels"):
        check(frame(GRAY8, width_px, bytes_per_line), GRAY8)
