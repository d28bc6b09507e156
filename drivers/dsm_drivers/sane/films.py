"""How a SANE device is told what film lies in it: an option, a switch, or another source."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dsm_device.errors import ScannerMismatch, ScannerUnsupported
from dsm_device.hardware import FilmType, OptionValue

from .borrowed import Borrowed
from .names import Spellings
from .option import Kind, same
from .options import Options

_TYPE, _SWITCH = "film-type", "negative"
_POSITIVE = Spellings(
    ("positivefilm", "positiveslide", "positive", "slide", "slides"),
    parts=("positive", "slide"),
    without=("negative",),
)
_NEGATIVE = Spellings(
    ("negativefilm", "colornegativefilm", "colornegative", "negative", "negatives", "negativeslide"),
    parts=("negative",),
    without=("b&w", "black", "mono", "gray"),
)
_GRAY_NEGATIVE = Spellings(
    ("b&wnegativefilm", "b&wnegative", "monochromenegative"),
    parts=("b&wneg", "blackandwhiteneg", "black&whiteneg", "monochromeneg", "grayneg"),
)
_NEGATIVES = (FilmType.COLOR_NEGATIVE, FilmType.BLACK_AND_WHITE_NEGATIVE)


@dataclass(frozen=True, slots=True)
class FilmChoice:
    """An option and its value; None: as the source is."""

    option: str | None = None
    value: OptionValue = ""


def film_choices(options: Options, source: str | None, configured: Collection[str]) -> dict[FilmType, FilmChoice]:
    """The films that the device develops itself. Its film source, spelled ``source``, is set now."""
    kinds = options.usable(_TYPE)
    if _TYPE in configured or _SWITCH in configured:
        return {}
    if kinds and kinds.strings:
        return _by_type(kinds.strings)
    switch = options.usable(_SWITCH)
    if switch and switch.kind is Kind.BOOL:
        negatives = dict.fromkeys(_NEGATIVES, FilmChoice(_SWITCH, value=True))
        return {FilmType.COLOR_SLIDE: FilmChoice(), **negatives}
    return _by_source(options, source)


def select_film(
    options: Options, borrowed: Borrowed, choices: dict[FilmType, FilmChoice], film: FilmType | None
) -> None:
    """Raises ``ScannerUnsupported`` for a film that is not among ``choices``."""
    choice = FilmChoice() if film is None else choices.get(film)
    if choice is None:
        raise ScannerUnsupported(f"the scanner does not develop {film} itself")
    if choice.option == "source":
        options.settle("source", choice.value)
        return
    borrowed.give_back(options, {_TYPE, _SWITCH} - {choice.option})
    option = options.usable(choice.option) if choice.option else None
    if option and not same(borrowed.set(options, option, choice.value), choice.value):
        raise ScannerMismatch(f"the scanner was to set {option.name} to {choice.value} for {film} and did not")


def _by_type(kinds: Collection[str]) -> dict[FilmType, FilmChoice]:
    negative = _NEGATIVE.find(kinds)
    spelled = {
        FilmType.COLOR_SLIDE: _POSITIVE.find(kinds),
        FilmType.COLOR_NEGATIVE: negative,
        FilmType.BLACK_AND_WHITE_NEGATIVE: _GRAY_NEGATIVE.find(kinds) or negative,
    }
    return {film: FilmChoice(_TYPE, kind) for film, kind in spelled.items() if kind is not None}


def _by_source(options: Options, source: str | None) -> dict[FilmType, FilmChoice]:
    """Some have a source for slides and one for negatives."""
    listed = options.usable("source")
    negative = _NEGATIVE.find(listed.strings if listed else ())
    slides = {} if negative is not None and negative == source else {FilmType.COLOR_SLIDE: FilmChoice()}
    if negative is None:
        return slides
    return {**slides, **dict.fromkeys(_NEGATIVES, FilmChoice("source", negative))}
