"""Octets to octets: the published requests through a real port to the device's service, and hostile XML."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from lxml import etree

from dsm_device.server.device_service import DeviceService
from dsm_device.server.door_ports import DoorPorts, PortOptions
from dsm_device.server.front_door import About, FrontDoor
from dsm_device.server.soap_endpoint import SoapEndpoint, check_octets
from dsm_device.wire.names import DSD, SOAP, WSA, WSE
from dsm_device.wire.service_request import OutgoingFault
from dsm_device.wire.xml import XmlError
from tests.integration.door.knocking import UUID, Answer, ask, request
from tests.unit.device_samples import SampleView, sample
from tests.unit.test_device_service import Subscriptions, probe_answer

pytestmark = pytest.mark.anyio

NAMES = {"s": SOAP, "a": WSA, "d": DSD}
PROBE_PATH = "/StableWSDiscoveryEndpoint/schemas-xmlsoap-org_ws_2005_04_discovery"
QUESTION = sample("get-scanner-elements-request")


@asynccontextmanager
async def device() -> AsyncIterator[int]:
    """The port of a device with the state of the published messages."""
    service = SoapEndpoint(DeviceService(SampleView(), Subscriptions(), probe_answer), UUID)
    front = FrontDoor(service, None, lambda: About("Front desk", "DSM"))
    async with DoorPorts(front, PortOptions("127.0.0.1", 0, 0)) as ports:
        yield ports.http_port


async def said(body: bytes, path: str = "/dsd", **fields: str | None) -> Answer:
    async with device() as port:
        return await ask(port, request(body, path, **fields))


def texts(answer: Answer, path: str) -> list[str]:
    found = etree.fromstring(answer.body).xpath(path, namespaces=NAMES)
    assert isinstance(found, list)
    return [str(each.text) for each in found]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("get-scanner-elements", "/dsd"),
        ("get-active-jobs", "/dsd"),
        ("get-job-history", "/dsd"),
        ("get-job-elements", "/scan"),
        ("validate-scan-ticket", "/dsd"),
        ("wscn-get-active-jobs", "/scan"),
        ("wscn-get-scanner-elements", "/scan"),
    ],
)
async def test_published_questions_are_answered(name: str, path: str) -> None:
    question = sample(f"{name}-request")
    answer = await said(question, path)
    assert answer.status == 200
    assert answer.head["content-type"] == "application/soap+xml; charset=utf-8"
    message_id = etree.fromstring(question).findtext(f".//{{{WSA}}}MessageID")
    assert texts(answer, "//a:RelatesTo") == [message_id]
    published = etree.fromstring(sample(f"{name}-response"))
    body = etree.fromstring(answer.body).find(f"{{{SOAP}}}Body")
    assert body is not None
    assert [each.tag for each in body] == [each.tag for each in published.find(f"{{{SOAP}}}Body")]  # type: ignore[union-attr]


@pytest.mark.parametrize("path", [f"/{UUID}", f"/{UUID.upper()}", "/", "/scan", "/dsd"])
async def test_the_metadata_name_the_address_that_was_called(path: str) -> None:
    answer = await said(sample("dpws-get"), path, host="scanner.corp.example.com:5357")
    assert answer.status == 200
    assert b"http://scanner.corp.example.com:5357/scan" in answer.body


async def test_a_directed_probe_is_answered() -> None:
    answer = await said(sample("dpws-probe"), PROBE_PATH, host="[2001:db8::7]:5357")
    assert answer.status == 200
    assert f"http://[2001:db8::7]:5357/{UUID}".encode() in answer.body


async def test_subscriptions_have_paths_of_their_own() -> None:
    answer = await said(sample("wse-renew"), "/subscriptions/1")
    assert answer.body == f"{WSE}/Renew subscription http://printer:5357 127.0.0.1".encode()


@pytest.mark.parametrize("path", ["/subscriptions", "/x", f"/{UUID}x", "/dsd/", "//"])
async def test_other_paths(path: str) -> None:
    assert (await said(QUESTION, path)).status == 404


# ------------------------------------------------------------------------------------------ encodings


PLAIN = QUESTION.replace(b'<?xml version="1.0" encoding="utf-8"?>', b"").decode()


@pytest.mark.parametrize(
    "octets",
    [
        b"\xef\xbb\xbf" + QUESTION,
        PLAIN.encode(),
        b'<?xml version="1.0"?>' + PLAIN.encode(),
        b"<?xml version='1.0' encoding='UTF-8' standalone='yes'?>" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        ("\ufeff" + '<?xml version="1.0" encoding="utf-16"?>' + PLAIN).encode("utf-16-le"),
        ("\ufeff" + QUESTION.decode()).encode("utf-16-be"),
    ],
    ids=[
        "utf-8-mark",
        "no-declaration",
        "no-encoding",
        "upper",
        "utf-16-le",
        "utf-16-be",
        "declared",
        "misdeclared",
    ],
)
async def test_encodings_that_are_read(octets: bytes) -> None:
    answer = await said(octets)
    assert answer.status == 200
    assert b"GetScannerElementsResponse" in answer.body


def declared(encoding: str, codec: str) -> bytes:
    return (f'<?xml version="1.0" encoding="{encoding}"?>' + PLAIN).encode(codec)


@pytest.mark.parametrize(
    "octets",
    [
        declared("utf-16", "utf-16-le"),
        declared("utf-16", "utf-8"),
        declared("iso-8859-1", "latin-1"),
        declared("windows-1252", "cp1252"),
        declared("iso-2022-cn-ext", "ascii"),
        declared("utf-7", "ascii"),
        declared("ibm037", "cp037"),
        declared("utf-32", "utf-32"),
        declared("utf-32", "utf-32-be"),
        b"\xff\xfe" + declared("iso-2022-kr", "utf-16-le"),
        PLAIN.encode("utf-16")[:-1],
        b"\xff\xfe\x00\xd8\x00\x00",
        QUESTION.replace(b"acme:Toner", b"acme:T\xf6ner"),
        QUESTION.replace(b"acme:Toner", b"acme:\xc0\xbcToner"),
        QUESTION.replace(b"acme:Toner", b"acme:\x00Toner"),
        b"\xff\xfe\xff\xfe" + PLAIN.encode("utf-16-le"),
    ],
)
async def test_encodings_that_are_refused(octets: bytes) -> None:
    answer = await said(octets)
    assert (answer.status, answer.body) == (400, b"")


# -------------------------------------------------------------------------------------------- hostile


PASSWD = 'SYSTEM "file:///etc/passwd"'
LAUGHS = (
    '<!DOCTYPE a [<!ENTITY l0 "lol">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
)
HOSTILE = {
    "empty": "",
    "white-space": " \n" * 100,
    "no-xml": "hello",
    "json": '{"a": 1}',
    "cut-off": PLAIN[:-9],
    "twice": PLAIN + PLAIN,
    "dtd": "<!DOCTYPE a>" + PLAIN,
    "dtd-elsewhere": '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">' + PLAIN,
    "entity": '<!DOCTYPE a [<!ENTITY x "y">]>' + PLAIN.replace("acme:Toner", "&x;"),
    "external-entity": f"<!DOCTYPE a [<!ENTITY x {PASSWD}>]>" + PLAIN.replace("acme:Toner", "&x;"),
    "parameter-entity": f"<!DOCTYPE a [<!ENTITY % x {PASSWD}> %x;]>" + PLAIN,
    "laughs": LAUGHS + PLAIN.replace("acme:Toner", "&l9;"),
    "laughs-in-attribute": LAUGHS + PLAIN.replace("<soap:Body", '<soap:Body x="&l9;"'),
    "undeclared-entity": PLAIN.replace("acme:Toner", "&x;"),
    "instruction": "<?x y?>" + PLAIN,
    "instruction-inside": PLAIN.replace("<soap:Body>", "<soap:Body><?x y?>"),
    "instruction-behind": PLAIN + "<?x y?>",
    "deep": PLAIN.replace("<soap:Body>", "<soap:Body>" + "<a>" * 100 + "</a>" * 100),
    "very-deep": PLAIN.replace("<soap:Body>", "<soap:Body>" + "<a>" * 4000 + "</a>" * 4000),
    "deep-and-open": PLAIN[:-20] + "<a>" * 10_000,
    "undeclared-prefix": PLAIN.replace("<soap:Body>", "<soap:Body><x:y/>"),
    "attribute-twice": PLAIN.replace("<soap:Body>", "<soap:Body a='1' a='2'>"),
    "no-envelope": "<a/>",
    "no-body": f"<s:Envelope xmlns:s='{SOAP}'/>",
    "forbidden-character": PLAIN.replace("acme:Toner", "&#1;"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_xml_is_refused_at_once_and_without_a_word(name: str) -> None:
    began = time.process_time()
    answer = await said(HOSTILE[name].encode())
    assert (answer.status, answer.body) == (400, b"")
    assert time.process_time() - began < 1


@pytest.mark.parametrize("name", [name for name in HOSTILE if "DOCTYPE" in HOSTILE[name]])
def test_the_parser_never_sees_a_dtd(name: str) -> None:
    for octets in (HOSTILE[name].encode(), HOSTILE[name].encode("utf-16")):
        with pytest.raises(XmlError, match="DOCTYPE"):
            check_octets(octets)


@pytest.mark.parametrize(
    "body",
    [
        PLAIN.replace("<soap:Body>", "<soap:Body " + " ".join(f"a{n}='{n}'" for n in range(2500)) + ">"),
        PLAIN.replace("<soap:Body>", "<soap:Body " + " ".join(f"xmlns:a{n}='u{n}'" for n in range(1500)) + ">"),
        PLAIN.replace("<soap:Header>", "<soap:Header>" + "<a/>" * 7000),
        PLAIN.replace("<soap:Header>", "<soap:Header>" + "<!---->" * 4000),
        PLAIN.replace("acme:Toner", "x" * 30_000),
        PLAIN.replace("acme:Toner", "&#120;" * 5_000),
        PLAIN.replace("<wscn:Name>acme:Toner</wscn:Name>", "<wscn:Name>wscn:ScannerStatus</wscn:Name>" * 700),
        PLAIN.replace(
            "<wscn:Name>acme:Toner</wscn:Name>", "<wscn:Name>wscn:ScannerConfiguration</wscn:Name>" * 600
        ),
    ],
    ids=["attributes", "namespaces", "headers", "comments", "text", "references", "names", "configurations"],
)
async def test_much_of_everything_takes_no_time(body: str) -> None:
    assert len(body) <= 32_767
    began = time.process_time()
    answer = await said(body.encode())
    assert time.process_time() - began < 1
    assert answer.status in (200, 400)
    assert 0 < len(answer.body) <= 32_767


# ---------------------------------------------------------------------------------------------- faults


async def test_faults_have_the_status_of_their_code() -> None:
    async with device() as port:
        for old, new, status, code, subcode in (
            ("GetScannerElements</wsa:Action>", "X</wsa:Action>", 400, "soap:Sender", "wsa:ActionNotSupported"),
            (SOAP, "http://schemas.xmlsoap.org/soap/envelope/", 500, "soap:VersionMismatch", ""),
            ("<wsa:To>", "<x soap:mustUnderstand='1'/><wsa:To>", 500, "soap:MustUnderstand", ""),
            ("wsa:To>", "wsa:Too>", 400, "soap:Sender", "wsa:MessageInformationHeaderRequired"),
        ):  # fmt: skip
            answer = await ask(port, request(PLAIN.replace(old, new).encode(), "/dsd"))
            assert answer.status == status
            assert texts(answer, "//s:Code/s:Value") == [code]
            assert texts(answer, "//s:Subcode/s:Value") == ([subcode] if subcode else [])


async def test_a_fault_of_the_receiver() -> None:
    service = SoapEndpoint(DeviceService(SampleView(is_known=False), Subscriptions(), probe_answer), UUID)
    reply = await service.answer(QUESTION, "/dsd", "http://x", "127.0.0.1")
    assert reply.status == 500
    assert reply.unknown == ""
    assert b"ServerErrorTemporaryError" in reply.body


async def test_what_is_unknown_is_said_to_be() -> None:
    service = SoapEndpoint(DeviceService(SampleView(), Subscriptions(), probe_answer), UUID)

    async def unknown(body: str) -> str:
        return (await service.answer(body.encode(), "/dsd", "http://x", "127.0.0.1")).unknown

    assert await unknown(PLAIN) == ""
    assert "urn:new" in await unknown(PLAIN.replace(f"{DSD}/GetScannerElements", "urn:new"))
    assert "MustUnderstand" in await unknown(PLAIN.replace("<wsa:To>", "<x soap:mustUnderstand='1'/><wsa:To>"))
    assert "message" in await unknown("<a/>")


async def test_a_message_that_has_no_answer() -> None:
    class OneWay:
        async def answer(self, *_: object) -> bytes:
            return b""

    reply = await SoapEndpoint(OneWay(), UUID).answer(QUESTION, "/dsd", "http://x", "127.0.0.1")
    assert (reply.status, reply.body) == (202, b"")
    assert OutgoingFault("Sender", None, "").action
