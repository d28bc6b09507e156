"""Which file format and which colour: what the ticket asks, what the encoders hold, what the scanner delivers.

A colour that the scanner lacks is made in software from one that it has: bilevel by threshold, gray by luma.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dsm_device.hardware import ColorProcessing
from dsm_device.job.outcomes import Ledger, listed, refusal
from dsm_device.wire.ticket import Setting

_BILEVEL = ColorProcessing.BLACK_AND_WHITE_1
_GRAY = ColorProcessing.GRAYSCALE_8
_RGB = ColorProcessing.RGB_24

#: What each colour of a file is made from, the best source first.
_SOURCES: Final = {_BILEVEL: (_BILEVEL, _GRAY, _RGB), _GRAY: (_GRAY, _RGB), _RGB: (_RGB,)}
#: The default ticket's colour, and that of a keyword unknown here.
_DEFAULT_COLORS: Final = (_RGB, _GRAY, _BILEVEL)
#: What comes nearest to a colour that cannot be had.
_NEAREST_COLORS: Final = {
    "BlackAndWhite1": (_BILEVEL, _GRAY, _RGB),
    "Grayscale4": (_GRAY, _RGB, _BILEVEL),
    "Grayscale8": (_GRAY, _RGB, _BILEVEL),
    "Grayscale16": (_GRAY, _RGB, _BILEVEL),
}
_DEFAULT_FORMATS: Final = ("jfif", "png", "tiff-single-uncompressed")
_DEFAULT_BILEVEL_FORMATS: Final = ("tiff-single-g4", "png", "tiff-single-uncompressed")
#: What comes nearest to a format that cannot be had: the same coding in another wrapping.
_NEAREST_FORMAT: Final = {
    "dib": "png",
    "jbig": "tiff-single-g4",
    "tiff-single-g3mh": "tiff-single-g4",
    "tiff-multi-g3mh": "tiff-single-g4",
    "tiff-multi-g4": "tiff-single-g4",
    "tiff-multi-uncompressed": "tiff-single-uncompressed",
}

Formats = Mapping[str, Sequence[ColorProcessing]]


@dataclass(frozen=True, slots=True)
class FileChoice:
    """``color`` is that of the file, ``acquired`` the one to scan in."""

    format: str
    color: ColorProcessing
    acquired: ColorProcessing


def choose_file(
    format_: Setting[str] | None,
    color: Setting[str] | None,
    hardware: Sequence[ColorProcessing],
    formats: Formats,
    ledger: Ledger,
) -> FileChoice:
    """The best pair of ``formats`` (format to the colours that it holds) for what the ticket asks.

    A locked setting is met or refused. Of two free ones that exclude each other the format wins, as it
    decides what the recipient can open; where the format cannot be had at all, the colour wins.
    """
    acquirable = {made: have for made in _SOURCES if (have := _source(made, hardware)) is not None}
    pairs = [(name, made) for name, colors in formats.items() for made in colors if made in acquirable]
    if not pairs:
        raise refusal(
            "this scanner delivers no colour that a file can hold", f"{listed(_SOURCES)} from the scanner"
        )
    fitting = _within_locks(pairs, format_, color)
    chosen = min(fitting, key=lambda pair: _distance(pair, format_, color, formats))
    _settle(chosen, format_, color, pairs, ledger)
    return FileChoice(*chosen, acquirable[chosen[1]])


def _source(made: ColorProcessing, hardware: Sequence[ColorProcessing]) -> ColorProcessing | None:
    return next((color for color in _SOURCES[made] if color in hardware), None)


_Pair = tuple[str, ColorProcessing]


def _within_locks(pairs: list[_Pair], format_: Setting[str] | None, color: Setting[str] | None) -> list[_Pair]:
    """The pairs that meet what is locked. Raises ``TicketRefused``, naming both where only both together fail."""
    by_format = [pair for pair in pairs if _meets(pair[0], format_)]
    by_color = [pair for pair in pairs if _meets(pair[1], color)]
    if not by_format:
        raise refusal(f"Format must be {_asked(format_)}, which cannot be made here", _names(pairs))
    if not by_color:
        raise refusal(
            f"MediaFront/ColorProcessing must be {_asked(color)}, which cannot be made here", _colors(pairs)
        )
    both = [pair for pair in by_format if pair in by_color]
    if not both:
        raise refusal(
            f"Format must be {_asked(format_)} and MediaFront/ColorProcessing {_asked(color)}, "
            f"which exclude each other",
            f"{_asked(format_)} with {_colors(by_format)}, or {_asked(color)} in {_names(by_color)}",
        )
    return both


def _meets(value: str, setting: Setting[str] | None) -> bool:
    return setting is None or not setting.must_honor or setting.value == value


def _asked(setting: Setting[str] | None) -> str | None:
    return None if setting is None else setting.value


def _names(pairs: list[_Pair]) -> str:
    return listed(dict.fromkeys(name for name, _ in pairs))


def _colors(pairs: list[_Pair]) -> str:
    return listed(dict.fromkeys(color.value for _, color in pairs))


def _distance(
    pair: _Pair, format_: Setting[str] | None, color: Setting[str] | None, formats: Formats
) -> tuple[bool, int, int, int]:
    """How far a pair is from what was asked; the smallest is taken."""
    name, made = pair
    color_order = _DEFAULT_COLORS if color is None else _NEAREST_COLORS.get(color.value, _DEFAULT_COLORS)
    preferred = _DEFAULT_BILEVEL_FORMATS if made is _BILEVEL else _DEFAULT_FORMATS
    format_order = [_NEAREST_FORMAT.get(_asked(format_) or "", ""), *preferred, *formats]
    from_color = color_order.index(made)
    return (
        format_ is not None and name != format_.value,
        from_color if color is not None else 0,
        format_order.index(name),
        from_color,
    )


def _settle(
    chosen: _Pair,
    format_: Setting[str] | None,
    color: Setting[str] | None,
    pairs: list[_Pair],
    ledger: Ledger,
) -> None:
    name, made = chosen
    ledger.settle(
        "Format",
        _asked(format_),
        name,
        reason=f"it cannot hold {made}"
        if any(each == _asked(format_) for each, _ in pairs)
        else "this device does not write it",
    )
    ledger.settle(
        "MediaFront/ColorProcessing",
        _asked(color),
        made.value,
        reason=f"{name} cannot hold it"
        if any(each == _asked(color) for _, each in pairs)
        else "it cannot be had from this scanner",
    )
