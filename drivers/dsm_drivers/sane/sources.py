"""Which ``source`` of a SANE device is which wscn:InputSource.

SANE names the option but not its values; the spellings are those of real backends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dsm_device.hardware import InputSource, OptionValue

from .names import Spellings, normalised
from .option import Kind
from .options import Options

_SPELLINGS: dict[InputSource, Spellings] = {
    InputSource.PLATEN: Spellings(
        ("flatbed", "platen", "normal", "documenttable", "reflective"),
        parts=("flatbed", "platen"),
        without=("adf", "feeder", "duplex"),
    ),
    InputSource.ADF: Spellings(
        (
            "adffront",
            "adfsimplex",
            "adf",
            "automaticdocumentfeeder",
            "automaticdocumentfeeder(leftaligned)",
            "automaticdocumentfeeder(centrallyaligned)",
            "documentfeeder",
        ),
        parts=("adf", "feeder"),
        without=("duplex", "back"),
    ),
    InputSource.ADF_DUPLEX: Spellings(
        (
            "adfduplex",
            "automaticdocumentfeeder(leftaligned,duplex)",
            "automaticdocumentfeeder(centrallyaligned,duplex)",
            "duplex",
        ),
        parts=("duplex",),
    ),
    InputSource.FILM: Spellings(
        (
            "transparencyunit",
            "transparencyadapter",
            "transparency",
            "tpu",
            "tpu8x10",
            "slide",
            "slides",
            "slide(s)",
            "tmaslides",
            "positive",
            "negative",
        ),
        parts=("transparen",),
    ),
}
#: From the glass, but only while the feeder is empty: a platen where there is no better one.
_LAST_RESORT = Spellings(("auto", "autoselects"))
#: SANE_Device.type of devices without ``source`` that are not flatbeds (SANE standard 1.06, 4.2.8).
_SOURCE_OF_KIND = {"sheetfed": InputSource.ADF, "film": InputSource.FILM}
#: Options that turn a feeder to both sides where ``source`` does not: a switch, or a list of strings.
_SIDES_OPTIONS = ("adf-mode", "adf_mode", "duplex", "side")
_BOTH_SIDES = Spellings(("duplex", "both"), parts=("duplex", "both"))
_ONE_SIDE = Spellings(("simplex", "front"), parts=("simplex", "front", "single"), without=("duplex", "both"))


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """How a source is chosen. None: there is nothing to set.

    ``fronts_only``: the hardware takes both sides, so every second image has to be dropped.
    """

    source: InputSource
    name: str | None
    sides: tuple[str, OptionValue] | None = None
    fronts_only: bool = False

    def select(self, options: Options) -> None:
        if self.name is not None:
            options.settle("source", self.name)
        if self.sides is not None:
            options.settle(*self.sides)


def match_sources(names: Iterable[str]) -> dict[InputSource, str]:
    """The spelling of each source that can be told among ``names``."""
    listed = list(names)
    found = {source: name for source, each in _SPELLINGS.items() if (name := each.find(listed)) is not None}
    last_resort = _LAST_RESORT.find(listed)
    if last_resort is not None:
        found.setdefault(InputSource.PLATEN, last_resort)
    return found


def source_choices(options: Options, kind: Callable[[], str]) -> dict[InputSource, SourceChoice]:
    """All sources of the device; ``kind`` gives its SANE_Device.type.

    A feeder is tried out, since some options can be used only then.
    """
    option = options.usable("source")
    matched: dict[InputSource, str | None] = {**match_sources(option.strings if option else ())}
    if not matched:
        # No such option, or only names that nobody knows: whatever source is set now.
        matched[_source_of(kind())] = None
    choices = [SourceChoice(source, name) for source, name in matched.items() if not source.is_feeder]
    if any(source.is_feeder for source in matched):
        choices += _feeder_choices(options, matched)
    return {choice.source: choice for choice in choices}


def _source_of(device_kind: str) -> InputSource:
    kind = normalised(device_kind)
    return next((source for part, source in _SOURCE_OF_KIND.items() if part in kind), InputSource.PLATEN)


def _feeder_choices(options: Options, matched: dict[InputSource, str | None]) -> list[SourceChoice]:
    adf, adf_duplex = InputSource.ADF, InputSource.ADF_DUPLEX
    name = matched.get(adf, matched.get(adf_duplex))
    SourceChoice(adf, name).select(options)
    one, both = _sides(options)
    choices = [SourceChoice(adf, name, one, fronts_only=adf not in matched and one is None)]
    if adf_duplex in matched:
        SourceChoice(adf_duplex, matched[adf_duplex]).select(options)
        choices.append(SourceChoice(adf_duplex, matched[adf_duplex], _sides(options)[1]))
    elif both is not None:
        choices.append(SourceChoice(adf_duplex, name, both))
    return choices


_Setting = tuple[str, OptionValue]


def _sides(options: Options) -> tuple[_Setting | None, _Setting | None]:
    """What to set for one side and for both, where an option besides ``source`` says that."""
    for name in _SIDES_OPTIONS:
        option = options.usable(name)
        if option is None:
            continue
        if option.kind is Kind.BOOL:
            return (name, False), (name, True)
        one, both = _ONE_SIDE.find(option.strings), _BOTH_SIDES.find(option.strings)
        if both is not None:
            return (name, one) if one is not None else None, (name, both)
    return None, None
