"""Automatic exposure: which levels make the paper white and the ink black (WS-Scan AutoExposure)."""

from __future__ import annotations

from typing import Final

from dsm_device.imaging.stages.exposure import Line

#: Paper is the most frequent level from here up ...
_PAPER_FROM: Final = 128
#: ... if at least this share of the page lies around it; else there is no paper to be seen, as on a photograph.
_PAPER_SHARE: Final = 0.1
_AROUND: Final = 8
#: Paper's grain becomes white, too: so far below its most frequent level white begins.
_GRAIN: Final = 4
#: Channels whose paper differs by more are a coloured sheet, which keeps its colour.
_TINT: Final = 32
#: Without paper the lightest part in a thousand is white, the darkest is black. The latter also with paper, but
#: ink is no lighter than _INK_TO: on a blank page there is nothing to be stretched.
_EXTREME_SHARE: Final = 0.001
_INK_TO: Final = 96


def levels(histograms: list[list[int]]) -> list[Line]:
    """One line for each channel, from the histograms of the page's levels 0 to 255."""
    total = [sum(counts) for counts in zip(*histograms, strict=True)]
    ink = _darkest(total)
    black = ink if ink <= _INK_TO else 0
    return [_stretch(black, white) for white in _whites(histograms, total)]


def _whites(histograms: list[list[int]], total: list[int]) -> list[int]:
    papers = [_paper(counts) for counts in histograms]
    found = [paper - _GRAIN for paper in papers if paper is not None]
    if len(found) < len(papers):
        lightest = max(_PAPER_FROM, 255 - _darkest(total[::-1]))
        return [lightest] * len(papers)
    return found if max(found) - min(found) <= _TINT else [max(found)] * len(found)


def _paper(counts: list[int]) -> int | None:
    """The most frequent light level, counted with its neighbours; None where it is no background."""
    level = max(range(_PAPER_FROM, 256), key=lambda each: (sum(counts[max(0, each - 2) : each + 3]), each))
    around = sum(counts[max(0, level - _AROUND) : level + _AROUND + 1])
    return level if around >= _PAPER_SHARE * sum(counts) else None


def _darkest(counts: list[int]) -> int:
    """The level that all but the darkest thousandth reach."""
    left = sum(counts) * _EXTREME_SHARE
    for level, count in enumerate(counts):
        left -= count
        if left < 0:
            return level
    return 255


def _stretch(black: int, white: int) -> Line:
    slope = 255 / (white - black)
    return Line(slope, -black / 255 * slope)
