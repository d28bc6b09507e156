"""Every rule of the simulated scan server: kept by a whole conversation, broken by one wrong thing.

The client is made of sockets and octets; nothing of the project helps it to be right or wrong.
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest

from dsm_sim.certificates import open_authority
from dsm_sim.peers.scan_server import RULES, SinkOptions

WSD = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
WSE = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
WSDP = "http://schemas.xmlsoap.org/ws/2006/02/devprof"
DISCOVERY = "urn:schemas-xmlsoap-org:ws:2005:04:discovery"
SAMPLES = Path(__file__).parents[2] / "data" / "samples"
SOAP_TYPE = "application/soap+xml; charset=utf-8"
PACKAGE_TYPE = (
    'multipart/related; type="application/xop+xml"; boundary="b-1"; start="<root@mfp>";'
    ' start-info="application/soap+xml"'
)
UNKNOWN = "<dsp:JobToken>11111111-1111-4111-8111-111111111111</dsp:JobToken>"


class Case:
    """What the table below needs: a device, and others that are told apart by their certificates."""

    def __init__(self, device, other, sink, subscribe, eventing, instructions):
        self.device = device
        self.other = other
        self.sink = sink
        self.accept = sink.answer
        self.subscribe = subscribe
        self.eventing = eventing
        self.instructions = instructions

    def probe(self, inner="<wsd:Types>wsdp:Device</wsd:Types>", to=DISCOVERY):
        body = f'<wsd:Probe xmlns:wsd="{WSD}" xmlns:wsdp="{WSDP}">{inner}</wsd:Probe>'
        device = self.device
        return device.post("/ScanServer", device.envelope(f"{WSD}/Probe", body, to=to, path="/ScanServer"))

    def end_nothing(self, headers=None, edit=lambda body: body, **changes):
        """EndPostScanJob for nobody's job: the shortest right message, in which one thing may be wrong."""
        device = self.device
        return device.post(device.service, edit(device.operation("EndPostScanJob", UNKNOWN, **changes)), headers)

    def raw(self, data):
        self.device.current.send(data)
        self.device.current.answer()
        self.device.wire()

    def send(self, document_id=1, **changes):
        return self.device.send(self.device.new_job(), document_id, **changes)

    def replace(self, before, after):
        """A package in which something is replaced."""

        def edit(body):
            assert before in body
            return body.replace(before, after, 1)

        return self.send(edit=edit)

    def content_type(self, before, after):
        assert before in PACKAGE_TYPE
        return self.send(headers={"Content-Type": PACKAGE_TYPE.replace(before, after)})

    def converse(self):
        """All operations, as they should be."""
        device = self.device
        assert self.probe().status == 200
        assert device.get().status == 200
        subscribed = self.subscribe(device, self.sink)
        block = f"<wse:Identifier xmlns:wse='{WSE}'>{subscribed.text('Identifier')}</wse:Identifier>"
        for name in ("Renew", "GetStatus"):
            assert self.eventing(device, name, f"<wse:{name}/>", header=block).status == 200
        token = device.new_job()
        for number in (1, 2):
            assert device.send(token, number).status == 200
        assert device.query(token, "dsp:JobStatus", "dsp:Documents").status == 200
        assert device.end(token).status == 200
        assert device.cancel(device.new_job()).status == 200
        device.server.report()
        assert self.eventing(device, "Unsubscribe", "<wse:Unsubscribe/>", header=block).status == 200


def cancelled(tester):
    token = tester.device.new_job()
    tester.device.cancel(token)
    tester.device.send(token)


def ended(tester):
    token = tester.device.new_job()
    tester.device.send(token)
    tester.device.end(token)
    tester.device.send(token, 2)


def stolen(tester):
    tester.other.send(tester.device.new_job())


def truncated(tester):
    return tester.send(edit=lambda body: body[:-12])


def third_part(tester):
    part = (
        b"\r\n--b-1\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n"
        b"Content-ID: <more@mfp>\r\n\r\nx"
    )
    return tester.replace(b"\r\n--b-1--", part + b"\r\n--b-1--")


def root_last(tester):
    def edit(body):
        _, root, image, end = re.split(rb"(?:\r\n)?--b-1", body)
        return b"--b-1" + image + b"\r\n--b-1" + root + b"\r\n--b-1" + end

    return tester.send(edit=edit)


def chunked(tester):
    request = tester.device.package(tester.device.new_job())
    head, _, body = request.partition(b"\r\n\r\n")
    head = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
    tester.raw(head + b"\r\n\r\n" + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))


