"""The strip chart of a job: well-formed and bounded for whatever happened, and it says what happened."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dsm_sim.strip_chart import LANES, PAGE_LANES, Moment, Span, StripChart, strip_chart

SVG = "{http://www.w3.org/2000/svg}"
LEFT, RIGHT = 104, 1116


def job(pages, start=1000.0, each=0.43):
    """A pipeline: every page is handed on as soon as it is there."""
    for page in range(1, pages + 1):
        at = start + page * each
        for lane, length in zip(PAGE_LANES, (0.4, 0.41, 0.01, 0.2, 0.05), strict=True):
            begin = at + (0.02 if lane == "encoded" else 0)
            yield Span(lane, page, begin, begin + length)
            at = begin if lane == "acquired" else begin + length


def drawn(chart):
    return etree.fromstring(strip_chart(chart).encode())


def elements(root):
    return sum(1 for _ in root.iter())


def words(root):
    return [element.text for element in root.iter(f"{SVG}text")]


def boxes(root):
    """Left edge, top, width and height of all bars, whether elements or parts of a path."""
    for rect in root.iter(f"{SVG}rect"):
        if rect.get("class") not in {"paper"}:
            yield tuple(float(rect.get(name)) for name in ("x", "y", "width", "height"))
    for path in root.iter(f"{SVG}path"):
        for box in re.findall(r"M([-\d.]+) ([-\d.]+)h([-\d.]+)v([-\d.]+)h", path.get("d")):
            yield tuple(map(float, box))


# ----------------------------------------------------------------------------------------------- any input

times = st.floats(-1e9, 1e9) | st.floats(0, 1e-9) | st.sampled_from([0.0, 5e-324, 1e9, -1e9])
texts = st.text(max_size=80)
pages = st.integers(1, 10**12)


@st.composite
def spans(draw):
    lane = draw(st.sampled_from(LANES))
    start, end = sorted((draw(times), draw(times)))
    return Span(lane, draw(pages if lane != "server" else pages | st.none()), start, end, draw(texts))


moments = st.builds(Moment, st.sampled_from(LANES), pages | st.none(), times, texts)


@settings(deadline=None, max_examples=150)
@given(texts, texts, st.lists(spans(), max_size=30), st.lists(moments, max_size=20))
def test_any_job_is_well_formed_and_on_the_paper(title, subtitle, some_spans, some_moments):
    chart = StripChart(title, subtitle, some_spans, some_moments)
    root = drawn(chart)
    text = strip_chart(chart)
    assert text == strip_chart(chart)
    assert "nan" not in re.sub(r"<(title|text|desc)[^>]*>[^<]*", "", text).replace("dominant", "")
    assert root.get("viewBox") == f"0 0 1200 {root.get('height')}"
    height = float(root.get("height"))
    for x, y, width, tall in boxes(root):
        assert width > 0
        assert tall >= 0
        assert x >= 16
        assert x + width <= RIGHT + 0.02
        assert 0 <= y <= y + tall <= height
    for element in root.iter(f"{SVG}text"):
        assert 0 <= float(element.get("x")) <= 1200
        assert 0 <= float(element.get("y")) <= height


@given(st.text(), st.text())
def test_hostile_titles_stay_text(title, subtitle):
    root = drawn(StripChart(f"</title><script>alert(1)</script>{title}", f'"&<!--{subtitle}\x00\ud800', [], []))
    assert not [element for element in root.iter() if element.tag == f"{SVG}script"]
    assert root.findtext(f"{SVG}title").startswith("</title><script>alert(1)</script>")


def test_a_label_cannot_turn_the_text_around_it():
    text = strip_chart(StripChart("gpj.exe\u202etxt", moments=[Moment("sent", 1, 0.0, "a\u2066b\x1b[0m")]))
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", text)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Span("sent", 1, 2.0, 1.0), "before its start"),
        (lambda: Span("sent", 1, float("nan"), 1.0), "must be a number of seconds"),
        (lambda: Span("sent", 1, 0.0, float("inf")), "must be a number of seconds"),
        (lambda: Span("sent", 1, -1e300, 0.0), "must be a number of seconds"),
        (lambda: Span("sent", 0, 0.0, 1.0), "count from 1"),
        (lambda: Span("sent", None, 0.0, 1.0), "needs a page"),
        (lambda: Span("posted", 1, 0.0, 1.0), "must be one of acquired"),
        (lambda: Moment("sent", 1, float("-inf"), ""), "must be a number of seconds"),
        (lambda: Moment("sent", -1, 0.0, ""), "count from 1"),
    ],
)
def test_what_cannot_have_happened_is_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()


# ----------------------------------------------------------------------------------------------- size


@pytest.mark.parametrize("count", [0, 1, 2, 40, 41, 240, 241, 1000, 3000])
def test_the_picture_stays_small_for_many_pages(count):
    trouble = [Moment("sent", page, 1000 + page * 0.4, f"retry of page {page}") for page in range(1, count + 1)]
    states = [Span("server", None, 1000 + index, 1000.5 + index, f"State {index}") for index in range(count)]
    chart = StripChart("many", spans=[*job(count), *states], moments=trouble)
    assert elements(drawn(chart)) < 2000
    assert len(strip_chart(chart)) < 300_000
    assert float(drawn(chart).get("height")) < 900


def test_steps_that_overlap_for_long_stay_few_elements():
    together = [Span("sent", page, page * 0.1, 1000.0) for page in range(1, 2000)]
    assert elements(drawn(StripChart("t", spans=together))) < 2000


def test_the_order_in_which_it_is_told_does_not_matter():
    forward = list(job(20))
    assert strip_chart(StripChart("t", spans=forward)) == strip_chart(StripChart("t", spans=forward[::-1]))


def test_a_label_at_the_end_stays_on_the_paper():
    late = Moment("sent", 3, 1002.0, "the server closed the connection without a word")
    root = drawn(StripChart("t", spans=list(job(3)), moments=[late]))
    label = next(element for element in root.iter(f"{SVG}text") if "closed" in element.text)
    assert float(label.get("x")) + 5.5 * len(label.text) <= 1200


def test_every_page_has_its_row_while_there_is_room():
    root = drawn(StripChart("t", spans=list(job(40))))
    hovers = [element for element in root.iter(f"{SVG}rect") if element.get("class") == "hover"]
    assert [hover.findtext(f"{SVG}title").split("\n")[0] for hover in hovers] == [
        f"page {n}" for n in range(1, 41)
    ]
    many = drawn(StripChart("t", spans=list(job(1000))))
    titles = [
        element.findtext(f"{SVG}title") for element in many.iter(f"{SVG}rect") if element.get("class") == "hover"
    ]
    assert titles[0].startswith("pages 1 to 5:")
    assert titles[-1].startswith("pages 996 to 1000:")


def test_bars_lie_where_their_time_is():
    root = drawn(StripChart("t", spans=[Span("acquired", 1, 50.0, 51.0), Span("sent", 1, 52.0, 54.0)]))
    bars = {
        element.get("class"): element
        for element in root.iter(f"{SVG}rect")
        if element.find(f"{SVG}title") is not None
    }
    sent = bars["sent"]
    assert float(sent.get("x")) == pytest.approx(LEFT + (RIGHT - LEFT) / 2)
    assert float(sent.get("width")) == pytest.approx((RIGHT - LEFT) / 2)
    assert sent.findtext(f"{SVG}title") == "page 1 sent: 2.00 s to 4.00 s, 2.00 s"


def test_neighbours_have_different_shades():
    root = drawn(StripChart("t", spans=[Span("sent", page, page, page + 1.0) for page in range(1, 6)]))
    looks = [
        element.get("class") for element in root.iter(f"{SVG}rect") if element.get("class").startswith("sent")
    ]
    # The first is the legend's.
    assert looks[1:] == ["sent", "sent odd", "sent", "sent odd", "sent"]


def test_a_dense_strip_is_as_high_as_its_lane_was_busy():
    half = [Span("sent", page, page * 0.1, page * 0.1 + 0.05) for page in range(1, 2001)]
    root = drawn(StripChart("t", spans=half))
    curve = [element.get("d") for element in root.iter(f"{SVG}path") if element.get("class") == "sent"][-1]
    heights = [float(y) for y in re.findall(r"V([\d.]+)h", curve)]
    foot = float(re.match(r"M104 ([\d.]+)", curve)[1])
    assert foot - sum(heights) / len(heights) == pytest.approx(9, abs=0.1)
    assert "50 %" in words(root)


# ----------------------------------------------------------------------------------------------- what it says


def summary(*some_spans):
    return StripChart("t", spans=some_spans).summary()


def test_the_summary_says_what_matters():
    told = summary(
        Span("acquired", 1, 10.0, 10.5),
        Span("sent", 1, 11.25, 11.5),
        Span("answered", 1, 11.5, 11.75),
        Span("acquired", 2, 10.5, 11.0),
        Span("sent", 2, 11.75, 12.5),
        Span("answered", 2, 12.5, 13.0),
    )
    assert told == (
        "2 pages in 3.00 s · 40 images a minute · first page delivered after 1.75 s"
        " · longest wait 750 ms (page 1, before it was sent)"
    )


def test_the_summary_of_a_job_that_failed():
    told = summary(Span("acquired", 7, 10.0, 10.5), Span("sent", 7, 10.5, 11.0))
    assert told == "1 page in 1.00 s · 1 not delivered"
    assert summary() == "0 pages in 0.0 ms"


def test_steps_that_overlap_are_no_wait():
    told = summary(Span("acquired", 1, 0.0, 9.0), Span("encoded", 1, 1.0, 2.0), Span("written", 1, 9.0, 9.5))
    assert "wait" not in told


def test_events_are_told_with_page_and_time():
    root = drawn(
        StripChart(
            "t",
            spans=list(job(20)),
            moments=[
                Moment("sent", 3, 1003.0, "HTTP 503: again after 2 s"),
                Moment("server", None, 1006.0, "restarted without memory of its jobs"),
            ],
        )
    )
    assert {"HTTP 503: again after 2 s", "restarted without memory of its jobs"} <= set(words(root))
    titles = [element.text for element in root.iter(f"{SVG}title")]
    assert "2.57 s, page 3 sent: HTTP 503: again after 2 s" in titles
    dots = [element for element in root.iter(f"{SVG}path") if element.get("class") == "event"]
    assert len(dots) == 3, "two marks, and one path of places in the rows"


def test_events_at_one_time_share_a_mark():
    together = [Moment("sent", None, 5.0, f"event {number}") for number in range(500)]
    root = drawn(StripChart("t", spans=list(job(3)), moments=together))
    assert "event 0 (+499)" in words(root)


@pytest.mark.parametrize(
    ("length", "labels", "unit"),
    [
        (0.0008, ["0", "0.1", "0.2"], "ms"),
        (0.5, ["0", "50", "100"], "ms"),
        (9.0, ["0", "1", "2"], "s"),
        (100, ["0", "10", "20"], "s"),
        (400, ["0:00", "1:00", "2:00"], "min:s"),
        (7000, ["0:00", "15:00", "30:00"], "min:s"),
        (9000, ["0:00", "0:15", "0:30"], "h:min"),
        (30 * 86_400, ["0", "5", "10"], "days"),
        (2e9, ["0", "5000", "10000"], "days"),
    ],
)
def test_the_axis_counts_as_people_do(length, labels, unit):
    chart = StripChart("t", spans=[Span("acquired", 1, -length / 2, length / 2)])
    told = words(drawn(chart))
    assert told[-1] == unit
    axis = told[told.index(labels[0], len(told) - 13) : -1]
    assert axis[:3] == labels
    assert 3 <= len(axis) <= 11


def test_nothing_is_fetched_and_dark_mode_is_known():
    text = strip_chart(StripChart("t", spans=list(job(5))))
    assert "prefers-color-scheme:dark" in text
    assert not re.search(r"href|url\(|@import|<script|\son\w+=", text)
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]


def test_every_process_draws_the_same():
    code = (
        "from dsm_sim.strip_chart import *\n"
        "print(strip_chart(StripChart('t', spans=[Span(lane, page, page, page + i / 7.0)"
        " for page in (3, 1, 2) for i, lane in enumerate(PAGE_LANES)])), end='')"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
