"""What the package WSD-python sends, which is often not quite lawful, and what it needs in the answers.

It cannot be installed beside the others; these are its habits as the project's reference has them:
one MessageID for all subscriptions, the service's own URL for their management, both members of each choice in a
ticket, prefixes compared as text, 4,096 octets for a datagram.
"""

from __future__ import annotations

import queue
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.foreign.agent import Agent, agent_on_loopback
from tests.watch import message_watch

WSA = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSD = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
WSE = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
WSCN = "http://schemas.microsoft.com/windows/2006/08/wdp/scan"
NAMES = {
    "soap": "http://www.w3.org/2003/05/soap-envelope",
    "wsa": WSA,
    "wsd": WSD,
    "wse": WSE,
    "wsdp": "http://schemas.xmlsoap.org/ws/2006/02/devprof",
    "wscn": WSCN,
    "sca": WSCN,
}
EVENTS = (
    "ScannerElementsChangeEvent",
    "ScannerStatusSummaryEvent",
    "ScannerStatusConditionEvent",
    "ScannerStatusConditionClearedEvent",
    "JobStatusEvent",
    "JobEndStateEvent",
)
GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
#: The same in every Subscribe, Renew, GetStatus and Unsubscribe.
ONE_ID = "urn:uuid:c2a1dd67-2f5b-4c0e-9a0f-5a1de7b1f6aa"
LIMIT_S = 20.0