def twice_the_same_id(tester):
    same = f"urn:uuid:{uuid.uuid4()}"
    for _ in range(2):
        tester.end_nothing(message_id=f"<wsa:MessageID>{same}</wsa:MessageID>")


def folded(tester):
    request = tester.device.request(tester.device.service, tester.device.operation("EndPostScanJob", UNKNOWN))
    tester.raw(request.replace(b"Content-Type: ", b"Content-Type:\r\n ", 1))


def talkative_sink(tester):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    tester.sink.answer = answer
    tester.subscribe(tester.device, tester.sink)
    tester.device.new_job()
    tester.device.server.report()


def subscribing(content):
    def wrong(tester):
        tester.eventing(tester.device, "Subscribe", f"<wse:Subscribe>{content}</wse:Subscribe>")

    return wrong


DELIVERY = (
    "<wse:Delivery><wse:NotifyTo><wsa:Address>http://localhost:1/</wsa:Address></wse:NotifyTo></wse:Delivery>"
)

#: How each rule is broken, alone.
BREAKS = {
    "http-malformed": lambda it: it.raw(b"no HTTP at all\r\n\r\n"),
    "http-method": lambda it: it.device.post("/ScanServer", b"", method="PUT"),
    "http-media-type": lambda it: it.end_nothing({"Content-Type": "text/xml; charset=utf-8"}),
    "http-charset": lambda it: it.end_nothing({"Content-Type": "application/soap+xml"}),
    "http-host": (
        lambda it: it.end_nothing({"Host": "other.example"}, to=f"https://other.example{it.device.service}")
    ),
    "http-soapaction": lambda it: it.end_nothing({"SOAPAction": '"urn:x"'}),
    "http-folded": folded,
    "http-length": chunked,
    "envelope-size": lambda it: it.end_nothing(edit=lambda body: body + b" " * 33_000),
    "xml-well-formed": lambda it: it.end_nothing(edit=lambda body: body[:-1]),
    "xml-declaration": lambda it: it.end_nothing(edit=lambda body: body.partition(b"?>")[2]),
    "xml-dtd": lambda it: it.end_nothing(edit=lambda body: body.replace(b"?>", b"?><!DOCTYPE x>", 1)),
    "soap-version": (
        lambda it: it.end_nothing(
            edit=lambda body: body.replace(
                b"http://www.w3.org/2003/05/soap-envelope", b"http://schemas.xmlsoap.org/soap/envelope/"
            )
        )
    ),
    "soap-structure": (
        lambda it: it.end_nothing(edit=lambda body: body.replace(b"</soap:Body>", b"<x/></soap:Body>"))
    ),
    "soap-must-understand": lambda it: it.end_nothing(header="<x:y xmlns:x='urn:x' soap:mustUnderstand='1'/>"),
    "wsa-required": lambda it: it.end_nothing(message_id=""),
    "wsa-to": lambda it: it.end_nothing(to="https://localhost/elsewhere"),
    "wsa-discovery-to": lambda it: it.probe(to="https://localhost/ScanServer"),
    "wsa-message-id": lambda it: it.end_nothing(message_id="<wsa:MessageID>urn:x</wsa:MessageID>"),
    "wsa-unique": twice_the_same_id,
    "wsa-reply-to": lambda it: it.end_nothing(reply_to=""),
    "action-known": lambda it: it.device.do("DeletePostScanJob", ""),
    "action-body": lambda it: it.end_nothing(edit=lambda body: body.replace(b"dsp:EndPost", b"dsp:StopPost")),
    "body-schema": lambda it: it.device.do("EndPostScanJob", UNKNOWN + UNKNOWN),
    "probe-types": lambda it: it.probe(""),
    "probe-scopes": lambda it: it.probe("<wsd:Types>wsdp:Device</wsd:Types><wsd:Scopes>urn:x</wsd:Scopes>"),
    "mime-parameters": lambda it: it.content_type('; start-info="application/soap+xml"', ""),
    "mime-quoted": lambda it: it.content_type('"b-1"', "b-1"),
    "mime-syntax": lambda it: it.content_type("; boundary", " boundary"),
    "mime-version": lambda it: it.send(headers={"MIME-Version": ""}),
    "mime-boundary": (
        lambda it: it.send(
            headers={"Content-Type": PACKAGE_TYPE.replace("b-1", "b+1")},
            edit=lambda body: body.replace(b"--b-1", b"--b+1"),
        )
    ),
    "mime-lines": lambda it: it.replace(b"\r\nContent-ID: <image", b"\nContent-ID: <image"),
    "mime-frame": lambda it: it.send(edit=lambda body: b"a preamble\r\n" + body),
    "mime-truncated": truncated,
    "mime-root-first": root_last,
    "mime-root-type": lambda it: it.replace(b"; charset=UTF-8", b""),
    "mime-binary": lambda it: it.replace(b"Content-Transfer-Encoding: binary", b"Content-Transfer-Encoding: 8bit"),
    "mime-content-id": lambda it: it.replace(b"Content-ID: <image@mfp>", b"Content-ID: image@mfp"),
    "mime-image-type": lambda it: it.send(media_type="image/jpeg"),
    "mime-parts": third_part,
    "xop-include": lambda it: it.send(image_data="aGVsbG8="),
    "xop-alone": (
        lambda it: it.send(
            image_data=' <xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:image@mfp"/>'
        )
    ),
    "user-sid": lambda it: it.device.create(user="amelie"),
    "psp-guid": lambda it: it.device.create(psp="{6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11}"),
    "instructions-equal": lambda it: it.device.create(it.instructions(name="Changed")),
    "document-order": lambda it: it.send(2),
    "document-once": lambda it: [it.device.send(token) for token in [it.device.new_job()] for _ in range(2)],
    "format-known": lambda it: it.send(image_format="gif"),
    "format-true": lambda it: it.send(image=b"not a picture"),
    "job-empty": lambda it: it.device.end(it.device.new_job()),
    "job-canceled": cancelled,
    "job-ended": ended,
    "job-owner": stolen,
    "wse-outline": subscribing(""),
    "wse-delivery": subscribing(DELIVERY.replace("<wse:Delivery>", "<wse:Delivery Mode='urn:pull'>")),
    "wse-endpoints": subscribing(DELIVERY.replace("http:", "gopher:")),
    "wse-expires": subscribing(DELIVERY + "<wse:Expires>soon</wse:Expires>"),
    "wse-duration": subscribing(DELIVERY + "<wse:Expires>2099-01-01T00:00:00Z</wse:Expires>"),
    "wse-filter": subscribing(DELIVERY + "<wse:Filter Dialect='urn:x'>1</wse:Filter>"),
    "wse-manager": lambda it: it.eventing(it.device, "Renew", "<wse:Renew/>"),
    "event-answer": talkative_sink,
}


