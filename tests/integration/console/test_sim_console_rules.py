"""The strict run: silent on a right device; and for each rule of the table one mistake that it must find."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from lxml import etree

from dsm_sim.peers.console import RULES, Console, ConsoleError
from dsm_sim.peers.console.eventing import Subscription
from tests.integration.console.raw_device import NS, Answer, RawDevice, W, at, sample

ELEMENTS = "elements, dsd form"
JOBS = "jobs, dsd form"


@dataclass(frozen=True)
class Mistake:
    """A rule, the steps in which it shows, and what the device does wrong."""

    rule: str
    step: str
    tamper: Callable[[Answer], Any] = lambda answer: None
    set_up: Callable[[RawDevice], Any] = lambda device: None


def on(operation: str, edit: Callable[[etree._Element], Any]) -> Callable[[Answer], Any]:
    """Edits the answers to one operation, those that have what the edit looks for."""

    def tamper(answer: Answer) -> None:
        if answer.operation == operation:
            edit(answer.root)

    return tamper


def each(answer_edit: Callable[[Answer], Any], operation: str = "") -> Callable[[Answer], Any]:
    return lambda answer: answer_edit(answer) if not operation or answer.operation == operation else None


def put(path: str, text: str) -> Callable[[etree._Element], Any]:
    """Sets the text of whatever is at the path."""

    def edit(root: etree._Element) -> None:
        for element in root.xpath(path, namespaces=NS):
            element.text = text

    return edit


def drop(path: str) -> Callable[[etree._Element], Any]:
    def edit(root: etree._Element) -> None:
        for element in root.xpath(path, namespaces=NS):
            element.getparent().remove(element)

    return edit


def attribute(path: str, name: str, value: str | None) -> Callable[[etree._Element], Any]:
    def edit(root: etree._Element) -> None:
        for element in root.xpath(path, namespaces=NS):
            element.attrib.pop(name, None)
            if value is not None:
                element.set(name, value)

    return edit


def last_first(path: str) -> Callable[[etree._Element], Any]:
    def edit(root: etree._Element) -> None:
        for element in root.xpath(path, namespaces=NS):
            element.insert(0, element[-1])

    return edit


def twice(path: str) -> Callable[[etree._Element], Any]:
    def edit(root: etree._Element) -> None:
        for element in root.xpath(path, namespaces=NS):
            element.addnext(etree.fromstring(etree.tostring(element)))

    return edit


def header(name: str, value: str) -> Callable[[Answer], Any]:
    return each(lambda answer: answer.headers.__setitem__(name, value))


def status(code: int) -> Callable[[Answer], Any]:
    return each(lambda answer: setattr(answer, "status", code))


def body(change: Callable[[bytes], bytes], operation: str = "GetScannerElements") -> Callable[[Answer], Any]:
    return each(lambda answer: setattr(answer, "body", change(answer.octets())), operation)


def raw(octets: bytes, operation: str = "GetScannerElements") -> Callable[[Answer], Any]:
    return each(lambda answer: setattr(answer, "raw", octets), operation)


def falling(path: str, name: str) -> Callable[[Answer], Any]:
    numbers = itertools.count(2_000_000_000, -1)

    def edit(root: etree._Element) -> None:
        for element in root.xpath(path, namespaces=NS):
            element.set(name, str(next(numbers)))

    return on("Probe", edit)


def falling_text(path: str, operation: str) -> Callable[[Answer], Any]:
    numbers = itertools.count(900, -1)

    def edit(root: etree._Element) -> None:
        put(path, str(next(numbers)))(root)

    return on(operation, edit)


def always(message_id: str) -> Callable[[Answer], Any]:
    return each(lambda answer: put("//a:MessageID", message_id)(answer.root))


def refuse(answer: Answer) -> None:
    fault = sample("fault-internal-error")
    for path in ("//a:MessageID", "//a:RelatesTo"):
        at(fault, path).text = at(answer.root, path).text
    answer.root, answer.status = fault, 500


def other_prefix(answer: Answer) -> None:
    data = etree.tostring(answer.root).replace(b"xmlns:wscn", b"xmlns:scn").replace(b"wscn:", b"scn:")
    answer.root = etree.fromstring(data)


GSE, JOB, TICKET = "GetScannerElements", "GetJobElements", "ValidateScanTicket"
PROBE = "Probe"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
URN = "urn:uuid:00000000-0000-4000-8000-0000000000aa"
#: In the headers of answers, so that nothing else is touched.
UNDERSTAND = etree.XML(f'<x:Must xmlns:x="urn:x" xmlns:s="{NS["s"]}" s:mustUnderstand="1"/>')

MISTAKES = [
    Mistake("http-malformed", ELEMENTS, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")),
    Mistake("http-status", ELEMENTS, status(201)),
    Mistake("http-media-type", ELEMENTS, header("Content-Type", "text/html; charset=utf-8")),
    Mistake("http-charset", ELEMENTS, header("Content-Type", "application/soap+xml")),
    Mistake("http-length", ELEMENTS, raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<a/>")),
    Mistake("http-coding", ELEMENTS, header("Content-Encoding", "gzip")),
    Mistake("envelope-size", ELEMENTS, body(lambda data: data + b" " * 40_000)),
    Mistake("datagram-size", "UDP", body(lambda data: data + b" " * 5_000, PROBE)),
    Mistake("xml-well-formed", ELEMENTS, body(lambda data: data[:-5])),
    Mistake(
        "xml-encoding", ELEMENTS, body(lambda data: data.decode().replace("utf-8", "utf-16", 1).encode("utf-16"))
    ),
    Mistake("xml-dtd", ELEMENTS, body(lambda data: data.replace(b"<soap:", b"<!DOCTYPE x><soap:", 1))),
    Mistake("xml-depth", ELEMENTS, body(lambda _: b"<a>" * 70 + b"</a>" * 70)),
    Mistake("soap-version", ELEMENTS, body(lambda data: data.replace(b"2003/05/soap-envelope", b"2001/soap"))),
    Mistake("soap-structure", ELEMENTS, on(GSE, twice("//s:Body"))),
    Mistake("soap-must-understand", ELEMENTS, on(GSE, lambda root: at(root, "//s:Header").append(UNDERSTAND))),
    Mistake("wsa-once", ELEMENTS, on(GSE, twice("//a:Action"))),
    Mistake("wsa-action", ELEMENTS, on(GSE, put("//a:Action", f"{W}/GetScannerElements"))),
    Mistake("wsa-message-id", ELEMENTS, on(GSE, put("//a:MessageID", "one"))),
    Mistake("wsa-unique", ELEMENTS, always(URN)),
    Mistake("wsa-relates-to", ELEMENTS, on(GSE, put("//a:RelatesTo", URN))),
    Mistake("wsa-to", ELEMENTS, on(GSE, put("//a:To", "http://127.0.0.1/"))),
    Mistake("body-name", ELEMENTS, on(GSE, lambda root: setattr(at(root, "//s:Body/*"), "tag", f"{{{W}}}X"))),
    Mistake("body-schema", ELEMENTS, on(GSE, put("//w:ColorEntry", "Blue"))),
    Mistake("fault-action", "other actions", on("Fault", put("//a:Action", f"{W}/fault"))),
    Mistake("fault-structure", "other actions", on("Fault", attribute("//s:Text", XML_LANG, None))),
    Mistake("fault-code", "other actions", on("Fault", put("//s:Code/s:Value", "soap:Receiver"))),
    Mistake("fault-expected", "other actions", on("Fault", put("//s:Subcode/s:Value", "wsa:EndpointUnavailable"))),
    Mistake("fault-unexpected", JOBS, each(refuse, JOB)),
    Mistake("match-absent", "directed", on(PROBE, drop("//wsd:ProbeMatch"))),
    Mistake("match-time", "UDP", set_up=lambda device: setattr(device, "datagram_delay_s", 0.3)),
    Mistake("match-foreign", "UDP", set_up=lambda device: setattr(device, "answers_foreign", True)),
    Mistake("match-order", "directed", on(PROBE, last_first("//wsd:ProbeMatch"))),
    Mistake("udp-repeat", "UDP", set_up=lambda device: setattr(device, "datagram_copies", 3)),
    Mistake("endpoint-address", "directed", on(PROBE, put("//wsd:ProbeMatch//a:Address", URN.upper()))),
    Mistake("types", "directed", on(PROBE, put("//wsd:Types", "wsdp:Device"))),
    Mistake("types-prefix", "directed", each(other_prefix, PROBE)),
    Mistake("xaddrs-absent", "directed", on(PROBE, drop("//wsd:XAddrs"))),
    Mistake("xaddrs-url", "directed", on(PROBE, put("//wsd:XAddrs", "soap.udp://127.0.0.1:1/"))),
    Mistake("xaddrs-mixed", "directed", on(PROBE, put("//wsd:XAddrs", "http://127.0.0.1/ https://127.0.0.1/"))),
    Mistake("xaddrs-reachable", "directed", on(PROBE, put("//wsd:XAddrs", "http://192.0.2.1:5357/"))),
    Mistake("app-sequence", "directed", on(PROBE, drop("//wsd:AppSequence"))),
    Mistake("instance-id", "UDP", falling("//wsd:AppSequence", "InstanceId")),
    Mistake("message-number", "directed", on(PROBE, attribute("//wsd:AppSequence", "MessageNumber", "7"))),
    Mistake("metadata-version", "UDP", falling_text("//wsd:MetadataVersion", PROBE)),
    Mistake("metadata-sections", "metadata", on("Get", last_first("//x:Metadata"))),
    Mistake("metadata-required", "metadata", on("Get", put("//p:ModelName", ""))),
    Mistake("metadata-complete", "metadata", on("Get", drop("//p:PresentationUrl"))),
    Mistake("metadata-stable", "metadata", falling_text("//p:FirmwareVersion", "Get")),
    Mistake("text-length", "metadata", on("Get", put("//p:FriendlyName", "x" * 256))),
    Mistake("uri-size", "metadata", on("Get", put("//p:ModelUrl", "http://x/" + "x" * 2048))),
    Mistake("device-category", "metadata", on("Get", put("//pnpx:DeviceCategory", "Printers"))),
    Mistake("relationship-type", "metadata", on("Get", attribute("//p:Relationship", "Type", "urn:other"))),
    Mistake("hosted-scanner", "metadata", on("Get", put("//p:Hosted[1]/p:Types", "wscn:PrinterServiceType"))),
    Mistake("hosted-address", "metadata", on("Get", put("//p:Hosted[1]//a:Address", "http://localhost:1/scan"))),
    Mistake("hosted-order", "metadata", on("Get", last_first("//p:Hosted[1]"))),
    Mistake("service-id", "metadata", on("Get", put("//p:Hosted/p:ServiceId", "uri:same"))),
    Mistake("pnpx-ids", "metadata", on("Get", drop("//pnpx:HardwareId"))),
    Mistake("element-order", ELEMENTS, on(GSE, last_first("//d:ScannerElements[count(*)>1]"))),
    Mistake("element-content", ELEMENTS, on(GSE, attribute("//w:ElementData", f"{{{W}}}Valid", "false"))),
    Mistake("element-known", ELEMENTS, on(GSE, attribute("//w:ElementData", f"{{{W}}}Valid", "false"))),
    Mistake("scanner-name", ELEMENTS, on(GSE, put("//w:ScannerName", "Another"))),
    Mistake("config-sources", ELEMENTS, on(GSE, drop("//w:Platen | //w:ADF"))),
    Mistake("config-duplex", ELEMENTS, on(GSE, put("//w:ADFSupportsDuplex", "false"))),
    Mistake("config-ranges", ELEMENTS, on(GSE, put("//w:ScalingRangeSupported//w:MinValue", "101"))),
    Mistake("config-unique", ELEMENTS, on(GSE, twice("//w:FormatValue[1]"))),
    Mistake("config-resolutions", ELEMENTS, on(GSE, put("//w:PlatenResolutions//w:Height", "1200"))),
    Mistake("config-color", ELEMENTS, on(GSE, put("//w:PlatenColor/w:ColorEntry", "BlackAndWhite1"))),
    Mistake("config-portrait", ELEMENTS, on(GSE, put("//w:PlatenMaximumSize/w:Width", "20000"))),
    Mistake("status-reasons", ELEMENTS, on(GSE, twice("//w:ScannerStateReason"))),
    Mistake("status-state", ELEMENTS, on(GSE, put("//w:ScannerState", "Idle"))),
    Mistake("condition-id", ELEMENTS, on(GSE, attribute("//w:DeviceCondition", f"{{{W}}}Id", None))),
    Mistake("time-utc", ELEMENTS, on(GSE, put("//w:ScannerCurrentTime", "2026-03-02T09:15:00+01:00"))),
    Mistake("ticket-complete", "tickets", on(GSE, drop("//w:DefaultScanTicket//w:ScanRegion"))),
    Mistake("ticket-supported", "tickets", on(GSE, put("//w:DefaultScanTicket//w:Format", "xps"))),
    Mistake("ticket-valid", "tickets", on(TICKET, put("//w:ValidTicket", "false"))),
    Mistake("override-place", ELEMENTS, on(GSE, attribute("//w:Rotation", f"{{{W}}}Override", "true"))),
    Mistake("validation-verdict", "tickets", on(TICKET, put("//w:ValidTicket", "true"))),
    Mistake("validation-corrected", "tickets", on(TICKET, drop("//w:ValidScanTicket"))),
    Mistake("validation-kept", "tickets", on(TICKET, put("//w:ValidScanTicket//w:JobName", "Other"))),
    Mistake("validation-replaced", "tickets", on(TICKET, put("//w:ValidScanTicket//w:Format", "png"))),
    Mistake("image-size", "tickets", on(TICKET, put("//w:NumberOfLines[.!='0']", "1234"))),
    Mistake("image-back", "tickets", on(TICKET, drop("//w:MediaBackImageInfo"))),
    Mistake("job-states", JOBS, on("GetJobHistory", put("//w:JobState", "Processing"))),
    Mistake("job-ids", JOBS, on("GetActiveJobs", put("//w:JobId", "12"))),
    Mistake("job-order", JOBS, on("GetJobHistory", last_first("//d:JobHistory"))),
    Mistake("job-asked", JOBS, on(JOB, put("//w:JobStatus/w:JobId", "99"))),
    Mistake("subscription-manager", "events", on("Subscribe", put("//e:SubscriptionManager/a:Address", "urn:x"))),
    Mistake("expires", "events", on("Subscribe", put("//e:Expires", "3600"))),
]
#: Rules that events break; each with the sample, and how it is sent wrong.
EVENT_MISTAKES: dict[str, Callable[[RawDevice], Any]] = {
    "event-reference": lambda device: device.post_event("event-job-status", put("//e:Identifier", URN)),
    "event-action": lambda device: device.post_event(
        "event-job-status", put("//a:Action", "http://x.example/JobStatusEvent")
    ),
    "event-namespace": lambda device: device.post_event("event-wscn-job-status"),
    "event-order": lambda device: [
        device.post_event(name) for name in ("event-job-end-state", "event-job-status")
    ],
    "event-after-end": lambda device: [
        device.post_event(name) for name in ("wse-subscription-end", "event-job-status")
    ],
    "subscription-end": lambda device: device.post_event(
        "wse-subscription-end", put("//e:Status", "SourceShuttingDown")
    ),
}
OTHERWISE_TESTED = {"no-answer"}


def test_a_right_device_gives_no_finding(check: Callable[..., Any]) -> None:
    with RawDevice() as device:
        steps, findings = check(device)
    assert [finding.as_line() for finding in findings] == []
    assert [step for step in steps if step.problem] == []
    assert len(steps) == 17


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.rule)
def test_each_rule_is_seen_broken(mistake: Mistake, check: Callable[..., Any]) -> None:
    with RawDevice(mistake.tamper) as device:
        mistake.set_up(device)
        _, findings = check(device, mistake.step)
    found = {finding.rule for finding in findings}
    assert mistake.rule in found


@pytest.mark.parametrize("rule", EVENT_MISTAKES)
def test_each_rule_of_events_is_seen_broken(rule: str, ask: Callable[..., Any]) -> None:
    with RawDevice() as device:

        async def job(console: Console) -> set[str]:
            found = await console.find(device.url)
            sink = await console.open_sink(found)
            async with Subscription(found.service, sink, 600) as subscription:
                await _in_thread(lambda: device.post_event("event-scanner-status-summary"))
                await subscription.events.get()
                assert console.findings.kept == []
                await _in_thread(lambda: EVENT_MISTAKES[rule](device))
            return {finding.rule for finding in console.findings.kept}

        assert rule in ask(device, job)


async def _in_thread(function: Callable[[], Any]) -> None:
    await asyncio.to_thread(function)


def test_every_rule_has_its_mistake() -> None:
    tried = {mistake.rule for mistake in MISTAKES} | set(EVENT_MISTAKES) | OTHERWISE_TESTED
    assert tried == {rule.name for rule in RULES}
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_a_device_that_never_answers_is_a_finding(ask: Callable[..., Any]) -> None:
    """The rule no-answer: the answer to GetScannerElements is longer in coming than the console waits."""
    release = threading.Event()
    stall = each(lambda answer: release.wait(5), "GetActiveJobs")

    async def job(console: Console) -> set[str]:
        found = await console.find(device.url)
        with pytest.raises(ConsoleError, match="did not answer within"):
            await found.service.active_jobs()
        return {finding.rule for finding in console.findings.kept}

    with RawDevice(stall) as device:
        try:
            assert ask(device, job, timeout_s=0.3) == {"no-answer"}
        finally:
            release.set()


def test_sources_and_levels_are_filled_in() -> None:
    for rule in RULES:
        assert rule.text and rule.source, rule.name
        assert not rule.text.endswith("."), rule.name
