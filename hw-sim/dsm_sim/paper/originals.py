"""Everything that can be drawn: kinds and colours, and the picture of one side of a sheet."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from types import MappingProxyType
from typing import Final, Literal, get_args

from PIL import Image

from .canvas import Canvas
from .form import form_page
from .invoice import invoice_page
from .letter import text_page
from .photograph import photo_page
from .plain import blank_page, colored_page, dusty_blank_page, faint_page

Kind = Literal["text", "form", "photo", "invoice", "blank", "dusty-blank", "faint", "colored"]
Color = Literal["rgb", "gray", "bilevel"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
COLORS: Final[tuple[Color, ...]] = get_args(Color)

_PAINTERS: Final = MappingProxyType[Kind, Callable[[Canvas, Random], None]](
    {
        "text": text_page,
        "form": form_page,
        "photo": photo_page,
        "invoice": invoice_page,
        "blank": blank_page,
        "dusty-blank": dusty_blank_page,
        "faint": faint_page,
        "colored": colored_page,
    }
)
#: Levels from here on become white in bilevel; pencil that is almost gone must stay.
_THRESHOLD: Final = 176
_FAINT_THRESHOLD: Final = 232


def draw(kind: Kind, size_mm: tuple[float, float], dpi: int, color: Color, seed: int) -> Image.Image:
    """One side of a sheet of ``size_mm`` (width, height), in mode RGB, L or 1.

    The layout follows from ``kind``, ``size_mm`` and ``seed`` and is the same at every ``dpi``. The strip of
    18 mm at the top stays empty, except in a photo. Raises ``ValueError`` for a size or resolution beyond reason.
    """
    canvas = Canvas(size_mm, dpi)
    _PAINTERS[kind](canvas, Random(f"{kind} {seed}"))  # noqa: S311 - pictures, not secrets
    if color == "bilevel":
        return _bilevel(kind, canvas.image)
    return canvas.image if color == "rgb" else canvas.image.convert("L")


def _bilevel(kind: Kind, image: Image.Image) -> Image.Image:
    """Dots for a photograph, a threshold for what was written."""
    if kind == "photo":
        return image.convert("1")
    threshold = _FAINT_THRESHOLD if kind == "faint" else _THRESHOLD
    return image.convert("L").point(lambda level: 255 if level >= threshold else 0, "1")
