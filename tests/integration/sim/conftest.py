"""A scan server on loopback, and a client of its own making that sends exactly what a test says."""

from __future__ import annotations

import http.client
import http.server
import queue
import re
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from dsm_sim.peers.scan_server import RunningScanServer, ScanServerOptions, running_scan_server

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
DSP = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/processing"
#: A PNG of one pixel, as in the sample package.
PNG = (SAMPLES / "wire-send-image.http").read_bytes()[359 + 1401 :][:67]
ANSWER_LIMIT_S = 20


@dataclass
class Answer:
    """What came back; ``subcode`` is the local name of the fault's innermost code, "" for no fault."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def root(self) -> etree._Element:
        return etree.fromstring(self.body)

    def text(self, local: str) -> str:
        found = self.root.xpath(f"string(//*[local-name()='{local}'])")
        return str(found)

    @property
    def subcode(self) -> str:
        values = self.root.xpath("//*[local-name()='Fault']/*[local-name()='Code']//*[local-name()='Value']")
        return values[-1].text.partition(":")[2] if values else ""


class Wire:
    """One TLS connection; ``send`` passes octets as they are."""

    def __init__(self, server: RunningScanServer, certificate: Any = None) -> None:
        context = ssl.create_default_context(cafile=str(server.ca_file))
        if certificate:
            context.load_cert_chain(certificate.certificate, certificate.key)
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_LIMIT_S)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> Answer:
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())

    def is_closed(self) -> bool:
        """Waits for the server's end; False where something else comes."""
        try:
            return self.socket.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True

    def close(self) -> None:
        self.socket.close()


