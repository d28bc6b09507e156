"""Which file format and which colours: what the ticket asks, what files hold, what the scanner delivers.

All pages of a job have one format, but front and back may have different colours, which are then made from one
acquired colour. What the scanner lacks is made in software (:data:`~dsm_device.imaging.formats.MADE_FROM`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from dsm_device.hardware import ColorProcessing, FilmType
from dsm_device.imaging.formats import MADE_FROM
from dsm_device.job.outcomes import Ledger, listed, refusal
from dsm_device.wire.ticket import Setting

_BILEVEL = ColorProcessing.BLACK_AND_WHITE_1
_GRAY_4 = ColorProcessing.GRAYSCALE_4
_GRAY = ColorProcessing.GRAYSCALE_8
_GRAY_16 = ColorProcessing.GRAYSCALE_16
_RGB = ColorProcessing.RGB_24
_RGB_48 = ColorProcessing.RGB_48

_USUAL: Final = (_RGB, _GRAY, _BILEVEL, _GRAY_4, _RGB_48, _GRAY_16)
_USUAL_IN_GRAY: Final = (_GRAY, _RGB, _BILEVEL, _GRAY_4, _GRAY_16, _RGB_48)
#: What comes nearest to a colour that cannot be had, itself the first. Alpha is what no scanner delivers.
NEAREST_COLORS: Final[Mapping[str, tuple[ColorProcessing, ...]]] = {
    "BlackAndWhite1": (_BILEVEL, _GRAY_4, _GRAY, _RGB, _GRAY_16, _RGB_48),
    "Grayscale4": (_GRAY_4, _GRAY, _RGB, _GRAY_16, _RGB_48, _BILEVEL),
    "Grayscale8": (_GRAY, _RGB, _GRAY_16, _RGB_48, _GRAY_4, _BILEVEL),
    "Grayscale16": (_GRAY_16, _GRAY, _RGB_48, _RGB, _GRAY_4, _BILEVEL),
    "RGB24": (_RGB, _RGB_48, _GRAY, _GRAY_16, _GRAY_4, _BILEVEL),
    "RGB48": (_RGB_48, _RGB, _GRAY_16, _GRAY, _GRAY_4, _BILEVEL),
    "RGBa32": (_RGB, _RGB_48, _GRAY, _GRAY_16, _GRAY_4, _BILEVEL),
    "RGBa64": (_RGB_48, _RGB, _GRAY_16, _GRAY, _GRAY_4, _BILEVEL),
}
_DEFAULT_FORMATS: Final = ("jfif", "png", "tiff-single-uncompressed")
_DEFAULT_BILEVEL_FORMATS: Final = ("tiff-single-g4", "png", "tiff-single-uncompressed")
#: What comes nearest to a format that cannot be had: the same coding in another wrapping, or the same use.
_NEAREST_FORMATS: Final[Mapping[str, tuple[str, ...]]] = {
    "dib": ("png",),
    "exif": ("jfif",),
    "jbig": ("tiff-single-g4",),
    "tiff-single-g3mh": ("tiff-single-g4",),
    "tiff-single-jpeg-tn2": ("jfif",),
    "tiff-multi-g3mh": ("tiff-multi-g4", "tiff-single-g3mh", "tiff-single-g4"),
    "tiff-multi-g4": ("tiff-multi-g3mh", "tiff-single-g4"),
    "tiff-multi-jpeg-tn2": ("tiff-single-jpeg-tn2", "jfif"),
    "tiff-multi-uncompressed": ("tiff-single-uncompressed",),
    "xps": ("pdf-a",),
}
_FORMAT: Final = "Format"


@dataclass(frozen=True, slots=True)
class AskedColor:
    """A side's ColorProcessing and the path of that element."""

    element: str
    color: Setting[str] | None

    @property
    def lock(self) -> str | None:
        return self.color.value if self.color is not None and self.color.must_honor else None


@dataclass(frozen=True, slots=True)
class FileChoice:
    """``colors`` has one for each side that was asked for."""

    format: str
    colors: tuple[ColorProcessing, ...]


class Candidate(NamedTuple):
    """A combination that can be made; ``back`` is None where there is no second side."""

    format: str
    front: ColorProcessing
    back: ColorProcessing | None

    @property
    def colors(self) -> tuple[ColorProcessing, ...]:
        return (self.front,) if self.back is None else (self.front, self.back)

    def value(self, element: str) -> str | None:
        """What ``element`` is: Format, or the ColorProcessing of a side."""
        if element == _FORMAT:
            return self.format
        return self.back if element.startswith("MediaBack") else self.front


def origins(colors: Sequence[ColorProcessing], hardware: Sequence[ColorProcessing]) -> list[ColorProcessing]:
    """What of ``hardware`` all ``colors`` can be made from, the best first."""
    fitting = [each for each in hardware if all(each in MADE_FROM[color] for color in colors)]
    return sorted(fitting, key=lambda each: sum(MADE_FROM[color].index(each) for color in colors))


