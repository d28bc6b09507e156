"""For any ticket and any scanner: a plan that the scanner can carry out, or a refusal; and locks hold."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from dsm_device.errors import TicketRefused
from dsm_device.hardware import (
    Capabilities,
    ColorProcessing,
    InputSource,
    ScannerInfo,
    Size,
    SourceCapabilities,
)
from dsm_device.job.geometry import TOLERANCE_MIL
from dsm_device.job.plan import LOSSY_FORMATS, Plan, make_plan
from dsm_device.wire.ticket import Exposure, Foreign, Resolution, Scaling, ScanRegion, ScanTicket, Setting
from dsm_device.wire.ticket_elements import COLORS, FORMATS, LEAVES, Flag, Keyword, Kind, setting_of

Values = dict[str, int | str | bool]

FILE_FORMATS = {
    "jfif": (ColorProcessing.RGB_24, ColorProcessing.GRAYSCALE_8),
    "png": (ColorProcessing.RGB_24, ColorProcessing.GRAYSCALE_8, ColorProcessing.BLACK_AND_WHITE_1),
    "tiff-single-uncompressed": (
        ColorProcessing.RGB_24,
        ColorProcessing.GRAYSCALE_8,
        ColorProcessing.BLACK_AND_WHITE_1,
    ),
    "tiff-single-g4": (ColorProcessing.BLACK_AND_WHITE_1,),
}

# -------------------------------------------------------------------------------------- strategies

#: Numbers that scanners and people use, beside any that the schema allows.
USUAL = {
    "Width": [75, 300, 600, 8268, 8500, 8559, 8560],
    "Height": [150, 300, 11000, 11693, 14000],
    "ScanRegionXOffset": [0, 1, 4000, 8499, 8500],
    "ScanRegionYOffset": [0, 250, 11692],
    "ScanRegionWidth": [1, 4000, 8268, 8500, 8559, 8560],
    "ScanRegionHeight": [1, 5000, 11693, 14000],
    "ScalingWidth": [100],
    "ScalingHeight": [100],
    "CompressionQualityFactor": [0, 1, 85, 100],
}


def value_of(path: str, kind: Kind) -> st.SearchStrategy[int | str | bool]:
    if isinstance(kind, Keyword):
        return st.one_of(st.sampled_from(kind.names), st.sampled_from(kind.names), st.just("acme:own"))
    if isinstance(kind, Flag):
        return st.booleans()
    any_number = st.integers(kind.minimum, kind.maximum)
    edge = st.sampled_from([kind.minimum, kind.maximum])
    usual = [each for each in USUAL.get(path.rpartition("/")[2], [0]) if kind.minimum <= each <= kind.maximum]
    return st.one_of(st.sampled_from(usual or [kind.minimum]), any_number, edge)


OPTIONAL = {"ScanRegionXOffset", "ScanRegionYOffset", "Contrast", "Brightness", "Sharpness"}
CHOICES = ("InputSize/DocumentSizeAutoDetect", "Exposure/AutoExposure")


@st.composite
def tickets(draw: st.DrawFn) -> ScanTicket:
    """Any valid ticket: each element there or not, each choice one way, each setting locked or not."""
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
    return SourceCapabilities(
        source=source,
        colors=tuple(draw(st.lists(st.sampled_from(ColorProcessing), unique=True))),
        x_resolutions_dpi=across,
        y_resolutions_dpi=across if square_only else draw(resolutions),
        minimum=Size(draw(st.integers(0, width_mil)), draw(st.integers(0, height_mil))),
        maximum=Size(width_mil, height_mil),
        square_only=square_only,
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
            (ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24),
            (75, 150, 300, 600),
            (75, 150, 300, 600),
            Size(0, 0),
            Size(8500, 11_690),
        )
        for source in (InputSource.PLATEN, InputSource.ADF, InputSource.ADF_DUPLEX)
    ),
)
any_scanner = st.one_of(st.just(USUAL_SCANNER), scanners())
file_formats = st.one_of(
    st.just(FILE_FORMATS),
    st.dictionaries(st.sampled_from(FORMATS), st.lists(st.sampled_from(ColorProcessing), unique=True).map(tuple)),
)


# -------------------------------------------------------------------------------------- properties


@settings(max_examples=700, deadline=None)
@given(capabilities=any_scanner, ticket=tickets(), formats=file_formats)
@example(capabilities=USUAL_SCANNER, ticket=ScanTicket(), formats=FILE_FORMATS)
def test_engine_answers_every_ticket_with_an_honest_plan_or_a_refusal(
    capabilities: Capabilities, ticket: ScanTicket, formats: dict[str, tuple[ColorProcessing, ...]]
) -> None:
    try:
        plan = make_plan(capabilities, ticket, formats)
    except TicketRefused as refused:
        event("refused")
        assert refused.message
        return
    event("planned")
    assert plan.output.color in formats[plan.output.format]
    check_inside(capabilities, plan)
    check_locks(ticket, plan)
    check_told(ticket, plan)
    order = [ColorProcessing.BLACK_AND_WHITE_1, ColorProcessing.GRAYSCALE_8, ColorProcessing.RGB_24]
    assert order.index(plan.settings.color) >= order.index(plan.output.color)


@settings(max_examples=200, deadline=None)
@given(ticket=tickets())
def test_free_settings_are_refused_only_where_nothing_is_left_to_scan(ticket: ScanTicket) -> None:
    free = replace(ticket, locks=frozenset(), foreign=())
    try:
        make_plan(USUAL_SCANNER, free, FILE_FORMATS)
    except TicketRefused as refused:
        assert "outside the sheet" in refused.message


def check_inside(capabilities: Capabilities, plan: Plan) -> None:
    asked = plan.settings
    source = capabilities.source(asked.source)
    assert source is not None
    assert asked.color in source.colors
    assert asked.x_dpi in source.x_resolutions_dpi
    assert asked.y_dpi in source.y_resolutions_dpi
    assert asked.x_dpi == asked.y_dpi or not source.square_only
    assert asked.images >= 0
    area = asked.area
    assert area.x_mil >= 0
    assert area.y_mil >= 0
    assert max(1, source.minimum.width_mil) <= area.width_mil <= source.maximum.width_mil - area.x_mil
    assert max(1, source.minimum.height_mil) <= area.height_mil <= source.maximum.height_mil - area.y_mil
    if asked.media is not None:
        assert source.minimum.width_mil <= asked.media.width_mil <= source.maximum.width_mil
        assert source.minimum.height_mil <= asked.media.height_mil <= source.maximum.height_mil


def check_locks(ticket: ScanTicket, plan: Plan) -> None:
    asked = ticket.parameters
    output, settings_ = plan.output, plan.settings

    def locked(setting: Setting | None) -> object:
        return setting.value if setting is not None and setting.must_honor else None

    assert locked(asked.format) in (None, output.format)
    assert locked(asked.input_source) in (None, settings_.source)
    assert locked(asked.images_to_transfer) in (None, settings_.images)
    assert locked(asked.front.color) in (None, output.color)
    if (quality := locked(asked.compression_quality)) is not None:
        assert quality == output.quality
        assert quality == 100 or output.format in LOSSY_FORMATS
    if asked.front.resolution is not None and asked.front.resolution.must_honor:
        wanted = asked.front.resolution.value
        assert (wanted.x_dpi, wanted.y_dpi) == (output.x_dpi, output.y_dpi)
    assert locked(asked.rotation) in (None, "0")
    assert locked(asked.content_type) in (None, "Auto", "Mixed")
    assert locked(asked.film_scan_mode) in (None, "NotApplicable")
    assert not any(foreign.must_honor for foreign in ticket.foreign)
    assert locked(asked.exposure) in (None, Exposure())
    assert locked(asked.scaling) in (None, Scaling(100, 100))
    if asked.front.region is not None:
        assert_locked_region_is_met(asked.front.region, plan)
    elif (size := asked.input_size) is not None and size.must_honor:
        assert not size.value.auto_detect
        if size.value.media is not None:
            assert output.width_px == pixels(size.value.media.width_mil, output.x_dpi)
            assert output.height_px == pixels(size.value.media.height_mil, output.y_dpi)
    if asked.back is not None and settings_.source is InputSource.ADF_DUPLEX:
        assert locked(asked.back.color) in (None, output.color)
        assert locked(asked.back.resolution) in (None, Resolution(output.x_dpi, output.y_dpi))


def assert_locked_region_is_met(region: ScanRegion, plan: Plan) -> None:
    area, output = plan.settings.area, plan.output
    if region.x_mil.must_honor:
        assert region.x_mil.value == area.x_mil
    if region.y_mil.must_honor:
        assert region.y_mil.value == area.y_mil
    if region.width_mil.must_honor:
        assert output.width_px == pixels(region.width_mil.value, output.x_dpi)
        assert area.width_mil >= region.width_mil.value - TOLERANCE_MIL
    if region.height_mil.must_honor:
        assert output.height_px == pixels(region.height_mil.value, output.y_dpi)
        assert area.height_mil >= region.height_mil.value - TOLERANCE_MIL


def pixels(length_mil: int, dpi: int) -> int:
    whole, rest = divmod(length_mil * dpi, 1000)
    return max(1, whole + (rest >= 500))


def check_told(ticket: ScanTicket, plan: Plan) -> None:
    told = {outcome.element for outcome in plan.outcomes}
    for path in ticket.values:
        setting = setting_of(path)
        assert any(element.startswith((setting, path.split("/ScanRegion/")[0])) for element in told), (
            f"{path} is not accounted for in {told}"
        )
    assert {foreign.name for foreign in ticket.foreign} <= told
    for note in plan.notes:
        assert note.reason, note
        assert note.asked != note.used
    for outcome in plan.outcomes:
        assert outcome.override or not outcome.reason


def test_strategy_names_every_color_keyword() -> None:
    assert set(ColorProcessing) < set(COLORS)