@dataclass
class Device:
    """Plays a DSM device by hand. All building blocks are text, so that any of them can be wrong."""

    server: RunningScanServer
    certificate: Any = None
    wires: list[Wire] = field(default_factory=list)
    _service: str = ""

    def wire(self) -> Wire:
        wire = Wire(self.server, self.certificate)
        self.wires.append(wire)
        return wire

    @property
    def current(self) -> Wire:
        return self.wires[-1] if self.wires else self.wire()

    @property
    def host(self) -> str:
        return f"localhost:{self.server.port}"

    @property
    def service(self) -> str:
        """Path of the processing service, from the metadata."""
        if not self._service:
            addresses = self.get().root.xpath(
                "//*[local-name()='Hosted'][starts-with(*[local-name()='Types'], 'dsp:')]"
                "//*[local-name()='Address']/text()"
            )
            self._service = "/" + addresses[0].split("/", 3)[3]
        return self._service

    def forget_service(self) -> None:
        """Asks for the metadata again, as after a restart."""
        self._service = ""

    # -------------------------------------------------------------------------------------- messages

    def envelope(
        self,
        uri: str,
        body: str,
        *,
        to: str | None = None,
        path: str | None = None,
        header: str = "",
        **parts: str,
    ) -> bytes:
        """``parts`` replaces single header blocks (``message_id=""`` leaves one out)."""
        to = f"https://{self.host}{path or self.service}" if to is None else to
        blocks = {
            "to": f"<wsa:To>{to}</wsa:To>",
            "action": f"<wsa:Action>{uri}</wsa:Action>",
            "message_id": f"<wsa:MessageID>urn:uuid:{uuid.uuid4()}</wsa:MessageID>",
            "reply_to": "<wsa:ReplyTo><wsa:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
            "</wsa:Address></wsa:ReplyTo>",
        }
        blocks.update(parts)
        return (
            '<?xml version="1.0" encoding="utf-8"?>'
            '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"'
            ' xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
            f' xmlns:dsp="{DSP}"><soap:Header>{"".join(blocks.values())}{header}</soap:Header>'
            f"<soap:Body>{body}</soap:Body></soap:Envelope>"
        ).encode()

    def operation(self, name: str, arguments: str, **changes: str) -> bytes:
        return self.envelope(f"{DSP}/{name}", f"<dsp:{name}Request>{arguments}</dsp:{name}Request>", **changes)

    def request(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> bytes:
        """A whole request; a header whose value is "" is left out."""
        head = {
            "Host": self.host,
            "Content-Type": "application/soap+xml; charset=utf-8",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items() if value)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def post(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Answer:
        wire = self.current
        wire.send(self.request(path, body, headers, method))
        return wire.answer()

    # ------------------------------------------------------------------------------------ operations

    def get(self) -> Answer:
        action = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
        return self.post("/ScanServer", self.envelope(action, "", path="/ScanServer"))

    def do(self, name: str, arguments: str, **changes: str) -> Answer:
        return self.post(self.service, self.operation(name, arguments, **changes))

    def create(
        self, instructions: str | None = None, *, user: str | None = None, psp: str | None = None
    ) -> Answer:
        user = user or "S-1-5-21-1085031214-1563985344-725345543-1107"
        psp = psp or "6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11"
        return self.do(
            "CreatePostScanJob",
            f"<dsp:UserIdentifier>{user}</dsp:UserIdentifier><dsp:PSP_Identifier>{psp}</dsp:PSP_Identifier>"
            f"<dsp:PostScanInstructions>{instructions or share_instructions()}</dsp:PostScanInstructions>",
        )

    def new_job(self, instructions: str | None = None) -> str:
        answer = self.create(instructions)
        assert answer.status == 200, answer.body
        return answer.text("JobToken")

    def send(
        self, token: str, document_id: object = 1, image: bytes = PNG, image_format: str = "png", **changes: Any
    ) -> Answer:
        wire = self.current
        wire.send(self.package(token, document_id, image, image_format, **changes))
        return wire.answer()

    def package(
        self,
        token: str,
        document_id: object = 1,
        image: bytes = PNG,
        image_format: str = "png",
        *,
        edit: Callable[[bytes], bytes] = lambda body: body,
        headers: Mapping[str, str] | None = None,
        image_data: str = '<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:image@mfp"/>',
        media_type: str = "application/octet-stream",
    ) -> bytes:
        """A SendImage request; ``edit`` changes its body before the length is counted."""
        arguments = (
            f"<dsp:JobToken>{token}</dsp:JobToken><dsp:DocumentDescription>"
            f"<dsp:DocumentId>{document_id}</dsp:DocumentId><dsp:Format>{image_format}</dsp:Format>"
            f"</dsp:DocumentDescription><dsp:ImageData>{image_data}</dsp:ImageData>"
        )
        body = (
            b'--b-1\r\nContent-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n'
            b"Content-Transfer-Encoding: binary\r\nContent-ID: <root@mfp>\r\n\r\n"
            + self.operation("SendImage", arguments)
            + f"\r\n--b-1\r\nContent-Type: {media_type}\r\n".encode()
            + b"Content-Transfer-Encoding: binary\r\nContent-ID: <image@mfp>\r\n\r\n"
            + image
            + b"\r\n--b-1--\r\n"
        )
        head = {
            "MIME-Version": "1.0",
            "Content-Type": 'multipart/related; type="application/xop+xml"; boundary="b-1"; start="<root@mfp>";'
            ' start-info="application/soap+xml"',
        }
        return self.request(self.service, edit(body), {**head, **(headers or {})})

    def end(self, token: str) -> Answer:
        return self.do("EndPostScanJob", f"<dsp:JobToken>{token}</dsp:JobToken>")

    def cancel(self, token: str) -> Answer:
        return self.do("CancelPostScanJob", f"<dsp:JobToken>{token}</dsp:JobToken>")

    def query(self, token: str, *names: str) -> Answer:
        asked = "".join(f"<dsp:Name>{name}</dsp:Name>" for name in names or ("dsp:JobStatus",))
        return self.do(
            "GetPostScanJobElements",
            f"<dsp:JobToken>{token}</dsp:JobToken><dsp:RequestedElements>{asked}</dsp:RequestedElements>",
        )


def share_instructions(*shares: str, name: str = "Scan", more: str = "", continue_on_error: str = "false") -> str:
    """The content of PostScanInstructions with one file share filter."""
    uncs = "".join(f"<fsf:ShareUNC>{share}</fsf:ShareUNC>" for share in shares or (r"\\files\scans",))
    dialect = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/fileshare"
    psp = "http://schemas.microsoft.com/windows/2008/02/imaging/postscan/psp"
    return re.sub(
        r">\s+<",
        "><",
        f"""<psp:ContinueOnError xmlns:psp="{psp}">{continue_on_error}</psp:ContinueOnError>
        <psp:DocumentRootName xmlns:psp="{psp}">{name}</psp:DocumentRootName>
        <psp:FiltersToProcess xmlns:psp="{psp}">{more}<psp:Filter><psp:Dialect>{dialect}</psp:Dialect>
        <psp:Instructions><fsf:FileShareConfig xmlns:fsf="{dialect}"><fsf:FileShares>{uncs}</fsf:FileShares>
        </fsf:FileShareConfig></psp:Instructions></psp:Filter></psp:FiltersToProcess>""",
    )


StartServer = Callable[..., RunningScanServer]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers that end with the test; takes the options of ScanServerOptions."""
    with ExitStack() as running:

        def start(**options: Any) -> RunningScanServer:
            options.setdefault("out", tmp_path / f"out-{uuid.uuid4()}")
            return running.enter_context(running_scan_server(ScanServerOptions(**options)))

        yield start


@pytest.fixture
def connect() -> Iterator[Callable[..., Device]]:
    """Makes devices whose connections end with the test."""
    devices: list[Device] = []

    def make(server: RunningScanServer, certificate: Any = None) -> Device:
        devices.append(Device(server, certificate))
        return devices[-1]

    yield make
    for device in devices:
        for wire in device.wires:
            wire.close()


@pytest.fixture
def device(start_server: StartServer, connect: Callable[..., Device]) -> Device:
    """A device in front of a server with default options."""
    return connect(start_server())


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits until something is true, at most 20 s."""

    def wait(condition: Callable[[], object]) -> None:
        limit = time.monotonic() + ANSWER_LIMIT_S
        while not condition():
            assert time.monotonic() < limit, "it did not happen in time"
            time.sleep(0.005)

    return wait


@pytest.fixture
def instructions() -> Callable[..., str]:
    return share_instructions


@pytest.fixture
def png() -> bytes:
    return PNG


@pytest.fixture
def broken_rules() -> Callable[[RunningScanServer], set[str]]:
    """The names of the rules that were broken at a server."""
    return lambda server: {violation.rule for violation in server.report().violations}


# --------------------------------------------------------------------------------------- sinks of events

WSE = "http://schemas.xmlsoap.org/ws/2004/08/eventing"


@dataclass
class Received:
    """One message that a sink was sent."""

    path: str
    body: bytes

    @property
    def root(self) -> etree._Element:
        return etree.fromstring(self.body)

    @property
    def name(self) -> str:
        """The last segment of its action."""
        return self.text("Action").rpartition("/")[2]

    def text(self, local: str) -> str:
        return str(self.root.xpath(f"string(//*[local-name()='{local}'])"))

    @property
    def state(self) -> str:
        return self.text("JobState") or self.text("JobCompletedState")


class Sink:
    """A real HTTP server that takes events; ``answer`` is called with its handler for each instead of 202."""

    def __init__(self, certificate: Any = None) -> None:
        self.received: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self.connections = 0
        self.answer: Callable[[http.server.BaseHTTPRequestHandler], None] = accept
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://localhost:{self._server.server_address[1]}/events/{uuid.uuid4()}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                sink.connections += 1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.received.put(Received(self.path, body))
                sink.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        return Handler

    def next(self) -> Received:
        return self.received.get(timeout=ANSWER_LIMIT_S)

    def until(self, name: str) -> list[Received]:
        """All that comes up to the next message of that name."""
        found = [self.next()]
        while found[-1].name != name:
            found.append(self.next())
        return found

    def is_quiet(self) -> bool:
        """Whether nothing has come that was not taken."""
        return self.received.empty()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def accept(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(202)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.fixture
def open_sink() -> Iterator[Callable[..., Sink]]:
    """Makes sinks that end with the test."""
    sinks: list[Sink] = []

    def make(certificate: Any = None) -> Sink:
        sinks.append(Sink(certificate))
        return sinks[-1]

    yield make
    for sink in sinks:
        sink.close()


@pytest.fixture
def sink(open_sink: Callable[..., Sink]) -> Sink:
    return open_sink()


Eventing = Callable[..., Answer]


@pytest.fixture
def eventing() -> Eventing:
    """Sends an eventing request with any body: ``eventing(device, "Renew", "<wse:Renew/>", header=…, path=…)``."""

    def send(device: Device, name: str, body: str, **changes: str) -> Answer:
        body = re.sub(r"^<wse:\w+", rf'\g<0> xmlns:wse="{WSE}"', body)
        path = changes.pop("path", device.service)
        return device.post(path, device.envelope(f"{WSE}/{name}", body, path=path, **changes))

    return send


@pytest.fixture
def subscribe(eventing: Eventing) -> Callable[..., Answer]:
    """Subscribes a sink: ``subscribe(device, sink, end_to=…, expires=…, names=…)``."""

    def send(
        device: Device,
        sink: Sink,
        *,
        expires: str = "PT1H",
        names: tuple[str, ...] = ("PostScanJobStatusEvent", "PostScanJobEndStateEvent"),
        parameters: str = "",
        end_to: str | None = None,
    ) -> Answer:
        held = f"<wsa:ReferenceParameters>{parameters}</wsa:ReferenceParameters>" if parameters else ""
        end = (
            f"<wse:EndTo><wsa:Address>{end_to or sink.url}</wsa:Address>{held}</wse:EndTo>" if end_to != "" else ""
        )
        wanted = " ".join(f"{DSP}/{name}" for name in names)
        body = (
            f"<wse:Subscribe>{end}<wse:Delivery><wse:NotifyTo><wsa:Address>{sink.url}</wsa:Address>{held}"
            f"</wse:NotifyTo></wse:Delivery><wse:Expires>{expires}</wse:Expires>"
            f'<wse:Filter Dialect="http://schemas.xmlsoap.org/ws/2006/02/devprof/Action">{wanted}</wse:Filter>'
            "</wse:Subscribe>"
        )
        return eventing(device, "Subscribe", body)

    return send
