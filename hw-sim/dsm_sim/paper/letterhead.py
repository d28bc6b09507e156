"""The head of business paper: a logo, the name, a line of small print. Letters and invoices share it."""

from __future__ import annotations

import math
from random import Random
from typing import Final

from .canvas import CALM_TOP_MM, GRAY, WHITE, Canvas, Point, Rgb
from .phrases import Party

HOUSE_COLORS: Final[tuple[Rgb, ...]] = ((22, 74, 110), (140, 36, 44), (36, 98, 70), (92, 58, 120), (176, 96, 20))
_LOGO_MM: Final = 15.0


def letterhead(canvas: Canvas, sender: Party, color: Rgb, rng: Random) -> float:
    """Draws it below the calm strip; returns where the content begins (mm from the top)."""
    left, top = canvas.margin_mm, CALM_TOP_MM + 2
    _logo(canvas, (left, top), color, rng)
    beside = left + _LOGO_MM + 5
    canvas.text((beside, top + 1.2), sender.name, _fitting(canvas, sender.name, beside), color, bold=True)
    canvas.text((beside, top + 9.6), sender.trade, 9, GRAY)
    canvas.line((left, top + 19), (canvas.width_mm - left, top + 19), 0.4, color)
    return top + 24


def footer(canvas: Canvas, sender: Party, rng: Random) -> None:
    """Small print at the end of the sheet, if that is well below its head."""
    y = canvas.bottom_mm - 4
    if y < CALM_TOP_MM + 30:
        return
    canvas.line((canvas.margin_mm, y - 2), (canvas.width_mm - canvas.margin_mm, y - 2), 0.15, GRAY)
    print_ = (
        f"{sender.name}, {sender.street}, {sender.town}   Tel. 0{rng.randint(200, 999)} {rng.randint(1000, 9999)}"
    )
    canvas.text((canvas.width_mm / 2, y), print_, 7, GRAY, anchor="ma")


def _fitting(canvas: Canvas, name: str, left_mm: float) -> float:
    """The size of type at which the name ends before the margin, 20 points at most."""
    space = canvas.width_mm - canvas.margin_mm - left_mm
    return min(20.0, 20.0 * space / canvas.words_width_mm(name, 20))


def _logo(canvas: Canvas, place: Point, color: Rgb, rng: Random) -> None:
    radius = _LOGO_MM / 2
    center = (place[0] + radius, place[1] + radius)
    canvas.ellipse(center, radius, color)
    rays = rng.choice((5, 6, 8, 12))
    star = [
        _polar(center, radius * (0.78 if step % 2 else 0.36), step * math.pi / rays) for step in range(2 * rays)
    ]
    canvas.polygon(star, WHITE)
    canvas.ellipse(center, radius * 0.2, color)


def _polar(center: Point, radius_mm: float, angle: float) -> Point:
    return center[0] + radius_mm * math.sin(angle), center[1] - radius_mm * math.cos(angle)
