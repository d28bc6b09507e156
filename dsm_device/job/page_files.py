"""The files of a job's pages: how well they are compressed, how large they are, and what is too large to hold."""

from __future__ import annotations

from typing import Final

from dsm_device.errors import TicketRefused
from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.formats import FORMATS, PageSpec, page_format
from dsm_device.imaging.treatment import Treatment
from dsm_device.job.image_information import ImageInfo
from dsm_device.job.outcomes import Ledger
from dsm_device.job.processing import Side
from dsm_device.wire.ticket import Setting

DEFAULT_QUALITY: Final = 85
_LOSSLESS_QUALITY: Final = 100
#: A strip has 16 lines at least and several are in memory at once. A3 at 1200 dpi in RGB48 has 119,000 bytes.
MAX_LINE_BYTES: Final = 400_000


def choose_quality(asked: Setting[int] | None, format_: str, ledger: Ledger) -> int:
    """1 to 100. Lossless formats have no use for it; locked at anything but 100 it is refused (WS-Scan)."""
    lossy = FORMATS[format_].lossy
    if not lossy:
        used = _LOSSLESS_QUALITY
    elif asked is None:
        used = DEFAULT_QUALITY
    else:
        used = max(1, min(asked.value, 100))
    ledger.settle(
        "CompressionQualityFactor",
        asked,
        used,
        reason="encoders do 1 to 100" if lossy else f"{format_} is lossless",
        possible="1 to 100" if lossy else "100, or a lossy Format",
    )
    return used


def page_spec(format_: str, side: Side, quality: int, treatment: Treatment, *, exact: bool) -> PageSpec:
    """The file of a side's page. Rotation swaps its sides and their resolutions; scaling leaves these alone.

    ``exact``: the ticket says how large the page is, so it is, whatever the scanner knows of the paper.
    """
    width_px, height_px = side.upright_px
    x_dpi, y_dpi = side.resolution.x_dpi, side.resolution.y_dpi
    if treatment.on_its_side:
        width_px, height_px, x_dpi, y_dpi = height_px, width_px, y_dpi, x_dpi
    for line_px in side.upright_px if treatment.on_its_side else (width_px,):
        check_line(side.color, line_px)
    name = page_format(format_, side.color)
    return PageSpec(name, side.color, width_px, height_px, x_dpi, y_dpi, quality, treatment, exact)


def check_line(color: ColorProcessing, width_px: int) -> None:
    """Refuses lines of which not even a strip can be held; samples are treated in 8 bits at least."""
    line_bytes = width_px * color.channels * max(color.bits_per_sample, 8) // 8
    if line_bytes > MAX_LINE_BYTES:
        raise TicketRefused(
            f"a line of {width_px} pixels in {color} is longer than the {MAX_LINE_BYTES:,} bytes that are held",
            "choose a smaller area, a lower resolution, less scaling or a smaller ColorProcessing",
        )


def image_info(format_: str, spec: PageSpec) -> ImageInfo:
    bytes_per_line = FORMATS[format_].bytes_per_line(spec.color, spec.width_px)
    return ImageInfo(spec.width_px, spec.height_px, bytes_per_line)
