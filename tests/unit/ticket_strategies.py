"""Tickets, scanners and installations of all shapes, for property tests of the ticket engine."""

from __future__ import annotations

from hypothesis import strategies as st

from dsm_device.hardware import (
    Adjustment,
    Capabilities,
    ColorProcessing,
    FilmType,
    InputSource,
    ScannerInfo,
    Size,
    SourceCapabilities,
)
from dsm_device.imaging import formats
from dsm_device.imaging.treatment import RIGHT_ANGLES
from dsm_device.job.habits import Habits
from dsm_device.wire.ticket import Foreign, ScanTicket
from dsm_device.wire.ticket_elements import FORMATS, LEAVES, Flag, Keyword, Kind, setting_of

Values = dict[str, int | str | bool]
FileFormats = dict[str, tuple[ColorProcessing, ...]]

EVERY_FORMAT: FileFormats = {name: each.colors for name, each in formats.FORMATS.items()}
FEW_FORMATS: FileFormats = {
    "jfif": (ColorProcessing.RGB_24, ColorProcessing.GRAYSCALE_8),
    "png": (ColorProcessing.RGB_24, ColorProcessing.GRAYSCALE_8, ColorProcessing.BLACK_AND_WHITE_1),
    "tiff-single-g4": (ColorProcessing.BLACK_AND_WHITE_1,),
}
file_formats = st.one_of(
    st.just(EVERY_FORMAT),
    st.just(FEW_FORMATS),
    st.dictionaries(
        st.sampled_from([*FORMATS, "unheard-of"]),
        st.lists(st.sampled_from(ColorProcessing), unique=True).map(tuple),
        max_size=4,
    ),
)
habits = st.builds(Habits, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(RIGHT_ANGLES))

# ------------------------------------------------------------------------------------------- tickets

#: Numbers that scanners and people use, beside any that the schema allows.
USUAL = {
    "Width": [75, 300, 301, 600, 8268, 8500, 8559, 8560],
    "Height": [150, 300, 11000, 11693, 14000],
    "ScanRegionXOffset": [0, 1, 4000, 8499, 8500],
    "ScanRegionYOffset": [0, 250, 11692],
    "ScanRegionWidth": [1, 4000, 8268, 8500, 8559, 8560],
    "ScanRegionHeight": [1, 5000, 11693, 14000],
    "ScalingWidth": [25, 50, 100, 133, 400],
    "ScalingHeight": [24, 100, 200, 401],
    "CompressionQualityFactor": [0, 1, 85, 100],
    "ImagesToTransfer": [0, 1, 2, 3],
    "Sharpness": [0, 20, -30],
}
OPTIONAL = {"ScanRegionXOffset", "ScanRegionYOffset", "Contrast", "Brightness", "Sharpness"}
CHOICES = ("InputSize/DocumentSizeAutoDetect", "Exposure/AutoExposure")


def value_of(path: str, kind: Kind) -> st.SearchStrategy[int | str | bool]:
    if isinstance(kind, Keyword):
        return st.one_of(st.sampled_from(kind.names), st.sampled_from(kind.names), st.just("acme:own"))
    if isinstance(kind, Flag):
        return st.booleans()
    any_number = st.integers(kind.minimum, kind.maximum)
    edge = st.sampled_from([kind.minimum, kind.maximum])
    usual = [each for each in USUAL.get(path.rpartition("/")[2], [0]) if kind.minimum <= each <= kind.maximum]
    return st.one_of(st.sampled_from(usual or [kind.minimum]), any_number, edge)


def broken_value_of(path: str, kind: Kind) -> st.SearchStrategy[int | str | bool]:
    """Values that only a lenient reading lets through."""
    if isinstance(kind, Keyword):
        return st.sampled_from(["acme:own", "png/x", "-", "180.0"])
    if isinstance(kind, Flag):
        return st.booleans()
    return st.one_of(
        st.integers(-9_999_999_999, kind.minimum - 1), st.integers(kind.maximum + 1, 9_999_999_999), st.just(0)
    )


@st.composite
def tickets(draw: st.DrawFn, *, broken: int = 0) -> ScanTicket:
    """Any ticket: each element there or not, each choice one way, each setting locked or not.

    Up to ``broken`` of its values are such as no schema allows.
    """
    groups = dict.fromkeys(group_of(path) for path in LEAVES)
    there = draw(st.sets(st.sampled_from(list(groups))))
    values: Values = {
        path: draw(value_of(path, kind))
        for path, kind in LEAVES.items()
        if group_of(path) in there and not _is_left_out(path, draw)
    }
    for flag in CHOICES:
        if flag in values and any(path.startswith(flag.split("/")[0] + "/") and path != flag for path in values):
            del values[flag]
    if values and broken:
        for path in draw(st.sets(st.sampled_from(sorted(values)), max_size=broken)):
            values[path] = draw(broken_value_of(path, LEAVES[path]))
    settings_there = sorted({setting_of(path) for path in values})
    locks = draw(st.sets(st.sampled_from(settings_there), max_size=3)) if settings_there else set()
    foreign = draw(st.lists(st.builds(Foreign, st.just("acme:Extra"), st.booleans()), max_size=1))
    return ScanTicket(values=values, locks=frozenset(locks), foreign=tuple(foreign))


def group_of(path: str) -> str:
    """What is there or not as a whole."""
    return path.rpartition("/")[0] if "/" in path else path


def _is_left_out(path: str, draw: st.DrawFn) -> bool:
    name = path.rpartition("/")[2]
    may_lack = name in OPTIONAL or path.endswith("Resolution/Height")
    return may_lack and draw(st.booleans())


# ------------------------------------------------------------------------------------------ scanners

resolutions = st.one_of(
    st.just((75, 150, 300, 600)),
    st.lists(st.integers(1, 9600), min_size=1, max_size=6, unique=True).map(lambda each: tuple(sorted(each))),
)
lengths = st.one_of(st.sampled_from([8500, 11693, 14000]), st.integers(0, 40_000))


@st.composite
def sources(draw: st.DrawFn, source: InputSource) -> SourceCapabilities:
    width_mil, height_mil = draw(lengths), draw(lengths)
    square_only = draw(st.booleans())
    across = draw(resolutions)
    films = draw(st.sets(st.sampled_from(FilmType))) if source is InputSource.FILM else ()
    return SourceCapabilities(
        source=source,
        colors=tuple(draw(st.lists(st.sampled_from(ColorProcessing), unique=True))),
        x_resolutions_dpi=across,
        y_resolutions_dpi=across if square_only else draw(resolutions),
        minimum=Size(draw(st.integers(0, width_mil)), draw(st.integers(0, height_mil))),
        maximum=Size(width_mil, height_mil),
        square_only=square_only,
        adjustments=draw(st.frozensets(st.sampled_from(Adjustment))),
        films=tuple(sorted(films)),
        halftone=draw(st.booleans()),
    )


@st.composite
def scanners(draw: st.DrawFn) -> Capabilities:
    there = draw(st.lists(st.sampled_from(InputSource), min_size=1, unique=True))
    return Capabilities(ScannerInfo("any:0", "", ""), tuple(draw(sources(each)) for each in there))


USUAL_SCANNER = Capabilities(
    ScannerInfo("usual:0", "", ""),
    tuple(
        SourceCapabilities(
            source,
            (ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24),
            (75, 150, 300, 600),
            (75, 150, 300, 600),
            Size(0, 0),
            Size(8500, 11_690),
        )
        for source in InputSource
    ),
)
any_scanner = st.one_of(st.just(USUAL_SCANNER), scanners())
