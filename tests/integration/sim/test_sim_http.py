"""The simulated scan server as an HTTP server: every form of a request, tolerated, refused or broken off."""

from __future__ import annotations

import re
import socket
import ssl
import time
from contextlib import ExitStack

import pytest

from dsm_sim.peers.scan_server import ScanServerOptions, running_scan_server

UNKNOWN = "<dsp:JobToken>11111111-1111-4111-8111-111111111111</dsp:JobToken>"
SOAP_TYPE = "application/soap+xml; charset=utf-8"


def an_end(device):
    return device.operation("EndPostScanJob", UNKNOWN)


# ----------------------------------------------------------------------------------- how it may arrive


def test_many_requests_share_one_connection(device):
    for _ in range(20):
        assert device.post(device.service, an_end(device)).status == 400
    assert device.server.report().connections == 1


def test_pipelined_requests_are_answered_in_order(device):
    token, wire = device.new_job(), device.current
    wire.send(
        device.package(token, 1)
        + device.package(token, 2)
        + device.request(
            device.service, device.operation("EndPostScanJob", f"<dsp:JobToken>{token}</dsp:JobToken>")
        )
    )
    answers = [wire.answer() for _ in range(3)]
    assert [answer.text("Action").rpartition("/")[2] for answer in answers] == [
        "SendImageResponse",
        "SendImageResponse",
        "EndPostScanJobResponse",
    ]
    assert device.server.report().violations == ()


def test_request_in_single_octets_is_read(device):
    for octet in device.request(device.service, an_end(device)):
        device.current.send(bytes([octet]))
    assert device.current.answer().subcode == "ClientErrorJobTokenNotFound"


def test_connection_close_is_obeyed(device):
    answer = device.post(device.service, an_end(device), {"Connection": "close"})
    assert answer.status == 400
    assert device.current.is_closed()


def test_http_1_0_is_answered_and_closed(device):
    request = device.request(device.service, an_end(device)).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    device.current.send(request)
    assert device.current.answer().subcode == "ClientErrorJobTokenNotFound"
    assert device.current.is_closed()


def chunked(request, size):
    head, _, body = request.partition(b"\r\n\r\n")
    head = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return head + b"\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def test_chunked_request_is_read(device):
    device.current.send(chunked(device.request(device.service, an_end(device)), 7))
    assert device.current.answer().subcode == "ClientErrorJobTokenNotFound"
    assert device.server.report().violations == ()


def test_chunked_package_is_read_as_a_violation(device, broken_rules):
    token = device.new_job()
    device.current.send(chunked(device.package(token), 100))
    assert device.current.answer().status == 200
    assert broken_rules(device.server) == {"http-length"}


def test_expected_continue_is_sent_before_the_body(device):
    request = device.package(device.new_job(), headers={"Expect": "100-continue"})
    head, _, body = request.partition(b"\r\n\r\n")
    device.current.send(head + b"\r\n\r\n")
    assert device.current.socket.recv(1000).startswith(b"HTTP/1.1 100 ")
    device.current.send(body)
    assert device.current.answer().status == 200


def test_idle_connection_is_closed(start_server, connect):
    device = connect(start_server(idle_timeout_s=0.05))
    assert device.wire().is_closed()


# --------------------------------------------------------------------------------- what is wrong with it


def folded(request):
    return request.replace(b"Content-Type: application", b"Content-Type:\r\n   application", 1)


@pytest.mark.parametrize(
    ("headers", "rules"),
    [
        ({"Content-Type": "application/soap+xml"}, {"http-charset"}),
        ({"Content-Type": 'application/soap+xml; charset="UTF-8"; action="urn:x"'}, set()),
        ({"Content-Type": "APPLICATION/SOAP+XML;CHARSET=UTF-8"}, set()),
        ({"SOAPAction": '"urn:x"'}, {"http-soapaction"}),
        ({"Host": "other.example"}, {"http-host", "wsa-to"}),
        ({"User-Agent": "WSDAPI", "Cache-Control": "no-cache", "Pragma": "x"}, set()),
    ],
)
def test_headers_are_read_and_judged(device, headers, rules, broken_rules):
    assert device.post(device.service, an_end(device), headers).status == 400
    assert broken_rules(device.server) == rules


