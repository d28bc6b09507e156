"""The kind `text`: a business letter, or a visiting card where the sheet is small."""

from __future__ import annotations

import itertools
from random import Random
from typing import Final

from . import phrases
from .canvas import BALLPOINT, BLACK, CALM_TOP_MM, GRAY, Canvas, Rgb, line_mm
from .handwriting import signature
from .letterhead import HOUSE_COLORS, footer, letterhead

_GREETING_MM: Final = 32.0


def text_page(canvas: Canvas, rng: Random) -> None:
    if canvas.height_mm < 100:
        _card(canvas, rng)
    else:
        _letter(canvas, rng)


def _letter(canvas: Canvas, rng: Random) -> None:
    sender, reader, color = phrases.company(rng), phrases.person(rng), rng.choice(HOUSE_COLORS)
    body_points = 10.5 if canvas.width_mm > 120 else 8.0
    y = letterhead(canvas, sender, color, rng)
    footer(canvas, sender, rng)
    left, width = canvas.margin_mm, canvas.text_width_mm
    for line in (reader.name, reader.street, reader.town):
        canvas.text((left, y), line, body_points)
        y += line_mm(body_points)
    canvas.text((left + width, y), phrases.date(rng), body_points, anchor="ra")
    y += 2.4 * line_mm(body_points)
    canvas.text((left, y), rng.choice(phrases.SUBJECTS), body_points + 0.5, bold=True)
    y = canvas.paragraph((left, y + 2 * line_mm(body_points)), width, f"Dear {reader.name},", body_points)
    y = _body(canvas, y + 2, body_points, rng)
    if y + _GREETING_MM < canvas.bottom_mm:
        _greeting(canvas, y + 2, body_points, rng)


def _body(canvas: Canvas, y: float, points: float, rng: Random) -> float:
    """Paragraphs until four or the sheet are full; a long sheet takes more of them."""
    most = max(rng.randint(3, 4), int(canvas.height_mm / 60))
    for paragraph in itertools.islice(phrases.paragraphs(rng), most):
        if y + 3 * line_mm(points) > canvas.bottom_mm - 10:
            break
        y = canvas.paragraph((canvas.margin_mm, y), canvas.text_width_mm, paragraph, points) + 2.5
    return y


def _greeting(canvas: Canvas, y: float, points: float, rng: Random) -> None:
    writer = phrases.person(rng).name
    canvas.text((canvas.margin_mm, y), "Yours sincerely,", points)
    canvas.pen(signature((canvas.margin_mm + 1, y + 18), 42, rng), 0.4, BALLPOINT)
    canvas.text((canvas.margin_mm, y + 24), writer, points)


def _card(canvas: Canvas, rng: Random) -> None:
    """Small print below the calm strip: name, company, how to reach them."""
    employer, holder, color = phrases.company(rng), phrases.person(rng), rng.choice(HOUSE_COLORS)
    canvas.box((0, canvas.height_mm - 3), (canvas.width_mm, 3), None, color)
    lines: tuple[tuple[str, float, Rgb], ...] = (
        (holder.name, 12, BLACK),
        (f"{employer.name}, {employer.trade}", 6.5, color),
        (f"{employer.street}, {employer.town}", 6.5, GRAY),
        (f"Tel. 0{rng.randint(200, 999)} {rng.randint(1000, 9999)}", 6.5, GRAY),
    )
    y = CALM_TOP_MM + 3
    for words, points, ink in lines:
        if y + line_mm(points) > canvas.bottom_mm:
            break
        canvas.text((canvas.margin_mm, y), words, points, ink, bold=points > 10)
        y += line_mm(points) + 0.8
