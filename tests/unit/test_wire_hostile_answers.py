"""Answers just below the size limit that are made to be slow: each is dealt with in a moment."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from dsm_device.wire.discovery import choose, parse_probe_matches
from dsm_device.wire.envelope import MAX_ANSWER_OCTETS, Answer, parse_answer
from dsm_device.wire.metadata import parse_get_response
from dsm_device.wire.names import PREFIXES
from dsm_device.wire.processing import CreatePostScanJob, GetPostScanJobElements
from dsm_device.wire.xml import XmlError

LIMIT_S = 1.0
NAMESPACES = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in PREFIXES.items())
#: Each name that is resolved costs a look at all of these, if somebody lets it.
DECLARATIONS = " ".join(f'xmlns:n{number}="u"' for number in range(30_000))


def filled(before: str, filling: str, after: str, *, declarations: str = "") -> bytes:
    """As many ``filling`` as fit into the largest answer that is read."""
    frame = f"<soap:Envelope {NAMESPACES} {declarations}><soap:Body>{before}|{after}</soap:Body></soap:Envelope>"
    count = (MAX_ANSWER_OCTETS - len(frame.encode())) // len(filling.encode())
    return frame.replace("|", filling * count).encode()


CASES: dict[str, tuple[bytes, Callable[[Answer], object]]] = {
    "subcodes": (
        filled(
            "<soap:Fault><soap:Code>",
            "<soap:Subcode><soap:Value>n1:x</soap:Value></soap:Subcode>",
            "</soap:Code></soap:Fault>",
            declarations=DECLARATIONS,
        ),
        lambda answer: answer.fault,
    ),
    "unprintable reasons": (
        filled("<soap:Fault><soap:Reason><soap:Text>", "\u200b", "</soap:Text></soap:Reason></soap:Fault>"),
        lambda answer: answer.fault,
    ),
    "types": (
        filled(
            "<wsx:Metadata><wsdp:Hosted><wsdp:Types>",
            "n1:a ",
            "</wsdp:Types></wsdp:Hosted></wsx:Metadata>",
            declarations=DECLARATIONS,
        ),
        parse_get_response,
    ),
    "services": (
        filled(
            "<wsx:Metadata>",
            "<wsdp:Hosted><wsdp:Types>n1:a</wsdp:Types></wsdp:Hosted>",
            "</wsx:Metadata>",
            declarations=DECLARATIONS,
        ),
        parse_get_response,
    ),
    "elements": (
        filled(
            "<dsp:GetPostScanJobElementsResponse><dsp:JobElements>",
            '<dsp:ElementData dsp:Name="n1:x"><dsp:x/></dsp:ElementData>',
            "</dsp:JobElements></dsp:GetPostScanJobElementsResponse>",
            declarations=DECLARATIONS,
        ),
        GetPostScanJobElements.parse_answer,
    ),
    "matches": (
        filled(
            "<wsd:ProbeMatches>",
            "<wsd:ProbeMatch><wsa:EndpointReference><wsa:Address>u</wsa:Address></wsa:EndpointReference>"
            "</wsd:ProbeMatch>",
            "</wsd:ProbeMatches>",
        ),
        lambda answer: choose(parse_probe_matches(answer), "scan01", ["192.0.2.7"]),
    ),
    "addresses": (
        filled(
            "<wsd:ProbeMatches><wsd:ProbeMatch><wsa:EndpointReference><wsa:Address>u</wsa:Address>"
            "</wsa:EndpointReference><wsd:XAddrs>",
            "https://x ",
            "</wsd:XAddrs></wsd:ProbeMatch></wsd:ProbeMatches>",
        ),
        lambda answer: choose(parse_probe_matches(answer), "scan01", ["192.0.2.7"]),
    ),
    "comments in a token": (
        filled(
            "<dsp:CreatePostScanJobResponse><dsp:JobToken>",
            "<!---->a",
            "</dsp:JobToken></dsp:CreatePostScanJobResponse>",
        ),
        CreatePostScanJob.parse_answer,
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_no_answer_takes_long(kind: str) -> None:
    data, read = CASES[kind]
    assert MAX_ANSWER_OCTETS - 200 < len(data) <= MAX_ANSWER_OCTETS
    began = time.process_time()
    try:
        read(parse_answer(data, request_id=""))
    except XmlError as error:
        assert len(str(error)) < 500
    assert time.process_time() - began < LIMIT_S
