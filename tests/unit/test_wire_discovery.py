"""Which answers to a probe are believed, and which service of the metadata is chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.wire.discovery import (
    Endpoint,
    ProbeMatch,
    choose,
    is_acceptable,
    is_https,
    parse_probe_matches,
    url_host,
)
from dsm_device.wire.envelope import MessageError, parse_answer
from dsm_device.wire.metadata import HostedService, Metadata, parse_get_response, processing_address
from dsm_device.wire.names import DSP, SOAP, WSA, WSD, WSDP, WSX

HOST = "scan01.corp.example.com"
URL = f"https://{HOST}:5362/ScanServer"
DSC = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/configuration"


def answer(body: str) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}" xmlns:d="{WSD}" xmlns:p="{WSDP}" xmlns:x="{WSX}" '
        f'xmlns:t="{DSP}"><s:Body>{body}</s:Body></s:Envelope>'
    ).encode()


def match(address: str, *xaddrs: str) -> ProbeMatch:
    return ProbeMatch(address, xaddrs)


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        ([match(URL, URL)], Endpoint(URL, URL)),
        ([match(f"{URL}/", URL)], Endpoint(URL, f"{URL}/")),
        ([match("urn:uuid:1", "http://scan01/x", URL.upper())], Endpoint(URL.upper(), "urn:uuid:1")),
        ([match(URL)], Endpoint(URL, URL)),
        ([match("urn:uuid:1", "https://192.0.2.7:5362/S")], Endpoint("https://192.0.2.7:5362/S", "urn:uuid:1")),
        ([match("urn:uuid:1", "https://192.0.2.7/S", URL)], Endpoint(URL, "urn:uuid:1")),
        (
            [match("urn:uuid:1", "https://[2001:DB8:0::7]:5362/S")],
            Endpoint("https://[2001:DB8:0::7]:5362/S", "urn:uuid:1"),
        ),
        ([match("urn:uuid:1", f"https://{HOST}.:5362/S")], Endpoint(f"https://{HOST}.:5362/S", "urn:uuid:1")),
    ],
)
def test_an_address_of_the_server_is_taken(matches: list[ProbeMatch], expected: Endpoint) -> None:
    assert choose(tuple(matches), HOST, ["192.0.2.7", "2001:db8::7"]) == expected


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("https", "http"),
        "https://evil.example.com:5362/ScanServer",
        f"https://{HOST}.evil.example.com/ScanServer",
        f"https://evil@{HOST}/ScanServer",
        f"https://{HOST}@evil.example.com/ScanServer",
        f"https://{HOST}:99999/ScanServer",
        f"https://{HOST}:0/ScanServer",
        f"https://{HOST}:x/ScanServer",
        "https://192.0.2.8:5362/ScanServer",
        "https://",
        "https://[::1",
        "https://exämple.com/",
        f"https://{HOST}/{'a' * 2048}",
        f"https://{HOST}\x7f/",
        "urn:uuid:1",
        "file:///etc/passwd",
        "",
    ],
)
def test_any_other_address_is_refused(url: str) -> None:
    assert not is_acceptable(url, HOST, ["192.0.2.7"])
    with pytest.raises(MessageError, match="no https address on scan01"):
        choose((match("urn:uuid:1", url),), HOST, ["192.0.2.7"])


def test_a_server_without_anything_of_that_type_offers_nothing() -> None:
    matches = parse_probe_matches(parse_answer(answer("<d:ProbeMatches/>"), request_id=""))
    assert matches == ()
    with pytest.raises(MessageError, match="which offer nothing"):
        choose(matches, HOST, [])


def test_probe_matches_with_white_space_and_strange_children() -> None:
    body = (
        "<d:ProbeMatches><Odd xmlns='urn:o'/><d:ProbeMatch><a:EndpointReference><a:Address>\n urn:uuid:1 \n"
        f"</a:Address></a:EndpointReference><d:XAddrs>\n{URL}\t http://x/ \r\n</d:XAddrs></d:ProbeMatch>"
        "</d:ProbeMatches>"
    )
    matches = parse_probe_matches(parse_answer(answer(body), request_id=""))
    assert matches == (match("urn:uuid:1", URL, "http://x/"),)


@pytest.mark.parametrize("body", ["<d:ProbeMatches><d:ProbeMatch/></d:ProbeMatches>", "<d:Hello/>", ""])
def test_what_is_no_probe_matches_is_refused(body: str) -> None:
    with pytest.raises(MessageError):
        parse_probe_matches(parse_answer(answer(body), request_id=""))


@given(st.text())
def test_no_text_is_a_reason_to_fail(text: str) -> None:
    assert is_https(text) in (True, False)
    assert url_host(f"https://{text}") == url_host(f"https://{text}").lower()


def service(*addresses: str, types: tuple[tuple[str, str], ...] = ((DSP, "Whatever"),)) -> HostedService:
    return HostedService(addresses, types, "id")


def chosen(*services: HostedService) -> str:
    return processing_address(Metadata("", "", services), HOST)


def test_the_service_is_chosen_by_the_namespace_of_any_of_its_types() -> None:
    other = service(f"{URL}/1", types=((DSC, "RepositoryProcessingServiceType"), ("", "dsp")))
    ours = service(f"{URL}/2", types=(("urn:x", "a"), (DSP, "NameThatNobodyPublished")))
    assert chosen(other, ours) == f"{URL}/2"


def test_https_comes_first_and_then_the_servers_own_name() -> None:
    assert chosen(service("http://scan01/1", "https://scan01/2", "https://192.0.2.7/3", f"{URL}/4")) == f"{URL}/4"
    assert chosen(service("http://scan01/1", "https://scan01:5362/2")) == "https://scan01:5362/2"


def test_plain_http_is_refused_even_if_there_is_nothing_else() -> None:
    with pytest.raises(MessageError, match="no https address: http://scan01/1"):
        chosen(service("http://scan01/1"))


def test_a_host_without_the_service_is_refused() -> None:
    with pytest.raises(MessageError, match="no service for processing scans"):
        chosen(service(URL, types=((DSC, "x"),)))


def test_types_are_resolved_where_they_stand() -> None:
    body = (
        f'<x:Metadata><p:Hosted xmlns:q="{DSC}"><a:EndpointReference><a:Address>{URL}/1</a:Address>'
        f'</a:EndpointReference><p:Types xmlns:q="{DSP}">\n undeclared:T \n q:T T</p:Types></p:Hosted>'
        "</x:Metadata>"
    )
    metadata = parse_get_response(parse_answer(answer(body), request_id=""))
    assert metadata.hosted[0].types == (("", "T"), (DSP, "T"), ("", "T"))
    assert processing_address(metadata, HOST) == f"{URL}/1"
