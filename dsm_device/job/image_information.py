"""How large the image of a ticket is: WS-Scan's ImageInformation (WS-DSD, ValidateScanTicket).

The numbers are a promise: what the scanner delivers is cropped or padded to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dsm_device.hardware import MIL_PER_INCH
from dsm_device.wire.ticket import Resolution, Scaling


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image. ``bytes_per_line`` is 0 for compressed formats; all are 0 where the ticket is not valid."""

    pixels_per_line: int = 0
    number_of_lines: int = 0
    bytes_per_line: int = 0


@dataclass(frozen=True, slots=True)
class ImageInformation:
    """``back`` only with ADFDuplex."""

    front: ImageInfo = ImageInfo()
    back: ImageInfo | None = None


#: What is said of a ticket that is not valid.
NO_IMAGE: Final = ImageInformation()


def pixels(length_mil: int, dpi: int) -> int:
    """A length in pixels, rounded half up; may be 0."""
    return (length_mil * dpi + MIL_PER_INCH // 2) // MIL_PER_INCH


def upright_px(width_mil: int, height_mil: int, resolution: Resolution, scaling: Scaling) -> tuple[int, int]:
    """Width and height (>= 1) of a region's image, scaled and not yet rotated."""
    return (
        max(1, _scaled(pixels(width_mil, resolution.x_dpi), scaling.width_percent)),
        max(1, _scaled(pixels(height_mil, resolution.y_dpi), scaling.height_percent)),
    )


def _scaled(length_px: int, percent: int) -> int:
    return (length_px * percent + 50) // 100