def test_the_table_has_every_rule():
    assert set(BREAKS) == set(RULES)


def test_every_rule_says_what_it_is_and_where_it_is_written():
    for rule in RULES.values():
        assert rule.text
        assert rule.source
        assert rule.level in {"must", "should"}


STORED = """<?xml version="1.0" encoding="utf-8"?><?psp-identifier 6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11?>
<psp:PostScanProcess xmlns:psp="http://schemas.microsoft.com/windows/2008/02/imaging/postscan/psp">
<psp:ScanRepository>localhost</psp:ScanRepository>{ticket}<psp:PostScanInstructions>{instructions}
</psp:PostScanInstructions></psp:PostScanProcess>"""


@pytest.fixture
def tester(start_server, connect, sink, subscribe, eventing, instructions, tmp_path):
    sample = (SAMPLES / "psp-minimal-overrides.xml").read_text()
    (ticket,) = re.findall(r"<psp:ScanTicket.*?</psp:ScanTicket>", sample, re.DOTALL)
    ticket = ticket.replace(
        "<psp:ScanTicket", '<psp:ScanTicket xmlns:wscn="http://schemas.microsoft.com/windows/2006/08/wdp/scan"', 1
    )
    folder = tmp_path / "processes"
    folder.mkdir()
    (folder / "Scan.xml").write_text(STORED.format(ticket=ticket, instructions=instructions()))
    server = start_server(require_client_cert=True, processes=folder, sinks=SinkOptions(waits_s=()))
    authority = open_authority(server.ca_file.parent)
    device, other = (connect(server, authority.client(name)) for name in ("owner", "thief"))
    return Case(device, other, sink, subscribe, eventing, instructions)


@pytest.mark.parametrize("rule", BREAKS)
def test_rule_is_kept_by_what_is_right_and_broken_by_what_is_wrong(tester, broken_rules, rule):
    server = tester.device.server
    tester.converse()
    assert broken_rules(server) == set()
    BREAKS[rule](tester)
    assert broken_rules(server) == {rule}
    (first, *_) = server.report().violations
    assert (first.text, first.source, first.level) == (RULES[rule].text, RULES[rule].source, RULES[rule].level)
    before = server.report().violations_total
    tester.sink.answer = tester.accept
    tester.converse()
    assert server.report().violations_total == before
