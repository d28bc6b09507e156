"""A DSM device for tests of the console: answers with the sample messages over real sockets, as wrong as wished.

Written against the specification, apart from the console: it works out its own verdicts on tickets.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lxml import etree

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "d": "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/device",
    "w": "http://schemas.microsoft.com/windows/2006/08/wdp/scan",
    "wsd": "http://schemas.xmlsoap.org/ws/2005/04/discovery",
    "p": "http://schemas.xmlsoap.org/ws/2006/02/devprof",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/mex",
    "e": "http://schemas.xmlsoap.org/ws/2004/08/eventing",
    "pnpx": "http://schemas.microsoft.com/windows/pnpx/2005/10",
}
D, W, A, S, E = (NS[key] for key in "dwase")
ENDPOINT = "urn:uuid:6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7"
UUID = ENDPOINT[9:]
GROUP_IPV4 = "239.255.255.250"
STABLE_PATH = "/StableWSDiscoveryEndpoint/schemas-xmlsoap-org_ws_2005_04_discovery"
EVENTS = (
    "event-scanner-status-condition",
    "event-scanner-status-summary",
    "event-job-status",
    "event-job-end-state",
    "event-scanner-elements-change",
    "event-scanner-status-condition-cleared",
)

Edit = Callable[[etree._Element], Any]


def sample(name: str) -> etree._Element:
    return etree.fromstring((SAMPLES / f"dsd-{name}.xml").read_bytes(), etree.XMLParser(remove_blank_text=True))


def at(root: etree._Element, path: str) -> etree._Element:
    found = root.xpath(path, namespaces=NS)
    assert found, f"nothing at {path}"
    return found[0]


@dataclass
class Answer:
    """What is about to be sent; a test may change all of it."""

    operation: str
    root: etree._Element
    status: int = 200
    headers: dict[str, str] = field(
        default_factory=lambda: {"Content-Type": "application/soap+xml; charset=utf-8"}
    )
    body: bytes | None = None
    #: Octets sent instead of an HTTP answer.
    raw: bytes | None = None

    def octets(self) -> bytes:
        return (
            etree.tostring(self.root, encoding="utf-8", xml_declaration=True) if self.body is None else self.body
        )


class RawDevice:
    """``with RawDevice() as device``. ``tamper`` is called with each :class:`Answer`."""

    def __init__(self, tamper: Callable[[Answer], Any] = lambda answer: None, *, host: str = "127.0.0.1") -> None:
        self.tamper = tamper
        self.host = host
        self.requests: list[tuple[str, etree._Element]] = []
        self.subscriptions: dict[str, tuple[str, str, str]] = {}
        self.granted = ""
        self.datagram_copies = 1
        self.datagram_delay_s = 0.0
        self.answers_foreign = False
        self._number = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    # ------------------------------------------------------------------------------------------ sockets

    def __enter__(self) -> RawDevice:
        device = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_POST(self) -> None:
                with suppress(ConnectionError):
                    device._post(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass

        self._http = Server((self.host, 0), Handler)
        self.port = self._http.server_address[1]
        self._udp = self._bind_udp()
        self.udp_port = self._udp.getsockname()[1]
        self._udp_thread = threading.Thread(target=self._serve_udp, daemon=True)
        self._udp_thread.start()
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._http.shutdown()
        self._http.server_close()
        self._udp_thread.join()
        self._udp.close()

    @property
    def origin(self) -> str:
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/{UUID}"

    def _bind_udp(self) -> socket.socket:
        """Hears the group on loopback; by IPv6, unicast."""
        if ":" in self.host:
            udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            udp.bind((self.host, 0))
        else:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind(("", 0))
            interface = struct.pack("=4s4si", socket.inet_aton(GROUP_IPV4), b"", socket.if_nametoindex("lo"))
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, interface)
        udp.settimeout(0.02)
        return udp

    def _serve_udp(self) -> None:
        seen: set[str] = set()
        reply = socket.socket(self._udp.family, socket.SOCK_DGRAM)
        reply.bind((self.host, 0))
        with reply:
            while not self._stop.is_set():
                with suppress(TimeoutError):
                    data, sender = self._udp.recvfrom(65_536)
                    self._datagram(data, sender, seen, reply)

    def _datagram(self, data: bytes, sender: Any, seen: set[str], reply: socket.socket) -> None:
        request = etree.fromstring(data)
        message_id = at(request, "//a:MessageID").text or ""
        if message_id in seen:
            return
        seen.add(message_id)
        answer = self._discovery(request, by_udp=True)
        if answer is None:
            return
        with self._lock:
            self._seal(answer, request)
            self.tamper(answer)
        self._stop.wait(self.datagram_delay_s)
        for _ in range(self.datagram_copies):
            reply.sendto(answer.octets(), sender)

    def announce(self, name: str, port: int, edit: Edit = lambda root: None) -> None:
        """Sends the sample Hello or Bye to the group on loopback."""
        root = sample(f"dpws-{name}")
        self._localize(root)
        with self._lock:
            self._number += 1
            at(root, "//wsd:AppSequence").set("MessageNumber", str(self._number))
        at(root, "//a:MessageID").text = f"urn:uuid:{uuid.uuid4()}"
        edit(root)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            interface = struct.pack("=4s4si", b"", b"", socket.if_nametoindex("lo"))
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
            udp.bind((self.host, 0))
            for _ in range(2):
                udp.sendto(etree.tostring(root), (GROUP_IPV4, port))

    # ------------------------------------------------------------------------------------------- answers

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        request = etree.fromstring(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.requests.append((handler.path, request))
        with self._lock:
            answer = self._answer(handler.path, request)
            self._seal(answer, request)
            self.tamper(answer)
        if answer.raw is not None:
            handler.wfile.write(answer.raw)
            handler.close_connection = True
            return
        body = answer.octets()
        handler.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(body))}.items():
            if value:
                handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _answer(self, path: str, request: etree._Element) -> Answer:
        operation = (at(request, "//a:Action").text or "").rpartition("/")[2]
        if operation == "Probe":
            return self._discovery(request, by_udp=False) or self._fault("a:no answer")
        if operation == "Get":
            return Answer(operation, sample("dpws-get-response"))
        if operation in {"Subscribe", "Renew", "GetStatus", "Unsubscribe"}:
            return self._eventing(operation, path, request)
        handlers = {
            "GetScannerElements": self._elements,
            "GetActiveJobs": self._jobs,
            "GetJobHistory": self._jobs,
            "GetJobElements": self._job,
            "ValidateScanTicket": self._ticket,
        }
        handler = handlers.get(operation)
        if handler is None:
            return self._fault("fault-action-not-supported")
        answer = handler(request)
        if answer.operation != "Fault" and at(request, "//s:Body/*").tag.startswith(f"{{{W}}}"):
            _as_wscn(answer.root)
        return answer

    def _fault(self, name: str) -> Answer:
        root = sample(name)
        is_sender = (at(root, "//s:Code/s:Value").text or "").endswith("Sender")
        return Answer("Fault", root, status=400 if is_sender else 500)

    def _named_fault(self, subcode: str, action: str = f"{A}/fault") -> Answer:
        answer = self._fault("fault-invalid-args")
        at(answer.root, "//a:Action").text = action
        value = at(answer.root, "//s:Subcode/s:Value")
        prefix, _, local = subcode.partition(":")
        parent = value.getparent()
        assert parent is not None
        parent.replace(value, etree.Element(f"{{{S}}}Value", nsmap={prefix: NS[prefix]}))
        parent[0].text = f"{prefix}:{local}"
        return answer

    def _seal(self, answer: Answer, request: etree._Element) -> None:
        """Ids, action namespace, addresses of this device."""
        root = answer.root
        at(root, "//a:MessageID").text = f"urn:uuid:{uuid.uuid4()}"
        at(root, "//a:RelatesTo").text = at(request, "//a:MessageID").text
        action, asked = at(root, "//a:Action"), at(request, "//a:Action").text or ""
        if (action.text or "").startswith((D, W)):
            action.text = f"{asked}Response"
        for sequence in root.iter(f"{{{NS['wsd']}}}AppSequence"):
            self._number += 1
            sequence.set("MessageNumber", str(self._number))
        self._localize(root)

    def _localize(self, root: etree._Element) -> None:
        for element in root.iter(tag=etree.Element):
            if element.text:
                element.text = element.text.replace("http://192.0.2.40:5357", self.origin)

    # ----------------------------------------------------------------------------------------- discovery

    def _discovery(self, request: etree._Element, *, by_udp: bool) -> Answer | None:
        body = at(request, "//s:Body/*")
        name = etree.QName(body).localname
        if name == "Resolve":
            is_ours = (at(body, ".//a:Address").text == ENDPOINT) or self.answers_foreign
            return Answer("Resolve", sample("dpws-resolve-matches")) if is_ours else None
        if body.xpath("wsd:Scopes/@MatchBy", namespaces=NS):
            return self._named_fault("wsd:MatchingRuleNotSupported", f"{NS['wsd']}/fault")
        types = at(body, "wsd:Types").text or ""
        if re.search(r"ScanDeviceType|wsdp:Device", types) or self.answers_foreign:
            return Answer("Probe", sample("dpws-probe-matches"))
        return None if by_udp else Answer("Probe", sample("dpws-probe-matches-none"))

    # ----------------------------------------------------------------------------------------- operations

    def _names(self, request: etree._Element) -> list[tuple[str, str]]:
        """Text and Clark name of each Name."""
        found = []
        for name in request.xpath("//w:Name", namespaces=NS):
            prefix, _, local = name.text.partition(":")
            found.append((name.nsmap[prefix], local))
        return found

    def _elements(self, request: etree._Element) -> Answer:
        names = self._names(request)
        if not names:
            return self._fault("fault-invalid-args")
        root = sample("get-scanner-elements-response")
        self._fill(at(root, "//d:ScannerElements"), names)
        return Answer("GetScannerElements", root)

    def _job(self, request: etree._Element) -> Answer:
        job_id = at(request, "//*[local-name()='JobId']").text or ""
        if not job_id.isdigit():
            return self._fault("fault-invalid-args")
        if job_id not in {"12", "9", "10", "11", "13"}:
            return self._fault("fault-job-id-not-found")
        root = sample("get-job-elements-response")
        at(root, "//w:JobStatus/w:JobId").text = job_id
        self._fill(at(root, "//d:JobElements"), self._names(request))
        return Answer("GetJobElements", root)

    def _fill(self, parent: etree._Element, names: list[tuple[str, str]]) -> None:
        """ElementData for the names asked, out of those of the sample."""
        held = {data[0].tag: etree.tostring(data) for data in parent if len(data)}
        parent[:] = []
        for namespace, local in names:
            known = held.get(f"{{{namespace}}}{local}")
            if known:
                parent.append(etree.fromstring(known))
                continue
            data = etree.SubElement(parent, f"{{{W}}}ElementData", nsmap={"other": namespace})
            data.set(f"{{{W}}}Name", f"other:{local}")
            data.set(f"{{{W}}}Valid", "false")

    def _jobs(self, request: etree._Element) -> Answer:
        operation = (at(request, "//a:Action").text or "").rpartition("/")[2]
        name = {"GetActiveJobs": "get-active-jobs-response", "GetJobHistory": "get-job-history-response"}[
            operation
        ]
        return Answer(operation, sample(name))

    # --------------------------------------------------------------------------------------------- tickets

    def _ticket(self, request: etree._Element) -> Answer:
        tickets = request.xpath("//*[local-name()='ScanTicket']", namespaces=NS)
        if not tickets or not tickets[0].xpath("w:JobDescription/w:JobName", namespaces=NS):
            return self._fault("fault-invalid-args")
        ticket = tickets[0]
        if ticket.xpath("string(//w:CompressionQualityFactor)", namespaces=NS) == "much":
            return self._fault("fault-invalid-args")
        demands = {etree.QName(each).localname for each in ticket.xpath("//*[@w:MustHonor='true']", namespaces=NS)}
        is_colored = chosen(ticket, "Format").endswith("g4") and chosen(ticket, "ColorProcessing") in {"RGB24"}
        if {"Format", "ColorProcessing"} <= demands and is_colored:
            return self._fault("fault-conflicting-required-parameters")
        if correct(ticket):
            root = sample("validate-scan-ticket-invalid-response")
            valid = at(root, "//w:ValidScanTicket")
            valid[:] = list(ticket)
        else:
            root = sample("validate-scan-ticket-response")
            width, lines, octets = image(ticket)
            for info in root.xpath("//w:ImageInformation/*", namespaces=NS):
                info[0].text, info[1].text, info[2].text = str(width), str(lines), str(octets)
            if chosen(ticket, "InputSource") != "ADFDuplex":
                back = at(root, "//w:MediaBackImageInfo")
                parent = back.getparent()
                assert parent is not None
                parent.remove(back)
        return Answer("ValidateScanTicket", root)

    # -------------------------------------------------------------------------------------------- eventing

    def _eventing(self, operation: str, path: str, request: etree._Element) -> Answer:
        if operation != "Subscribe":
            return self._manage(operation, request)
        if not at(request, "//e:Delivery").get("Mode", "").endswith("Push"):
            return self._fault("fault-wse-delivery-mode")
        if not at(request, "//e:Filter").get("Dialect", "").endswith("devprof/Action"):
            return self._named_fault("e:FilteringRequestedUnavailable")
        if "StatusEvent" not in (at(request, "//e:Filter").text or ""):
            return self._fault("fault-wse-filter-action-not-supported")
        if at(request, "//e:Expires").text == "PT0S":
            return self._named_fault("e:InvalidExpirationTime")
        root = sample("wse-subscribe-response")
        identifier = f"urn:uuid:{uuid.uuid4()}"
        at(root, "//e:Identifier").text = identifier
        at(root, "//e:Expires").text = self.granted or at(request, "//e:Expires").text
        self.subscriptions[identifier] = (
            path,
            at(request, "//e:NotifyTo/a:Address").text or "",
            at(request, "//e:NotifyTo//e:Identifier").text or "",
        )
        return Answer("Subscribe", root)

    def _manage(self, operation: str, request: etree._Element) -> Answer:
        identifier = at(request, "//s:Header/e:Identifier").text or ""
        if identifier not in self.subscriptions:
            return (
                self._fault("fault-wse-unable-to-renew")
                if operation == "Renew"
                else self._named_fault("e:InvalidMessage")
            )
        if operation == "Unsubscribe":
            del self.subscriptions[identifier]
            return Answer(operation, sample("wse-unsubscribe-response"))
        root = sample(f"wse-{'renew' if operation == 'Renew' else 'get-status'}-response")
        at(root, "//e:Expires").text = self.granted or "PT10M"
        return Answer(operation, root)

    def post_event(self, name: str, edit: Edit = lambda root: None, *, to: int = -1, **changed: Any) -> int:
        """Posts a sample to the newest subscriber; returns the HTTP status."""
        path, address, identifier = list(self.subscriptions.values())[to]
        return post_event(path, address, identifier, name, edit, **changed)


def post_event(
    path: str,
    address: str,
    identifier: str,
    name: str,
    edit: Edit = lambda root: None,
    *,
    body: bytes | None = None,
    content_type: str = "application/soap+xml; charset=utf-8",
) -> int:
    root = sample(name)
    at(root, "//a:To").text = address
    at(root, "//a:MessageID").text = f"urn:uuid:{uuid.uuid4()}"
    at(root, "//s:Header/e:Identifier").text = identifier
    if path == "/scan":
        _as_wscn(root)
    edit(root)
    data = etree.tostring(root) if body is None else body
    request = urllib.request.Request(address, data, {"Content-Type": content_type})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def _as_wscn(root: etree._Element) -> None:
    for element in list(root.iter(f"{{{D}}}*")):
        element.tag = f"{{{W}}}{etree.QName(element).localname}"


# ------------------------------------------------------------------------------- the sample scanner itself

_DPI = ("75", "100", "150", "200", "300", "400", "600")
_DEFAULT = {
    "Format": "tiff-single-g4",
    "InputSource": "ADF",
    "ContentType": "Auto",
    "ColorProcessing": "BlackAndWhite1",
    "Rotation": "0",
    "ScalingWidth": "100",
    "ScalingHeight": "100",
}
_OFFERED = {
    "Format": "jfif png pdf-a tiff-single-uncompressed tiff-single-g4 tiff-multi-uncompressed tiff-multi-g4 dib",
    "InputSource": "Platen ADF ADFDuplex",
    "ContentType": "Auto Text Photo Mixed",
    "ColorProcessing": "BlackAndWhite1 Grayscale8 RGB24",
    "Rotation": "0 90 180 270",
}
_LIMITS = {
    "CompressionQualityFactor": (0, 100),
    "ScalingWidth": (25, 400),
    "ScalingHeight": (25, 400),
    "Brightness": (-1000, 1000),
    "Contrast": (-1000, 1000),
    "ImagesToTransfer": (0, 2**31 - 1),
    "InputMediaSize/Width": (250, 8500),
    "ScanRegionWidth": (1, 8500),
}


def chosen(ticket: etree._Element, name: str) -> str:
    found = ticket.xpath(f"string(//{'/'.join(f'w:{part}' for part in name.split('/'))})", namespaces=NS)
    return str(found).strip() or _DEFAULT.get(name, "")


def correct(ticket: etree._Element) -> bool:
    """Replaces what this scanner cannot do; returns whether anything was."""
    changed = False

    def put(path: str, value: str) -> None:
        nonlocal changed
        for element in ticket.xpath(f".//{'/'.join(f'w:{part}' for part in path.split('/'))}", namespaces=NS):
            changed = changed or element.text != value
            element.text = value

    for name, words in _OFFERED.items():
        if chosen(ticket, name) not in words.split():
            put(name, _DEFAULT[name])
    for name, (low, high) in _LIMITS.items():
        if (text := chosen(ticket, name)) and not low <= int(text) <= high:
            put(name, str(max(low, min(int(text), high))))
    if chosen(ticket, "InputSource") == "Platen" and chosen(ticket, "ImagesToTransfer") not in {"", "0", "1"}:
        put("ImagesToTransfer", "1")
    for axis in ("Resolution/Width", "Resolution/Height"):
        text = chosen(ticket, axis)
        if text and text not in _DPI:
            put(axis, min(_DPI, key=lambda dpi: (abs(int(dpi) - int(text)), int(dpi))))
    if chosen(ticket, "Format").endswith("g4") and chosen(ticket, "ColorProcessing") != "BlackAndWhite1":
        put("ColorProcessing", "BlackAndWhite1")
    for size in ticket.xpath(".//w:InputSize[w:DocumentSizeAutoDetect='true']", namespaces=NS):
        size[:] = [at(sample("get-scanner-elements-response"), "//w:InputSize/w:InputMediaSize")]
        changed = True
    if chosen(ticket, "InputSource") != "ADFDuplex":
        for back in ticket.xpath(".//w:MediaBack", namespaces=NS):
            back.getparent().remove(back)
            changed = True
    return changed


def image(ticket: etree._Element) -> tuple[int, int, int]:
    """Pixels a line, lines, octets a line."""
    x_dpi, y_dpi = (int(chosen(ticket, f"Resolution/{axis}") or 300) for axis in ("Width", "Height"))
    region = [
        int(chosen(ticket, f"ScanRegion{axis}") or chosen(ticket, f"InputMediaSize/{axis}") or default)
        for axis, default in (("Width", 8500), ("Height", 11000))
    ]
    width, lines = int(region[0] * x_dpi / 1000 + 0.5), int(region[1] * y_dpi / 1000 + 0.5)
    width = int(width * int(chosen(ticket, "ScalingWidth")) / 100 + 0.5)
    lines = int(lines * int(chosen(ticket, "ScalingHeight")) / 100 + 0.5)
    if chosen(ticket, "Rotation") in {"90", "270"}:
        width, lines = lines, width
    bits = {"BlackAndWhite1": 1, "Grayscale8": 8, "RGB24": 24}[chosen(ticket, "ColorProcessing")]
    packed = (width * bits + 7) // 8
    octets = {"dib": (packed + 3) // 4 * 4, "tiff-single-uncompressed": packed}.get(chosen(ticket, "Format"), 0)
    return width, lines, octets
