"""A scan server on loopback, and a client of its own making that sends exactly what a test says."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
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
