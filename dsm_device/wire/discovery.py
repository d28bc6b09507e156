"""The directed probe for a scan server, and which of the answers to believe.

Sources: WS-Discovery (2005/04) 5; DPWS 1.0; WS-DSP, finding the service.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import Final

from lxml import etree

from dsm_device.wire import envelope, xml
from dsm_device.wire.envelope import MessageError
from dsm_device.wire.names import DISCOVERY_URN, PROBE, WSA, WSD, qname

#: Where WSDAPI answers directed probes, whatever the host.
STABLE_PATH: Final = "/StableWSDiscoveryEndpoint/schemas-xmlsoap-org_ws_2005_04_discovery"
#: Where the scan server itself answers, and the path of its device address in every published example.
SERVER_PATH: Final = "/ScanServer"
#: WS-Discovery's own UDP port; the scan server's is registered for UDP as well.
DISCOVERY_PORT: Final = 3702

#: DPWS 1.0, appendix I, MAX_URI_SIZE, in octets.
MAX_URI_OCTETS: Final = 2_048
#: More than any host has: the rest of a longer list is not looked at.
_MAX_MATCHES: Final = 16
_MAX_XADDRS: Final = 16
_LABEL: Final = r"[A-Za-z0-9_-]{1,63}"  # underscores occur in Windows domains
#: Read as strictly as this, no two programs can read different hosts in it.
_URL: Final = re.compile(
    rf"https?://(?:\[([0-9A-F:.]{{2,45}})\]|({_LABEL}(?:\.{_LABEL})*\.?))(?::([0-9]{{1,5}}))?(?:[/?#].*)?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ProbeMatch:
    """One device that answered. ``address`` is copied into To of the next request exactly as it stands."""

    address: str
    xaddrs: tuple[str, ...]


def render_probe(message_id: str) -> bytes:
    """A Probe for wsdp:Device. Types must be there (WSDAPI demands it of a directed probe), Scopes must not."""
    probe = envelope.element(WSD, "Probe", "wsdp")
    etree.SubElement(probe, qname(WSD, "Types")).text = "wsdp:Device"
    return envelope.render(to=DISCOVERY_URN, action=PROBE, message_id=message_id, body=probe)


def parse_probe_matches(answer: envelope.Answer) -> tuple[ProbeMatch, ...]:
    """The matches, none where the server is there but nothing of that type. Raises :class:`MessageError`."""
    matches = envelope.expect(answer, WSD, "ProbeMatches")
    return tuple(_match(each) for each in islice(matches.iterchildren(qname(WSD, "ProbeMatch")), _MAX_MATCHES))


def _match(match: etree._Element) -> ProbeMatch:
    reference = xml.child(match, WSA, "EndpointReference")
    address = xml.child(reference, WSA, "Address") if reference is not None else None
    if not xml.token(address):
        raise MessageError("a ProbeMatch has no address")
    xaddrs = xml.token(xml.child(match, WSD, "XAddrs")).split()
    return ProbeMatch(xml.token(address), tuple(xaddrs[:_MAX_XADDRS]))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to send (``url``) and what to write into To (``address``)."""

    url: str
    address: str


def choose(matches: tuple[ProbeMatch, ...], host: str, addresses: Collection[str]) -> Endpoint:
    """The endpoint to ask for metadata: an https XAddr on ``host`` itself, else on one of its ``addresses``.

    ``addresses`` are the IP addresses that ``host`` resolves to. A match without XAddrs offers its address, which
    for a TLS host is the same URL. Raises :class:`MessageError` where nothing is acceptable (WS-DSP, probe): no
    plain HTTP, no other host.
    """
    offers = [(url, match.address) for match in matches for url in match.xaddrs or (match.address,)]
    accepted = [Endpoint(url, to) for url, to in offers if is_acceptable(url, host, addresses)]
    if not accepted:
        offered = ", ".join(url for url, _ in offers)[:200] or "nothing"
        raise MessageError(f"no https address on {host} in its ProbeMatches, which offer {offered}")
    return min(accepted, key=lambda each: not is_on_host(each.url, host))


def is_acceptable(url: str, host: str, addresses: Collection[str]) -> bool:
    return is_https(url) and (is_on_host(url, host) or url_host(url) in {_plain(each) for each in addresses})


def is_on_host(url: str, host: str) -> bool:
    return url_host(url) == _plain(host)


def is_https(url: str) -> bool:
    """Whether ``url`` is one that we would send to: https, a host, a valid port, no user, not overlong."""
    return url[:8].lower() == "https://" and bool(url_host(url))


def url_host(url: str) -> str:
    """The host of ``url`` as it is compared: lower case, without final dot, addresses in their usual form.

    "" for whatever is no URL of ours.
    """
    match = _URL.fullmatch(url) if len(url) <= MAX_URI_OCTETS and url.isprintable() and url.isascii() else None
    if match is None:
        return ""
    address, name, port = match.groups()
    if not 0 < int(port or 443) < 65536 or (address and not _is_ipv6(address)):
        return ""
    return _plain(address or name)


def _is_ipv6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _plain(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return host.rstrip(".").lower()
