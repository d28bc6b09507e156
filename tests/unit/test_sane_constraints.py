"""Values of SANE options: ranges, grids, lists, and what of an area fits them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dsm_drivers.sane.geometry import legal_end, legal_start
from dsm_drivers.sane.option import FIXED_TOLERANCE, Kind, Option, Range, Unit, same
from dsm_drivers.sane.resolution import STANDARD_DPI, offered

FIXED = st.integers(-(10 << 16), 3000 << 16).map(lambda word: word / 65536)
QUANTA = st.sampled_from([0.0, 1.0, 0.5, 5.0, 25.4 / 1200, 0.1]) | st.integers(1, 20 << 16).map(
    lambda w: w / 65536
)


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    low, high = sorted((draw(FIXED), draw(FIXED)))
    return Range(low, high, draw(QUANTA))


def is_legal(limits: Range, value: float) -> bool:
    if not limits.minimum <= value <= limits.maximum + FIXED_TOLERANCE:
        return False
    steps = (value - limits.minimum) / limits.quant if limits.quant else 0
    return math.isclose(steps, round(steps), abs_tol=1e-6)


@given(ranges(), FIXED)
@example(Range(0, 215.89999389648438, 0), 215.9)
@example(Range(0, 10, 3), 10)
@example(Range(5, 5, 1), 7)
def test_whatever_is_asked_the_answer_is_legal(limits: Range, value: float) -> None:
    for answer in (limits.floor(value), limits.ceiling(value), limits.nearest(value)):
        assert is_legal(limits, answer)


@given(ranges(), FIXED)
def test_floor_and_ceiling_enclose_what_lies_in_the_range(limits: Range, value: float) -> None:
    last = limits.floor(limits.maximum)
    if limits.minimum <= value <= last:
        step = limits.quant + FIXED_TOLERANCE
        assert value - step <= limits.floor(value) <= value + FIXED_TOLERANCE
        assert value - FIXED_TOLERANCE <= limits.ceiling(value) <= value + step
        assert abs(limits.nearest(value) - value) <= step / 2


@given(ranges(), FIXED)
def test_legal_values_stay_as_they_are(limits: Range, value: float) -> None:
    legal = limits.nearest(value)
    assert limits.holds(legal)
    for again in (limits.floor(legal), limits.ceiling(legal), limits.nearest(legal)):
        assert math.isclose(again, legal, abs_tol=FIXED_TOLERANCE)


@given(ranges(), FIXED, st.integers(-2, 2))
def test_what_sane_fixed_cuts_off_does_not_cost_a_step(limits: Range, value: float, off: int) -> None:
    """A legal value that has been through SANE_Fixed is still itself."""
    legal = limits.nearest(value)
    assert limits.holds(legal + off / 65536 * 0.99)


@given(ranges(), FIXED)
def test_holds_means_on_the_grid(limits: Range, value: float) -> None:
    assert limits.holds(value) == (abs(limits.nearest(value) - value) <= FIXED_TOLERANCE)


def option(kind: Kind, constraint: Any = None, size: int = 4, capabilities: int = 5) -> Option:
    return Option(1, "some", kind, Unit.NONE, size, capabilities, constraint)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "constraint", "size", "good", "bad"),
    [
        (Kind.BOOL, None, 4, [True, False], [0, 1, "yes", 1.0]),
        (Kind.INT, None, 4, [0, -5, 2**31 - 1, -(2**31)], [1.0, True, "1", 2**31, -(2**31) - 1]),
        (Kind.INT, Range(0, 10, 2), 4, [0, 10, 4], [3, 11, -2, True]),
        (Kind.INT, (1, 8, 16), 4, [8], [9, True]),
        (Kind.FIXED, None, 4, [1, 1.5, -32768], [32768, True, "1.5", float("nan"), float("inf")]),
        (Kind.FIXED, Range(0, 1.5, 0), 4, [0, 1.5, 1.50002], [1.6, -0.1, float("nan"), float("inf")]),
        (Kind.FIXED, Range(0, 1.5, 0.5), 4, [0.5], [0.6, float("nan"), float("inf"), -float("inf")]),
        (Kind.FIXED, (12.1,), 4, [12.1], [12.2]),
        (Kind.STRING, ("Gray", "Color"), 6, ["Gray"], ["gray", "", 1]),
        (Kind.STRING, None, 4, ["abc", "äöü"], ["abcd", "€", "a\0", 3]),
        (Kind.BUTTON, None, 0, [], [True, 1, ""]),
        (Kind.GROUP, None, 0, [], [True, 1, ""]),
    ],
)
def test_an_option_holds_what_its_type_and_constraint_allow(
    kind: Kind, constraint: Any, size: int, good: list[Any], bad: list[Any]
) -> None:
    tried = option(kind, constraint, size)
    assert [value for value in good if not tried.holds(value)] == []
    assert [value for value in bad if tried.holds(value)] == []


@pytest.mark.parametrize(
    ("capabilities", "settable", "readable"),
    [
        (5, True, True),
        (1, True, False),
        (4, False, True),
        (2, False, False),
        (5 | 32, False, False),
        (6, False, True),
    ],
)
def test_missing_inactive_and_read_only_are_told_apart(capabilities: int, settable: bool, readable: bool) -> None:
    found = Option(1, "some", Kind.INT, Unit.NONE, 4, capabilities, None)  # type: ignore[arg-type]
    assert bool(found.settable) is settable
    assert bool(found.readable) is readable


def test_arrays_are_left_alone() -> None:
    """python-sane reads and writes their first word only, and passes on garbage for the others."""
    gamma = option(Kind.INT, Range(0, 255, 1), size=1024)
    assert not gamma.settable
    assert not gamma.readable


def test_values_that_fixed_point_cannot_tell_apart_are_the_same() -> None:
    assert same(215.9, 215.89999389648438)
    assert not same(215.9, 215.8999)
    assert same("Gray", "Gray")
    assert not same("Gray", "Color")
    assert not same(None, 0)


# ----------------------------------------------------------------------------------------- geometry


@given(
    st.integers(0, 4000),
    st.integers(1, 12000),
    st.sampled_from([75, 100, 150, 200, 240, 300, 400, 600, 1200]),
)
@example(0, 8500, 300)
@example(0, 11000, 300)
def test_an_area_in_mm_comes_to_its_whole_pixels(x_mil: int, width_mil: int, dpi: int) -> None:
    """As a backend works them out that cuts off what SANE_Fixed and the division leave over."""
    limits = Range(0.0, 420.0, 0.0)
    start = int(legal_start(option(Kind.FIXED, limits), x_mil * 0.0254) * 65536)
    end = int(legal_end(option(Kind.FIXED, limits), (x_mil + width_mil) * 0.0254) * 65536)
    pixels = (end - start) / 65536 * dpi / 25.4
    assert width_mil * dpi // 1000 == int(pixels)


@given(st.floats(0, 300), st.sampled_from([0.0, 1.0, 0.5, 2.0]))
def test_starts_and_ends_are_legal_and_near(value: float, quant: float) -> None:
    for kind in (Kind.FIXED, Kind.INT):
        limits = Range(0, 300, quant)
        step = max(quant, 1 if kind is Kind.INT else 1 / 65536)
        start, end = legal_start(option(kind, limits), value), legal_end(option(kind, limits), value)
        assert limits.holds(start)
        assert limits.holds(end)
        assert abs(start - value) <= step / 2 + FIXED_TOLERANCE
        assert -step - FIXED_TOLERANCE <= end - value <= FIXED_TOLERANCE
        if kind is Kind.INT:
            assert start == round(start)
            assert end == round(end)


def test_listed_starts_and_ends_are_chosen_from_the_list() -> None:
    listed = option(Kind.FIXED, (0.0, 105.0, 210.0))
    assert [legal_end(listed, value) for value in (1, 104.9, 300)] == [0.0, 105.0, 210.0]
    assert legal_start(listed, 0.2) == 0.0


# -------------------------------------------------------------------------------------- resolutions


@pytest.mark.parametrize(
    ("constraint", "kind", "expected"),
    [
        (Range(75, 600, 1), Kind.INT, (75, 100, 150, 200, 240, 300, 400, 600)),
        (Range(50, 1200, 50), Kind.INT, (100, 150, 200, 300, 400, 600, 1200)),
        (Range(1.0, 1200.0, 0.0), Kind.FIXED, (75, 100, 150, 200, 240, 300, 400, 600, 1200)),
        (Range(0, 100, 0), Kind.INT, (75, 100)),
        (Range(10, 70, 1), Kind.INT, (10, 70)),
        (Range(300, 300, 0), Kind.INT, (300,)),
        (Range(0, 0, 0), Kind.INT, ()),
        ((600, 300, 150, 300), Kind.INT, (150, 300, 600)),
        ((72.5, 300.0, 0.0, -5.0), Kind.FIXED, (300,)),
        (("300dpi", "Auto", "600 DPI", "1200x600"), Kind.STRING, (300, 600, 1200)),
        (None, Kind.INT, ()),
    ],
)
def test_resolutions_that_are_offered(constraint: Any, kind: Kind, expected: tuple[int, ...]) -> None:
    assert offered(option(kind, constraint)) == expected


@given(st.integers(-5, 5000), st.integers(0, 5000), st.sampled_from([0, 1, 5, 25, 50, 75]))
def test_offered_resolutions_ascend_and_are_legal(low: int, span: int, quant: int) -> None:
    limits = Range(low, low + span, quant)
    found = offered(option(Kind.INT, limits))
    assert list(found) == sorted(set(found))
    assert all(dpi > 0 and limits.holds(dpi) for dpi in found)
    assert all(dpi in found for dpi in STANDARD_DPI if limits.holds(dpi))
    if limits.floor(limits.maximum) >= 1:
        assert found
