"""From the port's numbers to those of an option: any range, any value."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from dsm_drivers.sane.exposure import mapped
from dsm_drivers.sane.option import FIXED_TOLERANCE, Kind, Option, Range, Unit

FULL = 1000
VALUES = st.integers(-FULL, FULL)


def option(kind: Kind, constraint: Any) -> Option:
    return Option(1, "brightness", kind, Unit.NONE, 4, 5, constraint)  # type: ignore[arg-type]


@st.composite
def options(draw: st.DrawFn) -> Option:
    """Options with both signs, whose grid holds 0."""
    if draw(st.booleans()):
        words = draw(st.lists(st.integers(-500, 500), min_size=1, max_size=9))
        return option(Kind.INT, tuple(float(each) for each in {*words, 0, -1, 1}))
    quant = draw(st.sampled_from([0, 1, 2, 5, 10]))
    low, high = draw(st.integers(1, 100)), draw(st.integers(1, 100))
    return option(Kind.FIXED, Range(-low * (quant or 1), high * (quant or 1), quant))


@given(options(), VALUES)
@example(option(Kind.INT, Range(-4, 3, 1)), 500)
def test_every_value_becomes_one_that_the_option_takes(tried: Option, value: int) -> None:
    assert tried.holds(tried.number(mapped(tried, value, FULL)))


@given(options(), VALUES, VALUES)
def test_more_is_never_less(tried: Option, one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert mapped(tried, less, FULL) <= mapped(tried, more, FULL) + FIXED_TOLERANCE


@given(options())
def test_the_ends_are_the_ends_and_nought_is_nought(tried: Option) -> None:
    limits = tried.limits
    assert limits
    assert math.isclose(mapped(tried, FULL, FULL), limits.maximum)
    assert math.isclose(mapped(tried, -FULL, FULL), limits.minimum)
    assert mapped(tried, 0, FULL) == 0


@given(st.integers(1, 255), st.integers(1, 255), VALUES)
def test_it_is_as_near_as_the_steps_allow(low: int, high: int, value: int) -> None:
    exact = value / FULL * (high if value >= 0 else low)
    assert abs(mapped(option(Kind.INT, Range(-low, high, 1)), value, FULL) - exact) <= 0.5 + 1e-9