def message(to: str, action: str, body: str = "", message_id: str = ONE_ID, header: str = "") -> bytes:
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMES.items())
    return (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope {declared}><soap:Header><wsa:To>{to}</wsa:To>'
        f"<wsa:Action>{action}</wsa:Action><wsa:MessageID>{message_id}</wsa:MessageID>"
        f"<wsa:ReplyTo><wsa:Address>{WSA}/role/anonymous</wsa:Address></wsa:ReplyTo>"
        f"<wsa:From><wsa:Address>urn:uuid:1f2d3c4b-0000-4000-8000-000000000001</wsa:Address></wsa:From>{header}"
        f"</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def ask(url: str, action: str, body: str = "", **more: str) -> etree._Element:
    """The answer, or the fault, as an envelope."""
    headers = {"Content-Type": "application/soap+xml", "User-Agent": "WSDAPI"}
    request = urllib.request.Request(url, message(url, action, body, **more), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=LIMIT_S) as answer:
            return etree.fromstring(answer.read())
    except urllib.error.HTTPError as error:
        return etree.fromstring(error.read())


def at(root: etree._Element, path: str) -> str:
    """The text there, trimmed; fails where there is no such element."""
    found = root.find(path, namespaces=NAMES)
    assert found is not None, f"no {path} in {etree.tostring(root).decode()}"
    return (found.text or "").strip()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with agent_on_loopback(tmp_path) as made:
        yield made


# ----------------------------------------------------------------------------------------- discovery


def test_its_small_reads_hold_all_that_discovery_answers(tmp_path: Path) -> None:
    """Probe by the literal ``wscn:ScanDeviceType``, then Resolve whatever matches, then Get."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with agent_on_loopback(tmp_path, discovery=True, discovery_port=port, interfaces=["lo"]) as agent:
        body = "<wsd:Probe><wsd:Types>wscn:ScanDeviceType</wsd:Types></wsd:Probe>"
        match = datagram(port, "Probe", body, "urn:uuid:00000000-0000-4000-8000-000000000001")
        assert "wscn:ScanDeviceType" in at(match, ".//wsd:ProbeMatch/wsd:Types").split()
        assert at(match, ".//wsd:ProbeMatch/wsd:MetadataVersion").isdigit()
        endpoint = at(match, ".//wsa:EndpointReference/wsa:Address")
        reference = f"<wsa:EndpointReference><wsa:Address>{endpoint}</wsa:Address></wsa:EndpointReference>"
        body = f"<wsd:Resolve>{reference}</wsd:Resolve>"
        resolved = datagram(port, "Resolve", body, "urn:uuid:00000000-0000-4000-8000-000000000002")
        url = at(resolved, ".//wsd:ResolveMatch/wsd:XAddrs")
        assert url.startswith(f"{agent.url}/")
        assert "scan" in hosted(ask(url, GET))


def test_a_scanner_opened_by_name_is_not_called_by_its_port(tmp_path: Path) -> None:
    """The model is unknown then; an address would make another device of it whenever it is plugged in anew."""
    with agent_on_loopback(tmp_path, device="dsmsim:001:004") as agent:
        elements(agent, "ScannerConfiguration")  # answered when the scanner has been looked at
        answer = ask(f"{agent.url}/", GET)
        assert at(answer, ".//wsdp:ModelName") == "dsmsim"
        assert "001" not in at(answer, ".//{http://schemas.microsoft.com/windows/pnpx/2005/10}HardwareId")


def datagram(port: int, kind: str, body: str, message_id: str) -> etree._Element:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(LIMIT_S)
        udp.sendto(
            message("urn:schemas-xmlsoap-org:ws:2005:04:discovery", f"{WSD}/{kind}", body, message_id),
            ("127.0.0.1", port),
        )
        data = udp.recv(4096)
    answer = etree.fromstring(data)
    assert at(answer, ".//wsa:RelatesTo") == message_id
    return answer


def hosted(answer: etree._Element) -> dict[str, str]:
    """URL by the last part of its path, of each service whose types have the prefix that is looked for."""
    urls = {}
    for service in answer.iterfind(".//wsdp:Hosted", namespaces=NAMES):
        if "wscn:ScannerServiceType" in at(service, "wsdp:Types").split():
            url = at(service, "wsa:EndpointReference/wsa:Address")
            urls[url.rpartition("/")[2]] = url
    for name in ("Manufacturer", "ManufacturerUrl", "ModelName", "ModelNumber", "ModelUrl", "PresentationUrl"):
        assert at(answer, f".//wsdp:ThisModel/wsdp:{name}")
    return urls


# --------------------------------------------------------------------------------- the scanner, a ticket


def test_it_reads_all_that_the_scanner_is(agent: Agent) -> None:
    agent.scanner.open_cover()
    names = ("ScannerDescription", "ScannerConfiguration", "ScannerStatus", "DefaultScanTicket")
    answer = elements(agent, *names)
    assert message_watch.is_watching(agent.process.pid)
    data = answer.findall(".//wscn:ElementData", namespaces=NAMES)
    assert [each[0].tag for each in data] == [f"{{{WSCN}}}{name}" for name in names]
    assert {each.get(f"{{{WSCN}}}Valid") for each in data} == {"true"}
    settings = {each.tag.rpartition("}")[2] for each in answer.iterfind(".//{*}DeviceSettings/*")}
    assert settings == {
        "FormatsSupported",
        "CompressionQualityFactorSupported",
        "ContentTypesSupported",
        "DocumentSizeAutoDetectSupported",
        "AutoExposureSupported",
        "BrightnessSupported",
        "ContrastSupported",
        "ScalingRangeSupported",
        "RotationsSupported",
    }
    front = ".//wscn:DefaultScanTicket//wscn:MediaFront"
    assert int(at(answer, f"{front}/wscn:Resolution/wscn:Height"))
    assert int(at(answer, f"{front}/wscn:ScanRegion/wscn:ScanRegionHeight"))
    exposure = answer.find(".//wscn:DefaultScanTicket//wscn:ExposureSettings", namespaces=NAMES)
    assert exposure is not None
    assert {each.tag.rpartition("}")[2] for each in exposure} == {"Brightness", "Contrast", "Sharpness"}


def elements(agent: Agent, *names: str) -> etree._Element:
    asked = "".join(f"<sca:Name>sca:{name}</sca:Name>" for name in names)
    body = f"<sca:RequestedElements>{asked}</sca:RequestedElements>"
    request = f"<sca:GetScannerElementsRequest>{body}</sca:GetScannerElementsRequest>"
    return ask(f"{agent.url}/scan", f"{WSCN}/GetScannerElements", request)


#: Both members of each choice: automatic and given, for the exposure as for the size.
TICKET = """
<sca:JobDescription><sca:JobName>Scan</sca:JobName><sca:JobOriginatingUserName>me</sca:JobOriginatingUserName>
<sca:JobInformation>x</sca:JobInformation></sca:JobDescription>
<sca:DocumentParameters><sca:Format sca:MustHonor="true">jfif</sca:Format>
<sca:CompressionQualityFactor sca:MustHonor="true">90</sca:CompressionQualityFactor>
<sca:ImagesToTransfer sca:MustHonor="true">1</sca:ImagesToTransfer>
<sca:InputSource sca:MustHonor="true">Platen</sca:InputSource>
<sca:ContentType sca:MustHonor="true">Auto</sca:ContentType>
<sca:InputSize sca:MustHonor="false"><sca:DocumentSizeAutoDetect>false</sca:DocumentSizeAutoDetect>
<sca:InputMediaSize><sca:Width>8000</sca:Width><sca:Height>11000</sca:Height></sca:InputMediaSize></sca:InputSize>
<sca:Exposure sca:MustHonor="false"><sca:AutoExposure>false</sca:AutoExposure><sca:ExposureSettings>
<sca:Contrast>0</sca:Contrast><sca:Brightness>0</sca:Brightness><sca:Sharpness>0</sca:Sharpness>
</sca:ExposureSettings></sca:Exposure>
<sca:Scaling><sca:ScalingWidth>100</sca:ScalingWidth><sca:ScalingHeight>100</sca:ScalingHeight></sca:Scaling>
<sca:Rotation>0</sca:Rotation><sca:MediaSides><sca:MediaFront>
<sca:ScanRegion><sca:ScanRegionXOffset>0</sca:ScanRegionXOffset><sca:ScanRegionYOffset>0</sca:ScanRegionYOffset>
<sca:ScanRegionWidth>8000</sca:ScanRegionWidth><sca:ScanRegionHeight>11000</sca:ScanRegionHeight></sca:ScanRegion>
<sca:ColorProcessing>RGB24</sca:ColorProcessing>
<sca:Resolution><sca:Width>300</sca:Width><sca:Height>300</sca:Height></sca:Resolution></sca:MediaFront>
</sca:MediaSides></sca:DocumentParameters>"""


def test_a_ticket_with_both_members_of_each_choice_is_judged(agent: Agent) -> None:
    ticket = f"<sca:ScanTicket>{TICKET}</sca:ScanTicket>"
    body = f"<sca:ValidateScanTicketRequest>{ticket}</sca:ValidateScanTicketRequest>"
    answer = ask(f"{agent.url}/scan", f"{WSCN}/ValidateScanTicket", body)
    info = ".//sca:ValidateScanTicketResponse/sca:ValidationInfo"
    assert at(answer, f"{info}/sca:ValidTicket") == "true"
    front = f"{info}/sca:ImageInformation/sca:MediaFrontImageInfo"
    assert (at(answer, f"{front}/sca:PixelsPerLine"), at(answer, f"{front}/sca:NumberOfLines")) == ("2400", "3300")


def test_every_fault_has_the_detail_that_it_looks_for(agent: Agent) -> None:
    for action in ("CreateScanJob", "RetrieveImage", "NoSuchOperation"):
        answer = ask(f"{agent.url}/scan", f"{WSCN}/{action}", f"<sca:{action}Request/>")
        detail = answer.find(".//soap:Fault/soap:Detail", namespaces=NAMES)
        assert detail is not None
        assert len(detail)


# ---------------------------------------------------------------------------------------- subscriptions


@contextmanager
def sink() -> Iterator[tuple[str, queue.Queue[etree._Element]]]:
    """Its own server for events, which answers 202 to each."""
    heard: queue.Queue[etree._Element] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.put(etree.fromstring(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The test looks at what was heard."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/wsd", heard
        finally:
            server.shutdown()


def subscribe(agent: Agent, sink_url: str, expires: str, events: tuple[str, ...]) -> tuple[str, str]:
    """Without Mode and EndTo: identifier, and the time that is granted."""
    actions = " ".join(f"{WSCN}/{event}" for event in events)
    body = (
        f"<wse:Subscribe><wse:Delivery><wse:NotifyTo><wsa:Address>{sink_url}</wsa:Address></wse:NotifyTo>"
        f"</wse:Delivery><wse:Expires>{expires}</wse:Expires>"
        f'<wse:Filter Dialect="{NAMES["wsdp"]}/Action">{actions}</wse:Filter></wse:Subscribe>'
    )
    answer = ask(f"{agent.url}/scan", f"{WSE}/Subscribe", body)
    return at(answer, ".//wse:SubscriptionManager//wse:Identifier"), at(answer, ".//wse:Expires")


def manage(agent: Agent, operation: str, identifier: str, body: str) -> etree._Element:
    """At the service's own URL, with the identifier as a header."""
    header = f"<wse:Identifier>{identifier}</wse:Identifier>"
    return ask(f"{agent.url}/scan", f"{WSE}/{operation}", body, header=header)


def next_event(heard: queue.Queue[etree._Element], name: str) -> etree._Element:
    """Its body's element; others are passed over."""
    while True:
        envelope = heard.get(timeout=LIMIT_S)
        if at(envelope, ".//wsa:Action") == f"{WSCN}/{name}":
            found: Any = envelope.find(f".//wscn:{name}", namespaces=NAMES)
            assert found is not None, etree.tostring(envelope)
            element: etree._Element = found
            return element


def test_one_message_id_for_all_does_not_mix_its_subscriptions_up(agent: Agent) -> None:
    with sink() as (all_url, everything), sink() as (one_url, one_kind):
        first, granted = subscribe(agent, all_url, "PT1H", EVENTS)
        second, until = subscribe(agent, one_url, "2099-01-01T00:00:00Z", ("ScannerStatusConditionEvent",))
        assert first != second
        assert granted.startswith("PT")
        assert until.startswith("PT")  # a duration for a date, and less than was asked for
        agent.scanner.open_cover()
        condition = next_event(everything, "ScannerStatusConditionEvent").find("wscn:DeviceCondition", NAMES)
        assert condition is not None
        assert at(condition, "wscn:Name") == "CoverOpen"
        assert next_event(one_kind, "ScannerStatusConditionEvent")[0].tag == condition.tag
        assert next_event(everything, "ScannerStatusSummaryEvent")[0].tag == f"{{{WSCN}}}StatusSummary"
        renew = "<wse:Renew><wse:Expires>PT30M</wse:Expires></wse:Renew>"
        assert at(manage(agent, "Renew", first, renew), ".//wse:RenewResponse/wse:Expires").startswith("PT")
        assert at(manage(agent, "GetStatus", second, "<wse:GetStatus/>"), ".//wse:GetStatusResponse/wse:Expires")
        gone = manage(agent, "Unsubscribe", first, "<wse:Unsubscribe/>")
        assert at(gone, ".//wsa:Action") == f"{WSE}/UnsubscribeResponse"
        assert gone.find(".//soap:Fault", namespaces=NAMES) is None
        assert manage(agent, "GetStatus", first, "<wse:GetStatus/>").find(".//soap:Fault", NAMES) is not None
