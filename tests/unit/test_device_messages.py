"""Every published message of WS-DSD and of the host: read by us, or written by us."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from lxml import etree

from dsm_device.server.device_service import DeviceService, Endpoint
from dsm_device.wire import hosting, names
from dsm_device.wire.device import events, faults
from dsm_device.wire.device.configuration import Configuration
from dsm_device.wire.device.model import JobStatus, JobSummary
from dsm_device.wire.hosting import ThisModel
from dsm_device.wire.names import DSD, WSCN
from dsm_device.wire.service_request import (
    OutgoingFault,
    Request,
    action_not_supported,
    parse_request,
    render_fault,
    render_one_way,
)
from tests.unit.device_samples import (
    BASE_URL,
    CONFIGURATION,
    JAM,
    METADATA,
    SAMPLES,
    STATUS,
    SampleView,
    at,
    sample,
    schema_problem,
)

EVERYTHING = sorted(path.stem.removeprefix("dsd-") for path in SAMPLES.glob("dsd-*.xml"))
#: A request and its answer.
EXCHANGES = {
    "dpws-get": "dpws-get-response",
    "get-active-jobs-request": "get-active-jobs-response",
    "get-job-elements-request": "get-job-elements-response",
    "get-job-history-request": "get-job-history-response",
    "get-scanner-elements-request": "get-scanner-elements-response",
    "validate-scan-ticket-invalid-request": "validate-scan-ticket-invalid-response",
    "validate-scan-ticket-request": "validate-scan-ticket-response",
    "wscn-get-active-jobs-request": "wscn-get-active-jobs-response",
    "wscn-get-scanner-elements-request": "wscn-get-scanner-elements-response",
}
SINK = "http://192.0.2.9:5357/7e0d1f7a-3c1b-4bd2-8a0a-1c52e1b9f6aa"
IDENTIFIER = (
    f'<wse:Identifier xmlns:wse="{names.WSE}">urn:uuid:11111111-2222-4333-8444-555555555555</wse:Identifier>'
)
STATUS_12 = JobStatus(12, "Processing", ("JobScanning",), 4, at(9, 12, 30))
WITHOUT_BACK = Configuration(CONFIGURATION.device, CONFIGURATION.platen, CONFIGURATION.feeder)
EVENTS: dict[str, tuple[events.DeviceEvent, str]] = {
    "event-job-status": (events.JobStatusEvent(STATUS_12), DSD),
    "event-wscn-job-status": (events.JobStatusEvent(STATUS_12), WSCN),
    "event-job-end-state": (
        events.JobEndStateEvent(
            JobSummary(12, "Invoices", "CORP\\dana", "Completed", (), 6), completed=at(9, 13, 41)
        ),
        DSD,
    ),
    "event-scanner-elements-change": (events.ScannerElementsChangeEvent(configuration=WITHOUT_BACK), DSD),
    "event-scanner-status-summary": (events.ScannerStatusSummaryEvent(STATUS), DSD),
    "event-scanner-status-condition": (events.ScannerStatusConditionEvent(JAM), DSD),
    "event-scanner-status-condition-cleared": (
        events.ScannerStatusConditionClearedEvent(41, at(9, 16, 20)),
        DSD,
    ),
}
FAULTS: dict[str, OutgoingFault] = {
    "fault-action-not-supported": action_not_supported(f"{WSCN}/CreateScanJob"),
    "fault-conflicting-required-parameters": faults.conflicting_parameters(),
    "fault-internal-error": faults.internal_error(),
    "fault-invalid-args": faults.bad_job_id("twelve"),
    "fault-job-id-not-found": faults.job_id_not_found("9999"),
    "fault-operation-failed": faults.operation_failed(),
    "fault-temporary-error": faults.temporary_error(),
}


class NoSubscriptions:
    async def answer(self, request: Request, endpoint: Endpoint, base_url: str, peer_host: str) -> bytes:
        raise AssertionError("nobody subscribes here")


def no_probe(body: etree._Element, xaddr: str) -> tuple[etree._Element, Sequence[bytes]]:
    raise AssertionError("nobody probes here")


def ask(view: SampleView, request: bytes) -> bytes:
    service = DeviceService(view, NoSubscriptions(), no_probe)
    return asyncio.run(service.answer(parse_request(request), "dsd", BASE_URL))


def meaning(data: bytes) -> bytes:
    """Canonical, prefixes kept; without what is for readers, and without MessageID: ours differ each time."""
    root = etree.fromstring(data, etree.XMLParser(remove_blank_text=True, remove_comments=True))
    canonical = etree.tostring(root, method="c14n", exclusive=True)
    return re.sub(rb"<wsa:MessageID[^>]*>.*?</wsa:MessageID>", b"", canonical)


def body_of(data: bytes) -> etree._Element:
    body = etree.fromstring(data).find(f"{{{names.SOAP}}}Body")
    assert body is not None
    return body[0]


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_published_message_can_be_read(name: str) -> None:
    request = parse_request(sample(name))
    assert request.action.startswith("http://schemas.")
    assert request.to
    assert request.message_id.startswith("urn:uuid:d5d000")
    assert (request.body is None) == (name in ("dpws-get", "wse-unsubscribe-response"))


@pytest.mark.parametrize("question", EXCHANGES)
def test_the_answer_is_the_published_one(question: str) -> None:
    view = SampleView(active=()) if "wscn" in question else SampleView()
    answer = ask(view, sample(question))
    assert meaning(answer) == meaning(sample(EXCHANGES[question]))
    assert ("get" in question and "dpws" in question) or schema_problem(body_of(answer)) == ""


def test_every_published_request_of_an_operation_is_answered() -> None:
    asked = {name for name in EVERYTHING if name.endswith("-request") or name == "dpws-get"}
    assert asked == set(EXCHANGES)


@pytest.mark.parametrize("name", EVENTS)
def test_the_event_is_the_published_one(name: str) -> None:
    event, namespace = EVENTS[name]
    body = event.render(namespace)
    assert schema_problem(body) == ""
    message = render_one_way(SINK, f"{WSCN}/{event.name}", "urn:uuid:1", body, [IDENTIFIER.encode()])
    assert meaning(message) == meaning(sample(name))


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_the_published_one(name: str) -> None:
    """But for Detail, which a known client needs where the published ones have none."""
    published = parse_request(sample(name))
    fault = FAULTS[name]
    written = render_fault(fault, "urn:uuid:1", published.relates_to)
    if fault.detail is None:
        assert b"<soap:Detail><wsa:Action>" in written
        written = re.sub(rb"<soap:Detail>.*</soap:Detail>", b"", written)
    assert meaning(written) == meaning(sample(name))


def test_a_model_without_pages_of_its_own_is_told_with_the_device_s() -> None:
    model = ThisModel("Example", "", "DSM Scanner", "1", "")
    told = hosting.render(replace(METADATA, model=model), BASE_URL)
    locals_ = ("ManufacturerUrl", "ModelUrl", "PresentationUrl")
    urls = [told.findtext(f".//{{{names.WSDP}}}{local}") for local in locals_]
    assert urls == [f"{BASE_URL}/"] * 3
