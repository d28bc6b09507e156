"""Whether a picture is like a side of a sheet.

The side as it was printed and the image as it was delivered are both reduced to a thumbnail, each cell of which is
the mean of some millimetres of paper. Compression, another resolution or a row more do little to a mean; what is
missing, moved or of another colour does much.
"""

from __future__ import annotations

import functools
from typing import Final

from PIL import Image, ImageChops, ImageStat

from dsm_sim.scenario.view import View, size_px

_CELL_MM: Final = 6.6
#: By how much a cell may differ, of 255, in Y (in black and white a pixel more or less makes much), Cb and Cr.
#: Measured on all scenarios, and on each kind of paper at 75 dpi in colour, gray, and black and white: sound pages
#: differ by up to 5 in lightness (in black and white 26) and 4 in colour. Pages with a white lower 7/8 differ by
#: 49 or more (faint pencil by 21, black and white by 53), cut to a third by about 150, with red for blue or
#: gray for colour by 10 or more. Of a side with nothing on it, or with hardly any colour, nothing can be missed.
_LIGHTNESS, _BILEVEL_LIGHTNESS, _COLOUR = 17, 38, 7
#: Where the exposure is changed, light and dark must still be in the same places.
_CORRELATION: Final = 0.9
#: So much lighter, or richer in contrast, it must be to be called so, of 255.
_CHANGE: Final = 1.0
#: A side has a background where so many of its cells are so light; automatic exposure makes it white.
_PAPER_SHARE, _PAPER, _WHITE = 0.25, 200, 250
#: Enough for means; what is black and white is so pixel by pixel, at its own resolution.
_ENOUGH_DPI: Final = (100, 100)
_GRAY: Final = 128


def difference(image: Image.Image, view: View) -> str:
    """How an image of eight bits a sample differs from ``view``, which it is to show upright; "" if not at all."""
    is_colored = len(image.getbands()) >= len("RGB")
    if is_colored != view.is_colored:
        return f"is {'in colour' if is_colored else 'gray'}, but the process asks for {view.color}"
    expected, found = _expected(view), _thumbnail(image, view)
    if view.exposure:
        return _exposure_problem(expected.convert("L"), found.convert("L"), dict(view.exposure))
    bands = ImageChops.difference(expected, found).split()
    lightness = _BILEVEL_LIGHTNESS if view.is_bilevel else _LIGHTNESS
    for band, what, limit in zip(bands, ("lightness", "blue", "red"), (lightness, _COLOUR, _COLOUR), strict=False):
        worst = max(band.tobytes())
        if worst > limit:
            return (
                f"does not show what was on the paper: {_place(band, worst)} its {what} differs by {worst} of 255"
            )
    return ""


def _place(band: Image.Image, level: int) -> str:
    """Where the first cell of that level is."""
    down, across = divmod(band.tobytes().index(level), band.width)
    return f"{(across + 0.5) / band.width:.0%} across and {(down + 0.5) / band.height:.0%} down"


# ------------------------------------------------------------------------------------------- exposure


def _exposure_problem(paper: Image.Image, found: Image.Image, asked: dict[str, int]) -> str:
    """How much is the device's own; in which direction, and that it is the same page, can be told."""
    likeness = _correlation(paper.tobytes(), found.tobytes())
    if likeness < _CORRELATION:
        return f"does not show what was on the paper: it correlates by {likeness:.2f} only"
    if "AutoExposure" in asked:
        is_fine = _background(paper) < _PAPER or _background(found) >= _WHITE
        return "" if is_fine else f"has a background of {_background(found)} instead of white"
    before, after = ImageStat.Stat(paper), ImageStat.Stat(found)
    changes = {"Brightness": after.mean[0] - before.mean[0], "Contrast": after.stddev[0] - before.stddev[0]}
    for name, change in changes.items():
        wish = asked.get(name, 0)
        if wish and change * wish < _CHANGE * abs(wish):
            return f"has {name} {wish:+}, and differs by {change:+.1f} of 255"
    return ""


def _background(image: Image.Image) -> int:
    levels = sorted(image.tobytes())
    return levels[-max(1, round(_PAPER_SHARE * len(levels)))]


def _correlation(one: bytes, other: bytes) -> float:
    """Pearson's; 1 where one of them is even."""
    mean_one, mean_other = sum(one) / len(one), sum(other) / len(other)
    pairs = [(a - mean_one, b - mean_other) for a, b in zip(one, other, strict=True)]
    power = sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)
    return float(sum(a * b for a, b in pairs) / power**0.5) if power else 1.0


# ----------------------------------------------------------------------------------------- thumbnails


def _thumbnail(image: Image.Image, view: View) -> Image.Image:
    """Without the mark, which is not in the printed file: there it is gray, here and there."""
    whole = image.convert("RGB" if view.is_colored else "L")
    across, down = whole.width / view.area_mm[0], whole.height / view.area_mm[1]
    left, upper, right, lower = view.mark_mm
    whole.paste("gray", (round(left * across), round(upper * down), round(right * across), round(lower * down)))
    cells = [max(1, round(length_mm / _CELL_MM)) for length_mm in view.area_mm]
    small = whole.resize((cells[0], cells[1]), Image.Resampling.BOX)
    return small.convert("YCbCr") if view.is_colored else small


@functools.lru_cache(maxsize=128)
def _expected(view: View) -> Image.Image:
    mode = "RGB" if view.is_colored else "L"
    is_sharp = view.is_bilevel and not view.is_dotted
    dpi = view.dpi if is_sharp else _ENOUGH_DPI
    level = view.background
    seen = Image.new(mode, size_px(view.area_mm, dpi), (level, level, level) if mode == "RGB" else level)
    left, top = size_px(view.offset_mm, dpi)
    seen.paste(_paper(view, mode, size_px(view.sheet_mm, dpi)), (-left, -top))
    if is_sharp:
        seen = seen.point(lambda level: 255 if level >= _GRAY else 0)
    return _thumbnail(seen, view)


def _paper(view: View, mode: str, size: tuple[int, int]) -> Image.Image:
    if view.page is None:
        return Image.new(mode, size, "white")
    with Image.open(view.page) as page:
        shrinks = page.width > size[0]
        sheet = page.convert(mode).resize(size, Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR)
    return sheet.transpose(Image.Transpose.ROTATE_180) if view.is_turned else sheet
