"""Every published message of the scan server's protocol, written by us or read by us."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

import dsm_sim
from dsm_device.wire import envelope, xml
from dsm_device.wire.discovery import Endpoint, choose, parse_probe_matches, render_probe
from dsm_device.wire.metadata import parse_get_response, processing_address, render_get
from dsm_device.wire.processing import (
    CancelPostScanJob,
    CreatePostScanJob,
    Document,
    EndPostScanJob,
    FilterStatus,
    GetPostScanJobElements,
    JobDescription,
    JobStatus,
    SendImage,
)

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
SCHEMAS = Path(dsm_sim.__file__).parent / "schemas"
DEVICE = "https://scan01.corp.example.com:5362/ScanServer"
SERVICE = f"{DEVICE}/5f0a2f4e-6d0b-4b0e-9c55-0a4c9d1f7e21"
TOKEN = "b7b3c2d8-5c3c-4f7a-8f5a-2a6c1c9d7e10"
EMAIL = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/email"


def message_id(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012x}"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def stored_instructions() -> etree._Element:
    """As in the process that the published request was made from, with the wrapper in its own namespace."""
    text = sample("dsp-create-post-scan-job-request.xml").replace(
        b"dsp:PostScanInstructions", b"psp:PostScanInstructions"
    )
    found = xml.parse(text, limit=len(text)).find(".//{*}PostScanInstructions")
    assert found is not None
    return found


def meaning(data: bytes) -> bytes:
    """Canonical form without what the published samples have for readers: comments, indentation."""
    root = etree.fromstring(data, etree.XMLParser(remove_blank_text=True, remove_comments=True))
    return etree.tostring(root, method="c14n", exclusive=True)


REQUESTS: dict[str, Callable[[], bytes]] = {
    "wire-probe.xml": lambda: render_probe(message_id(0x11)),
    "wire-get.xml": lambda: render_get(DEVICE, message_id(0x13)),
    "dsp-create-post-scan-job-request.xml": lambda: CreatePostScanJob(
        "S-1-5-21-1085031214-1563985344-725345543-1107",
        "6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11",
        stored_instructions(),
    ).render(SERVICE, message_id(0x1C)),
    "dsp-send-image-request.xml": lambda: SendImage(TOKEN, 1, "png").render(
        SERVICE, message_id(0x1E), file_id="image-1@mfp-3f.corp.example.com"
    ),
    "dsp-end-post-scan-job-request.xml": lambda: EndPostScanJob(TOKEN).render(SERVICE, message_id(0x20)),
    "dsp-cancel-post-scan-job-request.xml": lambda: CancelPostScanJob(TOKEN).render(SERVICE, message_id(0x22)),
    "dsp-get-post-scan-job-elements-request.xml": lambda: GetPostScanJobElements(
        TOKEN, ("JobStatus", "JobDescription", "Documents")
    ).render(SERVICE, message_id(0x24)),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_means_what_the_published_one_means(name: str) -> None:
    rendered = REQUESTS[name]()
    assert meaning(rendered) == meaning(sample(name))
    assert rendered.startswith(b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope ')


@pytest.mark.parametrize("name", [name for name in REQUESTS if name.startswith("dsp-")])
def test_a_request_is_valid_by_the_schema(name: str) -> None:
    schema = etree.XMLSchema(etree.parse(SCHEMAS / "dsp.xsd"))
    body = etree.fromstring(REQUESTS[name]()).find("{*}Body")
    assert body is not None
    schema.assertValid(etree.fromstring(etree.tostring(body[0])))


def test_the_package_of_send_image_is_the_published_one_octet_by_octet() -> None:
    head, body = sample("wire-send-image.http").split(b"\r\n\r\n", 1)
    image = body[1401:1468]
    package = SendImage(TOKEN, 1, "png").package(
        SERVICE, message_id(0x1E), boundary="b-4f1d6c0a9e7b42d8", origin="mfp-3f.corp.example.com"
    )
    assert package.head + image + package.tail == body
    assert package.length(len(image)) == len(body) == 1494
    published = re.search(rb"Content-Type: (.*)\r\n", head)
    assert published is not None
    assert package.content_type.encode() == published[1]


def answer(name: str, number: int) -> envelope.Answer:
    return envelope.parse_answer(sample(name), request_id=message_id(number))


def test_probe_matches() -> None:
    matches = parse_probe_matches(answer("wire-probe-matches.xml", 0x11))
    assert choose(matches, "scan01.corp.example.com", ()) == Endpoint(DEVICE, DEVICE)


def test_metadata() -> None:
    metadata = parse_get_response(answer("wire-get-response.xml", 0x13))
    assert (metadata.friendly_name, metadata.model_name) == ("Scan server SCAN01", "Distributed Scan Server")
    assert processing_address(metadata, "scan01.corp.example.com") == SERVICE


def test_create_post_scan_job_response() -> None:
    assert CreatePostScanJob.parse_answer(answer("dsp-create-post-scan-job-response.xml", 0x1C)) == TOKEN


@pytest.mark.parametrize(
    ("name", "number", "check"),
    [
        ("dsp-send-image-response.xml", 0x1E, SendImage.check_answer),
        ("dsp-end-post-scan-job-response.xml", 0x20, EndPostScanJob.check_answer),
        ("dsp-cancel-post-scan-job-response.xml", 0x22, CancelPostScanJob.check_answer),
    ],
)
def test_empty_responses(name: str, number: int, check: Callable[[envelope.Answer], None]) -> None:
    check(answer(name, number))
    with pytest.raises(envelope.MessageError, match="CreatePostScanJobResponse where"):
        check(answer("dsp-create-post-scan-job-response.xml", 0x1C))


def test_get_post_scan_job_elements_response() -> None:
    elements = GetPostScanJobElements.parse_answer(answer("dsp-get-post-scan-job-elements-response.xml", 0x24))
    assert elements.status == JobStatus(
        job_token=TOKEN,
        state="Creating",
        reasons=("None",),
        filters=(FilterStatus(EMAIL, "Pending", ()),),
        images_received=1,
        created="2026-03-02T09:14:07.250",
        completed="",
    )
    assert not elements.status.is_final
    assert elements.description == JobDescription(
        "6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11", "Scan to mail", "amelie@corp.example.com"
    )
    assert elements.documents == (Document(1, "png"),)


def test_a_fault() -> None:
    fault = answer("dsp-fault-job-token-not-found.xml", 0xFF).fault
    assert fault is not None
    assert (fault.code, fault.subcode) == ("Sender", "ClientErrorJobTokenNotFound")
    assert (fault.reason, fault.detail) == ("No post-scan job has this token.", TOKEN)
