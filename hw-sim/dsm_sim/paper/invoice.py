"""The kind `invoice`: a table of goods and amounts on business paper, or a till slip where the sheet is narrow."""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from . import phrases
from .canvas import BLACK, CALM_TOP_MM, GRAY, WHITE, Canvas, Rgb, line_mm
from .letterhead import HOUSE_COLORS, footer, letterhead

_TAX_PERCENT: Final = 19
_ROW_MM: Final = 7.0
_TINT: Final[Rgb] = (240, 242, 245)


class Item(NamedTuple):
    quantity: int
    name: str
    price_cents: int

    @property
    def amount_cents(self) -> int:
        return self.quantity * self.price_cents


def invoice_page(canvas: Canvas, rng: Random) -> None:
    if canvas.width_mm < 95:
        _till_slip(canvas, rng)
    else:
        _invoice(canvas, rng)


def _items(rng: Random, most: int) -> list[Item]:
    goods = [rng.choice(phrases.GOODS) for _ in range(max(1, rng.randint(min(5, most), max(1, most))))]
    return [
        Item(rng.choice((1, 1, 1, 2, 2, 3, 5, 10, 12)), name, rng.randint(low, high)) for name, low, high in goods
    ]


def _money(cents: int) -> str:
    return f"{cents / 100:,.2f}"


def _invoice(canvas: Canvas, rng: Random) -> None:
    sender, reader, color = phrases.company(rng), phrases.person(rng), rng.choice(HOUSE_COLORS)
    y = letterhead(canvas, sender, color, rng)
    footer(canvas, sender, rng)
    left, right = canvas.margin_mm, canvas.width_mm - canvas.margin_mm
    facts = (f"No. {rng.randint(20000, 99999)}", phrases.date(rng), f"Customer {rng.randint(1000, 9999)}")
    for line, fact in zip((reader.name, reader.street, reader.town), facts, strict=True):
        canvas.text((left, y), line, 9.5)
        canvas.text((right, y), fact, 9.5, anchor="ra")
        y += line_mm(9.5)
    canvas.text((left, y + 5), "Invoice", 17, color, bold=True)
    y = _table(canvas, y + 16, color, rng)
    if y + 14 < canvas.bottom_mm:
        terms = "Please pay within 14 days, quoting the number above. Goods remain ours until paid in full."
        canvas.paragraph((left, y + 4), canvas.text_width_mm, terms, 8.5, GRAY)


def _table(canvas: Canvas, y: float, color: Rgb, rng: Random) -> float:
    left, width = canvas.margin_mm, canvas.text_width_mm
    items = _items(rng, most=int((canvas.bottom_mm - y - 4 * _ROW_MM - 12) / _ROW_MM))
    canvas.box((left, y), (width, _ROW_MM), None, color)
    _row(canvas, y, ("Qty", "Description", "Price", "Amount"), WHITE)
    for index, item in enumerate(items):
        y += _ROW_MM
        if index % 2:
            canvas.box((left, y), (width, _ROW_MM), None, _TINT)
        _row(
            canvas, y, (str(item.quantity), item.name, _money(item.price_cents), _money(item.amount_cents)), BLACK
        )
    y += _ROW_MM
    canvas.line((left, y), (left + width, y), 0.3, color)
    return _totals(canvas, y, sum(item.amount_cents for item in items))


def _row(canvas: Canvas, y: float, cells: tuple[str, str, str, str], ink: Rgb) -> None:
    left, width, middle = canvas.margin_mm, canvas.text_width_mm, y + _ROW_MM / 2
    for words, share, anchor in zip(cells, (0.07, 0.10, 0.79, 0.985), ("rm", "lm", "rm", "rm"), strict=True):
        canvas.text((left + width * share, middle), words, 9 if width > 120 else 7, ink, anchor=anchor)


def _totals(canvas: Canvas, y: float, net_cents: int) -> float:
    left, width = canvas.margin_mm, canvas.text_width_mm
    tax_cents = round(net_cents * _TAX_PERCENT / 100)
    lines = (("Net", net_cents), (f"Tax {_TAX_PERCENT} %", tax_cents), ("Total", net_cents + tax_cents))
    for name, cents in lines:
        middle, bold = y + _ROW_MM / 2, name == "Total"
        canvas.text((left + width * 0.79, middle), name, 9, bold=bold, anchor="rm")
        canvas.text((left + width * 0.985, middle), _money(cents), 9, bold=bold, anchor="rm")
        y += _ROW_MM
    for offset in (0.0, 0.8):
        canvas.line((left + width * 0.7, y + offset), (left + width, y + offset), 0.2)
    return y


def _till_slip(canvas: Canvas, rng: Random) -> None:
    shop, middle, left = phrases.company(rng), canvas.width_mm / 2, canvas.margin_mm * 0.7
    right, y = canvas.width_mm - left, CALM_TOP_MM + 3
    for words, points in ((shop.name, 12.0), (shop.street, 8.0), (shop.town, 8.0), (phrases.date(rng), 8.0)):
        canvas.text((middle, y), words, points, bold=points > 10, anchor="ma")
        y += line_mm(points)
    items = _items(rng, most=int((canvas.bottom_mm - y - 40) / line_mm(8.0)))
    for item in items:
        y += line_mm(8.0)
        canvas.text((left, y), f"{item.quantity}  {item.name}", 8)
        canvas.text((right, y), _money(item.amount_cents), 8, anchor="ra")
    y += line_mm(8.0) + 1
    canvas.line((left, y), (right, y), 0.3)
    canvas.text((left, y + 2), "TOTAL", 12, bold=True)
    canvas.text((right, y + 2), _money(sum(item.amount_cents for item in items)), 12, bold=True, anchor="ra")
    canvas.text((middle, y + 12), "Thank you, please call again", 7.5, anchor="ma")
    _bars(canvas, (left + 6, y + 18), right - left - 12, rng)


def _bars(canvas: Canvas, place: tuple[float, float], width_mm: float, rng: Random) -> None:
    """Something like a bar code, where there is room for it."""
    if place[1] + 12 > canvas.bottom_mm:
        return
    x = 0.0
    while x < width_mm - 1:
        bar = rng.choice((0.4, 0.4, 0.8, 1.2))
        canvas.box((place[0] + x, place[1]), (bar, 11), None, BLACK)
        x += bar + rng.choice((0.4, 0.8, 1.2))
