"""WS-DSD with devices, jobs and questions of all shapes: every answer is valid, fits, and means what it should."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from dsm_device.errors import TicketRefused
from dsm_device.hardware import Capabilities
from dsm_device.job.configuration import configuration
from dsm_device.job.habits import Habits
from dsm_device.job.plan import make_plan
from dsm_device.job.validation import Validation, default_ticket, possible_offer, validate
from dsm_device.server.device_service import DeviceService
from dsm_device.wire.device import events, model
from dsm_device.wire.device.model import (
    DeviceCondition,
    JobStatus,
    JobSummary,
    JobView,
    PastCondition,
    ScannerStatus,
)
from dsm_device.wire.names import DSD, SOAP, WSCN
from dsm_device.wire.service_request import Request, RequestFault, parse_request
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.ticket_writer import render as render_ticket
from dsm_device.wire.xml import XmlError
from tests.unit.device_samples import BASE_URL, JOB, SampleView, sample, schema_problem
from tests.unit.test_device_messages import NoSubscriptions, no_probe
from tests.unit.ticket_strategies import FileFormats, any_scanner, file_formats, habits, tickets

W = f"{{{WSCN}}}"
ALL_FOUR = sample("wscn-get-scanner-elements-request")
JOB_ELEMENTS = sample("get-job-elements-request")

times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - naive as asked
ids = st.integers(1, 2_147_483_647)
namespaces = st.sampled_from([DSD, WSCN])
reasons = st.lists(st.sampled_from(list(model.StateReason))).map(tuple)
job_reasons = st.lists(st.sampled_from(get_args(model.JobStateReason))).map(tuple)
conditions = st.builds(
    DeviceCondition,
    ids,
    times,
    *(st.sampled_from(list(words)) for words in (model.ConditionName, model.Component, model.Severity)),
)
past_conditions = st.builds(PastCondition, conditions, times)
statuses = st.builds(
    ScannerStatus,
    times,
    st.sampled_from(list(model.ScannerState)),
    reasons,
    st.lists(conditions, max_size=9).map(tuple),
    st.integers(0, 80).flatmap(lambda count: past_conditions.map(lambda each: (each,) * count)),
)
#: With lone surrogates and control characters, as file names have them.
any_text = st.text(max_size=300)
summaries = st.builds(
    JobSummary,
    ids,
    any_text,
    any_text,
    st.sampled_from(get_args(model.JobState)),
    job_reasons,
    st.integers(0, 2**40),
)
job_statuses = st.builds(
    JobStatus,
    ids,
    st.sampled_from(get_args(model.JobState)),
    job_reasons,
    st.integers(0, 2**40),
    times,
    st.one_of(st.none(), times),
)


def ask(view: SampleView, data: bytes) -> etree._Element:
    """The body of the answer, whatever it is; valid, and of a size that clients take."""
    return ask_parsed(view, parse_request(data))


def ask_parsed(view: SampleView, request: Request) -> etree._Element:
    answer = asyncio.run(DeviceService(view, NoSubscriptions(), no_probe).answer(request, "scan", BASE_URL))
    assert len(answer) <= 32_767
    body = etree.fromstring(answer).find(f"{{{SOAP}}}Body")
    assert body is not None
    assert schema_problem(body[0]) == ""
    return body[0]


@given(any_scanner, file_formats, habits)
def test_every_scanner_can_be_described(capabilities: Capabilities, formats: FileFormats, habit: Habits) -> None:
    configured = configuration(possible_offer(capabilities, formats, habit))
    try:
        ticket = default_ticket(capabilities, formats, habit)
    except TicketRefused:
        assert configured is None
        return
    assert configured is not None
    answer = ask(SampleView(configured=configured, ticket=ticket), ALL_FOUR)
    source = str(ticket.values["InputSource"])
    shown = {"ADF": "ADFFront", "ADFDuplex": "ADFBack"}.get(source, source)
    assert answer.find(f".//{W}{shown}") is not None
    for side in ("Platen", "ADF", "Film"):
        least, most = (answer.find(f".//{W}{side}{each}Size") for each in ("Minimum", "Maximum"))
        if least is not None and most is not None:
            assert all(int(a.text or "") <= int(b.text or "") for a, b in zip(least, most, strict=True))


@given(statuses)
def test_every_status_is_told(current: ScannerStatus) -> None:
    told = ask(SampleView(current=current), ALL_FOUR)
    assert len(list(told.iter(f"{W}DeviceCondition"))) == len(current.active)
    assert len(list(told.iter(f"{W}ConditionHistoryEntry"))) == min(50, len(current.history))


@given(st.lists(summaries, max_size=3), st.integers(1, 60))
def test_every_list_of_jobs_is_told(jobs: list[JobSummary], times_over: int) -> None:
    told = ask(SampleView(active=jobs * times_over), sample("get-active-jobs-request"))
    ids = [int(each.text or "") for each in told.iter(f"{W}JobId")]
    assert ids == [each.id for each in jobs * times_over][-len(ids) :][: len(ids)]
    assert bool(ids) == bool(jobs)


@settings(max_examples=50)
@given(tickets(), any_scanner, file_formats, job_statuses, st.lists(any_text, max_size=9), st.integers(1, 99))
def test_every_job_is_told(
    ticket: ScanTicket,
    capabilities: Capabilities,
    formats: FileFormats,
    status: JobStatus,
    documents: list[str],
    times_over: int,
) -> None:
    try:
        final = make_plan(capabilities, ticket, formats, Habits()).outcomes
    except TicketRefused:
        final = ()
    job = JobView(replace(JOB.summary, id=12), status, ticket, final, tuple(documents * times_over))
    told = ask(SampleView(only_job=job), JOB_ELEMENTS)
    assert [each.get(f"{W}Valid") for each in told.iter(f"{W}ElementData")] == ["true"] * 3
    assert bool(documents) == bool(list(told.iter(f"{W}DocumentName")))


class Judge(SampleView):
    """Judges tickets as the device does."""

    judge: Callable[[ScanTicket], Validation]

    def validate(self, ticket: ScanTicket) -> Validation:
        return self.judge(ticket)


@settings(max_examples=50)
@given(tickets(broken=3), any_scanner, file_formats)
def test_every_ticket_is_judged(ticket: ScanTicket, capabilities: Capabilities, formats: FileFormats) -> None:
    view = Judge()
    view.judge = lambda asked: validate(capabilities, asked, formats, Habits())
    body = etree.Element(f"{W}ValidateScanTicketRequest")
    body.append(render_ticket(ticket, WSCN))
    request = Request(f"{WSCN}/ValidateScanTicket", "http://192.0.2.40/", "urn:uuid:1", body)
    try:
        told = ask_parsed(view, request)
    except RequestFault as refused:
        assert refused.fault.subcode in ((WSCN, "ClientErrorConflictingRequiredParameters"), (WSCN, "InvalidArgs"))
        return
    assert told.findtext(f".//{W}ValidTicket") in ("true", "false")


@given(
    namespaces,
    st.one_of(
        st.builds(events.JobStatusEvent, job_statuses),
        st.builds(
            events.JobEndStateEvent,
            summaries.map(lambda each: replace(each, state="Aborted")),
            times,
        ),
        st.builds(events.ScannerStatusSummaryEvent, statuses),
        st.builds(events.ScannerStatusConditionEvent, conditions),
        st.builds(events.ScannerStatusConditionClearedEvent, ids, times),
        st.builds(
            events.ScannerElementsChangeEvent,
            st.one_of(st.none(), st.builds(model.ScannerDescription, any_text, any_text, any_text)),
            st.one_of(st.none(), st.just(SampleView().configured)),
            st.one_of(st.none(), tickets()),
        ),
    ),
)
def test_every_event_is_valid_in_both_namespaces(namespace: str, event: events.DeviceEvent) -> None:
    body = event.render(namespace)
    assert schema_problem(body) == ""
    assert body.tag == f"{{{namespace}}}{event.name}"
    assert etree.QName(body[0]).namespace == namespace
    assert {etree.QName(each).namespace for each in body[0].iterdescendants()} <= {WSCN}


# -------------------------------------------------------------------------------------- what is asked

name_parts = st.one_of(
    st.sampled_from(["ScannerStatus", "DefaultScanTicket", "x", "soap", "wscn", "wsa", "dsd", "asked1", "é", ""]),
    st.text(st.characters(max_codepoint=0x17F), max_size=4),  # further letters depend on the edition of XML
)
uris = st.sampled_from([WSCN, DSD, SOAP, "urn:a", "urn:b"])


@given(
    st.dictionaries(st.sampled_from(["soap", "wscn", "dsd", "wsa", "asked1", "asked2", "x", "é"]), uris),
    st.lists(st.lists(name_parts, min_size=1, max_size=2).map(":".join), min_size=1, max_size=17),
)
def test_names_of_all_kinds_come_back_as_they_are_meant(prefixes: dict[str, str], asked: list[str]) -> None:
    body = etree.Element(f"{W}GetScannerElementsRequest", nsmap=prefixes)
    requested = etree.SubElement(body, f"{W}RequestedElements")
    for name in asked:
        try:
            etree.SubElement(requested, f"{W}Name").text = name
        except ValueError:
            assume(False)
    request = Request(f"{WSCN}/GetScannerElements", "http://192.0.2.40/", "urn:uuid:1", body)
    try:
        told = ask_parsed(SampleView(), request)
    except RequestFault as refused:
        assert refused.fault.subcode == (WSCN, "InvalidArgs")
        return
    answered = list(told.iter(f"{W}ElementData"))
    assert len(answered) == len(asked)
    for data, name in zip(answered, asked, strict=True):
        prefix, _, local = " ".join(name.split()).rpartition(":")
        written, _, same = data.get(f"{W}Name", "").rpartition(":")
        namespace = data.nsmap.get(written or None)
        assert same == local
        is_known = local in ("ScannerStatus", "DefaultScanTicket") and prefixes.get(prefix) in (WSCN, DSD, None)
        assert namespace == (WSCN if is_known else prefixes.get(prefix))
        assert (data.get(f"{W}Valid") == "true") == is_known == (len(data) == 1)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.sampled_from([ALL_FOUR, JOB_ELEMENTS]).flatmap(
            lambda data: st.tuples(st.integers(0, len(data)), st.binary(max_size=9)).map(
                lambda cut: data[: cut[0]] + cut[1] + data[cut[0] + len(cut[1]) :]
            )
        ),
    )
)
def test_whatever_comes_is_answered_refused_or_no_message(data: bytes) -> None:
    try:
        ask(SampleView(), data)
    except (XmlError, RequestFault) as error:
        assert "\n" not in str(error)
