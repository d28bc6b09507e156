"""What page files can be, and which wishes are refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dsm_device.errors import TicketRefused
from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.formats import FORMATS, MADE_FROM, PageSpec

RGB24, BW1 = ColorProcessing.RGB_24, ColorProcessing.BLACK_AND_WHITE_1


def spec(
    format: str = "jfif",  # noqa: A002 - the field's name
    color: ColorProcessing = RGB24,
    size: tuple[int, int] = (100, 100),
    dpi: tuple[int, int] = (300, 300),
    quality: int = 80,
) -> PageSpec:
    return PageSpec(format, color, *size, *dpi, quality)


def test_formats_and_specs_can_be_asked_without_loading_pillow() -> None:
    code = "import sys, dsm_device.imaging.formats; print('PIL' in sys.modules, 'ctypes' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_every_color_of_every_format_can_be_made_of_something_and_best_of_itself() -> None:
    for each in FORMATS.values():
        for color in each.colors:
            if color is not ColorProcessing.GRAYSCALE_4:  # which no scanner delivers
                assert MADE_FROM[color][0] is color


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"format": "webp"}, "'webp'"),
        ({"color": BW1}, "jfif cannot hold BlackAndWhite1"),
        ({"color": ColorProcessing.RGB_48}, "jfif cannot hold RGB48"),
        ({"format": "tiff-single-g4"}, "tiff-single-g4 cannot hold RGB24"),
        ({"size": (65_501, 1)}, "65501 x 1"),
        ({"size": (1, 65_501)}, "1 x 65501"),
        ({"size": (0, 5)}, "0 x 5"),
        ({"size": (5, -1)}, "5 x -1"),
        ({"format": "png", "size": (2**31, 1)}, "2147483648"),
        ({"format": "tiff-single-uncompressed", "size": (40_000, 40_000)}, "too large"),
        ({"quality": 0}, "CompressionQualityFactor of 0"),
        ({"quality": 101}, "CompressionQualityFactor of 101"),
        ({"dpi": (0, 300)}, "resolution of 0 x 300"),
        ({"dpi": (300, 65_536)}, "resolution of 300 x 65536"),
    ],
)
def test_what_no_file_can_be_is_refused_with_what_can_be_chosen(wish: dict[str, object], named: str) -> None:
    with pytest.raises(TicketRefused) as refusal:
        spec(**wish)  # type: ignore[arg-type]
    assert named in str(refusal.value)
    assert "choose" in refusal.value.remedy


def test_the_largest_jpeg_and_a_page_of_a3_at_1200_dpi_in_48_bits_are_accepted() -> None:
    spec(size=(65_500, 65_500))
    spec("tiff-single-uncompressed", ColorProcessing.RGB_48, (14_031, 19_843), (1200, 1200))