def test_folded_header_is_read_as_a_violation(device, broken_rules):
    device.current.send(folded(device.request(device.service, an_end(device))))
    assert device.current.answer().subcode == "ClientErrorJobTokenNotFound"
    assert broken_rules(device.server) == {"http-folded"}
    device.post(device.service, an_end(device))
    assert device.server.report().violations_total == 1, "the next request on the connection is not folded"


def test_folded_header_of_a_pipelined_request_is_found(device, broken_rules):
    request = device.request(device.service, an_end(device))
    second = folded(device.request(device.service, an_end(device)))
    device.current.send(request + second)
    assert [device.current.answer().status for _ in range(2)] == [400, 400]
    assert broken_rules(device.server) == {"http-folded"}


def test_line_that_begins_with_space_in_a_body_is_not_taken_for_a_folded_header(device):
    body = an_end(device).replace(b"<soap:Header>", b"\n  <soap:Header>")
    assert device.post(device.service, body).status == 400
    assert device.server.report().violations == ()


@pytest.mark.parametrize(
    ("path", "method", "content_type", "status", "rules"),
    [
        ("/ScanServer", "GET", "", 405, {"http-method"}),
        ("/", "POST", SOAP_TYPE, 404, set()),
        ("/ScanServer/00000000-0000-4000-8000-000000000000", "POST", SOAP_TYPE, 404, set()),
        ("/ScanServer", "POST", "text/xml; charset=utf-8", 415, {"http-media-type"}),
        ("/ScanServer", "POST", "", 415, {"http-media-type"}),
        ("/ScanServer", "POST", 'multipart/related; boundary="b"', 415, {"http-media-type"}),
    ],
)
def test_what_is_no_message_gets_a_bare_status(device, path, method, content_type, status, rules, broken_rules):
    answer = device.post(path, b"x", {"Content-Type": content_type}, method)
    assert (answer.status, answer.body) == (status, b"")
    assert broken_rules(device.server) == rules
    assert device.get().status == 200, "the connection goes on"


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "xml-well-formed"),
        (b"\x00\xff", "xml-well-formed"),
        (b'<?xml version="1.0" encoding="utf-8"?><a>', "xml-well-formed"),
        (b'<?xml version="1.0" encoding="utf-8"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "xml-dtd"),
        (b'<?xml version="1.0" encoding="utf-8"?><?style x?><a/>', "xml-dtd"),
        (b'<?xml version="1.0" encoding="utf-8"?><a/>', "soap-version"),
        (b'<?xml version="1.0" encoding="utf-8"?>' + b"<a>" * 1000 + b"</a>" * 1000, "xml-well-formed"),
    ],
)
def test_what_is_no_envelope_gets_400(device, body, rule, broken_rules):
    answer = device.post("/ScanServer", body)
    assert (answer.status, answer.body) == (400, b"")
    assert rule in broken_rules(device.server)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.removeprefix(b'<?xml version="1.0" encoding="utf-8"?>'),
        lambda body: b"\xef\xbb\xbf" + body,
        lambda body: body.decode().replace('"utf-8"', '"utf-16"').encode("utf-16"),
    ],
)
def test_other_encodings_and_prologs_are_read_as_violations(device, change, broken_rules):
    assert device.post(device.service, change(an_end(device))).subcode == "ClientErrorJobTokenNotFound"
    assert broken_rules(device.server) == {"xml-declaration"}


def test_envelope_without_header_is_a_fault_without_subcode(device, broken_rules):
    body = re.sub(rb"<soap:Header>.*</soap:Header>", b"", an_end(device))
    answer = device.post(device.service, body)
    assert (answer.status, answer.subcode) == (400, "Sender")
    assert broken_rules(device.server) == {"soap-structure"}


