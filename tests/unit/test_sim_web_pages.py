"""How the scan server's page writes what it knows: any text stays text, values are written for people."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import html as lxml_html

from dsm_sim.peers.scan_server import Report
from dsm_sim.peers.scan_server.report import FilterReport, JobReport, SubscriptionReport
from dsm_sim.peers.scan_server.rules import Violation
from dsm_sim.peers.scan_server.web.front_page import front_page
from dsm_sim.peers.scan_server.web.job_page import job_page
from dsm_sim.peers.scan_server.web.layout import Frame, duration, size
from dsm_sim.peers.scan_server.web.markup import clean, element, html

NOW = datetime.datetime(2026, 3, 2, 9, 14, 7)  # noqa: DTZ001 - the server's local time has no zone
TOKEN = "00000000-0000-4000-8000-000000000001"
FRAME = Frame("strict", 5)


def job(text="x", state="Completed"):
    run = FilterReport(text, "CompletedWithErrors", text, text, (Path("/out") / text.replace("\0", ""),), (text,))
    return JobReport(
        token=TOKEN,
        state=state,
        reason=text,
        user_sid=text,
        user=text,
        psp_identifier=text,
        psp_name=text,
        created=NOW,
        completed=None,
        octets=0,
        documents=(),
        filters=(run,),
        is_forgotten=False,
    )


def report(text="x", jobs=(), violations=0, subscriptions=()):
    violation = Violation("rule", "must", text, text, text, text, TOKEN, NOW)
    return Report(
        address="https://localhost:1/ScanServer",
        output=Path("/out"),
        connections=0,
        incomplete_requests=0,
        requests={},
        jobs=tuple(jobs),
        subscriptions=tuple(subscriptions),
        events_sent=0,
        events_failed=0,
        violations_total=violations,
        violations=(violation,) * min(violations, 100),
    )


def trees(text):
    subscription = SubscriptionReport(text, text, text, (text,), 1.0, text, 0, 0)
    everything = report(text, [job(text)], 1, [subscription])
    pages = (front_page(FRAME, everything), job_page(FRAME, everything, job(text)))
    return [lxml_html.document_fromstring(made) for made in pages]


@given(st.text(max_size=40))
@example("\0\x01\x1f\x7f\x85\ufffe\uffff\ud800")
@example("]]></script><script>alert(1)</script>&lt;<i>")
def test_any_text_stays_text(text):
    for made, harmless in zip(trees(text), trees("x"), strict=True):
        assert [element.get("src") for element in made.iter("script")] == ["/refresh.js"]
        assert {element.tag for element in made.iter()} <= {element.tag for element in harmless.iter()}


@given(st.text(max_size=40))
@example("\0\ud800\"<>&'")
def test_any_text_stays_in_its_attribute(text):
    (made,) = lxml_html.document_fromstring(html(element("body", element("p", "x", title=text))).decode()).iter(
        "p"
    )
    assert made.attrib == {"title": clean(text)}
    assert made.text_content() == "x"


def test_subscribers_are_listed_with_what_they_were_told():
    subscription = SubscriptionReport(
        "1", "http://127.0.0.1:9/sink", "", ("PostScanJobStatusEvent",), 60, "", 7, 2
    )
    ended = SubscriptionReport("2", "http://127.0.0.1:8/sink", "", (), 60, "DeliveryFailure", 0, 1)
    tree = lxml_html.document_fromstring(front_page(FRAME, report(subscriptions=[ended, subscription])))
    rows = [
        [cell.text_content() for cell in row] for row in tree.xpath("//section[@id='subscriptions']//tbody/tr")
    ]
    assert rows == [
        ["http://127.0.0.1:9/sink", "PostScanJobStatusEvent", "7", "2", "alive"],
        ["http://127.0.0.1:8/sink", "", "0", "1", "DeliveryFailure"],
    ]


def test_long_lists_are_cut_and_say_so():
    made = front_page(FRAME, report(jobs=[job()] * 1_000, violations=5_000))
    tree = lxml_html.document_fromstring(made)
    assert len(tree.xpath("//section[@id='jobs']//tbody/tr")) == 200
    assert "and 800 older jobs" in tree.xpath("string(//section[@id='jobs'])")
    assert "and 4,950 earlier ones" in tree.xpath("string(//section[@id='violations'])")


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (99_400, "99 kB"),
        (999_600, "1.0 MB"),
        (4_000_000_000, "4.0 GB"),
    ],
)
def test_sizes_are_short(octets, text):
    assert size(octets) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "< 0.1 s"), (2.34, "2.3 s"), (59, "59 s"), (61, "1 min 1 s"), (3_660, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text