def choose_file(
    format_: Setting[str] | None,
    sides: Sequence[AskedColor],
    hardware: Sequence[ColorProcessing],
    formats: Mapping[str, Sequence[ColorProcessing]],
    *,
    film: FilmType | None,
    ledger: Ledger,
) -> FileChoice:
    """The best of ``formats`` (format to the colours that it holds) for what the ticket asks of one or two sides.

    A locked setting is met or refused. Of free ones that exclude each other the format wins, as it decides what
    the recipient can open, then the front; where the format cannot be had at all, the colour wins. A back of
    which nothing is said is as the front. Black and white film is gray where nothing is said of its colour.
    """
    candidates = list(possible_files(len(sides), hardware, formats))
    if not candidates:
        raise refusal("this scanner delivers no colour that a file can hold", f"{listed(_USUAL)} from the scanner")
    fitting = _within_locks(candidates, format_, sides)
    usual = _USUAL_IN_GRAY if film is FilmType.BLACK_AND_WHITE_NEGATIVE else _USUAL
    order = list(formats)
    chosen = min(fitting, key=lambda each: _distance(each, format_, sides, order, usual))
    _settle(chosen, format_, sides, candidates, ledger)
    return FileChoice(chosen.format, chosen.colors)


def possible_files(
    sides: int, hardware: Sequence[ColorProcessing], formats: Mapping[str, Sequence[ColorProcessing]]
) -> Iterator[Candidate]:
    """All combinations for one or two sides that can be made of one colour of ``hardware``."""
    for name, colors in formats.items():
        for front in colors:
            backs: Sequence[ColorProcessing | None] = colors if sides > 1 else (None,)
            for back in backs:
                candidate = Candidate(name, front, back)
                if origins(candidate.colors, hardware):
                    yield candidate


# --------------------------------------------------------------------------------------------- locks


def _within_locks(
    candidates: list[Candidate], format_: Setting[str] | None, sides: Sequence[AskedColor]
) -> list[Candidate]:
    """The candidates that meet what is locked. Raises ``TicketRefused``, naming all that only together fail."""
    locks = {each.element: each.lock for each in sides if each.lock is not None}
    if format_ is not None and format_.must_honor:
        locks = {_FORMAT: format_.value, **locks}
    for element, value in locks.items():
        if not meeting(candidates, {element: value}):
            raise refusal(f"{element} must be {value}, which cannot be made here", _possible(candidates, element))
    fitting = meeting(candidates, locks)
    if fitting:
        return fitting
    demands = " and ".join(f"{element} {value}" for element, value in locks.items())
    ways = [_way(candidates, locks, element) for element in locks]
    raise refusal(f"{demands} are locked, but exclude each other", ", or ".join(each for each in ways if each))


def meeting(candidates: list[Candidate], locks: Mapping[str, str]) -> list[Candidate]:
    """Those in which every element has the value that ``locks`` gives it."""
    return [each for each in candidates if all(each.value(element) == value for element, value in locks.items())]


def _possible(candidates: list[Candidate], element: str) -> str:
    return listed(dict.fromkeys(each.value(element) for each in candidates))


def _way(candidates: list[Candidate], locks: Mapping[str, str], given_up: str) -> str:
    """What ``given_up`` could be if all other locks hold; "" for nothing."""
    others = {element: value for element, value in locks.items() if element != given_up}
    rest = meeting(candidates, others)
    kept = " and ".join(others.values())
    return f"{kept} with {given_up} {_possible(rest, given_up)}" if rest else ""


# ------------------------------------------------------------------------------------------ distance


def _distance(
    candidate: Candidate,
    format_: Setting[str] | None,
    sides: Sequence[AskedColor],
    formats: Sequence[str],
    usual: Sequence[ColorProcessing],
) -> tuple[int, ...]:
    """How far a candidate is from what was asked; the smallest is taken."""
    asked_format = None if format_ is None else format_.value
    preferred = _DEFAULT_BILEVEL_FORMATS if candidate.front is _BILEVEL else _DEFAULT_FORMATS
    format_order = [*_NEAREST_FORMATS.get(asked_format or "", ()), *preferred, *formats]
    return (
        asked_format is not None and candidate.format != asked_format,
        *(
            _steps(color, asked.color, usual)
            for color, asked in zip(candidate.colors, sides, strict=True)
            if asked.color is not None
        ),
        candidate.back is not None and sides[1].color is None and candidate.back is not candidate.front,
        format_order.index(candidate.format),
        usual.index(candidate.front),
    )


def _steps(color: ColorProcessing, asked: Setting[str], usual: Sequence[ColorProcessing]) -> int:
    return NEAREST_COLORS.get(asked.value, usual).index(color)


def _settle(
    chosen: Candidate,
    format_: Setting[str] | None,
    sides: Sequence[AskedColor],
    candidates: list[Candidate],
    ledger: Ledger,
) -> None:
    made = " and ".join(dict.fromkeys(chosen.colors))
    known = format_ is not None and bool(meeting(candidates, {_FORMAT: format_.value}))
    reason = f"it cannot hold {made}" if known else "this device does not write it"
    ledger.settle(_FORMAT, format_, chosen.format, reason=reason)
    for color, asked in zip(chosen.colors, sides, strict=True):
        can_be_had = asked.color is not None and bool(meeting(candidates, {asked.element: asked.color.value}))
        reason = f"{chosen.format} cannot hold it" if can_be_had else "it cannot be had from this scanner"
        ledger.settle(asked.element, asked.color, color.value, reason=reason)
