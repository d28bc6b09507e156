"""Sharpness: a pixel against its surroundings of 5 x 5."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageFilter

from dsm_device.imaging.stages import Neighborhood

#: Binomial, close to a Gaussian of one pixel.
_ROW: Final = (1, 4, 6, 4, 1)
_BLUR: Final = tuple(a * b / 256 for a in _ROW for b in _ROW)
_CENTER: Final = 12
_HALO: Final = 2
#: How many times the difference from the surroundings is added at 100.
_STRONGEST: Final = 2.0


def sharpened(sharpness: int) -> Neighborhood:
    """-100 to 100: from the surroundings' mean over the pixel itself to an unsharp mask of twice the difference.

    The outermost two pixels of the page stay as they are.
    """
    share = sharpness / 100 * (_STRONGEST if sharpness > 0 else 1)
    weights = [-share * weight for weight in _BLUR]
    weights[_CENTER] += 1 + share
    kernel = ImageFilter.Kernel((5, 5), weights, scale=1)
    return Neighborhood(lambda lines: lines.map(lambda plane: _filtered(plane, kernel)), _HALO)


def _filtered(plane: Image.Image, kernel: ImageFilter.Kernel) -> Image.Image:
    """Pillow filters 16 bit only within 32, and clips on the way back."""
    if plane.mode == "I;16":
        return plane.convert("I").filter(kernel).convert("I;16")
    return plane.filter(kernel)