def test_envelope_of_exactly_the_limit_is_read_and_one_octet_more_is_not(device, broken_rules):
    body = an_end(device)
    filler = b"<!--%s-->" % (b"x" * (32_767 - len(body) - 7))
    largest = body.replace(b"<soap:Body>", filler + b"<soap:Body>")
    assert len(largest) == 32_767
    assert device.post(device.service, largest).subcode == "ClientErrorJobTokenNotFound"
    assert broken_rules(device.server) == set()
    assert device.post(device.service, largest + b" ").status == 413
    assert broken_rules(device.server) == {"envelope-size"}


def test_envelope_limit_holds_for_the_root_of_a_package(device, broken_rules):
    token = device.new_job()
    filler = b"<!--%s--><soap:Body>" % (b"x" * 32_767)
    answer = device.send(token, edit=lambda body: body.replace(b"<soap:Body>", filler))
    assert answer.status == 413
    assert broken_rules(device.server) == {"envelope-size"}
    assert not list((device.server.output / "incoming").glob("*.part"))
    assert device.send(token).status == 200


def test_envelope_limit_can_be_raised(start_server, connect):
    device = connect(start_server(envelope_limit=100_000))
    body = an_end(device).replace(b"<soap:Body>", b"<!--%s--><soap:Body>" % (b"x" * 50_000))
    assert device.post(device.service, body).subcode == "ClientErrorJobTokenNotFound"


@pytest.mark.parametrize("junk", [b"\x16\x03\x01 hello\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"GET\r\n\r\n"])
def test_what_is_no_http_gets_a_status_and_the_end(device, junk, broken_rules):
    device.current.send(junk)
    assert device.current.answer().status >= 400
    assert device.current.is_closed()
    assert broken_rules(device.server) == {"http-malformed"}


def test_endless_head_is_refused(device):
    device.current.send(b"POST / HTTP/1.1\r\nX: " + b"x" * 100_000)
    assert device.current.answer().status == 431


def test_request_that_breaks_off_is_counted_and_leaves_nothing(device, until):
    token = device.new_job()
    device.current.send(device.package(token)[:-10])
    incoming = device.server.output / "incoming"
    until(lambda: list(incoming.glob("*.part")))
    device.current.socket.close()
    until(lambda: device.server.report().incomplete_requests == 1)
    assert not list(incoming.glob("*.part"))
    assert device.server.report().violations == ()
    device.wire()
    assert device.query(token).text("ImagesReceived") == "0"


def test_client_that_does_not_trust_the_server_sends_nothing(device, until):
    context = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", device.server.port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname="localhost")
    assert device.get().status == 200
    report = device.server.report()
    assert (report.connections, report.requests) == (1, {"Get": 1})


def test_tls_1_1_is_refused(device):
    context = ssl.create_default_context(cafile=str(device.server.ca_file))
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", device.server.port)) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")


# --------------------------------------------------------------------------------------------- slowness


def test_slow_server_takes_its_rate_and_no_more(start_server, connect, png):
    device = connect(start_server(read_rate=200_000))
    token = device.new_job()
    began = time.monotonic()
    assert device.send(token, 1, b"x" * 100_000, "acme:any").status == 200
    assert time.monotonic() - began >= 0.45


def test_slow_server_is_felt_while_sending(start_server, connect):
    """The server's buffers do not swallow the request: sending itself takes its time."""
    device = connect(start_server(read_rate=100_000))
    package = device.package(device.new_job(), 1, b"x" * 2_000_000, "acme:any")
    device.current.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    device.current.socket.settimeout(2)
    with pytest.raises(TimeoutError):
        device.current.send(package)


def test_server_stops_at_once_although_clients_are_connected(start_server, connect):
    server = start_server()
    with ExitStack() as stack:
        inner = stack.enter_context(running_scan_server(ScanServerOptions(out=server.output / "inner")))
        idle, half = connect(inner), connect(inner)
        assert idle.get().status == 200
        half.wire().send(b"POST /ScanServer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert idle.current.is_closed()
